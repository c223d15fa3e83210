package cell

import (
	"math"
	"sync/atomic"
)

// A Histogram counts values in buckets. It is safe for concurrent use.
type Histogram struct {
	bounds *Bounds
	ints   bool // the sum is an int64
	first  block
	more   atomic.Pointer[blocks]
}

// A block is a complete histogram, for one CPU.
type block struct {
	sum      atomic.Uint64 // bits of float64, or an int64
	min, max atomic.Uint64 // bits of float64; NaN until there is a value
	counts   []atomic.Uint64
}

type blocks struct {
	spread
	list []paddedBlock
}

type paddedBlock struct {
	block
	_ [cacheLine]byte
}

// ended stands for the blocks of a Histogram that was closed before it had any.
var ended = func() *blocks { b := &blocks{}; b.closed.Store(true); return b }()

var nan = math.Float64bits(math.NaN())

func (b *block) init(buckets int) {
	b.counts = make([]atomic.Uint64, buckets)
	b.min.Store(nan)
	b.max.Store(nan)
}

// NewHistogram returns an empty histogram. If ints is true, use only RecordInt64; otherwise, use only Record.
func NewHistogram(b *Bounds, ints bool) *Histogram {
	h := &Histogram{bounds: b, ints: ints}
	h.first.init(b.buckets())
	return h
}

// Record counts v and returns the index of its bucket. If the Histogram is closed, it returns -1 and counts nothing.
func (h *Histogram) Record(v float64) int { return h.record(v, 0) }

// RecordInt64 is Record for a histogram of integers.
func (h *Histogram) RecordInt64(v int64) int { return h.record(float64(v), v) }

func (h *Histogram) record(v float64, n int64) int {
	b := &h.first
	outside := b.outside(v) // before the locked instruction, because loads after it would wait for it
	i := h.bounds.bucket(v)
	if old := b.sum.Load(); h.more.Load() != nil || !b.sum.CompareAndSwap(old, h.plus(old, v, n)) {
		return h.recordStriped(i, v, n)
	}
	b.counts[i].Add(1)
	if outside {
		b.stretch(v)
	}
	return i
}

// plus adds a value to a sum.
func (h *Histogram) plus(sum uint64, v float64, n int64) uint64 {
	if h.ints {
		return sum + uint64(n)
	}
	return plus(sum, v)
}

func (h *Histogram) recordStriped(i int, v float64, n int64) int {
	if h.more.Load() == nil {
		more := &blocks{list: make([]paddedBlock, stripes)}
		for i := range more.list {
			more.list[i].init(h.bounds.buckets())
		}
		h.more.CompareAndSwap(nil, more)
	}
	more := h.more.Load()
	if more.closed.Load() {
		return -1
	}
	b := &more.list[more.stripe()].block
	if old := b.sum.Load(); !b.sum.CompareAndSwap(old, h.plus(old, v, n)) {
		more.met()
		h.addSum(b, v, n)
	}
	b.counts[i].Add(1)
	if b.outside(v) {
		b.stretch(v)
	}
	return i
}

func (h *Histogram) addSum(b *block, v float64, n int64) {
	for {
		if old := b.sum.Load(); b.sum.CompareAndSwap(old, h.plus(old, v, n)) {
			return
		}
	}
}

// Close closes the Histogram: it refuses later measurements. Concurrent ones may still be counted.
func (h *Histogram) Close() {
	if !h.more.CompareAndSwap(nil, ended) {
		h.more.Load().closed.Store(true)
	}
}

// Merge adds what another histogram with equal boundaries counted between two of its snapshots, even if h is closed. The
// minimum and the maximum of these values are known only if they are new for the other histogram.
func (h *Histogram) Merge(now, before Snapshot) {
	h.addSum(&h.first, now.Sum-before.Sum, now.IntSum-before.IntSum)
	for i := range now.Counts {
		h.first.counts[i].Add(now.Counts[i] - before.Counts[i])
	}
	if now.Min < before.Min {
		h.first.stretch(now.Min)
	}
	if now.Max > before.Max {
		h.first.stretch(now.Max)
	}
}

// outside reports whether a value is below the minimum or above the maximum so far, or the first one. It is false for
// NaN.
func (b *block) outside(v float64) bool {
	return v == v && !(math.Float64frombits(b.min.Load()) <= v && v <= math.Float64frombits(b.max.Load()))
}

// stretch updates the minimum and the maximum with a value.
func (b *block) stretch(v float64) {
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

// A Snapshot is a copy of what a histogram counted.
type Snapshot struct {
	Count    uint64
	Sum      float64  // of a histogram of floats
	IntSum   int64    // of a histogram of integers
	Min, Max float64  // NaN if there are no values
	Counts   []uint64 // by bucket, not cumulated
}

// Read returns the sum of all blocks: everything recorded before, and perhaps some of what is being recorded. The
// count is the sum of the buckets.
func (h *Histogram) Read() Snapshot {
	s := NewSnapshot(h.bounds.buckets())
	h.AddTo(&s)
	return s
}

// NewSnapshot returns an empty snapshot of a histogram with this number of buckets.
func NewSnapshot(buckets int) Snapshot {
	return Snapshot{Min: math.NaN(), Max: math.NaN(), Counts: make([]uint64, buckets)}
}

// Reset empties the snapshot.
func (s *Snapshot) Reset() {
	clear(s.Counts)
	*s = Snapshot{Min: math.NaN(), Max: math.NaN(), Counts: s.Counts}
}

// AddTo adds the histogram to a snapshot, which must have the same number of buckets.
func (h *Histogram) AddTo(s *Snapshot) {
	h.addBlock(s, &h.first)
	if more := h.more.Load(); more != nil {
		for i := range more.list {
			h.addBlock(s, &more.list[i].block)
		}
	}
}

// Total returns the sum as a float64.
func (s Snapshot) Total() float64 { return s.Sum + float64(s.IntSum) }

// Add adds another snapshot, which must have the same number of buckets.
func (s *Snapshot) Add(o Snapshot) {
	s.Count, s.Sum, s.IntSum = s.Count+o.Count, s.Sum+o.Sum, s.IntSum+o.IntSum
	for i, n := range o.Counts {
		s.Counts[i] += n
	}
	s.stretch(o.Min, o.Max)
}

// stretch widens the minimum and the maximum. NaN means no value.
func (s *Snapshot) stretch(lo, hi float64) {
	if !(s.Min <= lo) && lo == lo {
		s.Min = lo
	}
	if !(s.Max >= hi) && hi == hi {
		s.Max = hi
	}
}

func (h *Histogram) addBlock(s *Snapshot, b *block) {
	if h.ints {
		s.IntSum += int64(b.sum.Load())
	} else {
		s.Sum += math.Float64frombits(b.sum.Load())
	}
	for i := range b.counts {
		n := b.counts[i].Load()
		s.Counts[i] += n
		s.Count += n
	}
	s.stretch(math.Float64frombits(b.min.Load()), math.Float64frombits(b.max.Load()))
}
