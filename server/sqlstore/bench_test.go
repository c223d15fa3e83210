package sqlstore

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server/chat"
)

// engines runs a benchmark on SQLite and on MySQL. empty returns the configuration of
// an empty database.
func engines(b *testing.B, run func(b *testing.B, empty func() Config)) {
	b.Run("sqlite", func(b *testing.B) { run(b, func() Config { return Config{} }) })
	b.Run("mysql", func(b *testing.B) { run(b, func() Config { return Config{MySQL: needs.MySQL(b)} }) })
}

// crowd returns a store with n users in one group.
func crowd(b *testing.B, cfg Config, n int) (s *Store, users []int64, group int64) {
	b.Helper()
	s = openTest(b, cfg)
	for i := range n {
		users = append(users, newUser(b, s, fmt.Sprint(10000+i)))
	}
	c, err := s.CreateGroup(b.Context(), "group", users[0], users, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	return s, users, c.ID
}

// cpu returns the CPU time of this process so far.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// serverCPU returns the CPU time so far of the MariaDB that .ci/services started, or 0
// if there is none.
func serverCPU(b *testing.B) time.Duration {
	pid := os.Getenv("IM_TEST_MARIADB_PID")
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if pid == "" || err != nil {
		return 0
	}
	const utime, stime, hertz = 11, 12, 100 // fields after the name in brackets
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+2:]))
	var ticks time.Duration
	for _, f := range []string{fields[utime], fields[stime]} {
		n, err := strconv.Atoi(f)
		if err != nil {
			b.Fatal(err)
		}
		ticks += time.Duration(n)
	}
	return ticks * time.Second / hertz
}

// BenchmarkAppend measures wall-clock time and CPU time per message, for batches of
// several sizes.
func BenchmarkAppend(b *testing.B) {
	engines(b, func(b *testing.B, empty func() Config) {
		for _, size := range []int{1, 16, 256} {
			for _, conversations := range []string{"one", "own"} {
				b.Run(fmt.Sprintf("%d/%s", size, conversations), func(b *testing.B) {
					benchmarkAppend(b, empty(), size, conversations == "own")
				})
			}
		}
	})
}

// BenchmarkAppendUnsynced is BenchmarkAppend for one message without fsync: the
// difference is the cost of durability.
func BenchmarkAppendUnsynced(b *testing.B) {
	s, users, group := crowd(b, Config{}, 1)
	if _, err := s.write.(*localPool).db.Exec("PRAGMA synchronous = OFF"); err != nil {
		b.Fatal(err)
	}
	runAppend(b, s, users, group, false)
}

func benchmarkAppend(b *testing.B, cfg Config, size int, own bool) {
	s, users, group := crowd(b, cfg, size)
	runAppend(b, s, users, group, own)
}

func runAppend(b *testing.B, s *Store, users []int64, group int64, own bool) {
	size := len(users)
	batch := make([]chat.NewMessage, size)
	for i := range batch {
		batch[i] = chat.NewMessage{ConversationID: group, SenderID: users[i], Content: "a message of a usual length, so to say", Type: chat.TypeText}
		if own {
			id, err := openDirect(b.Context(), s, users[i], users[i])
			if err != nil {
				b.Fatal(err)
			}
			batch[i].ConversationID = id
		}
	}
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour) // a deadline, as the service sets one
	defer cancel()
	b.ReportAllocs()
	start, server, n := cpu(b), serverCPU(b), 0
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
	if server > 0 {
		b.ReportMetric(float64(serverCPU(b)-server)/float64(n), "server-cpu-ns/msg")
	}
}

// BenchmarkNodes is BenchmarkAppend/mysql/256/own on several nodes at once. As in the
// service, each node stores one batch at a time.
func BenchmarkNodes(b *testing.B) {
	for _, n := range []int{1, 2, 3} {
		b.Run(strconv.Itoa(n), func(b *testing.B) { benchmarkNodes(b, n) })
	}
}

func benchmarkNodes(b *testing.B, n int) {
	const size = 256
	s, users, _ := crowd(b, Config{MySQL: needs.MySQL(b)}, size*n)
	batches := make([][]chat.NewMessage, n)
	for i, u := range users {
		id, err := openDirect(b.Context(), s, u, u)
		if err != nil {
			b.Fatal(err)
		}
		batches[i%n] = append(batches[i%n], chat.NewMessage{
			ConversationID: id, SenderID: u, Content: "a message of a usual length, so to say", Type: chat.TypeText,
		})
	}
	var left atomic.Int64
	left.Store(int64(b.N))
	start, server := cpu(b), serverCPU(b)
	b.ResetTimer()
	var nodes sync.WaitGroup
	for node, batch := range batches {
		nodes.Go(func() {
			for k := 0; left.Add(-1) >= 0; k++ {
				for i := range batch {
					batch[i].CreatedAt, batch[i].ClientMsgID = time.Now(), fmt.Sprint(node, "-", k, "-", i)
				}
				if _, err := s.Append(b.Context(), batch); err != nil {
					b.Error(err)
				}
			}
		})
	}
	nodes.Wait()
	messages := float64(b.N * size)
	b.ReportMetric(messages/b.Elapsed().Seconds(), "msg/s")
	b.ReportMetric(float64(cpu(b)-start)/messages, "cpu-ns/msg")
	b.ReportMetric(float64(serverCPU(b)-server)/messages, "server-cpu-ns/msg")
}

func BenchmarkMembership500(b *testing.B) {
	s, _, group := crowd(b, Config{}, 500)
	b.ReportAllocs()
	for b.Loop() {
		if membership, err := s.Membership(b.Context(), group); err != nil || len(membership.Members) != 500 {
			b.Fatal(err)
		}
	}
}

// BenchmarkDialogs lists 50 of 200 conversations of 100 messages each, a tenth
// of them unread.
func BenchmarkDialogs(b *testing.B) {
	engines(b, func(b *testing.B, empty func() Config) { benchmarkDialogs(b, empty()) })
}

func benchmarkDialogs(b *testing.B, cfg Config) {
	s, users, _ := crowd(b, cfg, 200)
	var marks []chat.Mark
	for _, peer := range users[1:] {
		d, err := openDirect(b.Context(), s, users[0], peer)
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
	s, users, _ := crowd(b, Config{}, 100)
	marks := make([]chat.Mark, len(users))
	batch := make([]chat.NewMessage, len(users))
	for i, id := range users {
		d, err := openDirect(b.Context(), s, id, id)
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
