package memlimit_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/onemeter/onemeter/server/limit/limittest"
	"github.com/onemeter/onemeter/server/limit/memlimit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLimiter(t *testing.T) {
	limittest.Run(t, func(_ *testing.T, perSecond float64, burst int) []limittest.Node {
		return []limittest.Node{memlimit.New[string](perSecond, burst, 1000)}
	})
}

// A clock stands until it is moved.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newClock() *clock { return &clock{time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)} }

// TestTurnsComeByTheClock, and none comes when it is set back.
func TestTurnsComeByTheClock(t *testing.T) {
	c := newClock()
	l := memlimit.NewWithClock[string](2, 1, 10, c.now)
	ctx := t.Context()
	l.Take(ctx, "a")
	wait := l.Take(ctx, "a")
	if wait <= 499*time.Millisecond || wait > 501*time.Millisecond {
		t.Errorf("wait %v, want half a second", wait)
	}
	c.at = c.at.Add(wait)
	if w := l.Take(ctx, "a"); w != 0 {
		t.Errorf("after waiting as told, wait %v", w)
	}
	if l.Take(ctx, "a") == 0 {
		t.Error("two turns for one")
	}
	c.at = c.at.Add(-time.Hour)
	if l.Take(ctx, "a") == 0 {
		t.Error("the past gives turns")
	}
}

func TestWaitingAsToldIsEnough(t *testing.T) {
	for _, rate := range []float64{1e-3, 1. / 30, 1. / 3, 0.7, 1, 7, 99.9, 1e6} {
		c := newClock()
		l := memlimit.NewWithClock[int](rate, 2, 10, c.now)
		for i := range 200 {
			c.at = c.at.Add(l.Peek(t.Context(), 1))
			if wait := l.Take(t.Context(), 1); wait != 0 {
				t.Fatalf("rate %v, turn %d: told to wait %v more", rate, i, wait)
			}
		}
	}
}

// TestNoLimit of a rate that is none, and nothing to remember.
func TestNoLimit(t *testing.T) {
	l := memlimit.New[int](-1, 0, 0)
	for i := range 1000 {
		if l.Take(t.Context(), i%2) != 0 || l.Peek(t.Context(), i%2) != 0 {
			t.Fatal("limited")
		}
	}
	if l.Len() != 0 {
		t.Errorf("%d keys", l.Len())
	}
}

func TestFullKeysAreForgotten(t *testing.T) {
	c := newClock()
	l := memlimit.NewWithClock[int](1, 2, 1000, c.now)
	for key := range 10_000 {
		if wait := l.Take(t.Context(), key); wait != 0 {
			t.Fatalf("key %d waits %v", key, wait)
		}
		c.at = c.at.Add(100 * time.Millisecond) // a key is full again 10 keys later
	}
	if l.Len() > 20 {
		t.Errorf("%d keys are remembered, 10 are in use", l.Len())
	}
}

func TestFloodFreesNobody(t *testing.T) {
	c := newClock()
	const maxKeys = 100
	l := memlimit.NewWithClock[int](1./60, 5, maxKeys, c.now)
	ctx := t.Context()
	for range 5 {
		l.Take(ctx, -1)
	}
	free := 0
	for key := range 50_000 {
		if l.Take(ctx, key) == 0 {
			free++
		}
		if n := l.Len(); n > maxKeys {
			t.Fatalf("%d keys", n)
		}
		if l.Peek(ctx, -1) == 0 {
			t.Fatalf("key %d freed the limited one", key)
		}
	}
	if most := maxKeys + 256*5; free > most {
		t.Errorf("%d of the flood went free, more than %d", free, most)
	}
	if l.Take(ctx, -1) == 0 {
		t.Error("the limited key is free")
	}

	// A key that was limited on a spare bucket is not freed by room.
	for range 10 {
		l.Take(ctx, 1_000_000)
	}
	wait := l.Peek(ctx, 1_000_000)
	if wait == 0 {
		t.Fatal("a key without room is not limited")
	}
	c.at = c.at.Add(wait)
	if l.Take(ctx, 1_000_000) != 0 || l.Take(ctx, 1_000_000) == 0 {
		t.Error("a spare bucket gives one turn after the wait")
	}

	c.at = c.at.Add(time.Hour) // the flood is over: as new
	for range 5 {
		if wait := l.Take(ctx, 1_000_000); wait != 0 {
			t.Errorf("after the flood: wait %v", wait)
		}
	}
	for key := range 1000 {
		l.Take(ctx, key)
		c.at = c.at.Add(time.Hour)
	}
	if l.Len() > 3 {
		t.Errorf("%d keys are remembered after the flood", l.Len())
	}
}

func BenchmarkTake(b *testing.B) {
	l := memlimit.New[int64](100, 400, 100_000)
	b.ReportAllocs()
	var key int64
	for b.Loop() {
		key = (key + 1) % 1000
		l.Take(b.Context(), key)
	}
}
