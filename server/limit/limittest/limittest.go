// Package limittest is the contract of chat.Limiter as a test suite. [Run] it
// with a function that opens the nodes of one limiter.
package limittest

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// A Node is one node's end of a limiter.
type Node = chat.Limiter[string]

// Open opens one or more nodes of a limiter that nobody else uses. It allows
// perSecond turns per second, and burst at once; perSecond 0 means no limit.
// t.Cleanup closes them.
type Open func(t *testing.T, perSecond float64, burst int) []Node

// Run tests the limiters that open makes.
func Run(t *testing.T, open Open) {
	t.Run("BurstThenWait", func(t *testing.T) { testBurstThenWait(t, open) })
	t.Run("PeekBeforeTake", func(t *testing.T) { testPeekBeforeTake(t, open) })
	t.Run("WaitingAsToldIsEnough", func(t *testing.T) { testWaitingAsToldIsEnough(t, open) })
	t.Run("NoLimit", func(t *testing.T) { testNoLimit(t, open) })
	t.Run("VerySlow", func(t *testing.T) { testVerySlow(t, open) })
	t.Run("ConcurrentTakesAreExact", func(t *testing.T) { testConcurrentTakesAreExact(t, open) })
}

// hourly is so slow that no turn becomes available during a test.
const hourly = 1. / 3600

// takeAll takes the available turns of key, up to most, and returns their number.
func takeAll(t *testing.T, n Node, key string, most int) (turns int) {
	t.Helper()
	for turns < most && n.Take(t.Context(), key) == 0 {
		turns++
	}
	return turns
}

func testBurstThenWait(t *testing.T, open Open) {
	nodes := open(t, hourly, 10)
	a, b := nodes[0], nodes[len(nodes)-1]
	for range 20 {
		if a.Peek(t.Context(), "k")+b.Peek(t.Context(), "k") != 0 {
			t.Fatal("peeking uses turns")
		}
	}
	if n := takeAll(t, a, "k", 4) + takeAll(t, b, "k", 100); n != 10 {
		t.Errorf("%d turns of 10", n)
	}
	for _, n := range nodes {
		for range 3 { // a refused turn is not counted
			take, peek := n.Take(t.Context(), "k"), n.Peek(t.Context(), "k")
			if take < 59*time.Minute || take > 61*time.Minute || peek < 59*time.Minute || peek > 61*time.Minute {
				t.Errorf("told to wait %v and %v, want an hour", take, peek)
			}
		}
	}
	if n := takeAll(t, b, "other", 100); n != 10 {
		t.Errorf("another key has %d turns of 10", n)
	}
}

// A node that was never refused counts the turns that the others took.
func testPeekBeforeTake(t *testing.T, open Open) {
	nodes := open(t, hourly, 3)
	a, b := nodes[0], nodes[len(nodes)-1]
	takeAll(t, a, "k", 3)
	if wait := b.Peek(t.Context(), "k"); wait < 59*time.Minute || wait > 61*time.Minute {
		t.Errorf("told to wait %v, want an hour", wait)
	}
	takeAll(t, a, "l", 2)
	if wait := b.Peek(t.Context(), "l"); wait != 0 {
		t.Errorf("told to wait %v, and there is a turn", wait)
	}
}

func testWaitingAsToldIsEnough(t *testing.T, open Open) {
	const period = 20 * time.Millisecond
	nodes := open(t, float64(time.Second/period), 2)
	began := time.Now()
	for i := range 12 {
		n := nodes[i%len(nodes)]
		if wait := n.Take(t.Context(), "k"); wait > 0 {
			if wait > period+time.Millisecond {
				t.Fatalf("turn %d: told to wait %v, a turn comes every %v", i, wait, period)
			}
			<-time.After(wait)
			if wait := n.Take(t.Context(), "k"); wait > 0 {
				t.Fatalf("turn %d: waited as told, and told to wait %v more", i, wait)
			}
		}
	}
	if took := time.Since(began); took < 9*period {
		t.Errorf("12 turns took %v: 2 come at once, the others every %v", took, period)
	}
}

func testNoLimit(t *testing.T, open Open) {
	for _, n := range open(t, 0, 0) {
		if turns := takeAll(t, n, "k", 1000); turns != 1000 || n.Peek(t.Context(), "k") != 0 {
			t.Errorf("%d turns of 1000", turns)
		}
	}
}

func testVerySlow(t *testing.T, open Open) {
	n := open(t, math.SmallestNonzeroFloat64, 1)[0]
	if turns := takeAll(t, n, "k", 10); turns != 1 {
		t.Errorf("%d turns of 1", turns)
	}
	if wait := n.Take(t.Context(), "k"); wait < time.Hour {
		t.Errorf("told to wait %v, which is not enough", wait)
	}
}

func testConcurrentTakesAreExact(t *testing.T, open Open) {
	nodes := open(t, hourly, 100)
	var taken atomic.Int64
	var wg sync.WaitGroup
	for i := range 16 {
		n := nodes[i%len(nodes)]
		wg.Go(func() {
			for range 50 {
				if n.Take(t.Context(), "k") == 0 {
					taken.Add(1)
				}
				n.Peek(t.Context(), "k")
			}
		})
	}
	wg.Wait()
	if taken.Load() != 100 {
		t.Errorf("%d turns of 100 were taken", taken.Load())
	}
}
