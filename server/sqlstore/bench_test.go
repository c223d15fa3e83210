package sqlstore

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// crowd is a store with n users in one group.
func crowd(b *testing.B, n int) (s *Store, users []int64, group int64) {
	b.Helper()
	s = openTest(b, Config{})
	for i := range n {
		users = append(users, newUser(b, s, fmt.Sprint(10000+i)))
	}
	c, err := s.CreateGroup(b.Context(), "group", users[0], users, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	return s, users, c.ID
}

// cpu is the processor time of this process so far.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkAppend is per message: wall clock, processor and allocations.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1, 16, 256} {
		for _, rooms := range []string{"one", "own"} {
			b.Run(fmt.Sprintf("%d/%s", size, rooms), func(b *testing.B) { benchmarkAppend(b, size, rooms == "own") })
		}
	}
}

// BenchmarkAppendUnsynced is BenchmarkAppend without fsync: the difference is
// what durability costs.
func BenchmarkAppendUnsynced(b *testing.B) {
	s, users, group := crowd(b, 1)
	if _, err := s.write.(*localPool).db.Exec("PRAGMA synchronous = OFF"); err != nil {
		b.Fatal(err)
	}
	runAppend(b, s, users, group, false)
}

func benchmarkAppend(b *testing.B, size int, own bool) {
	s, users, group := crowd(b, size)
	runAppend(b, s, users, group, own)
}

func runAppend(b *testing.B, s *Store, users []int64, group int64, own bool) {
	size := len(users)
	batch := make([]chat.NewMessage, size)
	for i := range batch {
		batch[i] = chat.NewMessage{ConversationID: group, SenderID: users[i], Content: "a message of a usual length, so to say", Type: chat.TypeText}
		if own {
			id, err := s.EnsureDirect(b.Context(), chat.PairOf(users[i], users[i]), time.Now())
			if err != nil {
				b.Fatal(err)
			}
			batch[i].ConversationID = id
		}
	}
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour) // as the service does
	defer cancel()
	b.ReportAllocs()
	start, n := cpu(b), 0
	for b.Loop() {
		now := time.Now()
		for i := range batch {
			n++
			batch[i].CreatedAt, batch[i].ClientMsgID = now, fmt.Sprintf("%08x-0000-4000-8000-%012x", n*2654435761, n)
		}
		if _, err := s.Append(ctx, batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpu(b)-start)/float64(n), "cpu-ns/msg")
	b.ReportMetric(float64(b.Elapsed())/float64(n), "ns/msg")
}

func BenchmarkMembership500(b *testing.B) {
	s, _, group := crowd(b, 500)
	b.ReportAllocs()
	for b.Loop() {
		if m, err := s.Membership(b.Context(), group); err != nil || len(m.Members) != 500 {
			b.Fatal(err)
		}
	}
}

// BenchmarkDialogs lists 50 of 200 conversations of 100 messages each, a tenth
// of them unread.
func BenchmarkDialogs(b *testing.B) {
	s, users, _ := crowd(b, 200)
	var marks []chat.Mark
	for _, peer := range users[1:] {
		d, err := s.EnsureDirect(b.Context(), chat.PairOf(users[0], peer), time.Now())
		if err != nil {
			b.Fatal(err)
		}
		batch := make([]chat.NewMessage, 100)
		for i := range batch {
			batch[i] = chat.NewMessage{ConversationID: d, SenderID: peer, Content: "x", Type: chat.TypeText, CreatedAt: time.Now()}
		}
		if _, err := s.Append(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		marks = append(marks, chat.Mark{ConversationID: d, UserID: users[0], Read: 90})
	}
	if err := s.Advance(b.Context(), marks); err != nil {
		b.Fatal(err)
	}
	b.Run("Dialogs", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if list, err := s.Dialogs(b.Context(), users[0], 50, 0); err != nil || len(list) != 50 {
				b.Fatal(err)
			}
		}
	})
	b.Run("Unread", func(b *testing.B) {
		for b.Loop() {
			if n, err := s.Unread(b.Context(), users[0]); err != nil || n != 1990 {
				b.Fatal(n, err)
			}
		}
	})
	b.Run("NewestOfAll", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := s.Messages(b.Context(), chat.MessageQuery{UserID: users[0], Limit: 50}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("History", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			q := chat.MessageQuery{UserID: users[0], ConversationID: marks[0].ConversationID, Limit: 50}
			if list, _, err := s.Messages(b.Context(), q); err != nil || len(list) != 50 {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkAdvance moves one mark in each of 100 conversations.
func BenchmarkAdvance(b *testing.B) {
	s, users, _ := crowd(b, 100)
	marks := make([]chat.Mark, len(users))
	batch := make([]chat.NewMessage, len(users))
	for i, id := range users {
		d, err := s.EnsureDirect(b.Context(), chat.PairOf(id, id), time.Now())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.write.(*localPool).db.Exec("UPDATE conversations SET last_seq = 1 << 40 WHERE id = ?", d); err != nil {
			b.Fatal(err)
		}
		marks[i], batch[i] = chat.Mark{ConversationID: d, UserID: id}, chat.NewMessage{ConversationID: d, SenderID: id}
	}
	b.ReportAllocs()
	for b.Loop() {
		for i := range marks {
			marks[i].Delivered++
		}
		if err := s.Advance(b.Context(), marks); err != nil {
			b.Fatal(err)
		}
	}
}
