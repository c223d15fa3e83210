package telemetry_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/onemeter/onemeter/telemetry"
)

// A broken collector has metrics that cannot be written, and valid ones.
type broken struct{}

func (broken) Describe(chan<- *prometheus.Desc) {}

func (broken) Collect(ch chan<- prometheus.Metric) {
	good := prometheus.NewDesc("good", "Good.", nil, nil)
	ch <- prometheus.MustNewConstMetric(good, prometheus.GaugeValue, 1)
	ch <- prometheus.NewInvalidMetric(prometheus.NewDesc("bad", "Bad.", nil, nil), errors.New("broken"))
}

func TestGathererFaults(t *testing.T) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(broken{})
	for name, c := range map[string]struct {
		from prometheus.GathererFunc
		want string // a family that is there all the same
	}{
		"a broken collector": {reg.Gather, "good"},
		"a panic":            {func() ([]*dto.MetricFamily, error) { panic("no") }, ""},
		"an error": {func() ([]*dto.MetricFamily, error) {
			return []*dto.MetricFamily{number("good", 1)}, errors.New("half of it failed")
		}, "good"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t, telemetry.WithGatherer(c.from))
			if err := count(p.Meter("one"), "hits"); err != nil {
				t.Fatal(err)
			}
			page := scrape(t, p)
			if value(page.series("hits_total", "path=/a")) != 1 || c.want != "" && page[c.want] == nil {
				t.Errorf("families %v", page)
			}
			if n := value(page.series("telemetry_scrape_errors_total", "reason=gatherer")); n < 1 {
				t.Errorf("telemetry_scrape_errors_total = %v", n)
			}
		})
	}
}

func number(name string, v float64, labels ...*dto.LabelPair) *dto.MetricFamily {
	return &dto.MetricFamily{Name: &name, Help: new("Help."), Type: dto.MetricType_GAUGE.Enum(), Metric: []*dto.Metric{
		{Gauge: &dto.Gauge{Value: &v}, Label: labels},
	}}
}

func label(name, value string) *dto.LabelPair { return &dto.LabelPair{Name: &name, Value: &value} }

// Other Gatherers may return metrics that a Registry would refuse. The page stays valid.
func TestGathererGarbage(t *testing.T) {
	counter := func(name string, m ...*dto.Metric) *dto.MetricFamily {
		return &dto.MetricFamily{Name: &name, Type: dto.MetricType_COUNTER.Enum(), Metric: m}
	}
	one := func(labels ...*dto.LabelPair) *dto.Metric {
		return &dto.Metric{Counter: &dto.Counter{Value: new(1.0)}, Label: labels}
	}
	garbage := []*dto.MetricFamily{
		nil, {}, number("", 1), number("dots.in.name", 1), number("a b", 1),
		number("x", 1, label("z", "1"), label("a", "2"), label("a", "3")),
		number("y", 1, label("", "1"), label("__name__", "2"), label("a.b", "\xff")),
		counter("twice_total", one(label("a", "1")), one(label("a", "1"))),
		counter("twice_total", one(label("a", "1"))),
		counter("empty_total"), counter("hollow_total", nil, &dto.Metric{}, one()),
		{Name: new("help"), Help: new("\xff"), Type: dto.MetricType_UNTYPED.Enum(), Metric: []*dto.Metric{{Untyped: &dto.Untyped{Value: new(1.0)}}}},
		{Name: new("target_info"), Type: dto.MetricType_GAUGE.Enum(), Metric: []*dto.Metric{{Gauge: &dto.Gauge{Value: new(5.0)}}}},
		{Name: new("floats"), Type: dto.MetricType_HISTOGRAM.Enum(), Metric: []*dto.Metric{{Histogram: &dto.Histogram{SampleCountFloat: new(1.5)}}}},
		{Name: new("lat"), Type: dto.MetricType_HISTOGRAM.Enum(), Metric: []*dto.Metric{{
			Label: []*dto.LabelPair{label("le", "x")},
			Histogram: &dto.Histogram{SampleCount: new(uint64(2)), SampleSum: new(3.0), Bucket: []*dto.Bucket{{
				UpperBound: new(1.0), CumulativeCount: new(uint64(1)),
				Exemplar: &dto.Exemplar{Value: new(1.0), Label: []*dto.LabelPair{label("not valid", "\xff")}, Timestamp: &timestamppb.Timestamp{Nanos: -1}},
			}}},
		}}},
		{Name: new("quantiles"), Type: dto.MetricType_SUMMARY.Enum(), Metric: []*dto.Metric{{
			Label: []*dto.LabelPair{label("quantile", "x")}, Summary: &dto.Summary{SampleCount: new(uint64(1)), SampleSum: new(1.0)},
		}}},
	}
	p := newProvider(t, telemetry.WithGatherer(prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		return garbage, nil
	})))
	page := scrape(t, p)
	for family, want := range map[string]float64{"dots_in_name": 1, "a_b": 1, "twice_total": 3, "hollow_total": 1, "help": 1, "target_info_gauge": 5} {
		if got := page.sum(family); got != want {
			t.Errorf("%s = %v, want %v", family, got, want)
		}
	}
	if got := page.series("lat", "exported_le=x").GetHistogram().GetSampleCount(); got != 2 {
		t.Errorf("lat has %d", got)
	}
	if page.series("x", "a=2;3", "z=1") == nil || page.series("y", "exported_name=2", "a_b=\uFFFD") == nil {
		t.Errorf("labels: %v %v", page["x"], page["y"])
	}
}

// A gatherer that hangs delays the first scrape, but no later one.
func TestGathererHangs(t *testing.T) {
	release, started := make(chan struct{}), make(chan struct{}, 8)
	p := newProvider(t, telemetry.WithGatherer(prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		started <- struct{}{}
		<-release
		return nil, nil
	})))
	if err := count(p.Meter("one"), "hits"); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	for range 3 {
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", "0.2")
		w := httptest.NewRecorder()
		p.Handler().ServeHTTP(w, r)
		if w.Code != 200 || !strings.Contains(w.Body.String(), `hits_total{path="/a"} 1`) {
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
	}
	if took := time.Since(begin); took > time.Second {
		t.Errorf("three scrapes took %v", took)
	}
	close(release)
	if len(started) != 1 {
		t.Errorf("it was asked %d times", len(started))
	}
}

func TestGathererTwiceIsCountedOnce(t *testing.T) {
	reg := registryWith(prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hits_total"}, []string{"path"}), "/a")
	p := newProvider(t, telemetry.WithGatherer(reg), telemetry.WithGatherer(reg))
	if got := scrape(t, p).sum("hits_total"); got != 1 {
		t.Errorf("hits_total = %v, want 1", got)
	}
}

// A histogram of client_golang and one of ours become one, with the boundaries of ours.
func TestGathererHistograms(t *testing.T) {
	reg := prometheus.NewRegistry()
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "lat", Buckets: []float64{1, 5, 10}})
	reg.MustRegister(h)
	for _, v := range []float64{.5, 4, 7, 100} {
		h.Observe(v)
	}
	p := newProvider(t, telemetry.WithGatherer(reg))
	i := must(p.Meter("one").Float64Histogram("lat", metric.WithExplicitBucketBoundaries(2, 10)))
	i.Record(ctx, 1)
	got := scrape(t, p).series("lat").GetHistogram()
	if got.GetSampleCount() != 5 || got.GetSampleSum() != 112.5 || got.Bucket[0].GetCumulativeCount() != 2 || got.Bucket[1].GetCumulativeCount() != 4 {
		t.Errorf("%v", got)
	}
}

func TestScrapesAreBounded(t *testing.T) {
	release := make(chan struct{})
	entered := make(chan struct{}, 100)
	p := newProvider(t, telemetry.WithGatherer(prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		entered <- struct{}{}
		<-release
		return nil, nil
	})))
	codes := make(chan int, 8)
	for range 8 {
		go func() {
			code, _ := fetch(p.Handler(), acceptText)
			codes <- code
		}()
	}
	for range 8 {
		<-entered
	}
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", "0.05")
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("the ninth scrape answers %d", w.Code)
	}
	close(release)
	for range 8 {
		if code := <-codes; code != 200 {
			t.Errorf("status %d", code)
		}
	}
}

// Exponential histograms are native histograms. If two meet, or the scale is too coarse for Prometheus, they become
// classic ones, and no count is lost.
func TestExponentialHistograms(t *testing.T) {
	exponential := sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 160, MaxScale: 20}
	coarse := sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 2, MaxScale: 20}
	p := newProvider(t, telemetry.WithView(
		sdkmetric.NewView(sdkmetric.Instrument{Name: "exp*"}, sdkmetric.Stream{Aggregation: exponential}),
		sdkmetric.NewView(sdkmetric.Instrument{Name: "coarse"}, sdkmetric.Stream{Aggregation: coarse}),
		sdkmetric.NewView(sdkmetric.Instrument{Name: "mixed", Scope: instrumentation.Scope{Name: "two"}}, sdkmetric.Stream{Aggregation: exponential}),
	))
	record := func(scope, name string, vs ...float64) {
		h := must(p.Meter(scope).Float64Histogram(name, metric.WithExplicitBucketBoundaries(1, 10)))
		for _, v := range vs {
			h.Record(ctx, v)
		}
	}
	record("one", "exp.single", 0, 1, 2, 1000)
	record("one", "exp.both", 1, 5)
	record("two", "exp.both", 20)
	record("one", "coarse", 1e-300, 1e300)
	record("one", "mixed", .5, 5)
	record("two", "mixed", .5, 50)
	page := scrape(t, p)
	for family, want := range map[string]uint64{"exp_single": 4, "exp_both": 3, "coarse": 2, "mixed": 4} {
		if got := page.series(family).GetHistogram().GetSampleCount(); got != want {
			t.Errorf("%s counts %d, want %d", family, got, want)
		}
	}
	if b := page.series("mixed").GetHistogram().GetBucket(); b[0].GetCumulativeCount() != 2 || b[1].GetCumulativeCount() != 3 {
		t.Errorf("mixed: %v", b)
	}
	proto, err := parseProtobuf(get(t, p.Handler(), acceptProtobuf))
	if err != nil {
		t.Fatal(err)
	}
	if h := proto.series("exp_single").GetHistogram(); h.Schema == nil || len(h.PositiveSpan) == 0 {
		t.Errorf("exp_single is no native histogram: %v", h)
	}
}

// A family that is renamed for scrapes is pushed under the same name.
func TestRenamesHoldForEveryReader(t *testing.T) {
	push := sdkmetric.NewManualReader()
	p := newProvider(t, telemetry.WithReader(push))
	if err := errors.Join(count(p.Meter("one"), "jobs"), gauge(p.Meter("one"), "jobs", 7),
		count(p.Meter("two"), "Jobs_total", desc("other"))); err != nil {
		t.Fatal(err)
	}
	if got := pushed(t, push, "jobs"); got != 2 {
		t.Errorf("pushed jobs = %v, want 2", got)
	}
	if got := pushed(t, push, "jobs_gauge"); got != 7 {
		t.Errorf("pushed jobs_gauge = %v, want 7", got)
	}
}

// Series of observable instruments do not pile up if the callback keeps changing what it observes.
func TestSeriesThatGoAwayAreForgotten(t *testing.T) {
	p := newProvider(t)
	n := 0
	must(p.Meter("one").Int64ObservableGauge("now", metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
		n++
		o.Observe(1, metric.WithAttributes(attribute.Int("run", n)))
		return nil
	})))
	for range 300 {
		get(t, p.Handler(), acceptText)
	}
	if got := len(scrape(t, p)["now"].Metric); got != 1 {
		t.Errorf("%d series, want 1", got)
	}
}
