package observe

import (
	"maps"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// labels are attributes as recording wants them: a set computed once, in slices
// made once, so that recording allocates nothing.
type labels struct {
	add     []metric.AddOption
	record  []metric.RecordOption
	observe []metric.ObserveOption
}

func newLabels(attrs ...attribute.KeyValue) labels {
	opt := metric.WithAttributeSet(attribute.NewSet(attrs...))
	return labels{
		add:     []metric.AddOption{opt},
		record:  []metric.RecordOption{opt},
		observe: []metric.ObserveOption{opt},
	}
}

// A labelTable remembers the labels of each key. Its keys come from closed
// sets: routes, statuses, statements of our own. It is safe for concurrent use.
type labelTable[K comparable] struct {
	attrs func(K) []attribute.KeyValue
	known atomic.Pointer[map[K]labels]
	mu    sync.Mutex // held while known is replaced
}

func newLabelTable[K comparable](attrs func(K) []attribute.KeyValue) *labelTable[K] {
	t := &labelTable[K]{attrs: attrs}
	t.known.Store(&map[K]labels{})
	return t
}

// byValue is a table of one attribute.
func byValue(key string) *labelTable[string] {
	return newLabelTable(func(v string) []attribute.KeyValue {
		return []attribute.KeyValue{attribute.String(key, v)}
	})
}

func (t *labelTable[K]) of(key K) labels {
	if l, ok := (*t.known.Load())[key]; ok {
		return l
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	known := *t.known.Load()
	if l, ok := known[key]; ok {
		return l
	}
	l, grown := newLabels(t.attrs(key)...), maps.Clone(known)
	grown[key] = l
	t.known.Store(&grown)
	return l
}
