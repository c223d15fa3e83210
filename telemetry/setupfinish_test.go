package telemetry_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/x"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/onemeter/onemeter/telemetry"
)

// What was bound moves to the Provider of a second Setup, and what was finished before the first one is finished.
func TestBoundInstrumentsMove(t *testing.T) {
	if again(t) {
		return
	}
	a, b := attribute.String("path", "/a"), attribute.String("path", "/b")
	c := must(telemetry.Meter("move").Int64Counter("hits"))
	early := c.(x.Int64CounterBinder).Bind(a)
	if c.(x.Int64CounterBinder).Bind(a) != early {
		t.Error("what is bound twice is not one")
	}
	c.Add(ctx, 1, metric.WithAttributes(attribute.String("path", "/gone")))
	c.(x.Finisher).Finish(ctx, attribute.String("path", "/gone"))
	early.Add(ctx, 1)
	first := must(telemetry.Setup(ctx, telemetry.WithoutRuntime()))
	late := c.(x.Int64CounterBinder).Bind(b)
	h := must(telemetry.Meter("move").Float64Histogram("h")).(x.Float64HistogramBinder).Bind(b)
	early.Add(ctx, 1)
	late.Add(ctx, 1)
	h.Record(ctx, 1)
	get(t, first.Handler(), acceptText)
	page := scrape(t, first)
	if value(page.series("hits_total", "path=/a")) != 2 || value(page.series("hits_total", "path=/b")) != 1 || page.series("hits_total", "path=/gone") != nil {
		t.Errorf("%v", page["hits_total"])
	}
	stop(first)
	second := must(telemetry.Setup(ctx, telemetry.WithoutRuntime()))
	defer stop(second)
	early.Add(ctx, 10)
	late.Add(ctx, 10)
	c.Add(ctx, 10, metric.WithAttributes(b))
	h.Record(ctx, 2)
	page = scrape(t, second)
	if value(page.series("hits_total", "path=/a")) != 10 || value(page.series("hits_total", "path=/b")) != 20 ||
		page.series("h", "path=/b").GetHistogram().GetSampleSum() != 2 {
		t.Errorf("%v %v", page["hits_total"], page["h"])
	}
}

// A gauge that is finished and recorded again is one gauge.
func TestFinishedGaugeIsNoConflict(t *testing.T) {
	p := newProvider(t)
	g := must(p.Meter("m").Int64Gauge("level"))
	for v := range int64(4) {
		g.Record(ctx, v)
		get(t, p.Handler(), acceptText)
		g.(x.Finisher).Finish(ctx)
	}
	if told(p) != "" {
		t.Errorf("told %v", p.Conflicts())
	}
}

// Without a page, a push reports conflicts.
func TestPushesTellOfCardinality(t *testing.T) {
	p := newProvider(t, telemetry.WithoutPrometheus(), telemetry.WithMetricExporter(&keeper{temporality: metricdata.CumulativeTemporality}),
		telemetry.WithCardinalityLimit(10))
	c := must(p.Meter("m").Int64Counter("hits"))
	for i := range 20 {
		c.Add(ctx, 1, metric.WithAttributes(attribute.Int("i", i), attribute.String("le", "x")))
	}
	if err := p.ForceFlush(ctx); err != nil {
		t.Fatal(err)
	}
	if got := told(p); !strings.Contains(got, "Cardinality Limited") || !strings.Contains(got, "Reserved Repaired") {
		t.Errorf("told %q", got)
	}
}

// The SDK must not write to what a finished histogram counted.
func TestFinishedHistogramIsPushedWhole(t *testing.T) {
	push := &keeper{temporality: metricdata.CumulativeTemporality}
	p := newProvider(t, telemetry.WithMetricExporter(push), telemetry.WithView(
		sdkmetric.NewView(sdkmetric.Instrument{Name: "sdk*"}, sdkmetric.Stream{AttributeFilter: attribute.NewAllowKeysFilter()})))
	m := p.Meter("m")
	bounds := metric.WithExplicitBucketBoundaries(1, 2, 3)
	must(m.Float64Histogram("sdk.a", bounds)).Record(ctx, 1)
	own := must(m.Float64Histogram("own", bounds))
	for range 7 {
		own.Record(ctx, 1.5)
	}
	own.(x.Finisher).Finish(ctx)
	get(t, p.Handler(), acceptProtobuf)
	for range 3 {
		must(m.Float64Histogram("sdk.b", bounds)).Record(ctx, 9)
	}
	get(t, p.Handler(), acceptProtobuf)
	if err := p.ForceFlush(ctx); err != nil {
		t.Fatal(err)
	}
	for _, m := range push.find("own") {
		if got := m.Data.(metricdata.Histogram[float64]).DataPoints[0].BucketCounts; got[1] != 7 {
			t.Errorf("counts are %v", got)
		}
	}
	if len(push.find("own")) != 1 {
		t.Error("it is not pushed")
	}
}

// A counter of client_golang collides with ours in OpenMetrics while series of ours end: no page fails.
func TestEndsWhereOpenMetricsNamesMeet(t *testing.T) {
	reg := prometheus.NewRegistry()
	theirs := prometheus.NewCounter(prometheus.CounterOpts{Name: "jobs"})
	reg.MustRegister(theirs)
	p := newProvider(t, telemetry.WithGatherer(reg))
	c := must(p.Meter("m").Int64Counter("jobs"))
	for range 100 {
		c.Add(ctx, 1)
		c.(x.Finisher).Finish(ctx)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				code, body := fetch(p.Handler(), acceptOpenMetrics)
				if err := checkOpenMetrics(body); code != 200 || err != nil {
					t.Errorf("%d %v: %s", code, err, body)
				}
			})
		}
		wg.Wait()
	}
}

// Exemplars of all measurements, some without a span, are valid OpenMetrics.
func TestExemplarsWithoutSpans(t *testing.T) {
	t.Setenv("OTEL_METRICS_EXEMPLAR_FILTER", "always_on")
	p := newProvider(t)
	must(p.Meter("m").Int64Counter("c")).Add(ctx, 1)
	h := must(p.Meter("m").Float64Histogram("h"))
	h.Record(ctx, 1)
	h.Record(ctx, math.Inf(1))
	page := get(t, p.Handler(), acceptOpenMetrics)
	if err := checkOpenMetrics(page); err != nil || !strings.Contains(string(page), `c_total 1.0 # {`) {
		t.Errorf("%v: %s", err, page)
	}
}

// An invalid name is an error before Setup, too.
func TestInvalidNamesBeforeSetup(t *testing.T) {
	if again(t) {
		return
	}
	m := telemetry.Meter("names")
	c, err1 := m.Int64Counter("1bad")
	h, err2 := m.Float64Histogram("")
	g, err3 := m.Float64ObservableGauge("é")
	for _, err := range []error{err1, err2, err3} {
		if !errors.Is(err, sdkmetric.ErrInstrumentName) {
			t.Errorf("error %v", err)
		}
	}
	c.Add(ctx, 1)
	h.Record(ctx, 1)
	p := must(telemetry.Setup(ctx, telemetry.WithoutRuntime()))
	defer stop(p)
	c.Add(ctx, 1)
	if _, err := m.RegisterCallback(func(context.Context, metric.Observer) error { return nil }, g); err != nil {
		t.Error(err)
	}
	if page := string(get(t, p.Handler(), acceptText)); strings.Contains(page, "bad") {
		t.Error(page)
	}
}
