package telemetrytest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/goleak"

	"github.com/onemeter/onemeter/telemetry"
	"github.com/onemeter/onemeter/telemetry/telemetrytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A shop is code under test.
type shop struct {
	payments metric.Int64Counter
	duration metric.Float64Histogram
}

func newShop(mp metric.MeterProvider) (*shop, error) {
	m := mp.Meter("github.com/acme/shop")
	var s shop
	var err1, err2, err3 error
	s.payments, err1 = m.Int64Counter("shop.payments", metric.WithDescription("Payments."))
	s.duration, err2 = m.Float64Histogram("shop.duration", metric.WithUnit("s"))
	_, err3 = m.Int64ObservableGauge("shop.open", metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(2)
		return nil
	}))
	return &s, errors.Join(err1, err2, err3)
}

func (s *shop) pay(result string, seconds float64) {
	attrs := metric.WithAttributes(attribute.String("result", result), attribute.Int("shard", 1))
	s.payments.Add(context.Background(), 1, attrs)
	s.duration.Record(context.Background(), seconds, attrs)
}

func TestRecorder(t *testing.T) {
	t.Parallel()
	rec := telemetrytest.New(t)
	s, err := newShop(rec)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"shop.payments", "shop_payments_total"} {
		if got := rec.Sum(name); got != 0 {
			t.Errorf("Sum(%s) before = %v", name, got)
		}
	}
	s.pay("ok", .2)
	s.pay("ok", .4)
	s.pay("failed", 1)
	for _, c := range []struct {
		what      string
		got, want float64
	}{
		{"Sum of all", rec.Sum("shop.payments"), 3},
		{"Sum of ok", rec.Sum("shop.payments", attribute.String("result", "ok")), 2},
		{"Sum by family", rec.Sum("shop_payments_total", attribute.Int("shard", 1)), 3},
		{"Sum of none", rec.Sum("shop.payments", attribute.String("result", "lost")), 0},
		{"Sum of a gauge", rec.Sum("shop.open"), 2},
		{"Count", float64(rec.Count("shop.duration", attribute.String("result", "ok"))), 2},
	} {
		if c.got != c.want {
			t.Errorf("%s = %v, want %v", c.what, c.got, c.want)
		}
	}
	if b := rec.Bounds("shop.duration"); !slices.Contains(b, .005) {
		t.Errorf("Bounds = %v", b)
	}
	if _, ok := rec.Metric("shop.payments").Data.(metricdata.Sum[int64]); !ok {
		t.Errorf("Metric = %+v", rec.Metric("shop.payments"))
	}
}

func TestExposition(t *testing.T) {
	t.Parallel()
	page := func() string {
		rec := telemetrytest.New(t)
		s, err := newShop(rec)
		if err != nil {
			t.Fatal(err)
		}
		for _, result := range []string{"ok", "failed", "late", "lost"} {
			s.pay(result, .5)
		}
		return rec.Exposition()
	}
	first := page()
	if second := page(); first != second {
		t.Errorf("two runs differ:\n%s\n%s", first, second)
	}
	if !strings.HasPrefix(first, "# TYPE shop_duration_seconds histogram\n") || strings.Contains(first, "telemetry_") ||
		!strings.Contains(first, `shop_payments_total{result="lost",shard="1"} 1`) {
		t.Error(first)
	}
}

// The test that would have caught the outage.
func TestMetricsAgree(t *testing.T) {
	t.Parallel()
	rec := telemetrytest.New(t)
	if _, err := rec.Meter("api").Int64Counter("http_requests_total", metric.WithDescription("Total number of HTTP requests")); err != nil {
		t.Fatal(err)
	}
	i, err := rec.Meter("push").Int64Counter("http_requests_total", metric.WithDescription("HTTP请求总数"))
	var conflict *telemetry.ConflictError
	if !errors.As(err, &conflict) || conflict.Conflict.Reason != telemetry.ReasonDescription {
		t.Fatalf("err = %v", err)
	}
	if n := strings.Count(err.Error(), "recorder_test.go:"); n != 2 {
		t.Errorf("the error names %d places: %v", n, err)
	}
	i.Add(context.Background(), 1) // not nil, and harmless
}

// failing is a test that keeps its failures.
type failing struct {
	testing.TB
	lines []string
}

func (f *failing) Error(args ...any) { f.lines = append(f.lines, fmt.Sprint(args...)) }

func (f *failing) Errorf(format string, args ...any) {
	f.lines = append(f.lines, fmt.Sprintf(format, args...))
}

func TestAnUnknownNameFailsTheTest(t *testing.T) {
	t.Parallel()
	tb := &failing{TB: t}
	rec := telemetrytest.New(tb)
	if _, err := newShop(rec); err != nil {
		t.Fatal(err)
	}
	rec.Sum("shop.refunds")
	rec.Metric("shop_refunds_total")
	want := []string{
		`telemetrytest: no metric is called "shop.refunds"`, `telemetrytest: no metric is called "shop_refunds_total"`,
	}
	if !slices.Equal(tb.lines, want) {
		t.Errorf("the test is told %q, want %q", tb.lines, want)
	}
}

// The suffix of a family depends on the kind of the instrument.
func TestEveryKindIsFound(t *testing.T) {
	t.Parallel()
	rec := telemetrytest.New(t)
	m := rec.Meter("shop")
	unit := metric.WithUnit("1")
	counter, err1 := m.Float64Counter("counter", unit)
	upDown, err2 := m.Float64UpDownCounter("up.down", unit)
	gauge, err3 := m.Float64Gauge("gauge", unit)
	histogram, err4 := m.Int64Histogram("histogram", unit)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	counter.Add(t.Context(), 1)
	upDown.Add(t.Context(), 2)
	upDown.Add(t.Context(), -4)
	gauge.Record(t.Context(), 3)
	histogram.Record(t.Context(), 4)
	for name, want := range map[string]float64{
		"counter": 1, "counter_total": 1, "up.down": -2, "up_down": -2, "gauge": 3, "gauge_ratio": 3, "histogram": 4,
	} {
		if got := rec.Sum(name); got != want || rec.Metric(name).Data == nil {
			t.Errorf("%s: Sum = %v, want %v; Metric = %+v", name, got, want, rec.Metric(name))
		}
	}
}

// A 0 would look like a result.
func TestAPageThatIsOffFailsTheTest(t *testing.T) {
	t.Parallel()
	tb := &failing{TB: t}
	rec := telemetrytest.New(tb, telemetry.WithoutPrometheus())
	s, err := newShop(rec)
	if err != nil {
		t.Fatal(err)
	}
	s.pay("ok", .2)
	if _, ok := rec.Metric("shop.payments").Data.(metricdata.Sum[int64]); !ok || len(tb.lines) > 0 {
		t.Errorf("Metric = %+v, the test is told %q", rec.Metric("shop.payments"), tb.lines)
	}
	rec.Sum("shop.payments")
	if len(tb.lines) != 1 || !strings.Contains(tb.lines[0], "the page has no family shop_payments_total") {
		t.Errorf("the test is told %q", tb.lines)
	}
}

// An attribute is found by the key that its author wrote, and by its label.
func TestAttributesAreComparedWithLabels(t *testing.T) {
	t.Parallel()
	rec := telemetrytest.New(t)
	c, err := rec.Meter("api").Int64Counter("requests")
	if err != nil {
		t.Fatal(err)
	}
	c.Add(t.Context(), 1, metric.WithAttributes(attribute.String("http.route", "/pay"), attribute.Int("code", 200)))
	c.Add(t.Context(), 1, metric.WithAttributes(attribute.String("http.route", "/refund"), attribute.Int("code", 200)))
	for _, key := range []string{"http.route", "http_route"} {
		if got := rec.Sum("requests", attribute.String(key, "/pay"), attribute.Int("code", 200)); got != 1 {
			t.Errorf("Sum with %s = %v, want 1", key, got)
		}
	}
	if got := rec.Sum("requests", attribute.String("http.route", "/pay"), attribute.Int("code", 500)); got != 0 {
		t.Errorf("Sum of none = %v", got)
	}
}
