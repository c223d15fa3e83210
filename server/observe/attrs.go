package observe

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/onemeter/onemeter/telemetry"
)

// A table caches a value for each key. Its keys come from closed sets: routes, statuses, the server's own statements.
// It is safe for concurrent use.
type table[K comparable, V any] struct {
	make  func(K) V
	known atomic.Pointer[map[K]V]
	mu    sync.Mutex // held while known is replaced
}

func newTable[K comparable, V any](makes func(K) V) *table[K, V] {
	t := &table[K, V]{make: makes}
	t.known.Store(&map[K]V{})
	return t
}

func (t *table[K, V]) of(key K) V {
	if v, ok := (*t.known.Load())[key]; ok {
		return v
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	known := *t.known.Load()
	if v, ok := known[key]; ok {
		return v
	}
	v, grown := t.make(key), maps.Clone(known)
	grown[key] = v
	t.known.Store(&grown)
	return v
}

// by returns a table of an instrument bound to the attributes of each key.
func by[K comparable, I any](instrument I, attrs func(K) []attribute.KeyValue) *table[K, I] {
	return newTable(func(key K) I { return telemetry.Bind(instrument, attrs(key)...) })
}

// value returns a function for one attribute whose value is the key of the table.
func value(key string) func(string) []attribute.KeyValue {
	return func(v string) []attribute.KeyValue { return []attribute.KeyValue{attribute.String(key, v)} }
}

// seldom is by for a counter of rare events with one label. Every value of the label starts at 0, so that a rate
// includes the first event.
func seldom(c metric.Int64Counter, l label) *table[string, metric.Int64Counter] {
	t := by(c, value(l.key))
	for _, v := range l.values {
		t.of(v).Add(context.Background(), 0)
	}
	return t
}
