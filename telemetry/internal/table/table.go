// Package table finds the series of an instrument by their attributes. Lookups take no lock.
package table

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"unsafe"

	"go.opentelemetry.io/otel/attribute"
)

// A Table maps attribute sets to values of any type. It compares the sets, not only their hashes, so two sets with equal
// hashes are two entries. The zero value is empty and ready to use. A Table is safe for concurrent use.
type Table[V any] struct {
	// The number of places is a power of two. An entry is in the place of its hash, or in the next free one.
	places atomic.Pointer[[]atomic.Pointer[Entry[V]]]

	mu    sync.Mutex
	count int // of entries
	used  int // number of places in use, including those of removed entries

	gone atomic.Pointer[Entry[V]] // replaces removed entries
}

// An Entry is one set of attributes and its value. Its address does not change.
type Entry[V any] struct {
	Set   attribute.Set
	Value V
}

const leastPlaces = 8

// start returns the place to look at first. OpenTelemetry's Distinct is a 64-bit hash without an accessor, so this reads it
// from memory. If a later Distinct has another size, it is hashed.
func start(d attribute.Distinct) uint64 {
	var h uint64
	if unsafe.Sizeof(d) == unsafe.Sizeof(h) {
		h = *(*uint64)(unsafe.Pointer(&d))
	} else {
		h = maphash.Comparable(seed, d)
	}
	return h ^ h>>32
}

var seed = maphash.MakeSeed()

// Get returns the entry of a set, or nil.
func (t *Table[V]) Get(set *attribute.Set) *Entry[V] {
	places := t.places.Load()
	if places == nil {
		return nil
	}
	d := set.Equivalent()
	mask := uint64(len(*places) - 1)
	for i := start(d) & mask; ; i = (i + 1) & mask {
		e := (*places)[i].Load()
		if e == nil {
			return nil
		}
		if (identical(&e.Set, set) || e.Set.Equivalent() == d && Equal(&e.Set, set)) && e != t.gone.Load() {
			return e
		}
	}
}

// identical reports, at almost no cost, whether two sets are copies of one: all words are equal, including the
// pointer to the attributes. If it is false, the sets may still be equal.
func identical(a, b *attribute.Set) bool {
	const words = unsafe.Sizeof(*a) / unsafe.Sizeof(uintptr(0))
	return *(*[words]uintptr)(unsafe.Pointer(a)) == *(*[words]uintptr)(unsafe.Pointer(b))
}

// Equal reports whether two sets have equal attributes. NaN equals NaN.
func Equal(a, b *attribute.Set) bool {
	if *a == *b {
		return true
	}
	if a.Equivalent() != b.Equivalent() || a.Len() != b.Len() {
		return false
	}
	for i := range a.Len() { // a slice with NaN is not equal to itself
		x, _ := a.Get(i)
		y, _ := b.Get(i)
		if x.Key != y.Key || x.Value.Type() != y.Value.Type() || x.Value.String() != y.Value.String() {
			return false
		}
	}
	return true
}

// Len returns the number of entries.
func (t *Table[V]) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count
}

// Add returns the entry of a set. If there is none, it creates one and calls fill to complete it, with the number of
// existing entries. While fill runs, no other entry is created or removed. If fill returns false, no entry is created, and
// Add returns nil.
func (t *Table[V]) Add(set attribute.Set, fill func(e *Entry[V], entries int) bool) *Entry[V] {
	if e := t.Get(&set); e != nil {
		return e
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.Get(&set); e != nil {
		return e
	}
	e := &Entry[V]{Set: set}
	if !fill(e, t.count) {
		return nil
	}
	places := t.places.Load()
	if places == nil || (t.used+1)*4 > len(*places)*3 {
		places = t.rehash(places)
	}
	put(*places, e)
	t.count++
	t.used++
	return e
}

func put[V any](places []atomic.Pointer[Entry[V]], e *Entry[V]) {
	mask := uint64(len(places) - 1)
	i := start(e.Set.Equivalent()) & mask
	for places[i].Load() != nil {
		i = (i + 1) & mask
	}
	places[i].Store(e)
}

// rehash makes a larger list of places. Readers of the old list still find the same entries.
func (t *Table[V]) rehash(old *[]atomic.Pointer[Entry[V]]) *[]atomic.Pointer[Entry[V]] {
	n := leastPlaces
	for (t.count+1)*2 > n {
		n *= 2
	}
	places := make([]atomic.Pointer[Entry[V]], n)
	if old != nil {
		for i := range *old {
			if e := (*old)[i].Load(); e != nil && e != t.gone.Load() {
				put(places, e)
			}
		}
	}
	t.used = t.count
	t.places.Store(&places)
	return &places
}

// Remove removes an entry and reports whether it was there.
func (t *Table[V]) Remove(e *Entry[V]) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	places := t.places.Load()
	if places == nil {
		return false
	}
	mask := uint64(len(*places) - 1)
	for i := start(e.Set.Equivalent()) & mask; ; i = (i + 1) & mask {
		switch (*places)[i].Load() {
		case nil:
			return false
		case e:
			t.gone.CompareAndSwap(nil, &Entry[V]{})
			(*places)[i].Store(t.gone.Load())
			t.count--
			return true
		}
	}
}

// All calls visit for each entry, in no particular order. It may miss entries that are added while it runs.
func (t *Table[V]) All(visit func(*Entry[V])) {
	places := t.places.Load()
	if places == nil {
		return
	}
	for i := range *places {
		if e := (*places)[i].Load(); e != nil && e != t.gone.Load() {
			visit(e)
		}
	}
}
