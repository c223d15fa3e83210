package storetest

import (
	"errors"
	"fmt"
	"sync"

	"github.com/onemeter/onemeter/server/chat"
)

func anybody(chat.Member) error { return nil }

func testRenameGroup(w *world) {
	u := w.users(2)
	g, d := w.group(u[0], u[1]), w.direct(u[0], u[1])
	title := func() string { return must[chat.Membership](w)(w.Membership(w.ctx(), g)).Conversation.Title }
	w.ok(w.RenameGroup(w.ctx(), g, u[1], "𠮷 'title' 😀", func(m chat.Member) error {
		equal(w, "the actor", m.Role, chat.RoleMember)
		return nil
	}))
	equal(w, "title", title(), "𠮷 'title' 😀")
	no := errors.New("no")
	w.is(w.RenameGroup(w.ctx(), g, 1<<40, "x", func(m chat.Member) error {
		equal(w, "a stranger", m.Role, "")
		return no
	}), no)
	equal(w, "title after a refusal", title(), "𠮷 'title' 😀")
	w.is(w.RenameGroup(w.ctx(), d, u[0], "x", anybody), chat.ErrNotFound)
	w.is(w.RenameGroup(w.ctx(), 1<<40, u[0], "x", anybody), chat.ErrNotFound)
}

// purge deletes the messages of deleted groups, and returns the number of steps.
func (w *world) purge(limit int) (steps int) {
	w.Helper()
	for must[bool](w)(w.PurgeGroups(w.ctx(), limit)) {
		if steps++; steps > 100 {
			w.Fatal("PurgeGroups does not end")
		}
	}
	return steps
}

func testDeleteGroup(w *world) {
	u := w.users(4)
	g, other := w.group(u[0], u[1], u[2]), w.group(u[0], u[1])
	w.put(chat.Member{ConversationID: g, UserID: u[2], Banned: true})
	f := must[chat.File](w)(w.CreateFile(w.ctx(), chat.File{OwnerID: u[0], Key: "key", CreatedAt: w.now}, chat.Quota{}))
	first := w.message(g, u[0], "first")
	first.ClientMsgID, first.FileID = "id", f.ID
	w.sendAll(first)
	kept := w.send(other, u[0], "kept")
	var last chat.Message
	for i := range 24 {
		last = w.send(g, u[1], fmt.Sprint(i))
	}
	invited, _, err := w.Ask(w.ctx(), chat.Request{UserID: u[3], FromID: u[0], Kind: chat.RequestGroup, ChatID: g, CreatedAt: w.now}, 10)
	w.ok(err)

	no := errors.New("no")
	_, err = w.DeleteGroup(w.ctx(), g, u[1], func(chat.Member) error { return no })
	w.is(err, no)
	_, err = w.DeleteGroup(w.ctx(), 1<<40, u[1], anybody)
	w.is(err, chat.ErrNotFound)
	_, err = w.DeleteGroup(w.ctx(), w.direct(u[0], u[1]), u[0], anybody)
	w.is(err, chat.ErrNotFound)
	equal(w, "members of the deleted group", must[[]int64](w)(w.DeleteGroup(w.ctx(), g, u[0], anybody)), u[:2])

	equal(w, "members after the deletion", must[chat.Membership](w)(w.Membership(w.ctx(), g)).UserIDs(), nil)
	for _, id := range u {
		for _, c := range must[[]chat.Conversation](w)(w.Groups(w.ctx(), id, 10, 0)) {
			equal(w, "groups of the members after the deletion", c.ID, other)
		}
	}
	w.is(must[[]chat.Appended](w)(w.Append(w.ctx(), []chat.NewMessage{w.message(g, u[0], "x")}))[0].Err, chat.ErrNotFound)
	_, total := w.history(chat.MessageQuery{UserID: u[1], ConversationID: g, Limit: 10})
	equal(w, "messages after the deletion", total, 0)
	equal(w, "a former member may read the file", must[bool](w)(w.MayRead(w.ctx(), f.ID, u[1])), false)
	_, err = w.Request(w.ctx(), u[3], invited.ID)
	w.is(err, chat.ErrNotFound)

	equal(w, "steps", w.purge(10), 4)
	equal(w, "steps of a second purge", w.purge(10), 0)
	for id := first.FileID; id < last.ID; id++ {
		if m, err := w.Message(w.ctx(), id); err == nil && m.ConversationID == g {
			w.Errorf("a message of the deleted group still exists: %+v", m)
		}
	}
	equal(w, "a message of another group", must[chat.Message](w)(w.Message(w.ctx(), kept.ID)).Content, "kept")
	if m := must[chat.Message](w)(w.Message(w.ctx(), last.ID)); m.Content != "" || !m.Deleted {
		w.Errorf("the last message is %+v, want it deleted and empty", m)
	}
	if next := w.send(other, u[0], "next"); next.ID <= last.ID {
		w.Errorf("a new message has id %d, want more than %d, the last of the deleted group", next.ID, last.ID)
	}
	again := first
	again.ConversationID, again.FileID = other, 0
	equal(w, "seq of a message with the same client_msg_id", w.sendAll(again)[0].Seq, 3)
	w.ok(w.DeleteFile(w.ctx(), f.ID))

	empty := w.group(u[0])
	must[[]int64](w)(w.DeleteGroup(w.ctx(), empty, u[0], anybody))
	equal(w, "steps of purging an empty group", w.purge(10), 1)
	if g := w.group(u[0]); g <= empty {
		w.Errorf("a new group has id %d, want more than %d, that of the deleted group", g, empty)
	}
}

// testDeleteGroupUnderConcurrency deletes groups while members write and others join. Nothing
// is left of them.
func testDeleteGroupUnderConcurrency(w *world) {
	u := w.users(6)
	for range 10 {
		g := w.group(u[0], u[1], u[2])
		var wg sync.WaitGroup
		for i, id := range u[:3] {
			wg.Go(func() {
				for n := range 6 {
					m := w.message(g, id, "x")
					if n%2 == 0 {
						m.ClientMsgID = fmt.Sprint(g, n)
					}
					r, err := w.Append(w.ctx(), []chat.NewMessage{m})
					if err != nil || r[0].Err != nil && !errors.Is(r[0].Err, chat.ErrNotFound) {
						w.Error(i, r, err)
					}
				}
			})
		}
		for _, id := range u[3:] {
			wg.Go(func() {
				_, err := w.ChangeMember(w.ctx(), chat.MemberChange{
					ConversationID: g, ActorID: u[0], UserID: id,
					Decide: func(me chat.Member, m *chat.Member) error {
						if me.Role == "" {
							return chat.ErrNotFound
						}
						m.Role = chat.RoleMember
						return nil
					},
				})
				if err != nil && !errors.Is(err, chat.ErrNotFound) {
					w.Error(err)
				}
			})
		}
		wg.Go(func() {
			if _, err := w.DeleteGroup(w.ctx(), g, u[0], anybody); err != nil {
				w.Error(err)
			}
		})
		wg.Wait()
		equal(w, "members after the deletion", must[chat.Membership](w)(w.Membership(w.ctx(), g)).UserIDs(), nil)
		w.purge(4)
	}
}
