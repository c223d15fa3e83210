package telemetry_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/onemeter/onemeter/telemetry"
)

// The rows of the promise that need more than one line.

func TestRow24InvalidName(t *testing.T) {
	p := newProvider(t)
	if err := count(p.Meter("one"), "1 bad name!"); err == nil || !strings.Contains(err.Error(), "invalid instrument name") {
		t.Errorf("creation returned %v, want the SDK's error", err)
	}
	if err := count(p.Meter("one"), "hits"); err != nil {
		t.Fatal(err)
	}
	page := scrape(t, p)
	if got := value(page.series("hits_total", "path=/a")); got != 1 {
		t.Errorf("hits_total = %v, want 1", got)
	}
	if told(p) != "" {
		t.Errorf("told %s", told(p))
	}
}

func TestRow29Cardinality(t *testing.T) {
	p := newProvider(t)
	hits, err := p.Meter("one").Int64Counter("hits")
	if err != nil {
		t.Fatal(err)
	}
	add := func(from, to int) {
		for i := from; i < to; i++ {
			hits.Add(ctx, 1, metric.WithAttributes(attribute.Int("user", i)))
		}
	}
	add(0, 1599)
	if scrape(t, p); told(p) != "" {
		t.Fatalf("told %s below 80 %% of the limit", told(p))
	}
	add(1599, 1600)
	if scrape(t, p); told(p) != "Cardinality Limited" || p.Conflicts()[0].First.Name != "hits" {
		t.Fatalf("told %v at 80 %% of the limit", p.Conflicts())
	}
	add(1600, 3000)
	page := scrape(t, p)
	if n := len(page["hits_total"].Metric); n > 2000 {
		t.Errorf("%d series, want 2000 at most", n)
	}
	if got := page.sum("hits_total"); got != 3000 {
		t.Errorf("the sum is %v, want 3000", got)
	}
	if got := value(page.series("hits_total", "otel_metric_overflow=true")); got != 1001 {
		t.Errorf("overflow is %v, want 1001", got)
	}
}

func TestRow30CallbackPanics(t *testing.T) {
	push := sdkmetric.NewManualReader()
	p := newProvider(t, telemetry.WithReader(push))
	m := p.Meter("one")
	if _, err := m.Int64ObservableGauge("bad", metric.WithInt64Callback(func(context.Context, metric.Int64Observer) error {
		panic("no")
	})); err != nil {
		t.Fatal(err)
	}
	if err := observingGauge("good", 5)(m); err != nil {
		t.Fatal(err)
	}
	if got := value(scrape(t, p).series("good", "path=/a")); got != 5 {
		t.Errorf("good = %v, want 5", got)
	}
	if got := pushed(t, push, "good"); got != 5 {
		t.Errorf("pushed good = %v, want 5", got)
	}
	if got := value(scrape(t, p).series("telemetry_callback_errors_total")); got < 2 {
		t.Errorf("telemetry_callback_errors_total = %v", got)
	}
}

// pushed collects with a reader that the test added, and returns the sum of a metric's points.
func pushed(t *testing.T, r sdkmetric.Reader, name string) float64 {
	t.Helper()
	var rm metricdata.ResourceMetrics
	if err := r.Collect(ctx, &rm); err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for _, sm := range rm.ScopeMetrics {
		for _, m := range sm.Metrics {
			if m.Name == name {
				total += sumOf(m.Data)
			}
		}
	}
	return total
}

func sumOf(data metricdata.Aggregation) (total float64) {
	switch d := data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range d.DataPoints {
			total += float64(p.Value)
		}
	case metricdata.Gauge[int64]:
		for _, p := range d.DataPoints {
			total += float64(p.Value)
		}
	case metricdata.Sum[float64]:
		for _, p := range d.DataPoints {
			total += p.Value
		}
	}
	return total
}

func TestRow31CallbackHangs(t *testing.T) {
	release := make(chan struct{})
	returned := make(chan struct{}, 8)
	p := newProvider(t, telemetry.WithCallbackTimeout(50*time.Millisecond))
	m := p.Meter("one")
	hang := func(context.Context, metric.Int64Observer) error {
		<-release
		returned <- struct{}{}
		return nil
	}
	for _, name := range []string{"bad", "worse", "worst"} {
		if _, err := m.Int64ObservableGauge(name, metric.WithInt64Callback(hang)); err != nil {
			t.Fatal(err)
		}
	}
	if err := observingGauge("good", 5)(m); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	page := scrape(t, p)
	if took := time.Since(begin); took > time.Second {
		t.Errorf("the scrapes took %v", took)
	}
	if got := value(page.series("good", "path=/a")); got != 5 {
		t.Errorf("good = %v, want 5", got)
	}
	if err := count(m, "made.meanwhile"); err != nil {
		t.Error(err)
	}
	if got := value(scrape(t, p).series("telemetry_callback_errors_total")); got < 3 {
		t.Errorf("telemetry_callback_errors_total = %v", got)
	}
	close(release)
	for range 3 { // each was started once, although there were many scrapes
		<-returned
	}
	if len(returned) != 0 {
		t.Error("a hanging callback was started again")
	}
}

func TestRow32CallbackCreatesInstrument(t *testing.T) {
	push := sdkmetric.NewManualReader()
	p := newProvider(t, telemetry.WithReader(push), telemetry.WithCallbackTimeout(200*time.Millisecond))
	m := p.Meter("one")
	n := 0
	if _, err := m.Int64ObservableGauge("maker", metric.WithInt64Callback(
		func(_ context.Context, o metric.Int64Observer) error {
			n++
			o.Observe(int64(n))
			return count(m, fmt.Sprintf("made.%d", n))
		})); err != nil {
		t.Fatal(err)
	}
	page := scrape(t, p)
	if got := value(page.series("made_1_total", "path=/a")); got != 1 {
		t.Errorf("made_1_total = %v, want 1", got)
	}
	begin := time.Now()
	pushed(t, push, "maker")
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("a push took %v", took)
	}
	get(t, p.Handler(), acceptText)
}

func TestRow35TwoProviders(t *testing.T) {
	a, b := newProvider(t), newProvider(t)
	if err := count(a.Meter("one"), "hits", desc("A")); err != nil {
		t.Fatal(err)
	}
	if err := gauge(b.Meter("one"), "hits.total", 7); err != nil {
		t.Fatal(err)
	}
	if got := value(scrape(t, a).series("hits_total", "path=/a")); got != 1 {
		t.Errorf("a: hits_total = %v, want 1", got)
	}
	if got := value(scrape(t, b).series("hits_total", "path=/a")); got != 7 {
		t.Errorf("b: hits_total = %v, want 7", got)
	}
	if told(a)+told(b) != "" {
		t.Errorf("told %s, %s", told(a), told(b))
	}
}

// A meter has 14 methods that create instruments. This uses all of them at once under one name, with different help
// texts.
func TestRow37Race(t *testing.T) {
	const workers, rounds = 64, 5
	p := newProvider(t)
	stop := make(chan struct{})
	var scrapers, recorders sync.WaitGroup
	for range 8 {
		scrapers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if code, body := fetch(p.Handler(), acceptText); code != 200 {
					t.Errorf("status %d: %s", code, body)
					return
				} else if _, err := parseText(body); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for w := range workers {
		recorders.Go(func() {
			for range rounds {
				allKinds(t, p.Meter(fmt.Sprintf("meter %d", w%4)), fmt.Sprintf("help %d", w%3))
			}
		})
	}
	recorders.Wait()
	close(stop)
	scrapers.Wait()
	page := scrape(t, p)

	const n = workers * rounds
	counters, histograms := 0.0, uint64(0)
	for name, f := range page {
		if !strings.HasPrefix(name, "x") {
			continue
		}
		for _, m := range f.Metric {
			switch {
			case m.Counter != nil:
				counters += m.Counter.GetValue()
			case m.Histogram != nil:
				histograms += m.Histogram.GetSampleCount()
			}
		}
	}
	if counters != 2*n+12*n { // two counters add 1, two observable counters observe 1 + 5 each
		t.Errorf("counters: %v, want %v", counters, 14*n)
	}
	if histograms != 2*n {
		t.Errorf("histograms: %v, want %v", histograms, 2*n)
	}
	// Every goroutine creates a counter first, so the counter keeps the name.
	if got := page.sum("x_updowncounter"); got != 4*n {
		t.Errorf("up-down counters: %v, want %v", got, 4*n)
	}
}

func allKinds(t *testing.T, m metric.Meter, help string) {
	d := metric.WithDescription(help)
	one := metric.WithAttributes(attribute.String("path", "/a"))
	var errs []error
	keep := func(err error) { errs = append(errs, err) }
	a, err := m.Int64Counter("x", d)
	keep(err)
	a.Add(ctx, 1, one)
	b, err := m.Float64Counter("x", d)
	keep(err)
	b.Add(ctx, 1, one)
	c, err := m.Int64UpDownCounter("x", d)
	keep(err)
	c.Add(ctx, 1, one)
	e, err := m.Float64UpDownCounter("x", d)
	keep(err)
	e.Add(ctx, 1, one)
	f, err := m.Int64Histogram("x", d)
	keep(err)
	f.Record(ctx, 1, one)
	g, err := m.Float64Histogram("x", d)
	keep(err)
	g.Record(ctx, 1, one)
	h, err := m.Int64Gauge("x", d)
	keep(err)
	h.Record(ctx, 1, one)
	i, err := m.Float64Gauge("x", d)
	keep(err)
	i.Record(ctx, 1, one)
	ints := metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error { o.Observe(1, one); return nil })
	floats := metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error { o.Observe(1, one); return nil })
	j, err := m.Int64ObservableCounter("x", d, ints)
	keep(err)
	k, err := m.Float64ObservableCounter("x", d, floats)
	keep(err)
	_, err = m.Int64ObservableUpDownCounter("x", d, ints)
	keep(err)
	_, err = m.Float64ObservableUpDownCounter("x", d, floats)
	keep(err)
	_, err = m.Int64ObservableGauge("x", d, ints)
	keep(err)
	_, err = m.Float64ObservableGauge("x", d, floats)
	keep(err)
	_, err = m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(j, 5, one)
		o.ObserveFloat64(k, 5, one)
		return nil
	}, j, k)
	keep(err)
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
}
