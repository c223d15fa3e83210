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

// A Number is an int64 or a float64 that is added to, or set. Whoever uses it keeps to one type and one of the two. The
// zero value is 0. It is safe for concurrent use.
type Number struct {
	first   atomic.Uint64
	stripes atomic.Pointer[[]slot]
}

// AddInt64 adds v.
func (n *Number) AddInt64(v int64) {
	if old := n.first.Load(); n.stripes.Load() == nil && n.first.CompareAndSwap(old, old+uint64(v)) {
		return
	}
	n.addStriped(uint64(v))
}

//go:noinline
func (n *Number) addStriped(v uint64) { n.striped().Add(v) }

// AddFloat64 adds v.
func (n *Number) AddFloat64(v float64) {
	if old := n.first.Load(); n.stripes.Load() != nil || !n.first.CompareAndSwap(old, plus(old, v)) {
		addFloat64(n.striped(), v)
	}
}

// striped returns this goroutine's word.
func (n *Number) striped() *atomic.Uint64 {
	if n.stripes.Load() == nil {
		more := make([]slot, stripes)
		n.stripes.CompareAndSwap(nil, &more)
	}
	return &(*n.stripes.Load())[stripe()].n
}

// SetInt64 replaces the value.
func (n *Number) SetInt64(v int64) { n.first.Store(uint64(v)) }

// SetFloat64 replaces the value.
func (n *Number) SetFloat64(v float64) { n.first.Store(math.Float64bits(v)) }

// Int64 returns the value: what was added before, and perhaps some of what is being added.
func (n *Number) Int64() int64 {
	total := n.first.Load()
	if more := n.stripes.Load(); more != nil {
		for i := range *more {
			total += (*more)[i].n.Load()
		}
	}
	return int64(total)
}

// Float64 returns the value: what was added before, and perhaps some of what is being added.
func (n *Number) Float64() float64 {
	total := math.Float64frombits(n.first.Load())
	if more := n.stripes.Load(); more != nil {
		for i := range *more {
			total += math.Float64frombits((*more)[i].n.Load())
		}
	}
	return total
}

func plus(old uint64, v float64) uint64 { return math.Float64bits(math.Float64frombits(old) + v) }

func addFloat64(to *atomic.Uint64, v float64) {
	for {
		old := to.Load()
		if to.CompareAndSwap(old, plus(old, v)) {
			return
		}
	}
}
