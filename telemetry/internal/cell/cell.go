// Package cell holds the values of series that many goroutines record at once. A cell is one word while one CPU writes
// it, and grows stripes once two of them meet.
package cell

import (
	"math"
	"runtime"
	"sync/atomic"
	"unsafe"
)

// cacheLine is the size of what CPUs fight over.
const cacheLine = 64

// stripes is how many a cell that is fought over has: a power of two with room for each CPU.
var stripes = func() uintptr {
	n := uintptr(4)
	for n < 2*uintptr(runtime.GOMAXPROCS(0)) && n < 256 {
		n *= 2
	}
	return n
}()

// stripe returns a number that differs between goroutines, mostly: their stacks are in different places.
func stripe() uintptr {
	var here byte
	return (uintptr(unsafe.Pointer(&here)) >> 10 * 0x9E3779B97F4A7C15 >> 40) & (stripes - 1)
}

type slot struct {
	n atomic.Uint64
	_ [cacheLine - 8]byte
}

// A Sum adds up int64 or float64 values. The zero value is 0. It is safe for concurrent use.
type Sum[N int64 | float64] struct {
	first   atomic.Uint64
	stripes atomic.Pointer[[]slot]
}

// Add adds v.
func (s *Sum[N]) Add(v N) {
	if more := s.stripes.Load(); more != nil {
		addTo(&(*more)[stripe()].n, v)
		return
	}
	old := s.first.Load()
	if !s.first.CompareAndSwap(old, plus(old, v)) {
		s.grow()
		s.Add(v)
	}
}

// Set replaces the value. A Sum that is set is not added to.
func (s *Sum[N]) Set(v N) { s.first.Store(bits(v)) }

func (s *Sum[N]) grow() {
	more := make([]slot, stripes)
	s.stripes.CompareAndSwap(nil, &more)
}

// Value returns the sum of what was added before, and perhaps of some of what is being added.
func (s *Sum[N]) Value() N {
	total := from[N](s.first.Load())
	if more := s.stripes.Load(); more != nil {
		for i := range *more {
			total += from[N]((*more)[i].n.Load())
		}
	}
	return total
}

func plus[N int64 | float64](old uint64, v N) uint64 { return bits(from[N](old) + v) }

func from[N int64 | float64](b uint64) N {
	var zero N
	if _, ok := any(zero).(int64); ok {
		return N(int64(b))
	}
	return N(math.Float64frombits(b))
}

func bits[N int64 | float64](v N) uint64 {
	if i, ok := any(v).(int64); ok {
		return uint64(i)
	}
	return math.Float64bits(float64(v))
}

func addTo[N int64 | float64](to *atomic.Uint64, v N) {
	if i, ok := any(v).(int64); ok {
		to.Add(uint64(i))
		return
	}
	for {
		old := to.Load()
		if to.CompareAndSwap(old, plus(old, v)) {
			return
		}
	}
}
