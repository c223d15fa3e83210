package telemetry_test

import (
	"runtime"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/onemeter/onemeter/telemetry"
)

// Memory does not grow if code requests its instruments again for every request, even with a conflict.
func TestAskingAgainKeepsMemory(t *testing.T) {
	for name, policy := range map[string]telemetry.ConflictPolicy{"KeepFirst": telemetry.KeepFirst, "Reject": telemetry.Reject} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t, telemetry.WithConflictPolicy(policy))
			ask := func(n int) {
				for range n {
					_ = count(p.Meter("one"), "hits", desc("A"))
					_ = count(p.Meter("two"), "hits", desc("B"))
					_ = gauge(p.Meter("two"), "hits.total", 1)
				}
				get(t, p.Handler(), acceptText)
			}
			ask(1000)
			before := heap()
			ask(20_000)
			if grown := int64(heap()) - int64(before); grown > 1<<20 {
				t.Errorf("the heap grew by %d bytes", grown)
			}
			if n := len(p.Conflicts()); n != 2 {
				t.Errorf("%d conflicts, want 2", n)
			}
		})
	}
}

// The cardinality limit bounds an endless number of attribute values, also in the memory of the page.
func TestEndlessValuesKeepMemory(t *testing.T) {
	p := newProvider(t, telemetry.WithCardinalityLimit(100))
	hits := must(p.Meter("one").Int64Counter("hits"))
	next := 0
	add := func(n int) {
		for range n {
			hits.Add(ctx, 1, metric.WithAttributes(attribute.Int("id", next)))
			next++
		}
		get(t, p.Handler(), acceptText)
	}
	add(1000)
	before := heap()
	add(100_000)
	if grown := int64(heap()) - int64(before); grown > 1<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
