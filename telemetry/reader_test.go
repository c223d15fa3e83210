package telemetry_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/onemeter/onemeter/telemetry"
)

// Without Prometheus, a pushing reader is the only one, and callbacks run for it.
func TestPushOnly(t *testing.T) {
	push := sdkmetric.NewManualReader()
	p := newProvider(t, telemetry.WithoutPrometheus(), telemetry.WithReader(push))
	if err := errors.Join(observingCounter("jobs", 5)(p.Meter("one")), observingCounter("jobs", 6)(p.Meter("one"))); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := pushed(t, push, "jobs"); got != 11 {
			t.Errorf("pushed %v, want 11", got)
		}
	}
}

// A view that drops everything except one instrument does not stop that one's callback.
func TestViewThatDropsAllButOne(t *testing.T) {
	push := sdkmetric.NewManualReader()
	p := newProvider(t, telemetry.WithReader(push), telemetry.WithView(func(i sdkmetric.Instrument) (sdkmetric.Stream, bool) {
		s := sdkmetric.Stream{Name: i.Name}
		if i.Name != "keep" {
			s.Aggregation = sdkmetric.AggregationDrop{}
		}
		return s, true
	}))
	if err := errors.Join(observingGauge("keep", 5)(p.Meter("one")), observingGauge("drop", 6)(p.Meter("one")),
		count(p.Meter("one"), "hits")); err != nil {
		t.Fatal(err)
	}
	page := scrape(t, p)
	if len(page) != 2 || value(page.series("keep", "path=/a")) != 5 { // and target_info
		t.Errorf("families %v", page)
	}
	if got := pushed(t, push, "keep"); got != 5 {
		t.Errorf("pushed %v, want 5", got)
	}
}

// Delta temporality has what was observed since the last push, with two callbacks and a merged name.
func TestDeltaReader(t *testing.T) {
	push := sdkmetric.NewManualReader(sdkmetric.WithTemporalitySelector(
		func(sdkmetric.InstrumentKind) metricdata.Temporality { return metricdata.DeltaTemporality }))
	p := newProvider(t, telemetry.WithReader(push))
	n := 0
	must(p.Meter("one").Int64ObservableCounter("jobs", metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
		n += 3
		o.Observe(int64(n))
		return nil
	})))
	for range 3 {
		if got := pushed(t, push, "jobs"); got != 3 {
			t.Errorf("pushed %v, want 3", got)
		}
	}
}

// A stuck exporter has a server that never answers.
type stuck struct{ release chan struct{} }

func (stuck) Temporality(k sdkmetric.InstrumentKind) metricdata.Temporality {
	return sdkmetric.DefaultTemporalitySelector(k)
}

func (stuck) Aggregation(k sdkmetric.InstrumentKind) sdkmetric.Aggregation {
	return sdkmetric.DefaultAggregationSelector(k)
}

func (s stuck) Export(context.Context, *metricdata.ResourceMetrics) error { <-s.release; return nil }
func (s stuck) ForceFlush(context.Context) error                          { <-s.release; return nil }
func (s stuck) Shutdown(context.Context) error                            { <-s.release; return nil }

func TestShutdownIsBounded(t *testing.T) {
	exporter := stuck{make(chan struct{})}
	p, err := telemetry.New(ctx, telemetry.WithoutRuntime(), telemetry.WithReader(sdkmetric.NewPeriodicReader(exporter)))
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if err := p.Shutdown(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown returned %v", err)
	}
	if took := time.Since(begin); took > time.Second {
		t.Errorf("Shutdown took %v", took)
	}
	close(exporter.release)
	if err := p.Shutdown(ctx); err != nil { // waits for the end
		t.Logf("the shutdown that was cut short ended with %v", err)
	}
}
