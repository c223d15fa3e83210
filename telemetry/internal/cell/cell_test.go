package cell

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
)

const workers, each = 16, 20_000

func together(work func(i int)) {
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range each {
				work(i)
			}
		})
	}
	wg.Wait()
}

// The sum is exact with concurrent additions.
func TestSumsAreExact(t *testing.T) {
	var i, f Number
	h := NewHistogram(NewBounds([]float64{1, 10}), false)
	together(func(n int) {
		i.AddInt64(1)
		f.AddFloat64(.5)
		h.Record(float64(n % 20))
	})
	if i.Int64() != workers*each || f.Float64() != workers*each/2 {
		t.Errorf("%d, %v", i.Int64(), f.Float64())
	}
	s := h.Read()
	if s.Count != workers*each || s.Sum != workers*each*9.5 || s.Min != 0 || s.Max != 19 ||
		s.Counts[0] != workers*each/10 || s.Counts[1] != workers*each*9/20 || s.Counts[2] != workers*each*9/20 {
		t.Errorf("%+v", s)
	}
}

// A value is in the first bucket whose boundary is not below it, for all boundaries.
func TestBuckets(t *testing.T) {
	lists := [][]float64{
		nil, {0}, {-1, 0}, {-3, -2, 5}, {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		{0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000},
		{1, 1 + 1e-15, 1 + 2e-15, 1.5}, {5e-324, 1e-310, 1, 1e300}, {1e-300, 1e300}, {math.MaxFloat64}, {math.Inf(-1), 0, 1},
	}
	for _, n := range []int{1, 15, 16, 17, 40, 1000} {
		var ints, powers []float64
		for i := range n {
			ints = append(ints, float64(i))
			powers = append(powers, math.Ldexp(1, i-10))
		}
		lists = append(lists, ints, powers)
	}
	for _, bounds := range lists {
		h := NewHistogram(NewBounds(bounds), false)
		values := []float64{math.Inf(-1), -1, 0, math.Copysign(0, -1), 5e-324, 1, math.MaxFloat64, math.Inf(1)}
		for _, b := range bounds {
			values = append(values, b, math.Nextafter(b, math.Inf(-1)), math.Nextafter(b, math.Inf(1)), -b, b*1.01, b*.99, b*2, b/2)
		}
		for _, v := range values {
			want := 0
			for want < len(bounds) && bounds[want] < v {
				want++
			}
			if got := h.Record(v); v == v && got != want {
				t.Fatalf("%v is in bucket %d of %v, want %d", v, got, bounds, want)
			}
		}
		for _, nan := range []float64{math.NaN(), math.Copysign(math.NaN(), -1)} {
			if got := h.Record(nan); got != len(bounds) {
				t.Errorf("NaN is in bucket %d of %d", got, len(bounds))
			}
		}
	}
}

// A reader never sees the sum shrink.
func TestReadersSeeNoLess(t *testing.T) {
	var n Number
	done := make(chan struct{})
	go func() {
		defer close(done)
		together(func(int) { n.AddInt64(1) })
	}()
	for last := int64(0); ; {
		v := n.Int64()
		if v < last {
			t.Fatalf("%d after %d", v, last)
		}
		last = v
		select {
		case <-done:
			return
		default:
		}
	}
}

// A closed cell has exactly what it accepted.
func TestClose(t *testing.T) {
	for _, striped := range []bool{false, true} {
		var n Number
		h := NewHistogram(NewBounds([]float64{1}), false)
		if striped {
			n.more.Store(&slots{list: make([]slot, stripes)})
			h.recordStriped(0, 1, 0)
		}
		var took, counted atomic.Int64
		half := make(chan struct{})
		go func() {
			<-half
			n.Close()
			h.Close()
			n.Close()
		}()
		together(func(i int) {
			if i == each/2 {
				select {
				case half <- struct{}{}:
				default:
				}
			}
			if n.AddInt64(1) {
				took.Add(1)
			}
			if h.Record(1) >= 0 {
				counted.Add(1)
			}
		})
		n.Close()
		h.Close()
		if n.AddInt64(1) || n.AddFloat64(1) || n.SetInt64(1) || h.Record(1) >= 0 {
			t.Error("a closed cell takes values")
		}
		if got := n.Int64(); got != took.Load() {
			t.Errorf("%d, accepted %d", got, took.Load())
		}
		want := uint64(counted.Load())
		if striped {
			want++
		}
		if got := h.Read().Count; got != want {
			t.Errorf("%d values, accepted %d", got, want)
		}
	}
}

// The sum of integers is exact, beyond the precision of a float64.
func TestIntegerSums(t *testing.T) {
	h := NewHistogram(NewBounds(nil), true)
	h.RecordInt64(1 << 53)
	h.RecordInt64(1)
	h.recordStriped(0, 1, 1)
	if got := h.Read(); got.IntSum != 1<<53+2 || got.Count != 3 {
		t.Errorf("%+v", got)
	}
}
