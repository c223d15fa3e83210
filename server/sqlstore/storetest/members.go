package storetest

import (
	"errors"
	"sync"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

func testMembers(w *world) {
	u := w.users(3)
	g := w.group(u[0], u[1])
	w.send(g, u[0], "before")
	later := w.now.Add(time.Hour)
	unread := func(id int64) int64 { w.Helper(); return must[int64](w)(w.Unread(w.ctx(), id)) }
	nobody := chat.Member{ConversationID: g, UserID: u[2]}

	equal(w, "a stranger", w.member(g, u[2]), nobody)
	joined := chat.Member{ConversationID: g, UserID: u[2], Role: chat.RoleMember, JoinedAt: later}
	got := must[chat.Member](w)(w.change(g, u[2], func(m *chat.Member) { *m = joined }))
	joined.JoinedAt = later.UTC().Truncate(time.Microsecond)
	equal(w, "joined", got, joined)
	equal(w, "stored", w.member(g, u[2]), joined)
	equal(w, "nothing unread", unread(u[2]), 0)
	w.send(g, u[0], "after")
	equal(w, "unread", unread(u[2]), 1)

	changed := chat.Member{ConversationID: g, UserID: u[2], Role: chat.RoleAdmin, Muted: true, JoinedAt: w.stored()}
	w.put(changed)
	equal(w, "changed", w.member(g, u[2]), changed)
	equal(w, "still unread", unread(u[2]), 1)

	w.put(chat.Member{ConversationID: g, UserID: u[2], Banned: true, JoinedAt: w.now})
	equal(w, "banned", w.member(g, u[2]).Banned, true)
	equal(w, "members without the banned user", must[chat.Membership](w)(w.Membership(w.ctx(), g)).UserIDs(), u[:2])
	equal(w, "groups of the banned user", len(must[[]chat.Conversation](w)(w.Groups(w.ctx(), u[2], 10, 0))), 0)
	equal(w, "unread messages of the banned user", unread(u[2]), 0)

	w.leave(g, u[2])
	w.leave(g, u[2])
	w.leave(g, 1<<40)
	equal(w, "a member who left", w.member(g, u[2]), nobody)
	w.put(chat.Member{ConversationID: g, UserID: u[2], JoinedAt: later})
	equal(w, "unread messages of a member who came back", unread(u[2]), 0)
	equal(w, "a member who came back", w.member(g, u[2]), joined)

	join := func(m *chat.Member) { m.Role = chat.RoleMember }
	_, err := w.change(1<<40, u[2], join)
	w.is(err, chat.ErrNotFound)
	_, err = w.change(g, 1<<40, join)
	w.is(err, chat.ErrNotFound)
}

func testMembersAreLimited(w *world) {
	u := w.users(40)
	g := w.group(u[0], u[1], u[2])
	put := func(m chat.Member, limit int) error {
		m.Role = chat.RoleMember
		_, err := w.ChangeMember(w.ctx(), chat.MemberChange{
			ConversationID: g, ActorID: u[0], UserID: m.UserID, Limit: limit,
			Decide: func(_ chat.Member, to *chat.Member) error { *to = m; return nil },
		})
		return err
	}
	w.is(put(chat.Member{UserID: u[3]}, 3), chat.ErrConflict)
	w.ok(put(chat.Member{UserID: u[2], Muted: true}, 3))  // already a member
	w.ok(put(chat.Member{UserID: u[3], Banned: true}, 3)) // does not count
	w.ok(put(chat.Member{UserID: u[2], Banned: true}, 3)) // makes room for one
	w.ok(put(chat.Member{UserID: u[4]}, 3))
	w.is(put(chat.Member{UserID: u[2]}, 3), chat.ErrConflict)

	var wg sync.WaitGroup
	for _, id := range u[5:] {
		wg.Go(func() { _ = put(chat.Member{UserID: id}, 10) })
	}
	wg.Wait()
	equal(w, "members, limited to 10", len(must[chat.Membership](w)(w.Membership(w.ctx(), g)).Members), 10)
}

func testChangeMember(w *world) {
	u := w.users(4)
	g := w.group(u[0], u[1])
	w.put(chat.Member{ConversationID: g, UserID: u[1], Role: chat.RoleAdmin, JoinedAt: w.now})
	before := must[chat.Membership](w)(w.Membership(w.ctx(), g))
	refusal := chat.Errorf(chat.KindForbidden, "not changed", "because")
	_, err := w.ChangeMember(w.ctx(), chat.MemberChange{
		ConversationID: g, ActorID: u[0], UserID: u[1],
		Decide: func(actor chat.Member, m *chat.Member) error {
			equal(w, "actor", actor, before.Members[0])
			equal(w, "member", *m, before.Members[1])
			*m = chat.Member{}
			return refusal
		},
	})
	if got, ok := errors.AsType[*chat.Error](err); !ok || got != refusal || err.Error() != refusal.Error() {
		w.Errorf("refused with %v, want %v", err, refusal)
	}
	equal(w, "the membership after a refused change", must[chat.Membership](w)(w.Membership(w.ctx(), g)), before)
	w.ok(func() error {
		_, err := w.ChangeMember(w.ctx(), chat.MemberChange{
			ConversationID: g, ActorID: u[2], UserID: u[1],
			Decide: func(actor chat.Member, m *chat.Member) error {
				equal(w, "a stranger", actor, chat.Member{ConversationID: g, UserID: u[2]})
				m.ConversationID, m.UserID = g+1, u[3] // ignored
				return nil
			},
		})
		return err
	}())
	equal(w, "the membership after a change of nothing", must[chat.Membership](w)(w.Membership(w.ctx(), g)), before)
}

// testChangesUnderConcurrency changes one member from many goroutines.
func testChangesUnderConcurrency(w *world) {
	const each = 8
	u := w.users(2)
	g := w.group(u[0], u[1])
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range each {
				_, err := w.change(g, u[1], func(m *chat.Member) { m.JoinedAt = m.JoinedAt.Add(time.Second) })
				if err != nil {
					w.Error(err)
				}
			}
		})
	}
	wg.Wait()
	equal(w, "changes stored", w.member(g, u[1]).JoinedAt, w.stored().Add(4*each*time.Second))
}

func testOwnersHandOver(w *world) {
	u := w.users(5)
	g := w.group(u[0], u[1])
	add := func(id int64, role chat.Role, after time.Duration) {
		w.Helper()
		w.put(chat.Member{ConversationID: g, UserID: id, Role: role, JoinedAt: w.now.Add(after)})
	}
	add(u[2], chat.RoleAdmin, 3*time.Hour)
	add(u[3], chat.RoleMember, time.Hour)
	add(u[4], chat.RoleAdmin, 2*time.Hour)
	owner := func(want int64) {
		w.Helper()
		membership := must[chat.Membership](w)(w.Membership(w.ctx(), g))
		equal(w, "owner", membership.Conversation.OwnerID, want)
		for _, x := range membership.Members {
			equal(w, "role", x.Role == chat.RoleOwner, x.UserID == want)
		}
	}
	w.leave(g, u[1]) // not the owner: nothing is handed over
	owner(u[0])
	add(u[1], chat.RoleMember, 4*time.Hour)
	for _, c := range []struct{ leaves, heir int64 }{
		{u[0], u[4]}, // the admin who joined first
		{u[4], u[2]},
		{u[2], u[3]}, // the member who joined first
		{u[3], u[1]},
	} {
		w.leave(g, c.leaves)
		owner(c.heir)
	}
	w.leave(g, u[1])
	equal(w, "members after all left", len(must[chat.Membership](w)(w.Membership(w.ctx(), g)).Members), 0)
}

// testOwnersLeaveUnderConcurrency: exactly one of the remaining members is the owner.
func testOwnersLeaveUnderConcurrency(w *world) {
	u := w.users(6)
	for range 10 {
		g := w.group(u[0], u[1:]...)
		w.put(chat.Member{ConversationID: g, UserID: u[1], Role: chat.RoleAdmin})
		var wg sync.WaitGroup
		for _, id := range u[:4] {
			wg.Go(func() {
				if _, err := w.change(g, id, func(m *chat.Member) { m.Role = "" }); err != nil {
					w.Error(err)
				}
			})
		}
		wg.Wait()
		membership := must[chat.Membership](w)(w.Membership(w.ctx(), g))
		equal(w, "members who stay", membership.UserIDs(), u[4:])
		equal(w, "owner", membership.Conversation.OwnerID, u[4])
		equal(w, "role", membership.Members[0].Role, chat.RoleOwner)
	}
}
