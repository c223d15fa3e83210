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

func TestNodesShareABucket(t *testing.T) {
	a, b := twoNodes(t, redislimit.Config{PerSecond: 1. / 3600, Burst: 10})
	for range 20 {
		if a.Peek(t.Context(), "k")+b.Peek(t.Context(), "k") != 0 {
			t.Fatal("peeking uses turns")
		}
	}
	if n := takeAll(t, a, "k", 4) + takeAll(t, b, "k", 100); n != 10 {
		t.Errorf("%d turns of 10", n)
	}
	for _, l := range []*redislimit.Limiter[string]{a, b} {
		for range 3 {
			take, peek := l.Take(t.Context(), "k"), l.Peek(t.Context(), "k")
			if take < 59*time.Minute || take > 61*time.Minute || peek < 59*time.Minute || peek > 61*time.Minute {
				t.Errorf("wait %v, %v, want an hour", take, peek)
			}
		}
	}
	if n := takeAll(t, b, "other", 100); n != 10 {
		t.Errorf("another key has %d turns", n)
	}
}

// TestPeekBeforeTake: a node that was never refused learns from Redis.
func TestPeekBeforeTake(t *testing.T) {
	a, b := twoNodes(t, redislimit.Config{PerSecond: 1. / 3600, Burst: 3})
	takeAll(t, a, "k", 3)
	if wait := b.Peek(t.Context(), "k"); wait < 59*time.Minute || wait > time.Hour {
		t.Errorf("wait %v, want an hour", wait)
	}
	takeAll(t, a, "l", 2)
	if wait := b.Peek(t.Context(), "l"); wait != 0 {
		t.Errorf("wait %v, there is a turn", wait)
	}
}

func TestWaitingAsToldIsEnough(t *testing.T) {
	a, b := twoNodes(t, redislimit.Config{PerSecond: 50, Burst: 2})
	for i := range 20 {
		l := []*redislimit.Limiter[string]{a, b}[i%2]
		for wait, tries := l.Take(t.Context(), "k"), 0; wait > 0; wait = l.Take(t.Context(), "k") {
			if tries++; tries > 1 || wait > 20*time.Millisecond+time.Millisecond {
				t.Fatalf("turn %d: told to wait %v, try %d", i, wait, tries)
			}
			<-time.After(wait)
		}
	}
}

func TestNoLimit(t *testing.T) {
	a, _ := twoNodes(t, redislimit.Config{})
	if n := takeAll(t, a, "k", 1000); n != 1000 || a.Peek(t.Context(), "k") != 0 {
		t.Errorf("%d turns", n)
	}
	slow, _ := twoNodes(t, redislimit.Config{PerSecond: 1e-300, Burst: 1})
	if n := takeAll(t, slow, "k", 10); n != 1 || slow.Failures() != 0 {
		t.Errorf("%d turns, %d failures", n, slow.Failures())
	}
}

// TestBatches: nodes ask seldom, and give away at most a batch each too much.
func TestBatches(t *testing.T) {
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

func TestConcurrentTakesAreExact(t *testing.T) {
	for _, batch := range []int{1, 10} {
		a, b := twoNodes(t, redislimit.Config{PerSecond: 1. / 3600, Burst: 100, Batch: batch})
		var taken atomic.Int64
		var wg sync.WaitGroup
		for i := range 16 {
			l := []*redislimit.Limiter[string]{a, b}[i%2]
			wg.Go(func() {
				for range 50 {
					if l.Take(context.Background(), "k") == 0 {
						taken.Add(1)
					}
					l.Peek(context.Background(), "k")
				}
			})
		}
		wg.Wait()
		if taken.Load() != 100 {
			t.Errorf("batch %d: %d turns of 100", batch, taken.Load())
		}
	}
}

// TestRedisIsAway: each node goes by itself, quickly, and together again after.
func TestRedisIsAway(t *testing.T) {
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

func TestCluster(t *testing.T) {
	url, cfg := redistest.Cluster(t), redislimit.Config{Name: "n", PerSecond: 1. / 3600, Burst: 10}
	a, b := newLimiter(t, url, cfg), newLimiter(t, url, cfg)
	if n := takeAll(t, a, "k", 4) + takeAll(t, b, "k", 100); n != 10 || a.Failures() != 0 {
		t.Errorf("%d turns of 10, %d failures", n, a.Failures())
	}
}
