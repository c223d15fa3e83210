package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/attribute"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"

	"github.com/onemeter/onemeter/telemetry"
)

// In Prometheus's data model an empty label does not exist: series that differ only in it are one.
func TestAnEmptyValueIsNoLabel(t *testing.T) {
	wire := newWire(t)
	p := newProvider(t, telemetry.WithMetricExporter(wire))
	c := must(p.Meter("one").Int64Counter("hits"))
	c.Add(ctx, 1)
	c.Add(ctx, 2, metric.WithAttributes(attribute.String("tenant", ""), attribute.String("region", "")))
	h := must(p.Meter("one").Float64Histogram("lat"))
	h.Record(ctx, 1, metric.WithAttributes(attribute.String("tenant", "")))
	h.Record(ctx, 2)
	theirs := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hits_total"}, []string{"tenant"})
	theirs.WithLabelValues("").Add(4)
	p.Registerer().MustRegister(theirs)
	page := scrape(t, p)
	if got := page["hits_total"].GetMetric(); len(got) != 1 || value(got[0]) != 7 {
		t.Errorf("hits_total: %v", got)
	}
	if got := page["lat"].GetMetric(); len(got) != 1 || got[0].GetHistogram().GetSampleCount() != 2 {
		t.Errorf("lat: %v", got)
	}
	wire.agrees(t, p, otelprom.WithoutScopeInfo())
}

// Clients that request a large page and do not read it delay nobody else.
func TestSlowReadersKeepNobodyWaiting(t *testing.T) {
	family := number("big", 1)
	for i := range 8_000 {
		family.Metric = append(family.Metric, number("big", 1, label("value", fmt.Sprint(strings.Repeat("x", 1500), i))).Metric...)
	}
	p := newProvider(t, telemetry.WithGatherer(prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		return []*dto.MetricFamily{family}, nil
	})))
	srv := httptest.NewServer(p.Handler())
	defer srv.Close()
	for range 8 {
		conn, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if _, err := io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		req := must(http.NewRequest(http.MethodGet, srv.URL, nil))
		req.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", "25") // less than what slow readers are given
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != 200 || n < 10_000_000 || err != nil {
			t.Errorf("status %d, %d bytes, %v", resp.StatusCode, n, err)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// An implausible timeout is ignored.
func TestTimeoutsThatMakeNoSense(t *testing.T) {
	p := newProvider(t)
	if err := count(p.Meter("one"), "hits"); err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"NaN", "0", "-1", "1e-300", "1e-9", "Inf", "-Inf", "1e300", "ten", "10s", "", "0x1p-30"} {
		for range 10 {
			r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
			r.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", v)
			w := httptest.NewRecorder()
			p.Handler().ServeHTTP(w, r)
			if w.Code != 200 || !strings.Contains(w.Body.String(), "hits_total") {
				t.Fatalf("%q: status %d", v, w.Code)
			}
		}
	}
}

func TestResourceAttributesOfTheEnvironment(t *testing.T) {
	for value, want := range map[string]string{
		"a=b,": `a="b"`, ",a=b,,c=d%20e": `c="d e"`, " a = b ": `a="b"`, "a=": "target_info", "": "target_info",
		"a=b,c": `OTEL_RESOURCE_ATTRIBUTES has no = in pair 2, "c"`,
		"=b":    `OTEL_RESOURCE_ATTRIBUTES has no key in pair 1, "=b"`,
		"a=%zz": `OTEL_RESOURCE_ATTRIBUTES has a value in pair 1, "a=%zz", that is not URL-escaped`,
	} {
		t.Run(value, func(t *testing.T) {
			log := logs(t)
			t.Setenv("OTEL_RESOURCE_ATTRIBUTES", value)
			t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "k=v,")
			p, err := telemetry.New(ctx, telemetry.WithoutRuntime())
			if err != nil {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want %s", err, want)
				}
				return
			}
			defer stop(p)
			if page := string(get(t, p.Handler(), acceptText)); !strings.Contains(page, want) {
				t.Errorf("want %s:\n%s", want, page)
			}
			if empty := strings.HasSuffix(value, ","); empty != (log.told("empty word or pair", "OTEL_RESOURCE_ATTRIBUTES") == 1) && value != ",a=b,,c=d%20e" {
				t.Errorf("the log: %s", log)
			}
		})
	}
}

// Callbacks that hang, or are slow, do not hide others.
func TestSlowCallbacksHideNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		p := newProvider(t, telemetry.WithCallbackTimeout(500*time.Millisecond))
		m := p.Meter("one")
		for i := range 30 {
			must(m.Int64ObservableGauge(fmt.Sprintf("hanging.%d", i), metric.WithInt64Callback(func(context.Context, metric.Int64Observer) error {
				<-release
				return nil
			})))
			must(m.Int64ObservableGauge(fmt.Sprintf("slow.%d", i), metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
				time.Sleep(90 * time.Millisecond)
				o.Observe(1)
				return nil
			})))
			must(m.Int64ObservableGauge(fmt.Sprintf("healthy.%d", i), metric.WithInt64Callback(observeInt64(1))))
		}
		for range 3 {
			begin := time.Now()
			page := string(get(t, p.Handler(), acceptText))
			if slow, healthy := strings.Count(page, "\nslow_"), strings.Count(page, "\nhealthy_"); slow != 30 || healthy != 30 {
				t.Errorf("%d slow ones and %d healthy ones are on the page", slow, healthy)
			}
			if took := time.Since(begin); took > time.Second {
				t.Errorf("the page took %v", took)
			}
		}
		if got := scrape(t, p).sum("telemetry_callback_errors_total"); got < 90 {
			t.Errorf("telemetry_callback_errors_total = %v", got)
		}
	})
}

// An invalid name is refused with an error, for every kind of instrument, and is in no family.
func TestInvalidNamesEnterNoFamily(t *testing.T) {
	p := newProvider(t)
	for _, name := range []string{"请求数", "é", "1x", "", "a b", strings.Repeat("x", 256)} {
		for _, mk := range makers {
			_, _ = mk(p.Meter("one"), name, "", "", 1, metric.WithAttributes())
		}
		if _, err := p.Meter("one").Int64Counter(name); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%q: error %v", name, err)
		}
		if _, err := p.Meter("one").Float64ObservableGauge(name); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%q: error %v", name, err)
		}
	}
	if c := p.Conflicts(); len(c) > 0 {
		t.Errorf("told: %v", c)
	}
	for name := range scrape(t, p) {
		if !own(name) && name != "target_info" {
			t.Errorf("%s is on the page", name)
		}
	}
}

// Exemplars of values beyond the boundaries are in one bucket.
func TestExemplarsBeyondTheBoundaries(t *testing.T) {
	p := newProvider(t)
	h := must(p.Meter("one").Float64Histogram("lat", metric.WithExplicitBucketBoundaries(1, math.Inf(1))))
	for i, v := range []float64{math.NaN(), math.Inf(1), 5, math.Inf(-1), .5} {
		span := trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{1}, SpanID: trace.SpanID{byte(i + 1)}, TraceFlags: trace.FlagsSampled,
		})
		h.Record(trace.ContextWithSpanContext(ctx, span), v)
	}
	for _, accept := range []string{acceptText, acceptOpenMetrics} {
		if n := strings.Count(string(get(t, p.Handler(), accept)), `le="+Inf"`); n != 1 {
			t.Errorf("%d buckets of +Inf", n)
		}
	}
	if b := scrape(t, p).series("lat").GetHistogram(); b.GetSampleCount() != 5 {
		t.Errorf("%v", b)
	}
}

// A description that is not UTF-8 does not reach any page, whether or not the instrument has recorded.
func TestDescriptionsAreRepaired(t *testing.T) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "quiet_total"}))
	wire := newWire(t)
	p := newProvider(t, telemetry.WithGatherer(reg), telemetry.WithMetricExporter(wire))
	must(p.Meter("one").Int64Counter("quiet", desc("A\xff"), unit("{\xfe}")))
	if help := scrape(t, p)["quiet_total"].GetHelp(); help != "A\uFFFD" {
		t.Errorf("help %q", help)
	}
	if err := p.ForceFlush(ctx); err != nil {
		t.Error(err)
	}
	for _, i := range p.Instruments() {
		if i.Name == "quiet" && i.Description != "A\uFFFD" {
			t.Errorf("%v", i)
		}
	}
}

// Exponential histograms of several meters are added bucket by bucket, at the coarser scale.
func TestExponentialHistogramsAdd(t *testing.T) {
	exponential := func(scope string, scale int32) telemetry.Option {
		return telemetry.WithView(sdkmetric.NewView(sdkmetric.Instrument{Name: "lat", Scope: instrumentation.Scope{Name: scope}},
			sdkmetric.Stream{Aggregation: sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 160, MaxScale: scale}}))
	}
	gather := func(scopes map[string][]float64, scales ...int32) *dto.Histogram {
		opts := []telemetry.Option{}
		for i, s := range scales {
			opts = append(opts, exponential(fmt.Sprint("m", i), s))
		}
		p := newProvider(t, opts...)
		for i := range scales {
			h := must(p.Meter(fmt.Sprint("m", i)).Float64Histogram("lat", unit("s"))) // seconds have boundaries of their own otherwise
			for _, v := range scopes[fmt.Sprint("m", i)] {
				h.Record(ctx, v)
			}
		}
		proto, err := parseProtobuf(get(t, p.Handler(), acceptProtobuf))
		if err != nil {
			t.Fatal(err)
		}
		return proto.series("lat_seconds").GetHistogram()
	}
	a, b := []float64{0, .1, .2, 3, 700}, []float64{0, .15, .16, 3, 4, -2}
	got := gather(map[string][]float64{"m0": a, "m1": b}, 5, 2)
	want := gather(map[string][]float64{"m0": append(slices.Clone(a), b...)}, 2)
	if got.GetSchema() != want.GetSchema() || got.GetZeroCount() != want.GetZeroCount() ||
		fmt.Sprint(got.PositiveSpan, got.PositiveDelta, got.NegativeSpan, got.NegativeDelta) !=
			fmt.Sprint(want.PositiveSpan, want.PositiveDelta, want.NegativeSpan, want.NegativeDelta) || len(want.PositiveSpan) == 0 {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

// Series that are not observed for a while are on the page again when they are observed again.
func TestSeriesComeBack(t *testing.T) {
	p := newProvider(t)
	there := true
	g, err := p.Meter("m").Int64ObservableGauge("pool")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Meter("m").RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for i := range 200 {
			if there {
				o.ObserveInt64(g, int64(i), metric.WithAttributes(attribute.Int("i", i)))
			}
		}
		return nil
	}, g); err != nil {
		t.Fatal(err)
	}
	for _, there = range []bool{true, false, true} {
		want := 0
		if there {
			want = 200
		}
		var got int
		if f := scrape(t, p)["pool"]; f != nil {
			got = len(f.Metric)
		}
		if got != want {
			t.Errorf("%d series, want %d", got, want)
		}
	}
}

// Attribute sets with equal hashes are two series, on every page and in pushes.
func TestCollidingHashes(t *testing.T) {
	w := newWire(t)
	p := newProvider(t, telemetry.WithMetricExporter(w))
	a, b := attribute.NewSet(attribute.String("p", "a")), attribute.NewSet(attribute.String("p", "b"))
	hash := func(s *attribute.Set) *uint64 { return (*uint64)(unsafe.Pointer(s)) } // its first word
	*hash(&a) = *hash(&b)
	if a.Equivalent() != b.Equivalent() || a == b {
		t.Fatal("the first word of a set is no hash")
	}
	c := must(p.Meter("m").Int64Counter("hits"))
	c.Add(ctx, 1, metric.WithAttributeSet(a))
	c.Add(ctx, 2, metric.WithAttributeSet(b))
	page := scrape(t, p)
	if x, y := value(page.series("hits_total", "p=a")), value(page.series("hits_total", "p=b")); x != 1 || y != 2 {
		t.Errorf("%v and %v", x, y)
	}
	if err := p.ForceFlush(ctx); err != nil {
		t.Fatal(err)
	}
	for _, m := range w.find("hits") {
		if n := len(m.Data.(metricdata.Sum[int64]).DataPoints); n != 2 {
			t.Errorf("%d are pushed", n)
		}
	}
}

// Boundaries that do not ascend are an error, as in the SDK, and measurements count in those that do.
func TestBoundariesThatDoNotAscend(t *testing.T) {
	p := newProvider(t)
	for _, bounds := range [][]float64{{3, 2, 1}, {1, 1, 2}, {1, math.NaN(), 2}} {
		name := fmt.Sprintf("h%d", len(p.Instruments()))
		h, err := p.Meter("m").Float64Histogram(name, metric.WithExplicitBucketBoundaries(bounds...))
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v: error %v", bounds, err)
		}
		h.Record(ctx, 2)
		if got := scrape(t, p).series(name).GetHistogram().GetSampleCount(); got != 1 {
			t.Errorf("%v: %d values", bounds, got)
		}
	}
	if _, err := p.Meter("m").Float64Histogram("ok", metric.WithExplicitBucketBoundaries(1, 2, math.Inf(1))); err != nil {
		t.Error(err)
	}
}

// A scrape can ask for families by name, as with promhttp.
func TestNamesOfAPage(t *testing.T) {
	p := newProvider(t)
	must(p.Meter("m").Int64Counter("a")).Add(ctx, 1)
	must(p.Meter("m").Int64Counter("b")).Add(ctx, 1)
	for query, want := range map[string]string{
		"?name[]=a_total":                "# TYPE a_total counter\na_total 1\n",
		"?name[]=nothing":                "",
		"?name[]=a_total&name[]=b_total": "# TYPE a_total counter\na_total 1\n# TYPE b_total counter\nb_total 1\n",
	} {
		w := httptest.NewRecorder()
		p.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics"+query, nil))
		if w.Code != 200 || w.Body.String() != want {
			t.Errorf("%s: %d %q", query, w.Code, w.Body)
		}
	}
}

// Repairs are reported with their result, on the page and if only the SDK has the instrument.
func TestRepairsAreTold(t *testing.T) {
	for name, opts := range map[string][]telemetry.Option{"own": nil, "SDK": {telemetry.WithReader(sdkmetric.NewManualReader())}} {
		p := newProvider(t, opts...)
		must(p.Meter("m").Int64Counter("c")).Add(ctx, 1, metric.WithAttributes(attribute.String("le", "x"), attribute.String("path", "a\xff")))
		get(t, p.Handler(), acceptText)
		all := fmt.Sprint(p.Conflicts())
		for _, want := range []string{`attribute "le" becomes label exported_le`, `a value of attribute "path" is not UTF-8`} {
			if !strings.Contains(all, want) {
				t.Errorf("%s: %q is not in %s", name, want, all)
			}
		}
	}
}

// The cardinality limit applies to the program, not to a Provider's metrics about itself.
func TestOwnMetricsHaveNoLimit(t *testing.T) {
	p := newProvider(t, telemetry.WithCardinalityLimit(3))
	if page := string(get(t, p.Handler(), acceptText)); strings.Contains(page, "overflow") || told(p) != "" {
		t.Errorf("%v\n%s", p.Conflicts(), page)
	}
}

// A meddler is a slog handler that uses the Provider whose log it handles.
type meddler struct {
	slog.Handler
	use    func()
	inside *atomic.Int32
	calls  *atomic.Int32
}

func (m meddler) Enabled(context.Context, slog.Level) bool { return true }

func (m meddler) Handle(context.Context, slog.Record) error {
	defer m.inside.Add(-1)
	m.calls.Add(1)
	if m.inside.Add(1) == 1 { // a record that use causes must not call use again
		m.use()
	}
	return nil
}

// A logger may scrape, create instruments and record: nothing is locked while it runs.
func TestLoggerThatUsesTheProvider(t *testing.T) {
	var p *telemetry.Provider
	m := meddler{Handler: slog.DiscardHandler, inside: new(atomic.Int32), calls: new(atomic.Int32)}
	m.use = func() {
		if p == nil {
			return
		}
		short, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		for _, accept := range []string{acceptText, acceptProtobuf} {
			fetch(p.Handler(), accept)
		}
		_ = p.Conflicts()
		p.DebugHandler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
		must(p.Meter("log").Int64Counter("lines")).Add(ctx, 1)
		must(p.Meter("log").Int64ObservableGauge("level", int64s(1, metric.WithAttributes())))
		if short.Err() != nil {
			t.Error("something is locked")
		}
	}
	push := &keeper{temporality: metricdata.CumulativeTemporality, err: errors.New("refused")}
	reader := sdkmetric.NewManualReader() // so that the SDK has everything
	p = must(telemetry.New(ctx, telemetry.WithoutRuntime(), telemetry.WithLogger(slog.New(m)), telemetry.WithReader(reader),
		telemetry.WithMetricExporter(push), telemetry.WithCardinalityLimit(5),
		telemetry.WithGatherer(prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return nil, errors.New("ouch") }))))
	defer func() { _ = p.Shutdown(ctx) }() // the push is refused
	meter := p.Meter("m")
	must(meter.Int64Counter("jobs", metric.WithDescription("A")))
	must(meter.Int64Counter("jobs", metric.WithDescription("B")))
	for _, step := range []func(){
		func() {
			must(meter.Int64ObservableGauge("g", metric.WithInt64Callback(func(context.Context, metric.Int64Observer) error { panic("ouch") })))
		},
		func() { pushed(t, reader, "jobs") },
		func() { fetch(p.Handler(), acceptText) },
		func() {
			c := must(meter.Int64Counter("repaired"))
			for i := range 5 {
				c.Add(ctx, 1, metric.WithAttributes(attribute.Int("le", i)))
			}
			_ = p.ForceFlush(ctx)
		},
		func() {
			must(meter.Int64Counter("again")).Add(ctx, 1, metric.WithAttributes(attribute.String("quantile", "\xff")))
			fetch(p.Handler(), acceptText)
		},
	} {

		step()

	}
	if n := m.calls.Load(); n < 4 {
		t.Errorf("the logger was called %d times", n)
	}
}
