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
)

// ratio runs two benchmarks of the same work and reports how many times the other's time ours takes.
func ratio(b *testing.B, ours, other func(*testing.B)) {
	best := func(f func(*testing.B)) (ns float64, allocs int64) {
		for i := range 3 { // the best of three: the machine has other work
			r := testing.Benchmark(f)
			if t := float64(r.T.Nanoseconds()) / float64(r.N); i == 0 || t < ns {
				ns, allocs = t, r.AllocsPerOp()
			}
		}
		return ns, allocs
	}
	a, aAllocs := best(ours)
	o, oAllocs := best(other)
	for b.Loop() {
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(a/o, "ratio")
	b.ReportMetric(a, "ours-ns/op")
	b.ReportMetric(o, "other-ns/op")
	b.ReportMetric(float64(aAllocs), "ours-allocs")
	b.ReportMetric(float64(oAllocs), "other-allocs")
}

func recording(b *testing.B, m metric.Meter) {
	hits := must(m.Int64Counter("hits"))
	opt := metric.WithAttributeSet(attribute.NewSet(attribute.String("path", "/a"), attribute.Int("code", 200)))
	b.ReportAllocs()
	for b.Loop() {
		hits.Add(ctx, 1, opt)
	}
}

// BenchmarkRecording compares recording through our instruments with the SDK's own.
func BenchmarkRecording(b *testing.B) {
	sdk := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	defer sdk.Shutdown(ctx)
	p := newProvider(b)
	ratio(b,
		func(b *testing.B) { recording(b, p.Meter("one")) },
		func(b *testing.B) { recording(b, sdk.Meter("one")) })
}

// fill makes series as a service has them: counters and gauges with four labels, and histograms.
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

func scraping(b *testing.B, h http.Handler) {
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", acceptText)
	b.ReportAllocs()
	for b.Loop() {
		w := nowhere{header: http.Header{}}
		h.ServeHTTP(&w, r)
		if w.code != 0 && w.code != http.StatusOK {
			b.Fatalf("status %d", w.code)
		}
	}
}

// nowhere is a ResponseWriter that keeps nothing.
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

// stockHandler is the stock exporter on a registry of its own, behind promhttp with its default settings.
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
	ratio(b, func(b *testing.B) { scraping(b, ours) }, func(b *testing.B) { scraping(b, stock) })
}

// BenchmarkScrapeWithoutScopes is the same with the stock exporter leaving out scope labels, as we do.
func BenchmarkScrapeWithoutScopes(b *testing.B) {
	ours, stock := ourHandler(b), stockHandler(b, otelprom.WithoutScopeInfo())
	ratio(b, func(b *testing.B) { scraping(b, ours) }, func(b *testing.B) { scraping(b, stock) })
}

func BenchmarkScrapeOurs(b *testing.B)  { scraping(b, ourHandler(b)) }
func BenchmarkScrapeStock(b *testing.B) { scraping(b, stockHandler(b)) }

var _ = telemetry.New
