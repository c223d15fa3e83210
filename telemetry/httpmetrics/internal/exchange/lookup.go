package exchange

import (
	"maps"
	"sync"
	"sync/atomic"
)

// A lookup caches a value for each pair of a text and a number. Both should come from closed sets. If there are more than
// most texts, it keeps the first ones, and Other stands for the rest. It is safe for concurrent use; known values are
// found without a lock.
type lookup[K ~uint32, V any] struct {
	most int
	make func(text string, k K) V

	mu    sync.Mutex // held while a value is added
	texts atomic.Pointer[map[string]*numbers[K, V]]
}

type numbers[K ~uint32, V any] struct {
	text  string
	known atomic.Pointer[map[K]V]
}

// newLookup returns a lookup of at most this many texts. makes creates a value.
func newLookup[K ~uint32, V any](most int, makes func(text string, k K) V) *lookup[K, V] {
	l := &lookup[K, V]{most: most, make: makes}
	l.texts.Store(&map[string]*numbers[K, V]{})
	return l
}

// of returns the value of a text and a number.
func (l *lookup[K, V]) of(text string, k K) V {
	if n, ok := (*l.texts.Load())[text]; ok {
		if v, ok := (*n.known.Load())[k]; ok {
			return v
		}
	}
	return l.add(text, k)
}

func (l *lookup[K, V]) add(text string, k K) V {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.numbersOf(text)
	known := *n.known.Load()
	v, ok := known[k]
	if !ok {
		v = l.make(n.text, k)
		known = maps.Clone(known)
		known[k] = v
		n.known.Store(&known)
	}
	return v
}

func (l *lookup[K, V]) numbersOf(text string) *numbers[K, V] {
	texts := *l.texts.Load()
	if n, ok := texts[text]; ok {
		return n
	}
	if len(texts) >= l.most && text != Other {
		return l.numbersOf(Other)
	}
	n := &numbers[K, V]{text: text}
	n.known.Store(&map[K]V{})
	texts = maps.Clone(texts)
	texts[text] = n
	l.texts.Store(&texts)
	return n
}
