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
	first atomic.Uint64
	more  atomic.Pointer[slots]
}

type slots struct {
	closed atomic.Bool
	list   []slot
}

// closed is what a Number that was closed early has.
var closed = func() *slots { s := &slots{}; s.closed.Store(true); return s }()

// TryAddInt64 adds v, or returns false if it takes more than a moment: then AddInt64 is to be called. It is inlined.
func (n *Number) TryAddInt64(v int64) bool {
	old := n.first.Load()
	return n.more.Load() == nil && n.first.CompareAndSwap(old, old+uint64(v))
}

// TryAddFloat64 is TryAddInt64 for AddFloat64.
func (n *Number) TryAddFloat64(v float64) bool {
	old := n.first.Load()
	return n.more.Load() == nil && n.first.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+v))
}

// AddInt64 adds v, and returns false, and adds nothing, if the Number is closed.
func (n *Number) AddInt64(v int64) bool {
	if n.TryAddInt64(v) {
		return true
	}
	s := n.striped()
	if s != nil {
		s.Add(uint64(v))
	}
	return s != nil
}

// AddFloat64 adds v, and returns false, and adds nothing, if the Number is closed.
func (n *Number) AddFloat64(v float64) bool {
	if n.TryAddFloat64(v) {
		return true
	}
	s := n.striped()
	if s != nil {
		addFloat64(s, v)
	}
	return s != nil
}

// striped returns this goroutine's word, or nil if the Number is closed.
func (n *Number) striped() *atomic.Uint64 {
	if n.more.Load() == nil {
		n.more.CompareAndSwap(nil, &slots{list: make([]slot, stripes)})
	}
	m := n.more.Load()
	if m.closed.Load() {
		return nil
	}
	return &m.list[stripe()].n
}

// SetInt64 replaces the value, or returns false if the Number is closed.
func (n *Number) SetInt64(v int64) bool {
	if n.more.Load() != nil {
		return false
	}
	n.first.Store(uint64(v))
	return true
}

// SetFloat64 replaces the value, or returns false if the Number is closed.
func (n *Number) SetFloat64(v float64) bool { return n.SetInt64(int64(math.Float64bits(v))) }

// Close ends the Number: what is recorded from now on is refused. What is being recorded may be in time.
func (n *Number) Close() {
	if !n.more.CompareAndSwap(nil, closed) {
		n.more.Load().closed.Store(true)
	}
}

// Int64 returns the value: what was added before, and perhaps some of what is being added.
func (n *Number) Int64() int64 {
	total := n.first.Load()
	if more := n.more.Load(); more != nil {
		for i := range more.list {
			total += more.list[i].n.Load()
		}
	}
	return int64(total)
}

// Float64 returns the value: what was added before, and perhaps some of what is being added.
func (n *Number) Float64() float64 {
	total := math.Float64frombits(n.first.Load())
	if more := n.more.Load(); more != nil {
		for i := range more.list {
			total += math.Float64frombits(more.list[i].n.Load())
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
