package storetest

import (
	"fmt"
	"slices"
	"sync"

	"github.com/onemeter/onemeter/server/chat"
)

func testDirect(w *world) {
	u := w.users(3)
	_, err := w.FindDirect(w.ctx(), chat.PairOf(u[0], u[1]))
	w.is(err, chat.ErrNotFound)
	id := w.direct(u[0], u[1])
	equal(w, "again", w.direct(u[1], u[0]), id)
	equal(w, "found", must[int64](w)(w.FindDirect(w.ctx(), chat.PairOf(u[0], u[1]))), id)
	_, err = w.openDirect(u[0], 1<<40)
	w.is(err, chat.ErrNotFound)

	membership := must[chat.Membership](w)(w.Membership(w.ctx(), id))
	equal(w, "conversation", membership.Conversation,
		chat.Conversation{ID: id, Kind: chat.Direct, CreatedAt: w.stored(), MemberCount: 2})
	equal(w, "members", membership.UserIDs(), u[:2])

	self := w.direct(u[2], u[2])
	equal(w, "note to self", must[chat.Membership](w)(w.Membership(w.ctx(), self)).UserIDs(), u[2:])
	_, err = w.Membership(w.ctx(), 1<<40)
	w.is(err, chat.ErrNotFound)
}

func testDirectUnderConcurrency(w *world) {
	u := w.users(8)
	ids := make([]int64, 64)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			pair := chat.PairOf(u[i%4*2], u[i%4*2+1])
			id, err := w.openDirect(pair.Low, pair.High)
			if err != nil {
				w.Error(err)
			}
			ids[i] = id
		})
	}
	wg.Wait()
	for i, id := range ids {
		equal(w, "one for each pair", id, ids[i%4])
	}
	equal(w, "pairs", len(slices.Compact(slices.Sorted(slices.Values(ids)))), 4)
}

func testGroups(w *world) {
	u := w.users(4)
	c := must[chat.Conversation](w)(w.CreateGroup(w.ctx(), "𠮷 title 😀", u[1], []int64{u[2], u[0], u[2], u[1]}, w.now))
	want := chat.Conversation{ID: c.ID, Kind: chat.Group, Title: "𠮷 title 😀", OwnerID: u[1], CreatedAt: w.stored(), MemberCount: 3}
	equal(w, "created", c, want)
	membership := must[chat.Membership](w)(w.Membership(w.ctx(), c.ID))
	equal(w, "conversation", membership.Conversation, want)
	var members []chat.Member
	for _, id := range u[:3] {
		members = append(members, chat.Member{ConversationID: c.ID, UserID: id, Role: chat.RoleMember, JoinedAt: w.stored()})
	}
	members[1].Role = chat.RoleOwner
	equal(w, "members by id", membership.Members, members)

	_, err := w.CreateGroup(w.ctx(), "x", u[0], []int64{1 << 40}, w.now)
	w.is(err, chat.ErrNotFound)

	w.direct(u[0], u[1]) // not a group
	second := w.group(u[0])
	groups := func(id int64, limit int) []chat.Conversation {
		return must[[]chat.Conversation](w)(w.Groups(w.ctx(), id, limit, 0))
	}
	newest := chat.Conversation{ID: second, Kind: chat.Group, Title: "a group", OwnerID: u[0], CreatedAt: w.stored(), MemberCount: 1}
	equal(w, "newest first", groups(u[0], 10), []chat.Conversation{newest, want})
	equal(w, "limit", groups(u[0], 1), []chat.Conversation{newest})
	equal(w, "second page", must[[]chat.Conversation](w)(w.Groups(w.ctx(), u[0], 1, 1)), []chat.Conversation{want})
	equal(w, "after the last", must[[]chat.Conversation](w)(w.Groups(w.ctx(), u[0], 1, 2)), nil)
	equal(w, "stranger", groups(u[3], 10), nil)

	many := w.users(150)
	equal(w, "large", len(must[chat.Membership](w)(w.Membership(w.ctx(), w.group(many[0], many...))).Members), 150)
}

func testDialogs(w *world) {
	u := w.users(3)
	me := u[0]
	empty := w.direct(me, u[1])
	group := w.group(u[2], me)
	self := w.direct(me, me)
	w.group(u[1], u[2]) // without u[0]
	w.send(group, u[2], "one")
	w.send(self, me, "note")
	gone := w.send(group, u[2], "two")
	last := w.send(group, me, "three")
	w.ok(w.RetractMessage(w.ctx(), gone.ID, false, w.now))

	last.Status = chat.StatusSent
	note := must[chat.Message](w)(w.Message(w.ctx(), last.ID-2))
	equal(w, "note's receiver", note.ReceiverID, me)
	want := []chat.Dialog{
		{
			Conversation: chat.Conversation{ID: group, Kind: chat.Group, Title: "a group", OwnerID: u[2], LastSeq: 3, CreatedAt: w.stored()},
			ChatID:       group, LastMessage: &last, UnreadCount: 1,
		},
		{
			Conversation: chat.Conversation{ID: self, Kind: chat.Direct, LastSeq: 1, CreatedAt: w.stored()},
			ReceiverID:   me, LastMessage: &note,
		},
		{
			Conversation: chat.Conversation{ID: empty, Kind: chat.Direct, CreatedAt: w.stored()},
			ReceiverID:   u[1],
		},
	}
	dialogs := func(limit, offset int) []chat.Dialog {
		w.Helper()
		return must[[]chat.Dialog](w)(w.Dialogs(w.ctx(), me, limit, offset))
	}
	equal(w, "all", dialogs(10, 0), want)
	equal(w, "page", dialogs(1, 1), want[1:2])
	equal(w, "past the end", dialogs(10, 3), nil)

	after := func(id int64, limit int) []chat.Dialog {
		w.Helper()
		return must[[]chat.Dialog](w)(w.DialogsAfter(w.ctx(), me, id, limit))
	}
	equal(w, "by id", after(0, 10), []chat.Dialog{want[2], want[0], want[1]})
	equal(w, "by id, a page", after(empty, 1), want[:1])
	equal(w, "by id, behind the last", after(self, 10), nil)

	w.advance(group, me, 3, 0)
	equal(w, "read", dialogs(1, 0)[0].UnreadCount, 0)
	w.ok(w.RetractMessage(w.ctx(), last.ID, true, w.now))
	got := dialogs(1, 0)[0].LastMessage
	equal(w, "recalled", fmt.Sprint(got.ID, got.Content, got.Status), fmt.Sprint(last.ID, "", chat.StatusRecalled))
	w.send(empty, u[1], "now it is first")
	equal(w, "newest first", dialogs(1, 0)[0].ID, empty)
	equal(w, "unread", dialogs(1, 0)[0].UnreadCount, 1)
}

func testContacts(w *world) {
	u := w.users(6)
	w.direct(u[0], u[3])
	g := w.group(u[1], u[0], u[3], u[2], u[4])
	w.put(chat.Member{ConversationID: g, UserID: u[4], Banned: true})
	w.direct(u[0], u[0])
	w.direct(u[4], u[5])
	contacts := func(id int64, limit int) []int64 {
		return must[[]int64](w)(w.Contacts(w.ctx(), id, limit))
	}
	equal(w, "contacts", contacts(u[0], 10), u[1:4])
	equal(w, "limit", contacts(u[0], 2), u[1:3])
	equal(w, "banned", contacts(u[4], 10), u[5:])
}
