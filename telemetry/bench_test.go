package telemetry_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/onemeter/onemeter/telemetry"
	"github.com/onemeter/onemeter/telemetry/internal/ratio"
)

func recorder(m metric.Meter) func() {
	hits := must(m.Int64Counter("hits"))
	opt := metric.WithAttributeSet(attribute.NewSet(attribute.String("path", "/a"), attribute.Int("code", 200)))
	return func() { hits.Add(ctx, 1, opt) }
}

// BenchmarkRecording compares recording through our instruments with the SDK's.
func BenchmarkRecording(b *testing.B) {
	sdk := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	defer stop(sdk)
	p := newProvider(b)
	ratio.Report(b, 1_000_000, recorder(p.Meter("one")), recorder(sdk.Meter("one")))
}

// fill creates series as in a real service: counters and gauges with four labels, and histograms.
func fill(m metric.Meter, series int) {
	for f := range series / 200 {
		counter := must(m.Int64Counter(fmt.Sprintf("service.requests.%d", f), metric.WithDescription("Requests.")))
		gauge := must(m.Float64Gauge(fmt.Sprintf("service.level.%d", f), metric.WithDescription("Level.")))
		for i := range 100 {
			attrs := metric.WithAttributes(
				attribute.String("http.route", fmt.Sprintf("/api/v1/things/%d", i)), attribute.String("http.method", "GET"),
				attribute.Int("http.status_code", 200+i%5), attribute.String("server.name", "main"))
			counter.Add(ctx, int64(i), attrs)
			gauge.Record(ctx, float64(i), attrs)
		}
	}
}

func scraper(b *testing.B, h http.Handler) func() {
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", acceptText)
	return func() {
		w := nowhere{header: http.Header{}}
		h.ServeHTTP(&w, r)
		if w.code != 0 && w.code != http.StatusOK {
			b.Fatalf("status %d", w.code)
		}
	}
}

// nowhere is a ResponseWriter that discards everything.
type nowhere struct {
	header http.Header
	code   int
}

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) WriteHeader(code int)        { n.code = code }
func (n *nowhere) Write(b []byte) (int, error) { return len(b), nil }

const benchSeries = 10_000

func ourHandler(b *testing.B) http.Handler {
	p := newProvider(b)
	fill(p.Meter("one"), benchSeries)
	return p.Handler()
}

// stockHandler returns the stock exporter with its own registry, behind promhttp with default settings.
func stockHandler(b *testing.B, opts ...otelprom.Option) http.Handler {
	reg := prometheus.NewRegistry()
	exporter := must(otelprom.New(append(opts, otelprom.WithRegisterer(reg))...))
	sdk := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter))
	b.Cleanup(func() { _ = sdk.Shutdown(context.Background()) })
	fill(sdk.Meter("one"), benchSeries)
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{})
}

// BenchmarkScrape compares a scrape of 10,000 series with that of the stock exporter and promhttp.
func BenchmarkScrape(b *testing.B) {
	ours, stock := ourHandler(b), stockHandler(b)
	ratio.Report(b, 20, scraper(b, ours), scraper(b, stock))
}

// BenchmarkScrapeWithoutScopes is the same, but the stock exporter leaves out scope labels, as we do.
func BenchmarkScrapeWithoutScopes(b *testing.B) {
	ours, stock := ourHandler(b), stockHandler(b, otelprom.WithoutScopeInfo())
	ratio.Report(b, 20, scraper(b, ours), scraper(b, stock))
}

func BenchmarkScrapeOurs(b *testing.B)  { benchmark(b, scraper(b, ourHandler(b))) }
func BenchmarkScrapeStock(b *testing.B) { benchmark(b, scraper(b, stockHandler(b))) }

func benchmark(b *testing.B, f func()) {
	b.ReportAllocs()
	for b.Loop() {
		f()
	}
}

// BenchmarkRecordingThroughMeter is BenchmarkRecording for package-level instruments.
func BenchmarkRecordingThroughMeter(b *testing.B) {
	sdk := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	defer stop(sdk)
	p := must(telemetry.Setup(ctx, telemetry.WithoutRuntime()))
	defer stop(p)
	ratio.Report(b, 1_000_000, recorder(telemetry.Meter("bench")), recorder(sdk.Meter("one")))
}
