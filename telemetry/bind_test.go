package telemetry_test

import (
	"errors"
	"strings"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/onemeter/onemeter/telemetry"
)

// recordBound records through each kind of instrument of m, bound.
func recordBound(m metric.Meter) {
	a, b := attribute.String("a", "1"), metric.WithAttributes(attribute.String("b", "2"))
	telemetry.Bind(must(m.Int64Counter("ic")), a).Add(ctx, 1)
	telemetry.Bind(must(m.Int64UpDownCounter("iu")), a).Add(ctx, -2, b)
	telemetry.Bind(must(m.Int64Histogram("ih")), a).Record(ctx, 3)
	telemetry.Bind(must(m.Int64Gauge("ig")), a).Record(ctx, 4, b)
	telemetry.Bind(must(m.Float64Counter("fc")), a).Add(ctx, 5.5)
	telemetry.Bind(must(m.Float64UpDownCounter("fu")), a).Add(ctx, 6.5, b)
	telemetry.Bind(must(m.Float64Histogram("fh")), a).Record(ctx, 7.5)
	telemetry.Bind(must(m.Float64Gauge("fg")), a).Record(ctx, 8.5, b)
}

// A bound instrument records as the original one would, whoever created that.
func TestBindAnyInstrument(t *testing.T) {
	ours, theirs := sdkmetric.NewManualReader(), sdkmetric.NewManualReader()
	recordBound(newProvider(t, telemetry.WithReader(ours)).Meter("one"))
	recordBound(sdkmetric.NewMeterProvider(sdkmetric.WithReader(theirs)).Meter("one"))
	recordBound(noop.NewMeterProvider().Meter("one"))
	got := collectScope(t, ours, "one")
	want := collectScope(t, theirs, "one")
	if len(want.Metrics) != 8 {
		t.Fatalf("the SDK has %d metrics", len(want.Metrics))
	}
	metricdatatest.AssertEqual(t, want, got, metricdatatest.IgnoreTimestamp())
}

func collectScope(t *testing.T, r *sdkmetric.ManualReader, name string) metricdata.ScopeMetrics {
	t.Helper()
	var rm metricdata.ResourceMetrics
	if err := r.Collect(ctx, &rm); err != nil {
		t.Fatal(err)
	}
	for _, sm := range rm.ScopeMetrics {
		if sm.Scope.Name == name {
			return sm
		}
	}
	t.Fatalf("there is no scope %s", name)
	return metricdata.ScopeMetrics{}
}

// Bind reports what it cannot bind, and returns it unchanged.
func TestBindObservable(t *testing.T) {
	var told []error
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { told = append(told, err) }))
	defer otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {}))
	g := must(newProvider(t).Meter("one").Int64ObservableGauge("g"))
	if telemetry.Bind(g, attribute.String("a", "1")) != g || telemetry.Bind(7) != 7 {
		t.Error("it is another one")
	}
	var none metric.Int64Counter
	if telemetry.Bind(none) != nil {
		t.Error("nil became something")
	}
	if err := errors.Join(told...); len(told) != 2 || !strings.Contains(err.Error(), "only a counter") {
		t.Errorf("told %v", err)
	}
}

// A bound instrument of the SDK does not allocate either.
func TestBindAllocatesOnce(t *testing.T) {
	c := telemetry.Bind(must(sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())).Meter("one").Int64Counter("c")),
		attribute.String("a", "1"))
	if n := testing.AllocsPerRun(100, func() { c.Add(ctx, 1) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
