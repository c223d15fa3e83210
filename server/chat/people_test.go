package chat_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// TestAProfileIsWrittenByTwo changes the name and the rest at once, on two nodes
// of which each has the account in its cache.
func TestAProfileIsWrittenByTwo(t *testing.T) {
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

// TestNodePresence tells contacts of users whose node is gone, and stores when
// that was.
func TestNodePresence(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil)
	ann, ben, alone := w.user(t), w.user(t), w.user(t)
	n.send(t, ann, ben.UserID, "1")
	users := []int64{ann.UserID, alone.UserID, 4711}
	at := time.Now().Add(time.Hour).Truncate(time.Second) // later than what is stored, of which the latest counts
	if _, err := n.Me(t.Context(), ann); err != nil {     // now it is in the cache
		t.Fatal(err)
	}
	for online, seen := range map[bool]time.Time{false: at, true: at.Add(time.Hour)} {
		if err := n.NodePresence(t.Context(), users, online, seen); err != nil {
			t.Error(err)
		}
	}
	told := make(map[bool]chat.PresenceChanged)
	n.mu.Lock()
	events := slices.Clone(n.events)
	n.mu.Unlock()
	for _, e := range events {
		if e.Type != chat.EventPresence {
			continue
		}
		p := e.Payload.(chat.PresenceChanged)
		told[p.IsOnline] = p
		if len(e.To) != 1 || e.To[0] != ben.UserID {
			t.Errorf("told %v", e.To)
		}
	}
	for online, seen := range map[bool]time.Time{false: at, true: at.Add(time.Hour)} {
		if p := told[online]; p.UserID != ann.UserID || !p.LastSeen.Equal(seen) {
			t.Errorf("online %v: %+v", online, p)
		}
	}
	for _, u := range []chat.Caller{ann, alone} {
		if me, err := n.Me(t.Context(), u); err != nil || !me.LastSeen.Equal(at) {
			t.Errorf("last seen %v, want %v: %v", me.LastSeen, at, err)
		}
	}
	_ = w.store.Close()
	if err := n.NodePresence(t.Context(), users, false, at); err == nil || errors.Is(err, chat.ErrNotFound) {
		t.Errorf("without a database: %v", err)
	}
}
