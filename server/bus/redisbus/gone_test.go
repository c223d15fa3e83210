package redisbus_test

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server/bus/redisbus"
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
	needs.Eventually(t, "all are told of", func() bool { return len(toldGone(b, c)) >= len(want) })
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
	needs.Eventually(t, "its set is gone", func() bool { return len(b.client.Keys(t.Context(), "*of:*").Val()) == 2 })
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
	needs.Eventually(t, "one has tried", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return tried > 0 })
	b.kill() // and is killed while it tells
	c := newNode(t, server.URL(), steady("x:"))
	needs.Eventually(t, "a node that starts later tells it", func() bool { return len(toldGone(c)) == 2 })
}

// TestANodeThatWasOnlyAwayRisesAgain: its users were told to be gone, and are
// told to be there.
func TestANodeThatWasOnlyAwayRisesAgain(t *testing.T) {
	t.Parallel() // it waits more than it works
	server := redistest.New(t)
	proxy := needs.NewProxy(t, server.Addr())
	a, b := newNode(t, through(t, server, proxy), steady("x:")), newNode(t, server.URL(), steady("x:"))
	a.connect(t, 1, 2)
	b.connect(t, 2)
	proxy.Cut()
	needs.Eventually(t, "its user is told to be gone", func() bool { return slices.Equal(toldGone(b), []int64{1}) })
	proxy.Heal()
	needs.Eventually(t, "its users are told to be there", func() bool { return slices.Equal(toldBack(a), []int64{1, 2}) })
	needs.Eventually(t, "and are", func() bool { return slices.Equal(online(t, b, 1, 2, 3), []int64{1, 2}) })
	needs.Eventually(t, "that is forgotten", func() bool { return b.client.ZCard(t.Context(), "{x:online}:mourned").Val() == 0 })
	if got := toldGone(a); len(got) > 0 {
		t.Errorf("the node that was away told that %v are gone", got)
	}
}

// TestNobodyIsMournedForRedis: while it was away nobody beat, and the first node
// that reaches it again does not think the others gone. One that was killed
// meanwhile is mourned.
func TestNobodyIsMournedForRedis(t *testing.T) {
	t.Parallel() // it waits more than it works
	server := redistest.New(t)
	cfg := redisbus.Config{Prefix: "x:", Expiry: 4 * time.Second}
	firstWay, secondWay := needs.NewProxy(t, server.Addr()), needs.NewProxy(t, server.Addr())
	first, second := newNode(t, through(t, server, firstWay), cfg), newNode(t, through(t, server, secondWay), cfg)
	killed := newNode(t, server.URL(), cfg)
	first.connect(t, 1)
	second.connect(t, 2)
	killed.connect(t, 3)
	firstWay.Cut()
	secondWay.Cut()
	killed.kill()
	direct := connect(t, server.URL())
	alive := func() int64 {
		now := direct.Time(t.Context()).Val().UnixMilli()
		return direct.ZCount(t.Context(), "{x:online}:nodes", strconv.FormatInt(now, 10), "+inf").Val()
	}
	needs.Eventually(t, "nobody has beaten for long enough", func() bool { return alive() == 0 })
	firstWay.Heal()
	needs.Eventually(t, "the first is back", func() bool { return alive() == 1 })
	<-time.After(cfg.Expiry/3 + 100*time.Millisecond) // it has looked for nodes that are gone
	secondWay.Heal()
	needs.Eventually(t, "the one that was killed is mourned", func() bool { return len(toldGone(first, second)) > 0 })
	if got := toldGone(first, second); !slices.Equal(got, []int64{3}) {
		t.Errorf("told to be gone: %v", got)
	}
	for _, n := range []*node{first, second} {
		if got := toldBack(n); len(got) > 0 {
			t.Errorf("%v are back, and were never gone", got)
		}
	}
}

// through is the URL of a server by way of a proxy.
func through(t *testing.T, server *redistest.Server, proxy *needs.Proxy) string {
	t.Helper()
	u, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	u.Host = proxy.Addr
	return u.String()
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
	needs.Eventually(t, "they are told of", func() bool { return slices.Equal(toldGone(b), []int64{1}) })
}
