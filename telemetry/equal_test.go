package telemetry_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/x"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"
	"pgregory.net/rapid"

	"github.com/onemeter/onemeter/telemetry"
)

// A program creates synchronous instruments and records through them, bound and unbound.
type program struct {
	views       []sdkmetric.View
	limit       int
	temporality metricdata.Temporality
	made        []instrumentOf
	steps       []step
}

type instrumentOf struct {
	scope, name, unit, desc string
	kind                    int // of synchronousKinds
}

// A step records a measurement. If bound is true, it records through the instrument bound to attrs, with more.
type step struct {
	of          int
	bound       bool
	attrs, more []attribute.KeyValue
	value       int
	sampled     bool // within a span
	collect     bool // what was recorded so far is collected behind it
}

// record records the step's value through an instrument of synchronousKinds.
type recordFunc func(ctx context.Context, v int, opts ...metric.MeasurementOption)

func addingTo[N int64 | float64](add func(context.Context, N, ...metric.AddOption)) recordFunc {
	return func(ctx context.Context, v int, opts ...metric.MeasurementOption) {
		var as []metric.AddOption
		for _, o := range opts {
			as = append(as, o)
		}
		add(ctx, N(v), as...)
	}
}

func recordingTo[N int64 | float64](record func(context.Context, N, ...metric.RecordOption)) recordFunc {
	return func(ctx context.Context, v int, opts ...metric.MeasurementOption) {
		var as []metric.RecordOption
		for _, o := range opts {
			as = append(as, o)
		}
		record(ctx, N(v), as...)
	}
}

// A synchronous instrument of any kind: record, bind and finish.
type synchronous struct {
	record recordFunc
	bind   func(...attribute.KeyValue) (recordFunc, bool) // false where it cannot be bound
	finish func(...attribute.KeyValue)
}

// synchronousOf wraps an instrument and its recording method.
func synchronousOf[I any](i I, record func(I) recordFunc) synchronous {
	return synchronous{
		record: record(i),
		bind: func(attrs ...attribute.KeyValue) (recordFunc, bool) {
			b, ok := any(i).(interface{ Bind(...attribute.KeyValue) I })
			if !ok {
				return nil, false
			}
			return record(b.Bind(attrs...)), true
		},
		finish: func(attrs ...attribute.KeyValue) {
			if f, ok := any(i).(x.Finisher); ok {
				f.Finish(ctx, attrs...)
			}
		},
	}
}

// A kindOf is a kind of synchronous instrument.
type kindOf struct {
	kind   sdkmetric.InstrumentKind
	number string
	make   func(m metric.Meter, i instrumentOf) synchronous
}

// synchronousKinds are all eight.
var synchronousKinds = []kindOf{
	{sdkmetric.InstrumentKindCounter, "int64", func(m metric.Meter, i instrumentOf) synchronous {
		return synchronousOf(must(m.Int64Counter(i.name, unit(i.unit), desc(i.desc))),
			func(i metric.Int64Counter) recordFunc { return addingTo(i.Add) })
	}},
	{sdkmetric.InstrumentKindUpDownCounter, "int64", func(m metric.Meter, i instrumentOf) synchronous {
		return synchronousOf(must(m.Int64UpDownCounter(i.name, unit(i.unit), desc(i.desc))),
			func(i metric.Int64UpDownCounter) recordFunc { return addingTo(i.Add) })
	}},
	{sdkmetric.InstrumentKindHistogram, "int64", func(m metric.Meter, i instrumentOf) synchronous {
		return synchronousOf(must(m.Int64Histogram(i.name, unit(i.unit), desc(i.desc), metric.WithExplicitBucketBoundaries(-5, 0, 10, 100))),
			func(i metric.Int64Histogram) recordFunc { return recordingTo(i.Record) })
	}},
	{sdkmetric.InstrumentKindGauge, "int64", func(m metric.Meter, i instrumentOf) synchronous {
		return synchronousOf(must(m.Int64Gauge(i.name, unit(i.unit), desc(i.desc))),
			func(i metric.Int64Gauge) recordFunc { return recordingTo(i.Record) })
	}},
	{sdkmetric.InstrumentKindCounter, "float64", func(m metric.Meter, i instrumentOf) synchronous {
		return synchronousOf(must(m.Float64Counter(i.name, unit(i.unit), desc(i.desc))),
			func(i metric.Float64Counter) recordFunc { return addingTo(i.Add) })
	}},
	{sdkmetric.InstrumentKindUpDownCounter, "float64", func(m metric.Meter, i instrumentOf) synchronous {
		return synchronousOf(must(m.Float64UpDownCounter(i.name, unit(i.unit), desc(i.desc))),
			func(i metric.Float64UpDownCounter) recordFunc { return addingTo(i.Add) })
	}},
	{sdkmetric.InstrumentKindHistogram, "float64", func(m metric.Meter, i instrumentOf) synchronous {
		return synchronousOf(must(m.Float64Histogram(i.name, unit(i.unit), desc(i.desc), metric.WithExplicitBucketBoundaries(-5, 0, 10, 100))),
			func(i metric.Float64Histogram) recordFunc { return recordingTo(i.Record) })
	}},
	{sdkmetric.InstrumentKindGauge, "float64", func(m metric.Meter, i instrumentOf) synchronous {
		return synchronousOf(must(m.Float64Gauge(i.name, unit(i.unit), desc(i.desc))),
			func(i metric.Float64Gauge) recordFunc { return recordingTo(i.Record) })
	}},
}

// programViews do not rename anything: other tests check how a rename changes a family.
var programViews = []sdkmetric.View{
	sdkmetric.NewView(sdkmetric.Instrument{Name: "n0*"}, sdkmetric.Stream{AttributeFilter: attribute.NewAllowKeysFilter("a")}),
	sdkmetric.NewView(sdkmetric.Instrument{Name: "n1*"}, sdkmetric.Stream{Aggregation: sdkmetric.AggregationDrop{}}),
	sdkmetric.NewView(sdkmetric.Instrument{Kind: sdkmetric.InstrumentKindHistogram},
		sdkmetric.Stream{Aggregation: sdkmetric.AggregationExplicitBucketHistogram{Boundaries: []float64{5, 50}}}),
	sdkmetric.NewView(sdkmetric.Instrument{Name: "n2*", Kind: sdkmetric.InstrumentKindHistogram},
		sdkmetric.Stream{Aggregation: sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 20, MaxScale: 4}}),
	sdkmetric.NewView(sdkmetric.Instrument{Name: "n3*"}, sdkmetric.Stream{Description: "The operator's word."}),
}

func genProgram(t *rapid.T) program {
	p := program{
		views: rapid.SliceOfNDistinct(rapid.SampledFrom(programViews), 0, 1, func(v sdkmetric.View) string { return fmt.Sprintf("%p", v) }).Draw(t, "views"),
		limit: rapid.SampledFrom([]int{0, 3}).Draw(t, "limit"),
	}
	for i := range rapid.IntRange(1, 6).Draw(t, "instruments") {
		p.made = append(p.made, instrumentOf{
			scope: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "scope"), name: fmt.Sprintf("n%d", i),
			unit: rapid.SampledFrom([]string{"", "By", "{thing}"}).Draw(t, "unit"),
			desc: rapid.SampledFrom([]string{"", "Help."}).Draw(t, "desc"),
			kind: rapid.IntRange(0, len(synchronousKinds)-1).Draw(t, "kind"),
		})
	}
	attrs := rapid.SliceOfN(rapid.SampledFrom([]attribute.KeyValue{
		attribute.String("a", "1"), attribute.String("a", "2"), attribute.Int("b", 1), attribute.Bool("c", true), attribute.Int("b", 2),
	}), 0, 3)
	for range rapid.IntRange(0, 40).Draw(t, "steps") {
		s := step{
			of: rapid.IntRange(0, len(p.made)-1).Draw(t, "of"), bound: rapid.Bool().Draw(t, "bound"), attrs: attrs.Draw(t, "attrs"),
			value: rapid.IntRange(0, 200).Draw(t, "value"), sampled: rapid.IntRange(0, 9).Draw(t, "sampled") == 0,
			collect: rapid.IntRange(0, 9).Draw(t, "collect") == 0,
		}
		if s.bound && rapid.Bool().Draw(t, "with more") {
			s.more = attrs.Draw(t, "more")
		}
		p.steps = append(p.steps, s)
	}
	return p
}

// run runs the program. If instruments cannot be bound, each call passes the attributes. With mustBind they must be
// bindable.
func (p program) run(t *rapid.T, mp metric.MeterProvider, mustBind bool, collect func()) {
	var all []synchronous
	for _, i := range p.made {
		all = append(all, synchronousKinds[i.kind].make(mp.Meter(i.scope), i))
	}
	handles := map[string]recordFunc{}
	for n, s := range p.steps {
		c := ctx
		if s.sampled {
			c = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
				TraceID: trace.TraceID{1, byte(n)}, SpanID: trace.SpanID{2, byte(n)}, TraceFlags: trace.FlagsSampled,
			}))
		}
		opts := []metric.MeasurementOption{}
		record := all[s.of].record
		if s.bound {
			k := fmt.Sprint(s.of, s.attrs)
			if handles[k] == nil {
				h, ok := all[s.of].bind(s.attrs...)
				if mustBind && !ok {
					t.Fatalf("%+v cannot be bound", p.made[s.of])
				}
				if ok {
					handles[k] = h
				}
			}
			if h := handles[k]; h != nil {
				record = h
			} else {
				opts = append(opts, metric.WithAttributes(s.attrs...))
			}
			if s.more != nil {
				opts = append(opts, metric.WithAttributes(s.more...))
			}
		} else {
			opts = append(opts, metric.WithAttributes(s.attrs...))
		}
		record(c, s.value, opts...)
		if s.collect {
			collect()
		}
	}
	collect()
}

// readable returns collected data as text for comparison: sorted, without times and without our own metrics.
func readable(rm metricdata.ResourceMetrics) []string {
	var out []string
	for _, sm := range rm.ScopeMetrics {
		if strings.HasPrefix(sm.Scope.Name, "github.com/onemeter") {
			continue
		}
		for _, m := range sm.Metrics {
			head := fmt.Sprintf("%s %s %q %q %T", sm.Scope.Name, m.Name, m.Unit, m.Description, m.Data)
			for _, p := range pointsOf(m.Data) {
				out = append(out, head+" "+p)
			}
		}
	}
	slices.Sort(out)
	return out
}

func pointsOf(data metricdata.Aggregation) []string {
	switch d := data.(type) {
	case metricdata.Sum[int64]:
		return append(numbers(d.DataPoints), fmt.Sprint(d.Temporality, d.IsMonotonic))
	case metricdata.Sum[float64]:
		return append(numbers(d.DataPoints), fmt.Sprint(d.Temporality, d.IsMonotonic))
	case metricdata.Gauge[int64]:
		return numbers(d.DataPoints)
	case metricdata.Gauge[float64]:
		return numbers(d.DataPoints)
	case metricdata.Histogram[int64]:
		return append(counted(d.DataPoints), fmt.Sprint(d.Temporality))
	case metricdata.Histogram[float64]:
		return append(counted(d.DataPoints), fmt.Sprint(d.Temporality))
	case metricdata.ExponentialHistogram[int64]:
		return append(sparseCounted(d.DataPoints), fmt.Sprint(d.Temporality))
	case metricdata.ExponentialHistogram[float64]:
		return append(sparseCounted(d.DataPoints), fmt.Sprint(d.Temporality))
	}
	return []string{fmt.Sprintf("%T?", data)}
}

func encoded(s attribute.Set) string { return s.Encoded(attribute.DefaultEncoder()) }

// The SDK keeps some of several exemplars at random. So this compares only whether there are any, and in how many
// buckets.
func numbers[N int64 | float64](points []metricdata.DataPoint[N]) (out []string) {
	for _, p := range points {
		out = append(out, fmt.Sprint(encoded(p.Attributes), p.Value, len(p.Exemplars) > 0))
	}
	return out
}

func counted[N int64 | float64](points []metricdata.HistogramDataPoint[N]) (out []string) {
	for _, p := range points {
		lo, ok1 := p.Min.Value()
		hi, ok2 := p.Max.Value()
		out = append(out, fmt.Sprint(encoded(p.Attributes), p.Count, p.Sum, p.Bounds, p.BucketCounts, lo, ok1, hi, ok2, len(p.Exemplars)))
	}
	return out
}

func sparseCounted[N int64 | float64](points []metricdata.ExponentialHistogramDataPoint[N]) (out []string) {
	for _, p := range points {
		out = append(out, fmt.Sprint(encoded(p.Attributes), p.Count, p.Sum, p.Min, p.Max, p.Scale, p.ZeroCount, p.PositiveBucket, p.NegativeBucket))
	}
	return out
}

// A collector keeps what a reader collected each time.
type collected struct {
	t      *rapid.T
	reader *sdkmetric.ManualReader
	got    [][]string
}

func (c *collected) collect() {
	var rm metricdata.ResourceMetrics
	if err := c.reader.Collect(ctx, &rm); err != nil {
		c.t.Fatal(err)
	}
	c.got = append(c.got, readable(rm))
}

// Whatever a program records, bound or not, with any views: a reader gets the same data from us as from the SDK.
func TestReadersSeeWhatTheSDKHas(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := genProgram(t)
		p.temporality = rapid.SampledFrom([]metricdata.Temporality{metricdata.CumulativeTemporality, metricdata.DeltaTemporality}).Draw(t, "temporality")
		reader := func() *sdkmetric.ManualReader {
			return sdkmetric.NewManualReader(sdkmetric.WithTemporalitySelector(
				func(sdkmetric.InstrumentKind) metricdata.Temporality { return p.temporality }))
		}
		stock, own := &collected{t: t, reader: reader()}, &collected{t: t, reader: reader()}
		sdk := sdkmetric.NewMeterProvider(sdkmetric.WithReader(stock.reader), sdkmetric.WithView(p.views...), sdkmetric.WithCardinalityLimit(p.limit))
		defer stop(sdk)
		ours := must(telemetry.New(ctx, telemetry.WithoutRuntime(), telemetry.WithReader(own.reader), telemetry.WithView(p.views...),
			telemetry.WithCardinalityLimit(p.limit)))
		defer stop(ours)
		p.run(t, sdk, false, stock.collect)
		p.run(t, ours, true, own.collect)
		if d := gocmp.Diff(stock.got, own.got); d != "" {
			t.Fatalf("the SDK -, ours +:\n%s", d)
		}
	})
}

// The same for a push, where the series are our own unless a view matches.
func TestPushesSendWhatTheSDKHas(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := genProgram(t)
		stock := &collected{t: t, reader: sdkmetric.NewManualReader()}
		sdk := sdkmetric.NewMeterProvider(sdkmetric.WithReader(stock.reader), sdkmetric.WithView(p.views...), sdkmetric.WithCardinalityLimit(p.limit))
		defer stop(sdk)
		push := &keeper{temporality: metricdata.CumulativeTemporality}
		ours := must(telemetry.New(ctx, telemetry.WithoutRuntime(), telemetry.WithMetricExporter(push), telemetry.WithView(p.views...),
			telemetry.WithCardinalityLimit(p.limit)))
		defer stop(ours)
		var got [][]string
		p.run(t, sdk, false, stock.collect)
		p.run(t, ours, true, func() {
			if err := ours.ForceFlush(ctx); err != nil {
				t.Fatal(err)
			}
			push.mu.Lock()
			defer push.mu.Unlock()
			got = append(got, readable(push.last))
		})
		if d := gocmp.Diff(stock.got, got); d != "" {
			t.Fatalf("the SDK -, ours +:\n%s", d)
		}
	})
}

// The page is also equal to the stock exporter's, byte for byte, with bound instruments.
func TestPagesShowWhatTheSDKHas(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := genProgram(t)
		p.views = nil
		for i := range p.steps {
			p.steps[i].sampled = false // see numbers
		}
		reg := prometheus.NewRegistry()
		exporter := must(otelprom.New(otelprom.WithRegisterer(reg), otelprom.WithoutScopeInfo()))
		sdk := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter), sdkmetric.WithCardinalityLimit(p.limit))
		defer stop(sdk)
		ours := must(telemetry.New(ctx, telemetry.WithoutRuntime(), telemetry.WithCardinalityLimit(p.limit)))
		defer stop(ours)
		p.run(t, sdk, false, func() {})
		stock := promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true})
		p.run(t, ours, true, func() { fetch(ours.Handler(), acceptText) })
		for _, accept := range []string{acceptText, acceptOpenMetrics} {
			_, want := fetch(stock, accept)
			_, got := fetch(ours.Handler(), accept)
			if d := gocmp.Diff(sortedTies(foreignLines(want)), sortedTies(foreignLines(got))); d != "" {
				t.Fatalf("%s: stock -, ours +:\n%s", accept, d)
			}
		}
	})
}

// sortedTies sorts the lines: client_golang leaves series with equal values and different names in any order.
func sortedTies(lines []string) []string { return slices.Sorted(slices.Values(lines)) }
