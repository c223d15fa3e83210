// Package table finds the series of an instrument by their attributes. Looking up takes no lock.
package table

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"unsafe"

	"go.opentelemetry.io/otel/attribute"
)

// A Table maps attribute sets to values of any type. Sets are compared, not only their hashes: two that differ are two
// entries whatever they hash to. The zero value is empty and ready to use. It is safe for concurrent use.
type Table[V any] struct {
	entries atomic.Pointer[[]atomic.Pointer[Entry[V]]] // by hash; its length is a power of two

	mu    sync.Mutex
	count int
}

// An Entry is one set of attributes and its value.
type Entry[V any] struct {
	Set   attribute.Set
	Value V
	hash  attribute.Distinct
	next  atomic.Pointer[Entry[V]] // of those that share a place
}

const leastEntries = 8

// place returns where a hash belongs among n places. OpenTelemetry's Distinct is a hash of 64 bits that it does not give
// away; should it become something else, entries are hashed anew.
func place(d attribute.Distinct, n int) int {
	var h uint64
	if unsafe.Sizeof(d) == unsafe.Sizeof(h) {
		h = *(*uint64)(unsafe.Pointer(&d))
	} else {
		h = maphash.Comparable(seed, d)
	}
	return int((h ^ h>>32) & uint64(n-1))
}

var seed = maphash.MakeSeed()

// Get returns the entry of a set, or nil.
func (t *Table[V]) Get(set attribute.Set) *Entry[V] {
	places := t.entries.Load()
	if places == nil {
		return nil
	}
	d := set.Equivalent()
	for e := (*places)[place(d, len(*places))].Load(); e != nil; e = e.next.Load() {
		if e.hash == d && (identical(&e.Set, &set) || e.Set == set) {
			return e
		}
	}
	return nil
}

// identical tells, for next to nothing, that two sets are copies of one: their words are equal, those that point to the
// attributes included. Others may be equal all the same.
func identical(a, b *attribute.Set) bool {
	const words = unsafe.Sizeof(*a) / unsafe.Sizeof(uintptr(0))
	return *(*[words]uintptr)(unsafe.Pointer(a)) == *(*[words]uintptr)(unsafe.Pointer(b))
}

// Len returns how many entries there are.
func (t *Table[V]) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count
}

// Add returns the entry of a set. One that is not there is made by value, which gets the number of entries that there
// are. No other entry is made or removed meanwhile. Where value returns false there is none.
func (t *Table[V]) Add(set attribute.Set, value func(entries int) (V, bool)) *Entry[V] {
	if e := t.Get(set); e != nil {
		return e
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.Get(set); e != nil {
		return e
	}
	v, ok := value(t.count)
	if !ok {
		return nil
	}
	places := t.entries.Load()
	if places == nil || t.count >= len(*places) {
		places = t.grow(places)
	}
	e := &Entry[V]{Set: set, Value: v, hash: set.Equivalent()}
	at := &(*places)[place(e.hash, len(*places))]
	e.next.Store(at.Load())
	at.Store(e)
	t.count++
	return e
}

// grow makes a larger list of places. Entries are chained anew, so readers of the old list see copies of theirs.
func (t *Table[V]) grow(old *[]atomic.Pointer[Entry[V]]) *[]atomic.Pointer[Entry[V]] {
	n := leastEntries
	if old != nil {
		n = 2 * len(*old)
	}
	places := make([]atomic.Pointer[Entry[V]], n)
	if old != nil {
		for i := range *old {
			for e := (*old)[i].Load(); e != nil; e = e.next.Load() {
				at := &places[place(e.hash, n)]
				c := &Entry[V]{Set: e.Set, Value: e.Value, hash: e.hash}
				c.next.Store(at.Load())
				at.Store(c)
			}
		}
	}
	t.entries.Store(&places)
	return &places
}

// Remove takes the entry of a set out, and tells whether it was there.
func (t *Table[V]) Remove(set attribute.Set) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	places := t.entries.Load()
	if places == nil {
		return false
	}
	d := set.Equivalent()
	at := &(*places)[place(d, len(*places))]
	for e := at.Load(); e != nil; e = at.Load() {
		if e.hash == d && e.Set == set {
			at.Store(e.next.Load())
			t.count--
			return true
		}
		at = &e.next
	}
	return false
}

// All calls visit for each entry, in no order. Entries that are added meanwhile may be left out.
func (t *Table[V]) All(visit func(*Entry[V])) {
	places := t.entries.Load()
	if places == nil {
		return
	}
	for i := range *places {
		for e := (*places)[i].Load(); e != nil; e = e.next.Load() {
			visit(e)
		}
	}
}
