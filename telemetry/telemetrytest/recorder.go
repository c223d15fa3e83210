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

// A Recorder is a telemetry.Provider that tells a test what was recorded, by OpenTelemetry's instruments and by
// client_golang's collectors registered with its Registerer. [New] creates one.
//
// A metric has up to three names, and each of them finds it: the name that its author wrote, the name that a view
// gave it, and its family on the page. If views make several metrics of one instrument, use the names that the views
// give. If no metric has the name, the method fails the test, with tb.Error, and returns zero. A Vec of client_golang has
// no name until it has a series.
//
// Sum, Count and Bounds read the page, so they see what Prometheus sees. All metrics of one family count together.
// Attributes are compared with labels: http.route is the label http_route.
//
// A Recorder is safe for concurrent use. Each reading method runs the observable callbacks. Because a Recorder has a
// reader of its own, the SDK keeps all series, and the Finisher of OpenTelemetry's metric/x does nothing.
type Recorder struct {
	*telemetry.Provider
	tb     testing.TB
	reader *sdkmetric.ManualReader
}

// New returns a Recorder under the policy [telemetry.Reject], without the metrics of the Go runtime, and without the pushes
// that the environment asks for. opts are applied after that, so they can choose another policy and add exporters. Do not
// use [telemetry.WithoutPrometheus]: without a page only Metric works.
//
// If the Recorder cannot be created, New ends the test. The Recorder is shut down when the test ends; if that fails, so
// does the test.
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

// Sum returns the sum over all series that have at least these attributes: of the values of a counter, an up-down counter
// or a gauge, or of everything that a histogram or a summary recorded. It is 0 if nothing was recorded, or if a view drops
// the instrument.
func (r *Recorder) Sum(name string, attrs ...attribute.KeyValue) float64 {
	r.tb.Helper()
	total := 0.0
	for _, s := range r.series(name, attrs) {
		total += s.sum
	}
	return total
}

// Count returns how many values a histogram or a summary recorded, over all series that have at least these
// attributes. It is 0 for other metrics.
func (r *Recorder) Count(name string, attrs ...attribute.KeyValue) uint64 {
	r.tb.Helper()
	total := uint64(0)
	for _, s := range r.series(name, attrs) {
		total += s.count
	}
	return total
}

// Bounds returns the boundaries of a histogram's buckets, ascending and without +Inf. It is nil if nothing was recorded,
// for other metrics, and for an exponential histogram that the page shows as a native one.
func (r *Recorder) Bounds(name string) []float64 {
	r.tb.Helper()
	for _, s := range r.series(name, nil) {
		return s.bounds
	}
	return nil
}

// Metric returns the SDK's data of a metric. If several scopes or number types have the metric, it is the first of them,
// by the name of the scope. Data is nil if nothing was recorded, and for a metric of client_golang.
func (r *Recorder) Metric(name string) metricdata.Metrics {
	r.tb.Helper()
	return r.find(name).held
}

// Conflicts is Provider.Conflicts, but scrapes first, as [NoConflicts] does, so that it has all conflicts.
func (r *Recorder) Conflicts() []telemetry.Conflict {
	r.tb.Helper()
	scrape(r.tb, r.Provider)
	return r.Provider.Conflicts()
}

// Exposition returns the page in the Prometheus text format, without target_info and the Provider's metrics about itself,
// so that equal measurements give equal text.
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
