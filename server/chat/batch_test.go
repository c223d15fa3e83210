package chat

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestBatcherSharesRunsAndKeepsOrder(t *testing.T) {
	gate := make(chan struct{})
	var batches [][]int
	b := newBatcher(8, 0, func(batch []int) {
		<-gate
		batches = append(batches, slices.Clone(batch))
	})
	for i := range 20 {
		if err := b.put(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	close(gate)
	b.close()
	if got := slices.Concat(batches...); !slices.Equal(got, seq(20)) {
		t.Errorf("items came as %v", got)
	}
	// The first run had the items that were queued when it began; the others were full.
	if len(batches) > 5 {
		t.Errorf("%d runs for 20 items that waited: %v", len(batches), batches)
	}
	for _, batch := range batches {
		if len(batch) > 8 {
			t.Errorf("a run of %d, more than the limit", len(batch))
		}
	}
}

// TestBatcherRunsInTheCallerWhenIdle mixes items that callers run themselves with items
// that wait: there is one run at a time, and those of a caller keep their order.
func TestBatcherRunsInTheCallerWhenIdle(t *testing.T) {
	type item struct{ from, n int }
	const callers, each = 8, 2000
	var running atomic.Bool
	var ran []item // by one run at a time
	b := newBatcher(16, 0, func(batch []item) {
		if running.Swap(true) {
			t.Error("two runs at a time")
		}
		ran = append(ran, batch...)
		running.Store(false)
	})
	if err := b.runOrPut(t.Context(), item{from: callers}); err != nil || len(ran) != 1 {
		t.Fatalf("an idle batcher ran %v before it returned %v", ran, err)
	}
	var all sync.WaitGroup
	for from := range callers {
		all.Go(func() {
			for n := range each {
				put := b.put
				if (n+from)%3 > 0 {
					put = b.runOrPut
				}
				if err := put(t.Context(), item{from, n}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	b.close()
	if err := b.runOrPut(t.Context(), item{}); !errors.Is(err, errClosing) {
		t.Errorf("a closed batcher says %v", err)
	}
	next := make([]int, callers+1)
	for _, i := range ran {
		if i.n != next[i.from] {
			t.Fatalf("caller %d: item %d came when %d was due", i.from, i.n, next[i.from])
		}
		next[i.from]++
	}
	if len(ran) != callers*each+1 {
		t.Errorf("%d items ran", len(ran))
	}
}

func seq(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

func TestBatcherRunsEverythingBeforeItCloses(t *testing.T) {
	var mu sync.Mutex
	ran := 0
	b := newBatcher(4, 0, func(batch []int) {
		mu.Lock()
		defer mu.Unlock()
		ran += len(batch)
	})
	put := 0
	var puts sync.WaitGroup
	for range 16 {
		puts.Go(func() {
			for {
				switch err := b.put(context.Background(), 1); {
				case err == nil:
					mu.Lock()
					put++
					mu.Unlock()
				case errors.Is(err, errClosing):
					return
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	for {
		mu.Lock()
		enough := ran > 1000
		mu.Unlock()
		if enough {
			break
		}
		time.Sleep(time.Millisecond)
	}
	b.close()
	b.close() // is idempotent
	puts.Wait()
	if ran != put {
		t.Errorf("%d were accepted, %d ran", put, ran)
	}
}

// TestBatcherWaitsBetweenRuns: items that come too soon after the start of a run share the
// next one. Later items are passed on at once, and a full batch does not wait.
func TestBatcherWaitsBetweenRuns(t *testing.T) {
	const every = 5 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		runs := make(map[time.Duration]int)
		b := newBatcher(4, every, func(batch []int) { runs[time.Since(start)] += len(batch) })
		for _, at := range []time.Duration{0, 1, 3, 30, 40, 41, 42, 70} {
			time.Sleep(time.Until(start.Add(at * time.Millisecond)))
			if err := b.put(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		}
		b.close()
		want := map[time.Duration]int{0: 1, every: 2, 30 * time.Millisecond: 1, 40 * time.Millisecond: 1, 45 * time.Millisecond: 2, 70 * time.Millisecond: 1}
		if !maps.Equal(runs, want) {
			t.Errorf("runs were %v, want %v", runs, want)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		start, gate := time.Now(), make(chan struct{})
		b := newBatcher(4, every, func([]int) { <-gate })
		for range 12 {
			if err := b.put(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		}
		close(gate)
		synctest.Wait()
		if waited := time.Since(start); waited != 0 || len(b.queue) > 4 {
			t.Errorf("after %v %d wait although batches were full", waited, len(b.queue))
		}
		b.close()
	})
}

func TestBatcherDoesNotWaitForEver(t *testing.T) {
	gate := make(chan struct{})
	b := newBatcher(1, 0, func([]int) { <-gate })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	var err error
	for err == nil {
		err = b.put(ctx, 0)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a full queue answered %v", err)
	}
	close(gate)
	b.close()
}

func TestActivityForgets(t *testing.T) {
	var a activity
	now := time.Unix(1_000_000, 0)
	a.touch(1, now)
	a.touch(2, now.Add(time.Minute))
	a.touch(1, now.Add(2*time.Minute))
	for after, want := range map[time.Duration]int{2 * time.Minute: 2, 6 * time.Minute: 2, 7 * time.Minute: 1, 8 * time.Minute: 0} {
		b := activity{last: map[int64]time.Time{}}
		for id, at := range a.last {
			b.touch(id, at)
		}
		if got := b.count(now.Add(after)); got != want {
			t.Errorf("after %v %d users are active, want %d", after, got, want)
		}
	}
	a.touch(3, now.Add(time.Hour))
	if len(a.last) != 1 {
		t.Errorf("%d users are remembered, want 1", len(a.last))
	}
}

func TestInflightLimit(t *testing.T) {
	var f inflight
	for i, want := range []bool{true, true, false} {
		if f.enter("a", 2) != want {
			t.Errorf("attempt %d under one key: %v", i+1, !want)
		}
	}
	if !f.enter("b", 2) {
		t.Error("keys are not apart")
	}
	f.leave("a")
	if !f.enter("a", 2) {
		t.Error("a place was left, and is not free")
	}
	for _, key := range []string{"a", "a", "b"} {
		f.leave(key)
	}
	if len(f.n) != 0 {
		t.Errorf("keys are left: %v", f.n)
	}
}
