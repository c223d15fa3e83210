package cell

import (
	"math"
	"slices"
	"sync/atomic"
)

// A Histogram counts values in buckets. It is safe for concurrent use.
type Histogram struct {
	bounds []float64 // ascending; values up to and including a boundary are in its bucket
	first  block
	more   atomic.Pointer[[]block]
}

// A block is a whole histogram, for one CPU.
type block struct {
	sum      atomic.Uint64
	min, max atomic.Uint64 // bits of float64; NaN until there is a value
	counts   []atomic.Uint64
	_        [cacheLine]byte
}

var nan = math.Float64bits(math.NaN())

func (b *block) init(buckets int) {
	b.counts = make([]atomic.Uint64, buckets)
	b.min.Store(nan)
	b.max.Store(nan)
}

// NewHistogram returns an empty histogram with these boundaries, which are not changed any more.
func NewHistogram(bounds []float64) *Histogram {
	h := &Histogram{bounds: bounds}
	h.first.init(len(bounds) + 1)
	return h
}

// Record counts v, and returns the index of its bucket.
func (h *Histogram) Record(v float64) int {
	i := h.bucket(v)
	if more := h.more.Load(); more != nil {
		(*more)[stripe()].record(i, v)
		return i
	}
	b := &h.first
	old := b.sum.Load()
	if b.sum.CompareAndSwap(old, plus(old, v)) {
		b.counts[i].Add(1)
		b.extremes(v)
		return i
	}
	h.grow()
	return h.Record(v)
}

// Merge adds what another histogram with these boundaries counted between two readings.
func (h *Histogram) Merge(now, before Snapshot) {
	addFloat64(&h.first.sum, now.Sum-before.Sum)
	for i := range now.Counts {
		h.first.counts[i].Add(now.Counts[i] - before.Counts[i])
	}
	if now.Min == now.Min {
		h.first.extremes(now.Min)
		h.first.extremes(now.Max)
	}
}

func (b *block) record(i int, v float64) {
	addFloat64(&b.sum, v)
	b.counts[i].Add(1)
	b.extremes(v)
}

// extremes keeps the least and the greatest value. NaN is neither.
func (b *block) extremes(v float64) {
	if lo, hi := math.Float64frombits(b.min.Load()), math.Float64frombits(b.max.Load()); lo <= v && v <= hi || v != v {
		return
	}
	for old := b.min.Load(); !(math.Float64frombits(old) <= v); old = b.min.Load() {
		if b.min.CompareAndSwap(old, math.Float64bits(v)) {
			break
		}
	}
	for old := b.max.Load(); !(math.Float64frombits(old) >= v); old = b.max.Load() {
		if b.max.CompareAndSwap(old, math.Float64bits(v)) {
			break
		}
	}
}

// linear is up to how many boundaries are compared one after another, without a branch: values are not to be foretold.
const linear = 16

// bucket returns the index of the first boundary that is not below v. NaN is above all.
func (h *Histogram) bucket(v float64) int {
	if v != v {
		return len(h.bounds)
	}
	if len(h.bounds) > linear {
		i, _ := slices.BinarySearch(h.bounds, v)
		return i
	}
	i := 0
	for _, b := range h.bounds {
		below := 0
		if b < v {
			below = 1
		}
		i += below
	}
	return i
}

func (h *Histogram) grow() {
	more := make([]block, stripes)
	for i := range more {
		more[i].init(len(h.bounds) + 1)
	}
	h.more.CompareAndSwap(nil, &more)
}

// A Snapshot is what a histogram has counted.
type Snapshot struct {
	Count    uint64
	Sum      float64
	Min, Max float64 // NaN where there is none
	Counts   []uint64
}

// Read adds up what was recorded before, and perhaps some of what is being recorded. The count is that of the buckets.
func (h *Histogram) Read() Snapshot {
	s := Snapshot{Min: math.NaN(), Max: math.NaN(), Counts: make([]uint64, len(h.bounds)+1)}
	s.add(&h.first)
	if more := h.more.Load(); more != nil {
		for i := range *more {
			s.add(&(*more)[i])
		}
	}
	return s
}

func (s *Snapshot) add(b *block) {
	s.Sum += math.Float64frombits(b.sum.Load())
	for i := range b.counts {
		n := b.counts[i].Load()
		s.Counts[i] += n
		s.Count += n
	}
	if v := math.Float64frombits(b.min.Load()); !(s.Min <= v) && v == v {
		s.Min = v
	}
	if v := math.Float64frombits(b.max.Load()); !(s.Max >= v) && v == v {
		s.Max = v
	}
}
