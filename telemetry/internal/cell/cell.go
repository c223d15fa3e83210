// Package cell holds the values of series that many goroutines record concurrently. A cell is one word while one CPU
// writes it, and grows stripes once two CPUs collide.
package cell

import (
	"math"
	"runtime"
	"sync/atomic"
	"unsafe"
)

// cacheLine is the size of a CPU cache line, in bytes.
const cacheLine = 64

// stripes is the number of stripes of a cell: a power of two with room for each CPU.
var stripes = func() uintptr {
	n := uintptr(4)
	for n < 2*uintptr(runtime.GOMAXPROCS(0)) && n < 256 {
		n *= 2
	}
	return n
}()

// A spread assigns goroutines to stripes.
type spread struct {
	closed atomic.Bool
	salt   atomic.Uint64
}

// stripe returns the stripe of the current goroutine: its stack address, hashed with a salt.
func (s *spread) stripe() uintptr {
	var here byte
	h := (uint64(uintptr(unsafe.Pointer(&here)))>>10 ^ s.salt.Load()) * 0x9E3779B97F4A7C15
	return uintptr(h>>40) & (stripes - 1)
}

// maxSalt is how often the salt may change. With more goroutines than stripes, some always collide.
const maxSalt = 64

// met records that two goroutines collided: it changes the salt, so that they get other stripes.
func (s *spread) met() {
	if s.salt.Load() < maxSalt {
		s.salt.Add(1)
	}
}

type slot struct {
	n atomic.Uint64
	_ [cacheLine - 8]byte
}

// A Number is an int64 or a float64. Use only one type with it, and either only additions or only Set. The zero value is
// 0. It is safe for concurrent use.
type Number struct {
	first atomic.Uint64
	more  atomic.Pointer[slots]
}

type slots struct {
	spread
	list []slot
}

// closed stands for the slots of a Number that was closed before it had any.
var closed = func() *slots { s := &slots{}; s.closed.Store(true); return s }()

// Calm reports whether the Number is still one word, without stripes, and not closed.
func (n *Number) Calm() bool { return n.more.Load() == nil }

// AddCalm adds v to a calm Number. Now and then it returns true: then call Probe. The compiler inlines it, so the hot path
// of a counter has one locked instruction and no loop.
func (n *Number) AddCalm(v int64) bool { return n.first.Add(uint64(v))%probes == 0 }

// probes is the number of additions of 1 between two probes.
const probes = 64

// Probe adds stripes if another CPU is writing the Number.
func (n *Number) Probe() {
	if old := n.first.Load(); !n.first.CompareAndSwap(old, old) {
		n.striped()
	}
}

// TryAddFloat64 adds v if the Number is calm and no other CPU writes it. If it returns false, it has added nothing: call
// AddFloat64. The compiler inlines it.
func (n *Number) TryAddFloat64(v float64) bool {
	old := n.first.Load()
	return n.more.Load() == nil && n.first.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+v))
}

// AddInt64 adds v. If the Number is closed, it returns false and adds nothing.
func (n *Number) AddInt64(v int64) bool {
	if n.Calm() {
		if n.AddCalm(v) {
			n.Probe()
		}
		return true
	}
	return n.AddStriped(v)
}

// AddStriped is AddInt64 for a Number that is not calm.
func (n *Number) AddStriped(v int64) bool {
	m := n.striped()
	if m == nil {
		return false
	}
	to := &m.list[m.stripe()].n
	if old := to.Add(uint64(v)); old%probes == 0 && !to.CompareAndSwap(old, old) {
		m.met()
	}
	return true
}

// AddFloat64 adds v. If the Number is closed, it returns false and adds nothing.
func (n *Number) AddFloat64(v float64) bool {
	if n.TryAddFloat64(v) {
		return true
	}
	m := n.striped()
	if m == nil {
		return false
	}
	to := &m.list[m.stripe()].n
	if old := to.Load(); !to.CompareAndSwap(old, plus(old, v)) {
		m.met()
		addFloat64(to, v)
	}
	return true
}

// striped returns the slots, which it creates if needed, or nil if the Number is closed.
func (n *Number) striped() *slots {
	m := n.more.Load()
	if m == nil {
		n.more.CompareAndSwap(nil, &slots{list: make([]slot, stripes)})
		m = n.more.Load()
	}
	if m.closed.Load() {
		return nil
	}
	return m
}

// SetInt64 replaces the value. If the Number is closed, it returns false.
func (n *Number) SetInt64(v int64) bool {
	if n.more.Load() != nil {
		return false
	}
	n.first.Store(uint64(v))
	return true
}

// SetFloat64 replaces the value. If the Number is closed, it returns false.
func (n *Number) SetFloat64(v float64) bool { return n.SetInt64(int64(math.Float64bits(v))) }

// Close closes the Number: it refuses later measurements. Concurrent ones may still be counted.
func (n *Number) Close() {
	if !n.more.CompareAndSwap(nil, closed) {
		n.more.Load().closed.Store(true)
	}
}

// Int64 returns the value: everything added before, and perhaps some of what is being added.
func (n *Number) Int64() int64 {
	total := n.first.Load()
	if more := n.more.Load(); more != nil {
		for i := range more.list {
			total += more.list[i].n.Load()
		}
	}
	return int64(total)
}

// Float64 returns the value: everything added before, and perhaps some of what is being added.
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
