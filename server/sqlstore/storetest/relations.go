package storetest

import (
	"errors"
	"fmt"
	"sync"

	"github.com/onemeter/onemeter/server/chat"
)

// relation returns the relation of a to b. It also checks that b's relation to a matches.
func (w *world) relation(a, b int64) chat.Relation {
	w.Helper()
	there, back := must[chat.Relation](w)(w.Relation(w.ctx(), a, b)), must[chat.Relation](w)(w.Relation(w.ctx(), b, a))
	back.Added, back.AddedBy, back.Blocked, back.BlockedBy = back.AddedBy, back.Added, back.BlockedBy, back.Blocked
	equal(w, "relation seen from the other user", there, back)
	return there
}

func (w *world) block(a, b int64) {
	w.Helper()
	w.ok(w.Block(w.ctx(), a, b, 1000, w.now))
}

func testRelations(w *world) {
	u := w.users(5)
	equal(w, "strangers", w.relation(u[0], u[1]), chat.Relation{})
	equal(w, "a user who does not exist", w.relation(u[0], 1<<40), chat.Relation{})
	w.ok(w.Befriend(w.ctx(), u[0], u[1], w.now))
	equal(w, "added", w.relation(u[0], u[1]), chat.Relation{Added: true})
	w.direct(u[0], u[2])
	equal(w, "users with a direct conversation", w.relation(u[0], u[2]), chat.Relation{Together: true})
	g := w.group(u[0], u[3], u[4])
	equal(w, "members of a group", w.relation(u[3], u[4]), chat.Relation{Together: true})
	equal(w, "members of different conversations", w.relation(u[2], u[4]), chat.Relation{})
	w.block(u[3], u[4])
	equal(w, "blocked", w.relation(u[3], u[4]), chat.Relation{Blocked: true, Together: true})
	w.put(chat.Member{ConversationID: g, UserID: u[4], Banned: true})
	equal(w, "banned", w.relation(u[3], u[4]), chat.Relation{Blocked: true})
	w.leave(g, u[3])
	equal(w, "after leaving the group", w.relation(u[3], u[0]), chat.Relation{})
}

func testUnfriend(w *world) {
	u := w.users(3)
	w.is(w.Unfriend(w.ctx(), u[0], u[1]), chat.ErrNotFound)
	w.is(w.Unfriend(w.ctx(), u[0], 1<<40), chat.ErrNotFound)
	w.ok(w.Befriend(w.ctx(), u[0], u[1], w.now))
	w.ok(w.Befriend(w.ctx(), u[1], u[0], w.now))
	w.ok(w.Befriend(w.ctx(), u[1], u[2], w.now))
	w.ok(w.Unfriend(w.ctx(), u[0], u[1]))
	equal(w, "after Unfriend of two who had added each other", w.relation(u[0], u[1]), chat.Relation{})
	equal(w, "another friendship", w.relation(u[1], u[2]), chat.Relation{Added: true})
	w.ok(w.Unfriend(w.ctx(), u[2], u[1]))
	equal(w, "after Unfriend by the one who was added", w.relation(u[1], u[2]), chat.Relation{})
	w.ok(w.Befriend(w.ctx(), u[0], u[1], w.now))
}

func testBlocks(w *world) {
	u := w.users(4)
	w.is(w.Block(w.ctx(), u[0], 1<<40, 10, w.now), chat.ErrNotFound)
	w.is(w.Unblock(w.ctx(), u[0], u[1]), chat.ErrNotFound)
	w.ok(w.Befriend(w.ctx(), u[0], u[1], w.now))
	w.ok(w.Befriend(w.ctx(), u[1], u[0], w.now))
	w.block(u[0], u[2])
	w.block(u[0], u[1])
	w.block(u[0], u[1]) // is idempotent
	w.block(u[3], u[0])
	equal(w, "after a block", w.relation(u[0], u[1]), chat.Relation{Blocked: true})
	w.is(w.Befriend(w.ctx(), u[0], u[1], w.now), chat.ErrBlocked)
	w.is(w.Befriend(w.ctx(), u[1], u[0], w.now), chat.ErrBlocked)
	equal(w, "blocks", must[chat.Blocks](w)(w.Blocks(w.ctx(), u[0])), chat.Blocks{Of: u[1:3], By: u[3:]})
	equal(w, "blocked by", must[chat.Blocks](w)(w.Blocks(w.ctx(), u[1])), chat.Blocks{By: u[:1]})
	equal(w, "blocks of a user who does not exist", must[chat.Blocks](w)(w.Blocks(w.ctx(), 1<<40)), chat.Blocks{})
	blocked := func(limit, offset int) (ids []int64) {
		w.Helper()
		for _, b := range must[[]chat.User](w)(w.Blocked(w.ctx(), u[0], limit, offset)) {
			ids = append(ids, b.ID)
		}
		return ids
	}
	equal(w, "listed", blocked(10, 0), u[1:3])
	equal(w, "first page", blocked(1, 0), u[1:2])
	equal(w, "second page", blocked(1, 1), u[2:3])
	equal(w, "after the last", blocked(1, 2), nil)
	w.ok(w.Unblock(w.ctx(), u[0], u[1]))
	equal(w, "strangers again", w.relation(u[0], u[1]), chat.Relation{})
	w.ok(w.Befriend(w.ctx(), u[1], u[0], w.now))
	equal(w, "the other blocks", blocked(10, 0), u[2:3])
}

func testBlocksAreLimited(w *world) {
	u := w.users(30)
	var wg sync.WaitGroup
	for _, id := range u[1:] {
		wg.Go(func() {
			if err := w.Block(w.ctx(), u[0], id, 10, w.now); err != nil && !errors.Is(err, chat.ErrConflict) {
				w.Error(err)
			}
		})
	}
	wg.Wait()
	blocked := must[chat.Blocks](w)(w.Blocks(w.ctx(), u[0])).Of
	equal(w, "blocks, limited", len(blocked), 10)
	w.ok(w.Block(w.ctx(), u[0], blocked[3], 10, w.now)) // already blocked
}

// testAppendGuardsBlocks: the store refuses messages that a stale cache would allow.
func testAppendGuardsBlocks(w *world) {
	u := w.users(3)
	d, other, g := w.direct(u[0], u[1]), w.direct(u[1], u[2]), w.group(u[0], u[1])
	before := w.message(d, u[1], "before")
	before.ClientMsgID = "before"
	w.sendAll(before)
	w.block(u[0], u[1])
	for _, sender := range u[:2] {
		r := must[[]chat.Appended](w)(w.Append(w.ctx(), []chat.NewMessage{w.message(d, sender, "x"), before}))
		w.is(r[0].Err, chat.ErrNotFound)
		equal(w, "a retry is a duplicate", r[1].Duplicate, true)
	}
	w.send(g, u[1], "in the group")
	w.send(other, u[1], "to somebody else")
	w.is(must[[]chat.Appended](w)(w.Append(w.ctx(), []chat.NewMessage{w.message(d, u[1], "y")}))[0].Err, chat.ErrNotFound)
	equal(w, "contacts", must[[]int64](w)(w.Contacts(w.ctx(), u[0], 10)), nil)
	equal(w, "contacts of the blocked", must[[]int64](w)(w.Contacts(w.ctx(), u[1], 10)), []int64{u[0], u[2]})

	w.block(u[1], u[0]) // both have blocked each other
	w.ok(w.Unblock(w.ctx(), u[0], u[1]))
	w.is(must[[]chat.Appended](w)(w.Append(w.ctx(), []chat.NewMessage{w.message(d, u[1], "z")}))[0].Err, chat.ErrNotFound)
	w.ok(w.Unblock(w.ctx(), u[1], u[0]))
	equal(w, "seq of the next message after the block", w.send(d, u[1], "after").Seq, 2)

	w.block(u[0], u[2])
	for _, pair := range [][2]int64{{u[0], u[2]}, {u[2], u[0]}} {
		_, err := w.openDirect(pair[0], pair[1])
		w.is(err, chat.ErrBlocked)
	}
	_, err := w.FindDirect(w.ctx(), chat.PairOf(u[0], u[2]))
	w.is(err, chat.ErrNotFound)
	w.ok(w.Unblock(w.ctx(), u[0], u[2]))
	w.send(w.direct(u[0], u[2]), u[2], "the first")
}

// testBlocksUnderConcurrency blocks a user who writes, and while the conversation is created.
// After Block has returned, no message is stored.
func testBlocksUnderConcurrency(w *world) {
	for round := range 20 {
		u := w.users(2)
		pair := chat.PairOf(u[0], u[1])
		if round%2 == 0 {
			w.direct(u[0], u[1])
		}
		var blocked, began sync.WaitGroup
		stored := make([]int64, 4)
		began.Add(len(stored))
		for i := range stored {
			blocked.Go(func() {
				for n := 0; ; n++ {
					id, err := w.openDirect(u[1], u[0])
					if n == 0 {
						began.Done()
					}
					if errors.Is(err, chat.ErrBlocked) {
						return
					}
					if err != nil {
						w.Error(err)
						return
					}
					m := w.message(id, u[1], fmt.Sprint(i, n))
					if round%4 < 2 {
						m.ClientMsgID, m.ReceiverID = fmt.Sprint(round, i, n), u[0]
					}
					r, err := w.Append(w.ctx(), []chat.NewMessage{m})
					if err != nil || r[0].Err != nil {
						if err == nil && errors.Is(r[0].Err, chat.ErrNotFound) {
							return
						}
						w.Error(err, r)
						return
					}
					stored[i]++
				}
			})
		}
		began.Wait()
		w.block(u[0], u[1])
		var after int64
		if id, err := w.FindDirect(w.ctx(), pair); err == nil {
			after = must[chat.Membership](w)(w.Membership(w.ctx(), id)).Conversation.LastSeq
		}
		blocked.Wait()
		var sum int64
		for _, n := range stored {
			sum += n
		}
		equal(w, "messages after the block", sum, after)
	}
}
