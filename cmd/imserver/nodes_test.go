package main

import (
	"os"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// TestNodesAreKilled kills one of two nodes in the middle of a stream, then the
// other: clients go over to the one that is left, and miss nothing.
func TestNodesAreKilled(t *testing.T) {
	prog := shared(t)
	all := start(t, 2, prog)
	clients := members(t, all, 4)
	for i, c := range clients {
		c.run(t, all, i)
	}
	for i := range 2 {
		goOn(t, clients, 50)
		all.node(i).kill()
		goOn(t, clients, 50)
		all.replace(t, i, prog)
	}
	goOn(t, clients, 50)
	settle(t, clients)
	check(t, all.node(0), clients)
}

// TestRollingRestart stops node after node: clients are told to go away, and
// miss nothing.
func TestRollingRestart(t *testing.T) {
	prog := shared(t)
	all := start(t, 2, prog)
	clients := members(t, all, 4)
	for i, c := range clients {
		c.run(t, all, i)
	}
	for i := range 2 {
		goOn(t, clients, 50)
		all.node(i).stop(t, shutdownTimeout)
		goOn(t, clients, 50)
		all.replace(t, i, prog)
	}
	settle(t, clients)
	check(t, all.node(0), clients)
	for _, c := range clients {
		if len(c.closes) == 0 {
			t.Errorf("client %d was on no node that stopped", c.account.ID)
		}
		for _, err := range c.closes {
			if websocket.CloseStatus(err) != websocket.StatusGoingAway {
				t.Errorf("client %d was told %v, want %v", c.account.ID, err, websocket.StatusGoingAway)
			}
		}
	}
}

// TestPresenceOfAKilledNode: contacts are told, once, who went with it, and not
// of one who came back in time.
func TestPresenceOfAKilledNode(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	prog := shared(t)
	prog.bin, prog.env = self, append(prog.env, nodeExpiry+"=4s")
	all := start(t, 2, prog)
	watcher := newClient(t, all.node(1), "20000")
	lost, quick := newClient(t, all.node(0), "20001"), newClient(t, all.node(0), "20002")
	all.node(0).group(t, watcher, lost, quick)
	of := func(c *client) (told []presence) {
		for _, p := range watcher.told {
			if p.UserID == c.account.ID {
				told = append(told, p)
			}
		}
		return told
	}

	watcher.run(t, all, 1)
	lost.run(t, all, 0)
	quick.run(t, all, 0)
	watcher.waitFor(t, "both are there", func() bool { return len(of(lost)) == 1 && len(of(quick)) == 1 })
	killed := time.Now()
	all.node(0).kill()
	lost.stop() // while quick goes over to the other node
	watcher.waitFor(t, "one is told to be gone", func() bool { return len(of(lost)) == 2 })
	gone := of(lost)[1]
	if gone.IsOnline || killed.Sub(gone.LastSeen).Abs() > 5*time.Second {
		t.Errorf("killed at %v, told %+v", killed, gone)
	}
	var found []struct {
		Online   bool
		LastSeen time.Time `json:"last_seen"`
	}
	all.node(1).do(t, watcher.account, "GET", "/api/users/search?q=u20001", nil, &found)
	if u := found[0]; u.Online || u.LastSeen.Sub(gone.LastSeen).Abs() > time.Second {
		t.Errorf("the account says %+v, told was %+v", u, gone)
	}

	lost.run(t, all, 1)
	watcher.waitFor(t, "and to be there again", func() bool { return len(of(lost)) == 3 && of(lost)[2].IsOnline })
	if told := of(quick); len(told) != 1 {
		t.Errorf("of one who came back in time was told %+v", told)
	}
}
