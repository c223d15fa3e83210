package redisbus_test

import (
	"errors"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server/redisbus"
	"github.com/onemeter/onemeter/server/redisconn/redistest"
)

// steady expires nodes late enough for a busy machine: who is told of twice
// because a node was slow is no fault here.
func steady(prefix string) redisbus.Config {
	return redisbus.Config{Prefix: prefix, Expiry: 2 * time.Second}
}

func (n *node) kill() { _ = n.client.Close() } // all that a killed process does

func (n *node) connect(t testing.TB, users ...int64) {
	t.Helper()
	for _, id := range users {
		if _, err := n.Connected(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
}

// toldGone lists in order whom nodes told to be gone.
func toldGone(nodes ...*node) (users []int64) {
	for _, n := range nodes {
		n.mu.Lock()
		users = append(users, n.gone...)
		n.mu.Unlock()
	}
	slices.Sort(users)
	return users
}

func toldBack(n *node) []int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Sorted(slices.Values(n.back))
}

// TestAKilledNodeIsMourned: of its users those are told of, once, who are on no
// other node and have not come back in time.
func TestAKilledNodeIsMourned(t *testing.T) {
	t.Parallel() // it waits more than it works
	server := redistest.New(t)
	a, b, c := newNode(t, server.URL(), steady("x:")), newNode(t, server.URL(), steady("x:")), newNode(t, server.URL(), steady("x:"))
	a.connect(t, upTo(300)...) // more than are told of at a time
	b.connect(t, 2, 500)
	killed := time.Now()
	a.kill()
	c.connect(t, 3)
	want := append([]int64{1}, upTo(300)[3:]...)
	eventually(t, "all are told of", func() bool { return len(toldGone(b, c)) >= len(want) })
	if got := toldGone(b, c); !slices.Equal(got, want) {
		t.Errorf("told of %v", got)
	}
	for _, n := range []*node{b, c} {
		if got := toldBack(n); len(got) > 0 {
			t.Errorf("%v are back", got)
		}
		if n.mu.Lock(); len(n.gone) > 0 && (n.seen.After(killed.Add(time.Millisecond)) || killed.Sub(n.seen) > 2*time.Second) {
			t.Errorf("last seen %v, killed at %v", n.seen, killed)
		}
		n.mu.Unlock()
	}
	eventually(t, "its set is gone", func() bool { return len(b.client.Keys(t.Context(), "*of:*").Val()) == 2 })
	if nodes := b.client.ZCard(t.Context(), "{x:online}:nodes").Val(); nodes != 2 {
		t.Errorf("%d nodes are left", nodes)
	}
	if got := toldGone(b, c); len(got) != len(want) {
		t.Errorf("told of %v", got)
	}
}

// TestAnotherNodeMournsWhereOneCannot: what one could not tell is not lost.
func TestAnotherNodeMournsWhereOneCannot(t *testing.T) {
	t.Parallel() // it waits more than it works
	server := redistest.New(t)
	a, b := newNode(t, server.URL(), steady("x:")), newNode(t, server.URL(), steady("x:"))
	tried := 0
	b.mu.Lock()
	b.tell = func() error { tried++; return errors.New("the database is away") }
	b.mu.Unlock()
	a.connect(t, 1, 2)
	a.kill()
	eventually(t, "one has tried", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return tried > 0 })
	b.kill() // and is killed while it tells
	c := newNode(t, server.URL(), steady("x:"))
	eventually(t, "a node that starts later tells it", func() bool { return len(toldGone(c)) == 2 })
}

// TestANodeThatWasOnlyAwayRisesAgain: its users were told to be gone, and are
// told to be there.
func TestANodeThatWasOnlyAwayRisesAgain(t *testing.T) {
	t.Parallel() // it waits more than it works
	server := redistest.New(t)
	proxy := needs.NewProxy(t, server.Addr())
	through, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	through.Host = proxy.Addr
	a, b := newNode(t, through.String(), steady("x:")), newNode(t, server.URL(), steady("x:"))
	a.connect(t, 1, 2)
	b.connect(t, 2)
	proxy.Cut()
	eventually(t, "its user is told to be gone", func() bool { return slices.Equal(toldGone(b), []int64{1}) })
	proxy.Heal()
	eventually(t, "its users are told to be there", func() bool { return slices.Equal(toldBack(a), []int64{1, 2}) })
	eventually(t, "and are", func() bool { return slices.Equal(online(t, b, 1, 2, 3), []int64{1, 2}) })
	eventually(t, "that is forgotten", func() bool { return b.client.ZCard(t.Context(), "{x:online}:mourned").Val() == 0 })
	if got := toldGone(a); len(got) > 0 {
		t.Errorf("the node that was away told that %v are gone", got)
	}
}

// TestNobodyIsMournedForRedis: while it was away nobody beat. A node that was
// killed meanwhile is mourned, and no other.
func TestNobodyIsMournedForRedis(t *testing.T) {
	t.Parallel() // it waits more than it works
	server := redistest.New(t)
	nodes := make([]*node, 4)
	for i := range nodes {
		nodes[i] = newNode(t, server.URL(), steady("x:"))
		nodes[i].connect(t, int64(i))
	}
	killed, left := nodes[0], nodes[1:]
	server.Pause()
	killed.kill()
	<-time.After(3 * time.Second) // longer than any node lives without a beat
	server.Continue()
	eventually(t, "the one that was killed is mourned", func() bool { return len(toldGone(left...)) > 0 })
	if got := toldGone(left...); !slices.Equal(got, []int64{0}) {
		t.Errorf("told to be gone: %v", got)
	}
	for _, n := range left {
		if got := toldBack(n); len(got) > 0 {
			t.Errorf("%v are back, and were never gone", got)
		}
	}
}

// TestUsersWhoWereCutOff when their node stopped are told of by the others.
func TestUsersWhoWereCutOff(t *testing.T) {
	t.Parallel() // it waits more than it works
	server := redistest.New(t)
	cfg := steady("x:")
	a, b := newNode(t, server.URL(), cfg), newNode(t, server.URL(), cfg)
	a.connect(t, 1)
	a.Close()
	if got := online(t, b, 1); len(got) > 0 {
		t.Error("online on a node that has stopped")
	}
	eventually(t, "they are told of", func() bool { return slices.Equal(toldGone(b), []int64{1}) })
}
