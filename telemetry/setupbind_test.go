package telemetry_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/x"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/onemeter/onemeter/telemetry"
)

// bindAll creates one instrument of each kind, and records through it, through it bound, and with both ways to add
// attributes. finish ends the series of the first.
func bindAll(m metric.Meter, prefix string) (recordAll func(), finish func(...attribute.KeyValue)) {
	a, b := attribute.String("path", "/a"), attribute.String("verb", "GET")
	var do []func()
	var ends []x.Finisher
	add := func(i any, unbound, bound, more func()) {
		do = append(do, unbound, bound, more)
		ends = append(ends, i.(x.Finisher))
	}
	ic := must(m.Int64Counter(prefix + ".ic"))
	bic := ic.(x.Int64CounterBinder).Bind(a)
	add(ic, func() { ic.Add(ctx, 1, metric.WithAttributes(a)) }, func() { bic.Add(ctx, 2) }, func() { bic.Add(ctx, 4, metric.WithAttributes(b)) })
	fc := must(m.Float64Counter(prefix + ".fc"))
	bfc := fc.(x.Float64CounterBinder).Bind(a)
	add(fc, func() { fc.Add(ctx, 1, metric.WithAttributes(a)) }, func() { bfc.Add(ctx, 2) }, func() { bfc.Add(ctx, 4, metric.WithAttributes(b)) })
	iu := must(m.Int64UpDownCounter(prefix + ".iu"))
	biu := iu.(x.Int64UpDownCounterBinder).Bind(a)
	add(iu, func() { iu.Add(ctx, 1, metric.WithAttributes(a)) }, func() { biu.Add(ctx, 2) }, func() { biu.Add(ctx, 4, metric.WithAttributes(b)) })
	fu := must(m.Float64UpDownCounter(prefix + ".fu"))
	bfu := fu.(x.Float64UpDownCounterBinder).Bind(a)
	add(fu, func() { fu.Add(ctx, 1, metric.WithAttributes(a)) }, func() { bfu.Add(ctx, 2) }, func() { bfu.Add(ctx, 4, metric.WithAttributes(b)) })
	ih := must(m.Int64Histogram(prefix + ".ih"))
	bih := ih.(x.Int64HistogramBinder).Bind(a)
	add(ih, func() { ih.Record(ctx, 1, metric.WithAttributes(a)) }, func() { bih.Record(ctx, 2) }, func() { bih.Record(ctx, 4, metric.WithAttributes(b)) })
	fh := must(m.Float64Histogram(prefix + ".fh"))
	bfh := fh.(x.Float64HistogramBinder).Bind(a)
	add(fh, func() { fh.Record(ctx, 1, metric.WithAttributes(a)) }, func() { bfh.Record(ctx, 2) }, func() { bfh.Record(ctx, 4, metric.WithAttributes(b)) })
	ig := must(m.Int64Gauge(prefix + ".ig"))
	big := ig.(x.Int64GaugeBinder).Bind(a)
	add(ig, func() { ig.Record(ctx, 1, metric.WithAttributes(a)) }, func() { big.Record(ctx, 2) }, func() { big.Record(ctx, 4, metric.WithAttributes(b)) })
	fg := must(m.Float64Gauge(prefix + ".fg"))
	bfg := fg.(x.Float64GaugeBinder).Bind(a)
	add(fg, func() { fg.Record(ctx, 1, metric.WithAttributes(a)) }, func() { bfg.Record(ctx, 2) }, func() { bfg.Record(ctx, 4, metric.WithAttributes(b)) })
	return func() {
			for _, f := range do {
				f()
			}
		}, func(attrs ...attribute.KeyValue) {
			for _, e := range ends {
				e.Finish(ctx, attrs...)
			}
		}
}

// bound checks what bindAll recorded in the given number of rounds.
func bound(t *testing.T, page page, prefix string, rounds float64) {
	t.Helper()
	for kind, want := range map[string]float64{"ic_total": 3 * rounds, "fc_total": 3 * rounds, "iu": 3 * rounds, "fu": 3 * rounds, "ig": 2, "fg": 2} {
		a, b := page.series(prefix+"_"+kind, "path=/a"), page.series(prefix+"_"+kind, "path=/a", "verb=GET")
		more := 4 * rounds
		if want == 2 {
			more = 4
		}
		if value(a) != want || value(b) != more {
			t.Errorf("%s: %v and %v, want %v and %v", kind, a, b, want, more)
		}
	}
	for _, kind := range []string{"ih", "fh"} {
		if h := page.series(prefix+"_"+kind, "path=/a").GetHistogram(); float64(h.GetSampleCount()) != 2*rounds || h.GetSampleSum() != 3*rounds {
			t.Errorf("%s: %v", kind, h)
		}
	}
}

// A bound instrument records like the instrument with its attributes: of a Provider, and of Meter before and after
// Setup.
func TestBind(t *testing.T) {
	if again(t) {
		return
	}
	early, _ := bindAll(telemetry.Meter("bind"), "early")
	early()
	p := must(telemetry.Setup(ctx, telemetry.WithoutRuntime()))
	defer stop(p)
	late, _ := bindAll(telemetry.Meter("bind"), "late")
	own, finish := bindAll(p.Meter("bind"), "own")
	for range 3 {
		late()
		own()
	}
	early()
	page := scrape(t, p)
	bound(t, page, "early", 2)
	bound(t, page, "late", 3)
	bound(t, page, "own", 3)

	// A finished series is collected once more, and then gone; later measurements start a new one.
	finish(attribute.String("path", "/a"))
	if text := string(get(t, p.Handler(), acceptText)); !strings.Contains(text, `own_ic_total{path="/a"} 9`) {
		t.Errorf("it is not collected once more: %s", text)
	}
	if text := string(get(t, p.Handler(), acceptText)); strings.Contains(text, `own_ic_total{path="/a"}`) || !strings.Contains(text, `own_ic_total{path="/a",verb="GET"} 12`) {
		t.Errorf("it is collected again: %s", text)
	}
	own()
	if text := string(get(t, p.Handler(), acceptText)); !strings.Contains(text, `own_ic_total{path="/a"} 3`) || !strings.Contains(text, `own_fh_count{path="/a"} 2`) {
		t.Errorf("it does not start anew: %s", text)
	}
}

// If the SDK holds the instruments, because of a reader, those of Meter are bound to it nevertheless.
func TestBindBesideAReader(t *testing.T) {
	before := must(telemetry.Meter("bind reader").Int64Counter("reader.hits")).(x.Int64CounterBinder).Bind(attribute.String("path", "/a"))
	reader := sdkmetric.NewManualReader()
	p := must(telemetry.Setup(ctx, telemetry.WithoutRuntime(), telemetry.WithReader(reader)))
	defer stop(p)
	before.Add(ctx, 2)
	after := must(telemetry.Meter("bind reader").Int64Counter("reader.hits")).(x.Int64CounterBinder).Bind(attribute.String("path", "/a"))
	after.Add(ctx, 4)
	if got := pushed(t, reader, "reader.hits"); got != 6 {
		t.Errorf("reader.hits = %v", got)
	}
	if got := value(scrape(t, p).series("reader_hits_total", "path=/a")); got != 6 {
		t.Errorf("reader_hits_total = %v", got)
	}
}

// A measurement within a sampled span is an exemplar, bound or not.
func TestBoundExemplars(t *testing.T) {
	p := newProvider(t)
	span := trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
	}))
	c := must(p.Meter("one").Int64Counter("hits")).(x.Int64CounterBinder).Bind()
	h := must(p.Meter("one").Float64Histogram("lat", metric.WithExplicitBucketBoundaries(1))).(x.Float64HistogramBinder).Bind()
	c.Add(span, 1)
	c.Add(ctx, 1)
	h.Record(span, .5)
	h.Record(span, 5)
	h.Record(ctx, 6)
	om := string(get(t, p.Handler(), acceptOpenMetrics))
	if n := strings.Count(om, `trace_id="01000000000000000000000000000000"`); n != 3 {
		t.Errorf("%d exemplars: %s", n, om)
	}
}

// While goroutines record, bind, finish and create under one name and others scrape and push, no measurement is lost:
// a finished series and its successors add up to everything recorded.
func TestBindConcurrently(t *testing.T) {
	const workers, rounds = 16, 300
	p := newProvider(t, telemetry.WithMetricExporter(newWire(t)))
	path := attribute.String("path", "/a")
	var recorded atomic.Int64
	var wg, scrapers sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		scrapers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					get(t, p.Handler(), acceptText)
					_ = p.ForceFlush(ctx)
				}
			}
		})
	}
	for w := range workers {
		wg.Go(func() {
			c := must(p.Meter(fmt.Sprint("m", w%3)).Int64Counter("kept"))
			gone := must(p.Meter("m").Int64Counter("gone"))
			b, end := c.(x.Int64CounterBinder).Bind(path), gone.(x.Int64CounterBinder).Bind(path)
			for i := range rounds {
				b.Add(ctx, 1)
				c.Add(ctx, 1, metric.WithAttributes(path))
				recorded.Add(2)
				end.Add(ctx, 1)
				if i%50 == w {
					gone.(x.Finisher).Finish(ctx, path)
				}
			}
		})
	}
	wg.Wait()
	close(done)
	scrapers.Wait()
	if got := value(scrape(t, p).series("kept_total", "path=/a")); got != float64(recorded.Load()) {
		t.Errorf("kept_total = %v, want %d", got, recorded.Load())
	}
}

// Recording through bound instruments allocates nothing.
func TestBindCountsAllocations(t *testing.T) {
	p := newProvider(t)
	c := must(p.Meter("one").Int64Counter("hits")).(x.Int64CounterBinder).Bind(attribute.String("path", "/a"))
	h := must(p.Meter("one").Float64Histogram("lat")).(x.Float64HistogramBinder).Bind(attribute.String("path", "/a"))
	if n := testing.AllocsPerRun(100, func() { c.Add(ctx, 1); h.Record(ctx, 1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Without a page, the pushes decide when a finished series is freed.
func TestFinishWithoutAPage(t *testing.T) {
	p, k := pushing(t, telemetry.WithoutPrometheus())
	c := must(p.Meter("one").Int64Counter("hits"))
	c.Add(ctx, 1, path)
	c.(x.Finisher).Finish(ctx, attribute.String("path", "/a"))
	for _, want := range []int{1, 0} {
		flush(t, p)
		if got := len(k.find("hits")); got != want {
			t.Errorf("%d metrics are pushed, want %d", got, want)
		}
	}
}
