package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/onemeter/onemeter/server/chat"
)

func testAppend(w *world) {
	u := w.users(3)
	d, g, self := w.direct(u[0], u[1]), w.group(u[0], u[1], u[2]), w.direct(u[0], u[0])
	f := must[chat.File](w)(w.CreateFile(w.ctx(), chat.File{OwnerID: u[0], Key: "k"}, chat.Quota{}))
	batch := []chat.NewMessage{
		{ConversationID: d, SenderID: u[0], ReceiverID: u[1], Content: "𠮷 😀 \u200d\u202e", Type: chat.TypeText, ClientMsgID: "a", CreatedAt: w.now},
		{ConversationID: g, SenderID: u[2], Content: "caption", Type: chat.TypeImage, FileID: f.ID, CreatedAt: w.now},
		{ConversationID: d, SenderID: u[1], ReceiverID: u[0], Content: "back", Type: chat.TypeText, ReplyToID: 7, CreatedAt: w.now},
		{ConversationID: self, SenderID: u[0], ReceiverID: u[0], Content: "note", Type: chat.TypeText, CreatedAt: w.now},
		{ConversationID: g, SenderID: u[0], Content: "hello", Type: chat.TypeText, ClientMsgID: "b", CreatedAt: w.now},
	}
	got := w.sendAll(batch...)
	want := []chat.Message{
		{ConversationID: d, SenderID: u[0], ReceiverID: u[1], Seq: 1, Content: "𠮷 😀 \u200d\u202e", Type: chat.TypeText, ClientMsgID: "a"},
		{ConversationID: g, SenderID: u[2], ChatID: g, Seq: 1, Content: "caption", Type: chat.TypeImage, FileID: f.ID},
		{ConversationID: d, SenderID: u[1], ReceiverID: u[0], Seq: 2, Content: "back", Type: chat.TypeText, ReplyToID: 7},
		{ConversationID: self, SenderID: u[0], ReceiverID: u[0], Seq: 1, Content: "note", Type: chat.TypeText},
		{ConversationID: g, SenderID: u[0], ChatID: g, Seq: 2, Content: "hello", Type: chat.TypeText, ClientMsgID: "b"},
	}
	for i := range want {
		want[i].ID = got[i].ID
		want[i].Status, want[i].CreatedAt, want[i].UpdatedAt = chat.StatusSent, w.stored(), w.stored()
	}
	equal(w, "appended", got, want)
	for _, m := range want {
		equal(w, "read back", must[chat.Message](w)(w.Message(w.ctx(), m.ID)), m)
	}
	equal(w, "last seq", must[chat.Membership](w)(w.Membership(w.ctx(), g)).Conversation.LastSeq, 2)
	equal(w, "next", w.send(d, u[0], "third").Seq, 3)
	equal(w, "nothing", len(must[[]chat.Appended](w)(w.Append(w.ctx(), nil))), 0)
}

func testAppendGuardsMembership(w *world) {
	u := w.users(5) // owner, muted, banned, former member, stranger
	g := w.group(u[0], u[1:4]...)
	w.put(chat.Member{ConversationID: g, UserID: u[1], Muted: true})
	w.put(chat.Member{ConversationID: g, UserID: u[2], Banned: true})
	w.leave(g, u[3])
	var batch []chat.NewMessage
	for _, id := range append(u, 1<<40, 0, -1) {
		batch = append(batch, w.message(g, id, "x"), w.message(1<<40, id, "no such conversation"))
	}
	batch = append(batch, w.message(g, u[0], "y"))
	var seqs []int64
	for i, r := range must[[]chat.Appended](w)(w.Append(w.ctx(), batch)) {
		if r.Err == nil {
			seqs = append(seqs, r.Message.Seq)
			continue
		}
		w.is(r.Err, chat.ErrNotFound)
		equal(w, "message of a refused result", r.Message, chat.Message{})
		if i == 0 || i == len(batch)-1 {
			w.Fatalf("message %d was refused, want it stored", i)
		}
	}
	equal(w, "seq after a refused message", seqs, []int64{1, 2})

	w.put(chat.Member{ConversationID: g, UserID: u[1]})
	equal(w, "unmuted", w.send(g, u[1], "z").Seq, 3)
}

func testAppendChecksFiles(w *world) {
	u := w.users(2)
	g := w.group(u[0], u[1])
	f := must[chat.File](w)(w.CreateFile(w.ctx(), chat.File{OwnerID: u[0], Name: "f", Key: "k", CreatedAt: w.now}, chat.Quota{}))
	w.ok(w.DeleteFile(w.ctx(), f.ID))
	m := func(file int64) chat.NewMessage {
		return chat.NewMessage{ConversationID: g, SenderID: u[0], Type: chat.TypeFile, FileID: file, CreatedAt: w.now}
	}
	results := must[[]chat.Appended](w)(w.Append(w.ctx(), []chat.NewMessage{m(f.ID), m(0), m(f.ID + 1000)}))
	w.is(results[0].Err, chat.ErrNoFile)
	w.ok(results[1].Err)
	equal(w, "seq after refused messages", results[1].Message.Seq, int64(1))
	w.is(results[2].Err, chat.ErrNoFile)
}

func testAppendIsIdempotent(w *world) {
	u := w.users(3)
	d, g := w.direct(u[0], u[1]), w.group(u[0], u[1])
	m := func(conversation, sender int64, client string) chat.NewMessage {
		n := w.message(conversation, sender, client)
		n.ClientMsgID = client
		if conversation == d {
			n.ReceiverID = u[1]
		}
		return n
	}
	first := w.sendAll(m(d, u[0], "x"))[0]

	results := must[[]chat.Appended](w)(w.Append(w.ctx(), []chat.NewMessage{
		m(d, u[0], "fresh"),
		m(d, u[0], "x"),     // stored before
		m(g, u[0], "x"),     // a duplicate even in another conversation
		m(g, u[1], "x"),     // another sender's is not a duplicate
		m(d, u[2], "twice"), // refused, so not an original
		m(g, u[0], "twice"),
		m(d, u[0], "twice"), // of the same batch
		m(d, u[0], "X"),     // case matters
		m(d, u[0], "x "),
		m(d, u[0], ""),
		m(d, u[0], ""), // a message without a ClientMsgID is never a duplicate
	}))
	equal(w, "stored before", results[1], chat.Appended{Message: first, Duplicate: true})
	equal(w, "in another conversation", results[2], chat.Appended{Message: first, Duplicate: true})
	w.is(results[4].Err, chat.ErrNotFound)
	equal(w, "in the same batch", results[6], chat.Appended{Message: results[5].Message, Duplicate: true})
	var seqs []string
	for i, r := range results {
		if r.Err == nil && !r.Duplicate {
			seqs = append(seqs, fmt.Sprint(i, ":", r.Message.ConversationID == d, r.Message.Seq))
		}
	}
	equal(w, "a duplicate takes no seq", seqs, []string{
		"0:true 2", "3:false 1", "5:false 2", "7:true 3", "8:true 4", "9:true 5", "10:true 6",
	})

	// For a duplicate, the current message is returned, even if its sender has left.
	w.advance(d, u[1], 1, 0)
	w.put(chat.Member{ConversationID: d, UserID: u[0], Muted: true})
	again := must[[]chat.Appended](w)(w.Append(w.ctx(), []chat.NewMessage{m(d, u[0], "x"), m(d, u[0], "new")}))
	first.Status = chat.StatusRead
	equal(w, "a duplicate, with its current status", again[0], chat.Appended{Message: first, Duplicate: true})
	w.is(again[1].Err, chat.ErrNotFound)

	w.ok(w.RetractMessage(w.ctx(), first.ID, true, w.now))
	again = must[[]chat.Appended](w)(w.Append(w.ctx(), []chat.NewMessage{m(d, u[0], "x")}))
	equal(w, "recalled", fmt.Sprint(again[0].Message.ID, again[0].Message.Content, again[0].Duplicate), fmt.Sprint(first.ID, "", true))
}

func testAppendLargeBatches(w *world) {
	u := w.users(100)
	var groups []int64
	for i := range 40 {
		groups = append(groups, w.group(u[i], u...))
	}
	next := make(map[int64]int64)
	for _, size := range []int{1, 2, 3, 63, 64, 65, 127, 128, 200, 1000} {
		batch := make([]chat.NewMessage, size)
		for i := range batch {
			batch[i] = w.message(groups[i*7%len(groups)], u[i*13%len(u)], fmt.Sprint(size, ".", i))
			batch[i].ClientMsgID = batch[i].Content
		}
		batch[size/2].SenderID = 1 << 40
		results := must[[]chat.Appended](w)(w.Append(w.ctx(), batch))
		for i, r := range results {
			if i == size/2 {
				w.is(r.Err, chat.ErrNotFound)
				continue
			}
			next[batch[i].ConversationID]++
			equal(w, "seq", r.Message.Seq, next[batch[i].ConversationID])
			if i%17 == 0 {
				equal(w, "read back", must[chat.Message](w)(w.Message(w.ctx(), r.Message.ID)), r.Message)
			}
		}
		again := must[[]chat.Appended](w)(w.Append(w.ctx(), batch))
		for i, r := range again {
			if i != size/2 {
				equal(w, "again", r, chat.Appended{Message: results[i].Message, Duplicate: true})
			}
		}
	}
}

// testAppendAgainstModel compares the results of random batches with those of a small model.
func testAppendAgainstModel(w *world) {
	u := w.users(6)
	conversationIDs := []int64{w.direct(u[0], u[1]), w.group(u[0], u[1], u[2], u[3]), w.group(u[4], u[0]), w.direct(u[3], u[3])}
	type key struct {
		sender int64
		client string
	}
	byKey := make(map[key]int64)
	contents := make(map[int64][]string)
	mute := make(map[[2]int64]bool)
	for round := range 120 {
		rng := rand.New(rand.NewPCG(1, uint64(round)))
		conversationID, who := conversationIDs[rng.IntN(len(conversationIDs))], u[rng.IntN(len(u))]
		if m := w.member(conversationID, who); m.Role != "" {
			m.Muted = !m.Muted
			mute[[2]int64{conversationID, who}] = m.Muted
			w.put(m)
		}
		batch := make([]chat.NewMessage, 1+rng.IntN([]int{2, 20}[rng.IntN(2)])) // often one or two
		for i := range batch {
			batch[i] = w.message(conversationIDs[rng.IntN(len(conversationIDs))], u[rng.IntN(len(u))], fmt.Sprint(round, "/", i))
			if rng.IntN(2) == 0 {
				batch[i].ClientMsgID = fmt.Sprint(rng.IntN(40))
			}
		}
		results := must[[]chat.Appended](w)(w.Append(w.ctx(), batch))
		for i, r := range results {
			n := batch[i]
			k := key{n.SenderID, n.ClientMsgID}
			m := w.member(n.ConversationID, n.SenderID)
			id, known := byKey[k]
			switch {
			case n.ClientMsgID != "" && known:
				equal(w, "duplicate", fmt.Sprint(r.Duplicate, r.Message.ID, r.Err), fmt.Sprint(true, id, nil))
			case m.Role == "" || mute[[2]int64{n.ConversationID, n.SenderID}]:
				w.is(r.Err, chat.ErrNotFound)
			default:
				contents[n.ConversationID] = append(contents[n.ConversationID], n.Content)
				byKey[k] = r.Message.ID
				equal(w, "stored", fmt.Sprint(r.Duplicate, r.Message.Seq, r.Err), fmt.Sprint(false, len(contents[n.ConversationID]), nil))
			}
		}
	}
	for _, conversationID := range conversationIDs {
		owner := must[chat.Membership](w)(w.Membership(w.ctx(), conversationID)).Members[0].UserID
		got, _ := w.history(chat.MessageQuery{UserID: owner, ConversationID: conversationID, Ascending: true, Limit: 1 << 20})
		equal(w, "history", got, contents[conversationID])
	}
}

func testAppendUnderConcurrency(w *world) {
	for _, size := range []int{5, 2, 1} {
		appendUnderConcurrency(w, size)
	}
}

func appendUnderConcurrency(w *world, size int) {
	const senders, batches = 64, 4
	u := w.users(senders)
	groups := []int64{w.group(u[0], u...), w.group(u[1], u...), w.group(u[2], u...)}
	var wg sync.WaitGroup
	for i, id := range u {
		wg.Go(func() {
			for k := range batches {
				var batch []chat.NewMessage
				for n := range size {
					m := w.message(groups[(i+n)%len(groups)], id, fmt.Sprint(i, ".", k, ".", n))
					m.ClientMsgID = m.Content
					batch = append(batch, m)
				}
				for range 2 { // each is sent twice
					if _, err := w.Append(w.ctx(), batch); err != nil {
						w.Error(err)
					}
				}
				w.advance(groups[0], id, int64(k), int64(k))
			}
		})
	}
	wg.Wait()
	seen := make(map[string]bool)
	for _, group := range groups {
		list, total, err := w.Messages(w.ctx(), chat.MessageQuery{UserID: u[0], ConversationID: group, Ascending: true, Limit: 1 << 20})
		w.ok(err)
		equal(w, "total", total, int64(len(list)))
		lastID := int64(0)
		for i, m := range list {
			if m.Seq != int64(i+1) || seen[m.Content] || m.ID <= lastID {
				w.Fatalf("message %d of group %d is %+v", i, group, m)
			}
			seen[m.Content], lastID = true, m.ID
		}
	}
	equal(w, "messages stored in all", len(seen), senders*batches*size)
}

func testAppendCancelled(w *world) {
	u := w.user()
	d := w.direct(u, u)
	ctx, cancel := context.WithCancel(w.ctx())
	cancel()
	_, err := w.Append(ctx, []chat.NewMessage{w.message(d, u, "x")})
	w.is(err, context.Canceled)
	equal(w, "seq after a cancelled Append", w.send(d, u, "y").Seq, 1)

	// If it is cancelled at any moment, a batch is stored wholly or not at all.
	for i := range 50 {
		ctx, cancel := context.WithCancel(w.ctx())
		var wg sync.WaitGroup
		wg.Go(func() { w.advance(d, u, 1, 0) })
		wg.Go(cancel)
		batch := []chat.NewMessage{w.message(d, u, "1"), w.message(d, u, "2")}
		_, before := w.history(chat.MessageQuery{UserID: u, ConversationID: d, Limit: 1})
		_, err := w.Append(ctx, batch)
		wg.Wait()
		_, after := w.history(chat.MessageQuery{UserID: u, ConversationID: d, Limit: 1})
		switch {
		case err == nil && after != before+2, err != nil && after != before:
			w.Fatalf("round %d: Append returned %v; %d messages before it, %d after it", i, err, before, after)
		case err != nil && !errors.Is(err, context.Canceled):
			w.Fatal(err)
		}
	}
}
