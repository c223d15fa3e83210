package cell

import (
	"math"
	"slices"
)

// Bounds are the boundaries of histograms, which have them in common. Where a value belongs is looked up by the first bits
// of it, its exponent among them: to compare it with one boundary after another takes longer than to count it.
type Bounds struct {
	list  []float64 // and infinity, so that a search ends
	table []uint16  // for each step of the bits: how many boundaries are below all of its values
	shift uint      // what is behind the bits that count
	base  int       // what they are for the first step, which has all lower values too
}

const (
	mantissa  = 52
	maxDetail = 4    // bits of the mantissa
	maxSteps  = 1024 // of a table
)

// NewBounds returns ascending boundaries. Values up to and including a boundary are in its bucket.
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

// step returns the bits of a value that count. Negative ones have negative bits.
func (b *Bounds) step(v float64) int { return int(int64(math.Float64bits(v)) >> b.shift) }

// buckets is how many there are.
func (b *Bounds) buckets() int { return len(b.list) }

// bucket returns the index of the first boundary that is not below v. NaN is above all.
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
	for b.list[i] < v { // once at most, mostly
		i++
	}
	return i
}
