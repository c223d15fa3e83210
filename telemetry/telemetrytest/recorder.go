package telemetrytest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/onemeter/onemeter/telemetry"
)

// A Recorder is a telemetry.Provider that can be asked what was recorded. Metrics are named as their authors named
// them, or by their Prometheus family. A name that no instrument has fails the test. It is safe for concurrent use.
type Recorder struct {
	*telemetry.Provider
	tb     testing.TB
	reader *sdkmetric.ManualReader
}

// New returns a Recorder under the Reject policy and without the metrics of the Go runtime. Options come after that
// and may change it. It is shut down when the test ends.
func New(tb testing.TB, opts ...telemetry.Option) *Recorder {
	tb.Helper()
	reader := sdkmetric.NewManualReader()
	all := append([]telemetry.Option{
		telemetry.WithConflictPolicy(telemetry.Reject), telemetry.WithoutRuntime(), telemetry.WithoutPush(),
		telemetry.WithReader(reader),
	}, opts...)
	p, err := telemetry.New(context.Background(), all...)
	if err != nil {
		tb.Fatalf("telemetrytest: %v", err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := p.Shutdown(ctx); err != nil {
			tb.Errorf("telemetrytest: %v", err)
		}
	})
	return &Recorder{Provider: p, tb: tb, reader: reader}
}

// Sum adds up the values of a counter, an up-down counter or a gauge, or what a histogram recorded, over all series
// that have these attributes, and perhaps others. It is 0 where nothing was recorded.
func (r *Recorder) Sum(name string, attrs ...attribute.KeyValue) float64 {
	r.tb.Helper()
	total := 0.0
	r.each(name, func(p point) {
		if p.has(attrs) {
			total += p.sum
		}
	})
	return total
}

// Count returns how many values a histogram recorded over all series that have these attributes.
func (r *Recorder) Count(name string, attrs ...attribute.KeyValue) uint64 {
	r.tb.Helper()
	total := uint64(0)
	r.each(name, func(p point) {
		if p.has(attrs) {
			total += p.count
		}
	})
	return total
}

// Bounds returns the boundaries of a histogram, or nil where nothing was recorded.
func (r *Recorder) Bounds(name string) (bounds []float64) {
	r.tb.Helper()
	r.each(name, func(p point) { bounds = p.bounds })
	return bounds
}

// Metric returns what the SDK holds of a metric: of the first scope and number type, if there are several. Its Data
// is nil where nothing was recorded.
func (r *Recorder) Metric(name string) metricdata.Metrics {
	r.tb.Helper()
	for _, m := range r.metrics(name) {
		return m
	}
	return metricdata.Metrics{}
}

// Exposition returns the page in the Prometheus text format without target_info and what telemetry tells of itself:
// equal measurements give equal text.
func (r *Recorder) Exposition() string {
	r.tb.Helper()
	w := httptest.NewRecorder()
	req := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/metrics", nil)
	req.Header.Set("Accept", "text/plain;version=0.0.4")
	r.Handler().ServeHTTP(w, req)
	if w.Code != http.StatusOK {
		r.tb.Errorf("telemetrytest: the page answers %d: %s", w.Code, w.Body)
	}
	var b strings.Builder
	for _, line := range strings.SplitAfter(w.Body.String(), "\n") {
		name := strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE ")
		if !slices.ContainsFunc(ownFamilies, func(f string) bool { return strings.HasPrefix(name, f) }) {
			b.WriteString(line)
		}
	}
	return b.String()
}

var ownFamilies = []string{
	"target_info", "telemetry_conflicts_total", "telemetry_callback_errors_total", "telemetry_scrape_errors_total",
	"telemetry_exports_total", "telemetry_export_errors_total",
}

// metrics collects and returns what belongs to a name, in the order of scopes.
func (r *Recorder) metrics(name string) []metricdata.Metrics {
	r.tb.Helper()
	family := ""
	for _, i := range r.Instruments() {
		if strings.EqualFold(i.Name, name) || i.Prometheus == name {
			family = i.Prometheus
			break
		}
	}
	if family == "" {
		r.tb.Errorf("telemetrytest: no instrument is called %q", name)
		return nil
	}
	var rm metricdata.ResourceMetrics
	if err := r.reader.Collect(context.Background(), &rm); err != nil {
		r.tb.Errorf("telemetrytest: collect: %v", err)
	}
	slices.SortStableFunc(rm.ScopeMetrics, func(a, b metricdata.ScopeMetrics) int {
		return strings.Compare(a.Scope.Name, b.Scope.Name)
	})
	var out []metricdata.Metrics
	for _, sm := range rm.ScopeMetrics {
		for _, m := range sm.Metrics {
			if r.belongs(m.Name, family) {
				out = append(out, m)
			}
		}
	}
	return out
}

// belongs tells whether the SDK's name is that of an instrument of the family.
func (r *Recorder) belongs(name, family string) bool {
	return slices.ContainsFunc(r.Instruments(), func(i telemetry.Instrument) bool {
		return i.Prometheus == family && strings.EqualFold(i.Name, name)
	})
}

// A point is one series of any kind.
type point struct {
	set    attribute.Set
	sum    float64
	count  uint64
	bounds []float64
}

func (p point) has(attrs []attribute.KeyValue) bool {
	for _, kv := range attrs {
		if v, ok := p.set.Value(kv.Key); !ok || v.String() != kv.Value.String() {
			return false
		}
	}
	return true
}

func (r *Recorder) each(name string, do func(point)) {
	r.tb.Helper()
	for _, m := range r.metrics(name) {
		switch d := m.Data.(type) {
		case metricdata.Sum[int64]:
			numbers(d.DataPoints, do)
		case metricdata.Sum[float64]:
			numbers(d.DataPoints, do)
		case metricdata.Gauge[int64]:
			numbers(d.DataPoints, do)
		case metricdata.Gauge[float64]:
			numbers(d.DataPoints, do)
		case metricdata.Histogram[int64]:
			histograms(d.DataPoints, do)
		case metricdata.Histogram[float64]:
			histograms(d.DataPoints, do)
		}
	}
}

func numbers[N int64 | float64](points []metricdata.DataPoint[N], do func(point)) {
	for _, p := range points {
		do(point{set: p.Attributes, sum: float64(p.Value)})
	}
}

func histograms[N int64 | float64](points []metricdata.HistogramDataPoint[N], do func(point)) {
	for _, p := range points {
		do(point{set: p.Attributes, sum: float64(p.Sum), count: p.Count, bounds: p.Bounds})
	}
}
