package memcache

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/onemeter/onemeter/server/cache/cachetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCache(t *testing.T) {
	cachetest.Run(t, func(*testing.T) []cachetest.Node { return []cachetest.Node{New[int, int64](100, time.Hour)} })
}

// A source counts its loads.
type source struct{ loads int }

func (s *source) load(context.Context) (int, error) {
	s.loads++
	return s.loads, nil
}

// want loads key and checks what comes.
func want[K comparable](t *testing.T, c *Cache[K, int], key K, load func(context.Context) (int, error), value int, hit bool) {
	t.Helper()
	v, h, err := c.Load(t.Context(), key, load)
	if v != value || h != hit || err != nil {
		t.Fatalf("got %d, hit %v, error %v; want %d, hit %v", v, h, err, value, hit)
	}
}

func TestKeepsForItsTime(t *testing.T) {
	now := time.Now()
	c := newCache[string, int](10, time.Minute, func() time.Time { return now })
	var s source
	want(t, c, "a", s.load, 1, false)
	want(t, c, "a", s.load, 1, true)
	want(t, c, "b", s.load, 2, false)
	now = now.Add(time.Minute - 1)
	want(t, c, "a", s.load, 1, true)
	now = now.Add(1)
	want(t, c, "a", s.load, 3, false)
	want(t, c, "a", s.load, 3, true)
}

func TestLeastRecentlyUsedGoesFirst(t *testing.T) {
	c := New[int, int](2, time.Hour)
	var s source
	want(t, c, 1, s.load, 1, false)
	want(t, c, 2, s.load, 2, false)
	want(t, c, 1, s.load, 1, true)
	want(t, c, 3, s.load, 3, false)
	want(t, c, 1, s.load, 1, true)
	want(t, c, 2, s.load, 4, false)
	for key := range 100 {
		if _, _, err := c.Load(t.Context(), key, s.load); err != nil {
			t.Fatal(err)
		}
	}
	if c.Len() != 2 {
		t.Errorf("%d values", c.Len())
	}
}

func TestCancelledLeaderFailsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New[int, int](10, time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_, _, err := c.Load(ctx, 1, func(ctx context.Context) (int, error) {
				<-ctx.Done()
				return 0, ctx.Err()
			})
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}()
		synctest.Wait()
		var loads atomic.Int32
		for range 10 {
			go func() {
				v, _, err := c.Load(t.Context(), 1, func(context.Context) (int, error) {
					loads.Add(1)
					return 7, nil
				})
				if v != 7 || err != nil {
					t.Error(v, err)
				}
			}()
		}
		impatient, giveUp := context.WithCancel(t.Context())
		go func() {
			_, _, err := c.Load(impatient, 1, func(context.Context) (int, error) { return 0, errors.New("not reached") })
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}()
		synctest.Wait()
		giveUp() // one who waits goes alone
		synctest.Wait()
		cancel()
		synctest.Wait()
		if loads.Load() != 1 {
			t.Errorf("%d loads after the cancelled one", loads.Load())
		}
	})
}

func TestPanicFailsNobodyElse(t *testing.T) {
	c := New[int, int](10, time.Hour)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_, _, _ = c.Load(t.Context(), 1, func(context.Context) (int, error) { panic("x") })
	}()
	want(t, c, 1, (&source{}).load, 1, false)
}

func BenchmarkHit(b *testing.B) {
	c := New[int64, int64](1000, time.Hour)
	load := func(context.Context) (int64, error) { return 1, nil }
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, _, _ = c.Load(b.Context(), 1, load)
		}
	})
}
