package chat_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// TestGroupsAreToldOfWhoDeletesAnAccount: the owner of a group leaves, and the heir is
// told, too.
func TestGroupsAreToldOfWhoDeletesAnAccount(t *testing.T) {
	w, n, _, tokens := login(t)
	owner, err := n.Authenticate(t.Context(), tokens.Access)
	if err != nil {
		t.Fatal(err)
	}
	heir := w.user(t)
	g, err := n.CreateGroup(t.Context(), owner, "group", []int64{heir.UserID})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.DeleteMe(t.Context(), owner, chat.Farewell{Password: "secret", Addr: netip.IPv6Loopback()}); err != nil {
		t.Fatal(err)
	}
	want := map[chat.GroupChange]int64{chat.GroupLeft: owner.UserID, chat.GroupOwned: heir.UserID}
	timeout := time.After(patience)
	for len(want) > 0 {
		n.mu.Lock()
		for _, e := range n.events {
			if u, ok := e.Payload.(chat.GroupUpdated); ok && u.ChatID == g.ID && want[u.Change] == u.UserID {
				delete(want, u.Change)
			}
		}
		n.mu.Unlock()
		if len(want) == 0 {
			break
		}
		select {
		case <-n.came:
		case <-timeout:
			t.Fatalf("not told: %v", want)
		}
	}
	if _, why := n.ended(); why != "the account was deleted" {
		t.Errorf("clients were told %q", why)
	}
}

// TestAnotherNodeFinishesALeaving: the first one stopped once the account was gone.
func TestAnotherNodeFinishesALeaving(t *testing.T) {
	w, n, _, tokens := login(t)
	friend := w.user(t)
	me := chat.Caller{UserID: tokens.User.ID}
	g, err := n.CreateGroup(t.Context(), me, "group", []int64{friend.UserID})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.DeleteUser(t.Context(), me.UserID, 0, time.Now()); err != nil {
		t.Fatal(err)
	}
	n.LeaveAll()
	m, err := w.store.Membership(t.Context(), g.ID)
	if err != nil || len(m.Members) != 1 || m.Members[0].Role != chat.RoleOwner {
		t.Errorf("%+v, %v", m.Members, err)
	}
	if left, err := w.store.Leaving(t.Context(), 10); len(left) != 0 || err != nil {
		t.Errorf("left to do: %v, %v", left, err)
	}
}
