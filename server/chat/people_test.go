package chat_test

import (
	"fmt"
	"testing"

	"github.com/onemeter/onemeter/server/chat"
)

// TestConcurrentProfileChanges changes different fields at once, on two nodes that both have
// the account in their caches.
func TestConcurrentProfileChanges(t *testing.T) {
	w := newWorld(t)
	here, there := w.node(t, nil), w.node(t, nil)
	u := w.user(t)
	update := func(n *node, p chat.Profile) {
		if _, err := n.UpdateMe(t.Context(), u, p); err != nil {
			t.Error(err)
		}
	}
	for i := range races {
		name, bio := fmt.Sprint("name ", i), fmt.Sprint("bio ", i)
		both(func() { update(here, chat.Profile{Nickname: &name}) }, func() { update(there, chat.Profile{Bio: &bio}) })
		stored, err := w.store.Users(t.Context(), []int64{u.UserID})
		if err != nil || stored[0].Nickname != name || stored[0].Bio != bio {
			t.Fatalf("%+v, want %s and %s: %v", stored[0], name, bio, err)
		}
	}
	long := string(make([]byte, 2000))
	if _, err := here.UpdateMe(t.Context(), u, chat.Profile{Nickname: &long, Bio: &long}); chat.KindOf(err) != chat.KindInvalid {
		t.Errorf("too long: %v", err)
	}
	if _, err := here.UpdateMe(t.Context(), chat.Caller{UserID: 4711}, chat.Profile{}); chat.KindOf(err) != chat.KindNotFound {
		t.Errorf("nobody: %v", err)
	}
}
