package chat_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onemeter/onemeter/server/bus/membus"
	"github.com/onemeter/onemeter/server/chat"
)

// presence waits for gathered events, and returns those that n's connections got since the
// last call.
func (n *node) presence(t *testing.T) (told []chat.PresenceChanged) {
	t.Helper()
	time.Sleep(time.Second) // of the test's own time
	synctest.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.events {
		if e.Type == chat.EventPresence {
			told = append(told, e.Payload.(chat.PresenceChanged))
		}
	}
	n.events = nil
	return told
}

// come counts a new connection of each user, and goes an ended one.
func (n *node) come(t *testing.T, users ...chat.Caller) {
	t.Helper()
	for _, u := range users {
		if err := n.Connected(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
}

func (n *node) goes(t *testing.T, users ...chat.Caller) {
	t.Helper()
	for _, u := range users {
		if err := n.Disconnected(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReconnectCausesOnePresenceEvent moves the members of a group from one node to another,
// some of them several times.
func TestReconnectCausesOnePresenceEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		everywhere := membus.New()
		w, net, here, there := twoNodes(t, func(c *chat.Config) { c.Presence = everywhere })
		const n = 300 // more than one chunk
		users, ids := make([]chat.Caller, n), make([]int64, n)
		for i := range users {
			users[i] = w.user(t)
			ids[i] = users[i].UserID
		}
		if _, err := here.CreateGroup(t.Context(), users[0], "all", ids); err != nil {
			t.Fatal(err)
		}
		once := func(what string, online bool, told []chat.PresenceChanged) {
			t.Helper()
			seen := make(map[int64]int)
			for _, p := range told {
				if seen[p.UserID]++; p.IsOnline != online {
					t.Errorf("%s: %+v", what, p)
				}
			}
			if len(told) != n || len(seen) != n {
				t.Errorf("%s: %d events of %d users, want one of each of %d", what, len(told), len(seen), n)
			}
		}
		here.come(t, users...)
		net.carry(1)
		once("they come", true, here.presence(t))
		once("they come, elsewhere", true, there.presence(t))
		for range 3 {
			here.goes(t, users...)
			there.come(t, users...)
			there.goes(t, users...)
			here.come(t, users...)
		}
		for i := range net.nodes {
			net.mu.Lock()
			events := net.queue
			net.mu.Unlock()
			for _, e := range events { // also in the wrong order: this node's own events come late
				net.nodes[i].Receive(t.Context(), e)
			}
		}
		once("they reconnect", true, here.presence(t))
		once("they reconnect, elsewhere", true, there.presence(t))
		here.goes(t, users...)
		net.carry(1)
		once("they go", false, here.presence(t))
	})
}

// TestNodePresence notifies contacts of users whose node is gone, and stores the time.
func TestNodePresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := w.node(t, nil)
		ann, ben, alone := w.user(t), w.user(t), w.user(t)
		n.send(t, ann, ben.UserID, "1")
		users := []int64{ann.UserID, alone.UserID, 4711}
		at := time.Now().Add(time.Hour).Truncate(time.Second) // later than the stored time, because the latest counts
		if _, err := n.Me(t.Context(), ann); err != nil {     // fills the cache
			t.Fatal(err)
		}
		tell := func(online bool, seen time.Time) {
			t.Helper()
			if err := n.NodePresence(t.Context(), users, online, seen); err != nil {
				t.Error(err)
			}
			told := n.presence(t)
			if len(told) != 1 || told[0].UserID != ann.UserID || told[0].IsOnline != online || !told[0].LastSeen.Equal(seen) {
				t.Errorf("online %v: told %+v", online, told)
			}
		}
		tell(false, at)
		for _, u := range []chat.Caller{ann, alone} {
			if me, err := n.Me(t.Context(), u); err != nil || !me.LastSeen.Equal(at) {
				t.Errorf("last seen %v, want %v: %v", me.LastSeen, at, err)
			}
		}
		n.come(t, ann)
		n.presence(t)
		tell(true, at.Add(time.Hour))
		_ = w.store.Close()
		if err := n.NodePresence(t.Context(), users, false, at); err == nil || errors.Is(err, chat.ErrNotFound) {
			t.Errorf("without a database: %v", err)
		}
	})
}
