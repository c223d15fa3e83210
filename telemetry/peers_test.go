package telemetry_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/embedded"
	"go.opentelemetry.io/otel/metric/x"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/onemeter/onemeter/telemetry"
	"github.com/onemeter/onemeter/telemetry/internal/ratio"
)

// These benchmarks compare the cost of metrics with client_golang. The ratio matters.

var peerLabels = []string{"method", "route", "status"}

func peerValues(i int) []string {
	return []string{"GET", fmt.Sprintf("/api/v1/resource/%d", i/5), fmt.Sprint(200 + i%5)}
}

func peerAttrs(i int) []attribute.KeyValue {
	var out []attribute.KeyValue
	for j, v := range peerValues(i) {
		out = append(out, attribute.String(peerLabels[j], v))
	}
	return out
}

// observations are durations as in a real service.
var observations = func() (out [1024]float64) {
	for i := range out {
		out[i] = rand.ExpFloat64() / 50
	}
	return out
}()

const (
	recordings = 1_000_000
	batch      = 1000
)

// batched calls f many times for each call of its result, so that the call itself does not matter.
func batched(f func(i int)) func() {
	return func() {
		for i := range batch {
			f(i)
		}
	}
}

// onAll is batched on all CPUs at once.
func onAll(f func(i int)) func() {
	return func() {
		var wg sync.WaitGroup
		for range runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				for range 100 {
					batched(f)()
				}
			})
		}
		wg.Wait()
	}
}

func peerProvider(b *testing.B) *telemetry.Provider {
	return newProvider(b, telemetry.WithCardinalityLimit(0))
}

func boundCounter(c metric.Int64Counter) func(int) {
	c = c.(x.Int64CounterBinder).Bind(peerAttrs(0)...)
	return func(int) { c.Add(ctx, 1) }
}

func peerCounter() func(int) {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "c"}, peerLabels).WithLabelValues(peerValues(0)...)
	return func(int) { c.Inc() }
}

func BenchmarkPeerCounter(b *testing.B) {
	peer := peerCounter()
	early := must(telemetry.Meter("peer").Int64Counter("early"))
	global := must(telemetry.Setup(ctx, telemetry.WithoutRuntime()))
	defer stop(global)
	hoisted := func(c metric.Int64Counter) func(int) {
		opts := []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(peerAttrs(0)...))}
		return func(int) { c.Add(ctx, 1, opts...) }
	}
	m := peerProvider(b).Meter("m")
	b.Run("bound", func(b *testing.B) {
		ratio.Report(b, recordings/batch, batched(boundCounter(must(m.Int64Counter("a")))), batched(peer))
	})
	b.Run("bound-before-setup", func(b *testing.B) {
		ratio.Report(b, recordings/batch, batched(boundCounter(early)), batched(peer))
	})
	b.Run("hoisted", func(b *testing.B) {
		ratio.Report(b, recordings/batch, batched(hoisted(must(m.Int64Counter("b")))), batched(peer))
	})
	b.Run("bound-all-CPUs", func(b *testing.B) {
		ratio.Report(b, 10, onAll(boundCounter(must(m.Int64Counter("c")))), onAll(peer))
	})
	b.Run("floor", func(b *testing.B) {
		var c metric.Int64Counter = &floor{quiet: typeOfContext(ctx)}
		ratio.Report(b, recordings/batch, batched(func(int) { c.Add(ctx, 1) }), batched(peer))
	})
}

// A floor is the minimum for a counter of OpenTelemetry's API with options, exemplars and finished series: three
// comparisons and one addition. A bound counter costs little more.
type floor struct {
	embedded.Int64Counter
	quiet uintptr
	ended atomic.Bool
	value atomic.Int64
}

func (*floor) Enabled(context.Context) bool { return true }

func (f *floor) Add(ctx context.Context, v int64, opts ...metric.AddOption) {
	if len(opts) > 0 || typeOfContext(ctx) != f.quiet || f.ended.Load() {
		f.rest(opts)
		return
	}
	f.value.Add(v)
}

// typeOfContext returns the word of an interface that identifies its type.
func typeOfContext(ctx context.Context) uintptr { return *(*uintptr)(unsafe.Pointer(&ctx)) }

//go:noinline
func (f *floor) rest([]metric.AddOption) {}

// BenchmarkPeerAttributes compares attributes that differ at each call. It compares with the SDK, because
// client_golang's labels are positional.
func BenchmarkPeerAttributes(b *testing.B) {
	sdk := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()), sdkmetric.WithCardinalityLimit(0))
	defer stop(sdk)
	sets := make([][]attribute.KeyValue, batch)
	for i, j := range rand.Perm(batch) {
		sets[i] = peerAttrs(j)
	}
	varying := func(m metric.Meter) func(int) {
		c := must(m.Int64Counter("c"))
		return func(i int) { c.Add(ctx, 1, metric.WithAttributes(sets[i]...)) }
	}
	ratio.Report(b, 200, batched(varying(peerProvider(b).Meter("m"))), batched(varying(sdk.Meter("m"))))
}

func BenchmarkPeerHistogram(b *testing.B) {
	ph := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "h"}, peerLabels).WithLabelValues(peerValues(0)...)
	peer := func(i int) { ph.Observe(observations[i]) }
	oh := must(peerProvider(b).Meter("m").Float64Histogram("h", metric.WithUnit("s")))
	bound := oh.(x.Float64HistogramBinder).Bind(peerAttrs(0)...)
	ours := func(i int) { bound.Record(ctx, observations[i]) }
	b.Run("bound", func(b *testing.B) { ratio.Report(b, recordings/batch, batched(ours), batched(peer)) })
	b.Run("bound-all-CPUs", func(b *testing.B) { ratio.Report(b, 10, onAll(ours), onAll(peer)) })
}

// peerRegistry has as many series as fillPeer creates: counters or histograms.
func peerRegistry(n int, histograms bool) *prometheus.Registry {
	reg := prometheus.NewRegistry()
	counters := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "c_total"}, peerLabels)
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "h_seconds"}, peerLabels)
	if histograms {
		reg.MustRegister(durations)
	} else {
		reg.MustRegister(counters)
	}
	for i := range n {
		if !histograms {
			counters.WithLabelValues(peerValues(i)...).Add(float64(i))
			continue
		}
		for j := range 20 {
			durations.WithLabelValues(peerValues(i)...).Observe(observations[(i+j)%len(observations)])
		}
	}
	return reg
}

func fillPeer(m metric.Meter, n int, histograms bool) {
	counters := must(m.Int64Counter("c"))
	durations := must(m.Float64Histogram("h", metric.WithUnit("s")))
	for i := range n {
		attrs := metric.WithAttributes(peerAttrs(i)...)
		if !histograms {
			counters.Add(ctx, int64(i), attrs)
			continue
		}
		for j := range 20 {
			durations.Record(ctx, observations[(i+j)%len(observations)], attrs)
		}
	}
}

// acceptPrometheus3 is the Accept header of a Prometheus 3 server.
const acceptPrometheus3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5," +
	"application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3," +
	"text/plain;version=0.0.4;q=0.2,*/*;q=0.1"

func peerScraper(b *testing.B, h http.Handler, accept, encoding string) func() {
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", accept)
	r.Header.Set("Accept-Encoding", encoding)
	return func() {
		w := nowhere{header: http.Header{}}
		h.ServeHTTP(&w, r)
		if w.code != 0 && w.code != http.StatusOK {
			b.Fatalf("status %d", w.code)
		}
	}
}

func BenchmarkPeerScrape(b *testing.B) {
	for _, of := range []struct {
		name       string
		series     int
		histograms bool
	}{{"10k-counters", 10_000, false}, {"2k-histograms", 2_000, true}} {
		p := peerProvider(b)
		fillPeer(p.Meter("m"), of.series, of.histograms)
		peer := promhttp.HandlerFor(peerRegistry(of.series, of.histograms), promhttp.HandlerOpts{EnableOpenMetrics: true})
		for _, as := range []struct{ name, accept, encoding string }{
			{"text", acceptText, ""}, {"Prometheus-3", acceptPrometheus3, "gzip"},
		} {
			b.Run(of.name+"/"+as.name, func(b *testing.B) {
				ratio.Report(b, 10, peerScraper(b, p.Handler(), as.accept, as.encoding), peerScraper(b, peer, as.accept, as.encoding))
			})
		}
	}
}

// BenchmarkPeerScrapers compares two Prometheus servers that scrape at once with one.
func BenchmarkPeerScrapers(b *testing.B) {
	p := peerProvider(b)
	fillPeer(p.Meter("m"), 10_000, false)
	one := peerScraper(b, p.Handler(), acceptText, "")
	ratio.Report(b, 20, func() {
		var wg sync.WaitGroup
		wg.Go(one)
		wg.Go(one)
		wg.Wait()
	}, one)
}

// BenchmarkPeerMemory compares the memory of a series, after it was scraped.
func BenchmarkPeerMemory(b *testing.B) {
	const n = 20_000
	for _, histograms := range []bool{false, true} {
		b.Run(map[bool]string{false: "counter", true: "histogram"}[histograms], func(b *testing.B) {
			before := float64(heap())
			reg := peerRegistry(n, histograms)
			theirs := (float64(heap()) - before) / n
			runtime.KeepAlive(reg)
			before = float64(heap())
			p := peerProvider(b)
			fillPeer(p.Meter("m"), n, histograms)
			scrape := peerScraper(b, p.Handler(), acceptText, "")
			scrape()
			scrape()
			ours := (float64(heap()) - before) / n
			runtime.KeepAlive(p)
			for b.Loop() {
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(ours, "ours-bytes")
			b.ReportMetric(theirs, "other-bytes")
			b.ReportMetric(ours/theirs, "ratio")
		})
	}
}
