package redislimit_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server/limit/limittest"
	"github.com/onemeter/onemeter/server/limit/memlimit"
	"github.com/onemeter/onemeter/server/limit/redislimit"
	"github.com/onemeter/onemeter/server/redisconn"
	"github.com/onemeter/onemeter/server/redisconn/redistest"
)

func TestMain(m *testing.M) {
	redisconn.LogTo(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m)
}

func connect(t testing.TB, url string) redis.UniversalClient {
	t.Helper()
	client, err := redisconn.Open(redisconn.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func newLimiter(t testing.TB, url string, cfg redislimit.Config) *redislimit.Limiter[string] {
	t.Helper()
	return redislimit.New(connect(t, url), memlimit.New[string](cfg.PerSecond, cfg.Burst, 1000), cfg)
}

func twoNodes(t testing.TB, cfg redislimit.Config) (a, b *redislimit.Limiter[string]) {
	t.Helper()
	url, prefix := needs.Redis(t)
	cfg.Prefix, cfg.Name = prefix, "n"
	return newLimiter(t, url, cfg), newLimiter(t, url, cfg)
}

// takeAll counts the turns of key that there are.
func takeAll(t testing.TB, l *redislimit.Limiter[string], key string, most int) (n int) {
	t.Helper()
	for n < most && l.Take(t.Context(), key) == 0 {
		n++
	}
	return n
}

// TestLimiter runs the contract with one node, with two, and in a cluster.
func TestLimiter(t *testing.T) {
	open := func(url, prefix string, n int) limittest.Open {
		return func(t *testing.T, perSecond float64, burst int) []limittest.Node {
			nodes := make([]limittest.Node, n)
			for i := range nodes {
				l := newLimiter(t, url, redislimit.Config{Name: t.Name(), Prefix: prefix, PerSecond: perSecond, Burst: burst})
				t.Cleanup(func() {
					if n := l.Failures(); n > 0 {
						t.Errorf("%d failures", n)
					}
				})
				nodes[i] = l
			}
			return nodes
		}
	}
	url, prefix := needs.Redis(t)
	t.Run("one node", func(t *testing.T) { limittest.Run(t, open(url, prefix+"1", 1)) })
	t.Run("two nodes", func(t *testing.T) { limittest.Run(t, open(url, prefix+"2", 2)) })
	t.Run("cluster", func(t *testing.T) { limittest.Run(t, open(redistest.Cluster(t), "x:", 2)) })
}

// TestBatches: nodes ask seldom, and give away at most a batch each too much.
func TestBatches(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	cfg := redislimit.Config{Name: "n", PerSecond: 1. / 3600, Burst: 400, Batch: 20}
	a, b := newLimiter(t, server.URL(), cfg), newLimiter(t, server.URL(), cfg)
	if n := takeAll(t, a, "k", 21) + takeAll(t, b, "k", 1000); n != 400-19 {
		t.Errorf("%d turns, want 381: the other node has 19 in hand", n)
	}
	if n := takeAll(t, a, "k", 1000); n != 19 {
		t.Errorf("%d turns in hand, want 19", n)
	}
	for range 1000 { // a flood
		if a.Take(t.Context(), "k") == 0 || b.Take(t.Context(), "k") == 0 || b.Peek(t.Context(), "k") == 0 {
			t.Fatal("a turn more")
		}
	}
	info := connect(t, server.URL()).InfoMap(t.Context(), "commandstats").Val()["Commandstats"]["cmdstat_evalsha"]
	calls := 0
	for i := len("calls="); i < len(info) && info[i] != ','; i++ {
		calls = 10*calls + int(info[i]-'0')
	}
	if calls > 400/20+5 {
		t.Errorf("%d questions to Redis for 400 turns and a flood", calls)
	}
}

func TestConcurrentTakesOfBatchesAreExact(t *testing.T) {
	a, b := twoNodes(t, redislimit.Config{PerSecond: 1. / 3600, Burst: 100, Batch: 10})
	var taken atomic.Int64
	var wg sync.WaitGroup
	for i := range 16 {
		l := []*redislimit.Limiter[string]{a, b}[i%2]
		wg.Go(func() {
			for range 50 {
				if l.Take(context.Background(), "k") == 0 {
					taken.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if taken.Load() != 100 {
		t.Errorf("%d turns of 100", taken.Load())
	}
}

// TestRedisIsAway: each node goes by itself, quickly, and together again after.
func TestRedisIsAway(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(*redistest.Server){"stopped": (*redistest.Server).Stop, "hanging": (*redistest.Server).Pause} {
		t.Run(name, func(t *testing.T) {
			server := redistest.New(t)
			cfg := redislimit.Config{Name: "n", PerSecond: 1. / 3600, Burst: 100}
			a, b := newLimiter(t, server.URL(), cfg), newLimiter(t, server.URL(), cfg)
			takeAll(t, a, "k", 1)
			away(server)
			began := time.Now()
			if n := takeAll(t, a, "k", 1000) + takeAll(t, b, "k", 1000); n != 199 {
				t.Errorf("%d turns, want those of two nodes, 199", n)
			}
			b.Peek(t.Context(), "k")
			if took := time.Since(began); took > 4*time.Second {
				t.Errorf("200 questions took %v", took)
			}
			if a.Failures() == 0 {
				t.Error("no failure was counted")
			}
			if name == "stopped" {
				server.Start()
			} else {
				server.Continue()
			}
			needs.Eventually(t, "one sees what the other took", func() bool {
				key := time.Now().String()
				return takeAll(t, a, key, 100)+takeAll(t, b, key, 100) == 100
			})
		})
	}
}

func TestCallerWhoGaveUp(t *testing.T) {
	a, b := twoNodes(t, redislimit.Config{PerSecond: 1. / 3600, Burst: 1})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a.Take(ctx, "k")
	if b.Take(t.Context(), "k") == 0 {
		t.Error("who gives up takes turns for nothing")
	}
}

func BenchmarkTake(b *testing.B) {
	for name, batch := range map[string]int{"batch=1": 1, "batch=20": 20} {
		b.Run(name, func(b *testing.B) {
			l, _ := twoNodes(b, redislimit.Config{PerSecond: 1e6, Burst: 1e6, Batch: batch})
			b.ReportAllocs()
			for b.Loop() {
				l.Take(b.Context(), "k")
			}
		})
	}
}

// BenchmarkRefused is what a flood costs.
func BenchmarkRefused(b *testing.B) {
	l, _ := twoNodes(b, redislimit.Config{PerSecond: 1. / 3600, Burst: 1})
	l.Take(b.Context(), "k")
	for b.Loop() {
		l.Take(b.Context(), "k")
	}
}
