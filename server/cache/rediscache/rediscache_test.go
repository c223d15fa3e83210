package rediscache_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server/cache/cachetest"
	"github.com/onemeter/onemeter/server/cache/memcache"
	"github.com/onemeter/onemeter/server/cache/rediscache"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/redisconn"
	"github.com/onemeter/onemeter/server/redisconn/redistest"
)

// TestCache runs the contract with one node, with two, and in a cluster, where
// keys are in slots of their own.
func TestCache(t *testing.T) {
	open := func(t *testing.T, url, prefix string, n int) []cachetest.Node {
		nodes, ends := make([]*node, n), make([]cachetest.Node, n)
		for i := range nodes {
			nodes[i] = newNode(t, url, prefix)
			ends[i] = nodes[i]
		}
		met(t, nodes...)
		t.Cleanup(func() { settled(t, nodes...) })
		return ends
	}
	for name, n := range map[string]int{"one node": 1, "two nodes": 2} {
		t.Run(name, func(t *testing.T) {
			cachetest.Run(t, func(t *testing.T) []cachetest.Node {
				url, prefix := needs.Redis(t)
				return open(t, url, prefix, n)
			})
		})
	}
	t.Run("cluster", func(t *testing.T) {
		url := redistest.Cluster(t)
		cachetest.Run(t, func(t *testing.T) []cachetest.Node { return open(t, url, t.Name(), 2) })
	})
}

// TestWhatIsCounted, and for how long Redis keeps a value.
func TestWhatIsCounted(t *testing.T) {
	a, b := twoNodes(t)
	a.want(t, 1, 10, 10, false)
	a.want(t, 1, 11, 10, true)
	b.want(t, 1, 11, 10, true)
	b.want(t, 1, 11, 10, true)
	if sa, sb := a.Stats(), b.Stats(); sa.Misses != 1 || sa.Hits != 0 || sb.Hits != 1 || sb.Misses != 0 {
		t.Errorf("%+v, %+v", sa, sb)
	}
	ttl := a.client.PTTL(t.Context(), keyOf(t, a, 1)).Val()
	if ttl < 4*time.Minute || ttl > 5*time.Minute {
		t.Errorf("kept for %v", ttl)
	}
}

// keyOf is what Redis has key under.
func keyOf(t *testing.T, n *node, key int) string {
	t.Helper()
	name, err := rediscache.Name(n.Cache, key)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// TestSignalsAreLost: whoever may have missed a drop trusts nothing it held.
func TestSignalsAreLost(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	a, b := newNode(t, server.URL(), "x:"), newNode(t, server.URL(), "x:")
	met(t, a, b)
	a.want(t, 1, 1, 1, false)
	b.want(t, 1, 1, 1, true)
	reconnects := b.bus.Stats().Reconnects
	if err := a.client.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err(); err != nil {
		t.Fatal(err)
	}
	a.drop(t, 1) // nobody may hear it
	needs.Eventually(t, "it hears again", func() bool { return b.bus.Stats().Reconnects > reconnects })
	needs.Eventually(t, "and knows better", func() bool { v, _ := b.get(t, 1, 2); return v == 2 })
	before := b.loads.Load()
	b.want(t, 1, 3, 2, true)
	if b.loads.Load() != before {
		t.Error("the new value is not kept")
	}
}

// TestRedisDies: values come from their source, quickly; what was dropped
// meanwhile is dropped for all when Redis is back.
func TestRedisDies(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	a, b := newNode(t, server.URL(), "x:"), newNode(t, server.URL(), "x:")
	met(t, a, b)
	a.want(t, 1, 1, 1, false)
	b.want(t, 1, 1, 1, true)
	server.Stop()
	quickly(t, a, b)
	a.drop(t, 1)
	a.want(t, 1, 2, 2, false)
	needs.Eventually(t, "the other node does not trust itself", func() bool { v, _ := b.get(t, 1, 2); return v == 2 })
	if s := a.Stats(); s.Owed == 0 || s.Failures == 0 {
		t.Errorf("%+v", s)
	}
	server.Start()
	settled(t, a, b)
	needs.Eventually(t, "values are kept again", func() bool { v, hit := b.get(t, 1, 2); return v == 2 && hit })
}

// TestRedisHangs with an old value in it, which nobody may get once the node
// that dropped it can say so.
func TestRedisHangs(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	a, b := newNode(t, server.URL(), "x:"), newNode(t, server.URL(), "x:")
	met(t, a, b)
	a.want(t, 1, 1, 1, false)
	server.Pause()
	began := time.Now()
	a.drop(t, 1)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("dropping took %v", took)
	}
	a.want(t, 1, 2, 2, false)
	quickly(t, a, b)
	server.Continue()
	settled(t, a, b)
	needs.Eventually(t, "the other node sees the new value", func() bool { v, _ := b.get(t, 1, 2); return v == 2 })
	needs.Eventually(t, "and it is kept", func() bool { v, hit := b.get(t, 1, 3); return v == 2 && hit })
}

// quickly loads many keys while Redis is away.
func quickly(t *testing.T, nodes ...*node) {
	t.Helper()
	for _, n := range nodes {
		began := time.Now()
		for key := range 300 {
			n.want(t, 1000+key, 7, 7, false)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("300 loads took %v", took)
		}
	}
}

func settled(t *testing.T, nodes ...*node) {
	t.Helper()
	met(t, nodes...)
	needs.Eventually(t, "nothing is owed", func() bool {
		for _, n := range nodes {
			if n.Stats().Owed > 0 {
				return false
			}
		}
		return true
	})
}

func TestCloseWhileDropsAreOwed(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	a := newNode(t, server.URL(), "x:")
	server.Stop()
	for key := range 5000 {
		a.drop(t, key)
	}
	if s := a.Stats(); s.Owed != 5000 {
		t.Errorf("%+v", s)
	}
	a.Close()
	a.Close()
	a.drop(t, 1)
}

// TestGarbage in a key and in a signal: loaded anew, and replaced.
func TestGarbage(t *testing.T) {
	a, b := twoNodes(t)
	for key, text := range []string{"?", "=", "=x", "={}", "", "=\"1\""} {
		name := keyOf(t, a, key)
		if err := a.client.Set(t.Context(), name, text, 0).Err(); err != nil {
			t.Fatal(err)
		}
		a.want(t, key, 5, 5, false)
		b.want(t, key, 6, 5, true)
	}
	a.bus.Tell("cache.n", []byte("?"))
	needs.Eventually(t, "the other node trusts nothing", func() bool { return b.Stats().Failures == 1 })
	b.want(t, 0, 6, 5, true)
}

// TestValuesOfTheServer come back from Redis as they were.
func TestValuesOfTheServer(t *testing.T) {
	at := time.Date(2026, 11, 22, 1, 2, 3, 456789012, time.UTC)
	comesBack(t, "s", chat.Session{ID: "s", UserID: 1, RefreshHash: []byte{0, 255}, CreatedAt: at, ExpiresAt: at.Add(time.Hour)})
	comesBack(t, chat.PairOf(2, 1), int64(7))
	comesBack(t, int64(1), chat.User{ID: 1, Phone: "+12345", Username: "<𠮷>", LastSeen: at, CreatedAt: at})
	comesBack(t, int64(1), chat.Membership{
		Conversation: chat.Conversation{ID: 1, Kind: chat.Group, Title: "t", OwnerID: 2, LastSeq: 3, CreatedAt: at},
		Members:      []chat.Member{{ConversationID: 1, UserID: 2, Role: chat.RoleOwner, Muted: true, JoinedAt: at}},
	})
}

func comesBack[K comparable, V any](t *testing.T, key K, value V) {
	t.Helper()
	url, prefix := needs.Redis(t)
	client, err := redisconn.Open(redisconn.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	var caches [2]*rediscache.Cache[K, V]
	for i := range caches {
		local := memcache.New[K, *rediscache.Entry[V]](10, time.Hour)
		caches[i] = rediscache.New[K, V](client, deaf{}, local, rediscache.Config{Name: "x", Prefix: prefix})
	}
	load := func(context.Context) (V, error) { return value, nil }
	if _, _, err := caches[0].Load(t.Context(), key, load); err != nil {
		t.Fatal(err)
	}
	got, hit, err := caches[1].Load(t.Context(), key, load)
	if diff := cmp.Diff(value, got, cmpopts.IgnoreUnexported(chat.Membership{})); diff != "" || !hit || err != nil {
		t.Error(diff, hit, err)
	}
}

// deaf is a node on its own.
type deaf struct{}

func (deaf) Tell(string, []byte)                 {}
func (deaf) Listen(string, func([]byte), func()) {}
func (deaf) Hears() bool                         { return false }
