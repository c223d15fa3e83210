package redisbus_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server/bus/redisbus"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/redisconn/redistest"
)

func online(t testing.TB, n *node, ids ...int64) []int64 {
	t.Helper()
	found, err := n.Online(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(found))
}

// TestAKilledNodeTakesItsUsersWithIt, and one that stops does so at once.
func TestAKilledNodeTakesItsUsersWithIt(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	a, b := newNode(t, server.URL(), quick("x:")), newNode(t, server.URL(), quick("x:"))
	both := func(n *node) {
		for _, id := range []int64{7, 8} {
			_, _ = n.Connected(t.Context(), id)
		}
	}
	both(a)
	if got := online(t, b, 7, 8); len(got) != 2 {
		t.Error(got)
	}
	_ = a.client.Close() // all that a killed process does
	needs.Eventually(t, "they are gone", func() bool { return len(online(t, b, 7, 8)) == 0 })
	if first, _ := b.Connected(t.Context(), 7); !first {
		t.Error("not the first: the dead node counts")
	}

	c := newNode(t, server.URL(), quick("x:"))
	both(c)
	c.Close()
	if last, _ := b.Disconnected(t.Context(), 7); !last {
		t.Error("not the last: the stopped node counts")
	}
	needs.Eventually(t, "nothing is left behind", func() bool { return len(b.client.Keys(t.Context(), "*of:*").Val()) == 0 })
}

// TestPresenceHeals: Redis forgets everything, and knows it again.
func TestPresenceHeals(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	a, b := newNode(t, server.URL(), quick("x:")), newNode(t, server.URL(), quick("x:"))
	for id := range int64(3000) {
		_, _ = a.Connected(t.Context(), id)
	}
	server.Stop()
	for id := int64(3000); id < 3010; id++ {
		if first, err := a.Connected(t.Context(), id); !first || err != nil {
			t.Error(first, err)
		}
		if last, err := a.Disconnected(t.Context(), id-3000); !last || err != nil {
			t.Error(last, err)
		}
	}
	if got := online(t, a, 1, 3001, 9999); !slices.Equal(got, []int64{3001}) {
		t.Errorf("on its own: %v", got)
	}
	server.Start()
	needs.Eventually(t, "the other node sees them", func() bool {
		return slices.Equal(online(t, b, 1, 9, 10, 2999, 3009, 3010), []int64{10, 2999, 3009})
	})
}

// TestOnlineCostsLittle counts what Redis is asked.
func TestOnlineCostsLittle(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	cfg := redisbus.Config{Prefix: "x:", Expiry: time.Hour, Beat: time.Hour}
	a, b := newNode(t, server.URL(), cfg), newNode(t, server.URL(), cfg)
	_, _ = a.Connected(t.Context(), 1)
	_, _ = b.Connected(t.Context(), 2)
	asked := func() (n int) {
		for _, s := range a.client.Info(t.Context(), "commandstats").Val() {
			_ = s
		}
		stats := a.client.InfoMap(t.Context(), "commandstats").Val()["Commandstats"]["cmdstat_evalsha"]
		for i := len("calls="); i < len(stats) && stats[i] != ','; i++ {
			n = n*10 + int(stats[i]-'0')
		}
		return n
	}
	_ = online(t, a, 99) // the script is there from now on
	before := asked()
	began := time.Now()
	for range 1000 {
		if got := online(t, a, 1, 2, 3); !slices.Equal(got, []int64{1, 2}) {
			t.Fatal(got)
		}
	}
	if n, most := asked()-before, 1+int(time.Since(began)/time.Second); n > most {
		t.Errorf("%d questions for 1000 answers, want %d", n, most)
	}
	if last, _ := b.Disconnected(t.Context(), 2); !last {
		t.Error("not the last")
	}
	if got := online(t, b, 2); len(got) != 0 {
		t.Error("where the user left, what was known before still counts")
	}
	_, _ = a.Connected(t.Context(), 2)
	if got := online(t, b, 2); len(got) != 1 {
		needs.Eventually(t, "the other node sees it", func() bool { return len(online(t, b, 2)) == 1 })
	}
}

// TestWhoIsToldAndAsksGetsOneAnswer has a node ask, and at once hear otherwise:
// by an event, on the node that tells it too, or by the loss of some.
func TestWhoIsToldAndAsksGetsOneAnswer(t *testing.T) {
	a, b := twoNodes(t)
	answers := make(chan bool, 1)
	b.Subscribe(func(ctx context.Context, e chat.Event) {
		if e.Type == chat.EventPresence {
			found, _ := b.Online(ctx, []int64{7})
			answers <- found[7]
		}
	})
	tell := func(is bool) {
		t.Helper()
		err := a.Publish(t.Context(), chat.Event{Type: chat.EventPresence, Payload: chat.PresenceChanged{UserID: 7, IsOnline: is}})
		if err != nil {
			t.Fatal(err)
		}
		if got := <-answers; got != is {
			t.Errorf("told %v, asked %v", is, got)
		}
	}
	for range 10 {
		online(t, b, 7)
		_, _ = a.Connected(t.Context(), 7)
		tell(true)
		_, _ = a.Disconnected(t.Context(), 7)
		tell(false)
	}
}

// TestDisconnectIsCertain: after it, a question that was under way before does
// not count.
func TestDisconnectIsCertain(t *testing.T) {
	a, b := twoNodes(t)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					online(t, a, 5)
				}
			}
		})
	}
	for range 200 {
		_, _ = a.Connected(t.Context(), 5)
		if last, _ := a.Disconnected(t.Context(), 5); !last {
			t.Fatal("not the last")
		}
		if got := online(t, a, 5); len(got) != 0 {
			t.Fatal("online after the last connection went")
		}
	}
	close(stop)
	wg.Wait()
	if got := online(t, b, 5); len(got) != 0 {
		t.Error(got)
	}
}

func BenchmarkOnlineElsewhere(b *testing.B) {
	url, prefix := needs.Redis(b)
	n, other := newNode(b, url, redisbus.Config{Prefix: prefix}), newNode(b, url, redisbus.Config{Prefix: prefix})
	_, _ = other.Connected(b.Context(), 1)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = n.Online(b.Context(), []int64{1})
	}
}

func BenchmarkConnectDisconnect(b *testing.B) {
	url, prefix := needs.Redis(b)
	n := newNode(b, url, redisbus.Config{Prefix: prefix})
	b.ReportAllocs()
	for b.Loop() {
		_, _ = n.Connected(b.Context(), 1)
		_, _ = n.Disconnected(b.Context(), 1)
	}
}
