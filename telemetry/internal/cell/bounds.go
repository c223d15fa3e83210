package cell

import (
	"math"
	"slices"
)

// Bounds are the boundaries of histograms, which share them. A table finds the bucket of a value by the value's first bits,
// which include the exponent. Comparing the value with one boundary after another would take longer than counting it.
// Bounds do not change, and are safe for concurrent use.
type Bounds struct {
	list  []float64 // with +Inf at the end, so that a search ends
	table []uint16  // for each step, the number of boundaries below all of its values
	shift uint      // number of last bits that a step ignores
	base  int       // the first step, which also stands for all lower values
}

const (
	mantissa  = 52
	maxDetail = 4    // bits of the mantissa
	maxSteps  = 1024 // of a table
)

// NewBounds returns bounds with these ascending boundaries. Values up to and including a boundary are in its bucket.
func NewBounds(bounds []float64) *Bounds {
	b := &Bounds{list: append(slices.Clone(bounds), math.Inf(1))}
	least := slices.IndexFunc(bounds, func(v float64) bool { return v > 0 })
	if least < 0 || len(bounds) > math.MaxUint16 {
		return b
	}
	for detail := uint(maxDetail); len(b.table) == 0; detail-- {
		b.shift = mantissa - detail
		b.base = b.step(bounds[least])
		if n := b.step(bounds[len(bounds)-1]) - b.base + 2; n <= maxSteps {
			b.table = make([]uint16, n)
		} else if detail == 0 {
			return b
		}
	}
	for i := range b.table[1:] {
		from := math.Float64frombits(uint64(b.base+i+1) << b.shift)
		below, _ := slices.BinarySearch(bounds, from)
		b.table[i+1] = uint16(below)
	}
	return b
}

// step returns the first bits of a value. It is negative for negative values.
func (b *Bounds) step(v float64) int { return int(int64(math.Float64bits(v)) >> b.shift) }

// buckets returns the number of buckets.
func (b *Bounds) buckets() int { return len(b.list) }

// bucket returns the index of the first boundary that is not below v. For NaN it is the last.
func (b *Bounds) bucket(v float64) int {
	if v != v {
		return len(b.list) - 1
	}
	i := 0
	if len(b.table) > 0 {
		i = int(b.table[min(max(b.step(v)-b.base, 0), len(b.table)-1)])
	} else {
		i, _ = slices.BinarySearch(b.list, v)
	}
	for b.list[i] < v { // seldom more than one round
		i++
	}
	return i
}
