package rediscache_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server/bus/redisbus"
	"github.com/onemeter/onemeter/server/cache/memcache"
	"github.com/onemeter/onemeter/server/cache/rediscache"
	"github.com/onemeter/onemeter/server/redisconn"
)

func TestMain(m *testing.M) {
	redisconn.LogTo(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m)
}

// A node has a cache in front of the values that its test calls the truth.
type node struct {
	*rediscache.Cache[int, int64]
	bus    *redisbus.Bus
	client redis.UniversalClient
	loads  atomic.Int64
}

func newNode(t testing.TB, url, prefix string) *node {
	t.Helper()
	client, err := redisconn.Open(redisconn.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	n := &node{client: client, bus: redisbus.New(client, redisbus.Config{Prefix: prefix, Beat: 50 * time.Millisecond})}
	local := memcache.New[int, *rediscache.Entry[int64]](100, time.Hour)
	n.Cache = rediscache.New[int, int64](client, n.bus, local, rediscache.Config{Name: "n", Prefix: prefix})
	n.bus.Start(context.Background())
	t.Cleanup(n.bus.Close)
	t.Cleanup(n.Close)
	return n
}

// twoNodes share the Redis of all tests.
func twoNodes(t testing.TB) (a, b *node) {
	t.Helper()
	url, prefix := needs.Redis(t)
	a, b = newNode(t, url, prefix), newNode(t, url, prefix)
	met(t, a, b)
	return a, b
}

func met(t testing.TB, nodes ...*node) {
	t.Helper()
	needs.Eventually(t, "the nodes hear each other", func() bool {
		for _, n := range nodes {
			if s := n.bus.Stats(); !s.Connected || s.Nodes < len(nodes)-1 {
				return false
			}
		}
		return true
	})
}

// get loads a key whose value in truth is v.
func (n *node) get(t testing.TB, key int, v int64) (value int64, hit bool) {
	t.Helper()
	value, hit, err := n.Load(t.Context(), key, n.source(v))
	if err != nil {
		t.Fatal(err)
	}
	return value, hit
}

func (n *node) source(v int64) func(context.Context) (int64, error) {
	return func(context.Context) (int64, error) {
		n.loads.Add(1)
		return v, nil
	}
}

// want checks what get returns.
func (n *node) want(t testing.TB, key int, truth, value int64, hit bool) {
	t.Helper()
	if v, h := n.get(t, key, truth); v != value || h != hit {
		t.Fatalf("got %d, hit %v; want %d, hit %v", v, h, value, hit)
	}
}

func (n *node) drop(t testing.TB, keys ...int) {
	t.Helper()
	if err := n.Drop(t.Context(), keys...); err != nil {
		t.Fatal(err)
	}
}
