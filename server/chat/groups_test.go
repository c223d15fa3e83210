package chat_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/onemeter/onemeter/server/chat"
)

// both runs two calls at once and waits for them.
func both(a, b func()) {
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for _, f := range []func(){a, b} {
		wg.Go(func() { <-begin; f() })
	}
	close(begin)
	wg.Wait()
}

const races = 50

// TestBanWinsOverConcurrentChanges bans a member who is muted, promoted or added, or leaves,
// at the same time.
func TestBanWinsOverConcurrentChanges(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil)
	owner, admin, member := w.user(t), w.user(t), w.user(t)
	for name, beside := range map[string]func(chatID int64) error{
		"mute":    func(id int64) error { _, err := n.SetMuted(t.Context(), admin, id, member.UserID, true); return err },
		"promote": func(id int64) error { _, err := n.SetAdmin(t.Context(), owner, id, member.UserID, true); return err },
		"add":     func(id int64) error { _, err := n.AddMember(t.Context(), admin, id, member.UserID); return err },
	} {
		t.Run(name, func(t *testing.T) {
			for range races {
				g := newGroup(t, n, owner, admin, member)
				var banned, other error
				both(func() { _, banned = n.Ban(t.Context(), owner, g, member.UserID) }, func() { other = beside(g) })
				if banned != nil {
					t.Fatal(banned)
				}
				if k := chat.KindOf(other); k != "" && k != chat.KindNotFound && k != chat.KindForbidden {
					t.Errorf("beside the ban: %v", other)
				}
				if _, err := n.Members(t.Context(), member, g, chat.Paging{}); chat.KindOf(err) != chat.KindNotFound {
					t.Fatalf("a banned user is still in: %v", err)
				}
				if _, err := n.AddMember(t.Context(), admin, g, member.UserID); chat.KindOf(err) != chat.KindForbidden {
					t.Fatalf("the ban is forgotten: %v", err)
				}
			}
		})
	}
}

func TestMuteDoesNotRestoreMemberWhoLeft(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil)
	owner, member := w.user(t), w.user(t)
	for range races {
		g := newGroup(t, n, owner, member)
		var left error
		both(func() { left = n.RemoveMember(t.Context(), member, g, member.UserID) },
			func() { _, _ = n.SetMuted(t.Context(), owner, g, member.UserID, true) })
		if left != nil {
			t.Fatal(left)
		}
		if _, err := n.Members(t.Context(), member, g, chat.Paging{}); chat.KindOf(err) != chat.KindNotFound {
			t.Fatalf("who left is still in: %v", err)
		}
	}
}

// TestGroupHasOwnerAfterOwnerAndHeirLeave lets the owner and the next owner leave at once.
func TestGroupHasOwnerAfterOwnerAndHeirLeave(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil)
	owner, admin, stays := w.user(t), w.user(t), w.user(t)
	for range races {
		g := newGroup(t, n, owner, admin, stays)
		both(func() { leave(t, n, owner, g) }, func() { leave(t, n, admin, g) })
		members, err := n.Members(t.Context(), stays, g, chat.Paging{})
		if err != nil || len(members.Items) != 1 || members.Items[0].Role != chat.RoleOwner {
			t.Fatalf("left behind: %+v, %v", members, err)
		}
		if groups, err := n.Groups(t.Context(), stays, chat.Paging{}); err != nil || groups.Items[0].ID != g || groups.Items[0].OwnerID != stays.UserID {
			t.Fatalf("the owner is %d, want %d: %v", groups.Items[0].OwnerID, stays.UserID, err)
		}
	}
}

// TestPermissionsUseCurrentRoles demotes an admin on one node, while another node has a
// stale cache.
func TestPermissionsUseCurrentRoles(t *testing.T) {
	w := newWorld(t)
	here, there := w.node(t, nil), w.node(t, nil)
	owner, admin, member := w.user(t), w.user(t), w.user(t)
	g := newGroup(t, here, owner, admin, member)
	if _, err := there.Members(t.Context(), admin, g, chat.Paging{}); err != nil {
		t.Fatal(err)
	}
	if _, err := here.SetAdmin(t.Context(), owner, g, admin.UserID, false); err != nil {
		t.Fatal(err)
	}
	if _, err := there.Ban(t.Context(), admin, g, member.UserID); chat.KindOf(err) != chat.KindForbidden {
		t.Errorf("who is no admin any more banned a member: %v", err)
	}
}

// newGroup creates a group of an owner, an admin if there are more than two, and members.
func newGroup(t *testing.T, n *node, owner chat.Caller, members ...chat.Caller) int64 {
	t.Helper()
	ids := make([]int64, len(members))
	for i, m := range members {
		ids[i] = m.UserID
	}
	g, err := n.CreateGroup(t.Context(), owner, "g", ids)
	if err != nil {
		t.Fatal(err)
	}
	if len(ids) > 1 {
		if _, err := n.SetAdmin(t.Context(), owner, g.ID, ids[0], true); err != nil {
			t.Fatal(err)
		}
	}
	return g.ID
}

func leave(t *testing.T, n *node, c chat.Caller, chatID int64) {
	if err := n.RemoveMember(t.Context(), c, chatID, c.UserID); err != nil {
		t.Error(err)
	}
}

// TestGroupMemberLimit counts users, not duplicates.
func TestGroupMemberLimit(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil, func(c *chat.Config) { c.Limits.MaxMembers = 3 })
	a, b, c, d := w.user(t), w.user(t), w.user(t), w.user(t)
	g, err := n.CreateGroup(t.Context(), a, "g", slices.Repeat([]int64{b.UserID, a.UserID, c.UserID}, 100))
	if err != nil || g.MemberCount != 3 || len(g.Members) != 3 {
		t.Errorf("%+v, %v", g, err)
	}
	if _, err := n.AddMember(t.Context(), a, g.ID, d.UserID); chat.KindOf(err) != chat.KindConflict {
		t.Errorf("a fourth was added: %v", err)
	}
	_, err = n.CreateGroup(t.Context(), a, "g", []int64{b.UserID, c.UserID, d.UserID})
	if chat.KindOf(err) != chat.KindInvalid {
		t.Errorf("a group of four: %v", err)
	}
	if _, err = n.CreateGroup(t.Context(), a, "g", []int64{4711}); chat.KindOf(err) != chat.KindNotFound {
		t.Errorf("a group with nobody: %v", err)
	}
	if _, err := n.AddMember(t.Context(), a, g.ID, 4711); chat.KindOf(err) != chat.KindConflict {
		t.Errorf("nobody, into a full group: %v", err)
	}
	leave(t, n, c, g.ID)
	if _, err := n.AddMember(t.Context(), a, g.ID, 4711); chat.KindOf(err) != chat.KindNotFound {
		t.Errorf("nobody was added: %v", err)
	}
}

// A counter counts queries of the store and of presence.
type counter struct {
	chat.Store
	chat.Presence
	users, online atomic.Int32
}

func (c *counter) Users(ctx context.Context, ids []int64) ([]chat.User, error) {
	c.users.Add(1)
	return c.Store.Users(ctx, ids)
}

func (c *counter) Online(ctx context.Context, ids []int64) (map[int64]bool, error) {
	c.online.Add(1)
	return c.Presence.Online(ctx, ids)
}

func TestManyMembersAreLoadedAtOnce(t *testing.T) {
	w := newWorld(t)
	var asked counter
	n := w.node(t, nil, func(c *chat.Config) {
		asked.Store, asked.Presence = c.Store, c.Presence
		c.Store, c.Presence = &asked, &asked
	})
	owner := w.user(t)
	var ids []int64
	for range 40 {
		ids = append(ids, w.user(t).UserID)
	}
	g, err := n.CreateGroup(t.Context(), owner, "g", ids)
	if err != nil {
		t.Fatal(err)
	}
	if u, o := asked.users.Load(), asked.online.Load(); u != 1 || o != 1 {
		t.Errorf("to make a group, %d times for users, %d times for who is online", u, o)
	}
	members, err := n.Members(t.Context(), owner, g.ID, chat.Paging{})
	if err != nil {
		t.Fatal(err)
	}
	if u, o := asked.users.Load(), asked.online.Load(); u != 2 || o != 2 {
		t.Errorf("to list members, %d times for users, %d times for who is online", u-1, o-1)
	}
	for _, list := range [][]chat.Member{g.Members, members.Items} {
		for _, m := range list {
			if m.User == nil || m.User.ID != m.UserID || m.User.Phone != "" {
				t.Errorf("member %d is %+v", m.UserID, m.User)
			}
		}
	}
}

// A lostStore stores changes, but returns errors.
type lostStore struct{ chat.Store }

func (s lostStore) ChangeMember(ctx context.Context, c chat.MemberChange) (chat.Member, error) {
	_, err := s.Store.ChangeMember(ctx, c)
	if err == nil {
		err = chat.Errorf(chat.KindUnavailable, "the database does not answer", "it may have been stored")
	}
	return chat.Member{}, err
}

// TestUnsureChangeIsNotCached: after a change with unknown result, the cache has no stale
// value.
func TestUnsureChangeIsNotCached(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil, func(c *chat.Config) { c.Store = lostStore{c.Store} })
	owner, member := w.user(t), w.user(t)
	g := newGroup(t, n, owner, member)
	if _, err := n.Ban(t.Context(), owner, g, member.UserID); chat.KindOf(err) != chat.KindUnavailable {
		t.Fatal(err)
	}
	if _, err := n.Members(t.Context(), member, g, chat.Paging{}); chat.KindOf(err) != chat.KindNotFound {
		t.Errorf("the banned user still reads: %v", err)
	}
}

// TestUnbanReportsUnavailableDatabase: the error is NotFound only if the user is not banned.
func TestUnbanReportsUnavailableDatabase(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil)
	owner, member := w.user(t), w.user(t)
	g := newGroup(t, n, owner, member)
	if err := n.Unban(t.Context(), owner, g, member.UserID); chat.KindOf(err) != chat.KindNotFound {
		t.Errorf("who is not banned: %v", err)
	}
	if _, err := n.Members(t.Context(), owner, g, chat.Paging{}); err != nil { // fills the cache
		t.Fatal(err)
	}
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := n.Unban(t.Context(), owner, g, member.UserID); chat.KindOf(err) != chat.KindUnavailable {
		t.Errorf("without a database: %v", err)
	}
}
