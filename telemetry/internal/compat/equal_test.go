package compat_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/onemeter/onemeter/telemetry"
)

const acceptText = "text/plain;version=0.0.4"

// A collector's page of what is pushed equals our page, family by family and sample by sample, over both protocols.
// Labels that name the process and the scope are removed, because they must differ.
func TestCollectorShowsTheSamePage(t *testing.T) {
	for _, protocol := range []string{"grpc", "http/protobuf"} {
		for _, aggregation := range []string{"explicit_bucket_histogram", "base2_exponential_bucket_histogram"} {
			t.Run(protocol+" "+aggregation, func(t *testing.T) {
				c := newCollector(t)
				c.environment(t, protocol)
				t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
				t.Setenv("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", aggregation)
				p := zoo(t)
				for range 2 {
					if err := p.ForceFlush(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				ours, theirs := families(t, page(t, p, acceptText)), families(t, c.scrape(acceptText))
				if aggregation != "explicit_bucket_histogram" { // which the page does not follow
					withoutBuckets(ours)
					withoutBuckets(theirs)
				}
				compare(t, ours, theirs)
			})
		}
	}
}

// zoo returns a Provider with every kind of instrument, conflict and attribute that the page handles.
func zoo(t *testing.T, opts ...telemetry.Option) *telemetry.Provider {
	t.Helper()
	old := prometheus.NewRegistry()
	p, err := telemetry.New(t.Context(), append([]telemetry.Option{
		telemetry.WithService("zoo", "1"), telemetry.WithoutRuntime(), telemetry.WithGatherer(old),
		telemetry.WithCardinalityLimit(10),
		telemetry.WithView(sdkmetric.NewView(sdkmetric.Instrument{Name: "exp*"},
			sdkmetric.Stream{Aggregation: sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 160, MaxScale: 20}})),
		telemetry.WithView(sdkmetric.NewView(sdkmetric.Instrument{Name: "viewed.gauge"}, sdkmetric.Stream{Name: "plain.hits"})),
		telemetry.WithView(sdkmetric.NewView(sdkmetric.Instrument{Name: "viewed.utf8"}, sdkmetric.Stream{Name: "früh.stück"})),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Shutdown(context.Background()) })
	inhabit(t, p)
	legacy(old)
	return p
}

func inhabit(t *testing.T, p *telemetry.Provider) {
	t.Helper()
	ctx := t.Context()
	one, two := p.Meter("one"), p.Meter("two", metric.WithInstrumentationVersion("2"))
	a := metric.WithAttributes(attribute.String("http.route", "/a"), attribute.Int("code", 200))
	desc, unit := metric.WithDescription, metric.WithUnit

	counter := func(m metric.Meter, name string, opts ...metric.Int64CounterOption) {
		must(m.Int64Counter(name, opts...)).Add(ctx, 1, a)
	}
	gauge := func(m metric.Meter, name string, v float64, opts ...metric.Float64GaugeOption) {
		must(m.Float64Gauge(name, opts...)).Record(ctx, v, a)
	}
	histogram := func(m metric.Meter, name string, v float64, opts ...metric.Float64HistogramOption) {
		must(m.Float64Histogram(name, opts...)).Record(ctx, v, a)
	}
	// Ordinary ones.
	counter(one, "plain.hits", desc("Hits."))
	must(one.Float64Counter("plain.cost", unit("s"))).Add(ctx, 1.5)
	must(one.Int64UpDownCounter("plain.users", unit("{user}"))).Add(ctx, -3, a)
	must(one.Int64Gauge("plain.level", unit("By"))).Record(ctx, 1<<40, a)
	histogram(one, "plain.latency", .2, unit("s"), desc("Latency."))
	must(one.Int64Histogram("plain.size", unit("By"))).Record(ctx, 100, a)
	must(one.Int64ObservableGauge("plain.pool", metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(5, a)
		return nil
	})))
	// Names, units and values that are odd.
	for i, u := range []string{"1", "%", "m/s", "MiBy", "{a}/s", "ms", "us", "Cel", "1/s", "By/s", "d", "wombat", "_"} {
		gauge(one, fmt.Sprintf("unit.%d", i), float64(i), unit(u))
		counter(one, fmt.Sprintf("unit.counter.%d", i), unit(u))
	}
	counter(one, "odd.total")
	counter(one, "odd.name.total.bytes", unit("By"))
	gauge(one, "odd.ratio", .5, unit("1"))
	counter(one, "odd/slash-dash__under")
	gauge(one, "odd.nan", math.NaN())
	gauge(one, "odd.inf", math.Inf(-1))
	counter(one, "viewed.utf8")
	// Conflicts.
	counter(two, "plain.hits", desc("Other words."))
	must(two.Float64Counter("plain.hits")).Add(ctx, .5, a)
	must(one.Int64ObservableCounter("plain.hits", metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(40, a)
		return nil
	})))
	gauge(two, "plain.hits.total", 7)
	gauge(two, "plain.users", 8)
	counter(two, "plain_hits")
	gauge(one, "viewed.gauge", 9)
	gauge(two, "plain.latency.seconds.count", 10)
	histogram(two, "plain.latency", .3, unit("s"), metric.WithExplicitBucketBoundaries(.25, 1))
	must(two.Int64Histogram("plain.latency", unit("s"))).Record(ctx, 2, a)
	histogram(two, "plain.latency", 300, unit("ms"))
	for _, m := range []metric.Meter{one, two} {
		must(m.Int64ObservableGauge("dup.pool", metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(3, a)
			return nil
		})))
	}
	gauge(one, "target.info", 1)
	counter(one, "units.of.one", unit("{message}"))
	counter(two, "units.of.one", unit("{msg}"))
	// Attributes.
	odd := must(one.Int64Counter("attrs"))
	for _, kvs := range [][]attribute.KeyValue{
		{attribute.String("http.route", "/a"), attribute.String("http_route", "/b")},
		{attribute.String("le", "5"), attribute.String("quantile", ".5"), attribute.String("__name__", "x")},
		{attribute.String("otel.scope.name", "x"), attribute.String("otel_scope_version", "y")},
		{attribute.String("bad", "\xff\xfe")}, {attribute.String("", "empty")},
		{attribute.String("straße", "ä"), attribute.String("1st", "x"), attribute.String("_under", "y")},
		{attribute.Bool("bool", true), attribute.Float64("float", 1.5), attribute.IntSlice("ints", []int{1, 2})},
		{attribute.StringSlice("strings", []string{"a", `b"c`}), attribute.Float64("big", 1e21)},
	} {
		odd.Add(ctx, 1, metric.WithAttributes(kvs...))
	}
	same := must(one.Int64Counter("attrs.same"))
	same.Add(ctx, 1, metric.WithAttributes(attribute.Int("a.b", 1)))
	same.Add(ctx, 1, metric.WithAttributes(attribute.String("a_b", "1")))
	crowd := must(one.Int64Counter("crowd"))
	for i := range 30 {
		crowd.Add(ctx, 1, metric.WithAttributes(attribute.Int("i", i)))
	}
	// Exponential histograms, one of them too coarse for Prometheus, one in two scopes.
	for _, v := range []float64{.001, 1, 1.1, 300, 0, -4} {
		histogram(one, "exp.latency", v, unit("s"))
	}
	histogram(two, "exp.shared", 1)
	histogram(one, "exp.shared", 2)
	wide := must(one.Float64Histogram("exp.wide"))
	wide.Record(ctx, 1e-300)
	wide.Record(ctx, 1e300)
}

// legacy fills a client_golang registry whose metrics collide with ours.
func legacy(reg *prometheus.Registry) {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "plain_hits_total", Help: "Old."}, []string{"http_route", "code"})
	c.WithLabelValues("/a", "200").Add(100)
	c.WithLabelValues("/old", "200").Add(3)
	only := prometheus.NewCounter(prometheus.CounterOpts{Name: "legacy_jobs_total", Help: "Jobs."})
	only.Add(4)
	renamed := prometheus.NewCounter(prometheus.CounterOpts{Name: "plain_level_bytes", Help: "Of another type."})
	renamed.Add(5)
	level := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "plain_users", Help: "Old users."}, []string{"http_route", "code"})
	level.WithLabelValues("/a", "200").Set(77) // ours wins
	level.WithLabelValues("/old", "200").Set(78)
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "legacy_seconds", Help: "H.", Buckets: []float64{1, 2}})
	h.(prometheus.ExemplarObserver).ObserveWithExemplar(1.5, prometheus.Labels{"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "x": "y"})
	both := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "legacy_both_seconds", Help: "Classic and native.", Buckets: []float64{1, 2}, NativeHistogramBucketFactor: 1.1,
	})
	both.Observe(1.5)
	s := prometheus.NewSummary(prometheus.SummaryOpts{Name: "legacy_summary", Help: "S.", Objectives: map[float64]float64{.5: .1}})
	s.Observe(3)
	lat := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "plain_latency_seconds", Help: "Latency.", Buckets: []float64{.1, 9},
	}, []string{"http_route", "code"})
	lat.WithLabelValues("/a", "200").Observe(5)
	reg.MustRegister(c, only, renamed, level, h, both, s, lat)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func page(t *testing.T, p *telemetry.Provider, accept string) []byte {
	t.Helper()
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, r)
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.Bytes()
}

// families reads a page without what must differ: target_info, the labels of the process and of scopes, and the
// number of pushes.
func families(t *testing.T, body []byte) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	out, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	delete(out, "target_info")
	delete(out, "telemetry_exports_total")
	for _, f := range out {
		for _, m := range f.Metric {
			m.Label = slices.DeleteFunc(m.Label, func(l *dto.LabelPair) bool {
				return l.GetName() == "job" || l.GetName() == "instance" || strings.HasPrefix(l.GetName(), "otel_scope_")
			})
			slices.SortFunc(m.Label, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) })
		}
	}
	return out
}

func withoutBuckets(families map[string]*dto.MetricFamily) {
	for _, f := range families {
		for _, m := range f.Metric {
			if m.Histogram != nil {
				m.Histogram.Bucket = nil
			}
		}
	}
}

// compare finds every difference between two pages.
func compare(t *testing.T, ours, theirs map[string]*dto.MetricFamily) {
	t.Helper()
	if len(ours) < 30 {
		t.Errorf("only %d families", len(ours))
	}
	names := map[string]bool{}
	for _, m := range []map[string]*dto.MetricFamily{ours, theirs} {
		for n := range m {
			names[n] = true
		}
	}
	for _, n := range slices.Sorted(maps.Keys(names)) {
		a, errA := lines(ours[n])
		b, errB := lines(theirs[n])
		if err := errors.Join(errA, errB); err != nil {
			t.Errorf("%s: %v", n, err)
		}
		if a != b {
			t.Errorf("%s: our page has\n%s\nthe collector\n%s", n, a, b)
		}
	}
}

// lines writes a family so that equal ones give equal text. A duplicate series is an error.
func lines(f *dto.MetricFamily) (string, error) {
	if f == nil {
		return "nothing", nil
	}
	var out []string
	seen := map[string]bool{}
	for _, m := range f.Metric {
		key := fmt.Sprint(m.Label)
		if seen[key] {
			return "", fmt.Errorf("series %s twice", key)
		}
		seen[key] = true
		line := ""
		for _, l := range m.Label {
			line += fmt.Sprintf("%s=%q ", l.GetName(), l.GetValue())
		}
		switch {
		case m.Counter != nil:
			line += fmt.Sprint(m.Counter.GetValue())
		case m.Gauge != nil:
			line += fmt.Sprint(m.Gauge.GetValue())
		case m.Untyped != nil:
			line += fmt.Sprint(m.Untyped.GetValue())
		case m.Summary != nil:
			line += fmt.Sprint(m.Summary.GetSampleCount(), m.Summary.GetSampleSum(), m.Summary.Quantile)
		case m.Histogram != nil:
			line += fmt.Sprint(m.Histogram.GetSampleCount(), " ", m.Histogram.GetSampleSum())
			for _, b := range m.Histogram.Bucket {
				line += fmt.Sprintf(" %v:%d", b.GetUpperBound(), b.GetCumulativeCount())
			}
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return fmt.Sprintf("%v %q\n%s", f.GetType(), f.GetHelp(), strings.Join(out, "\n")), nil
}
