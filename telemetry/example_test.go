package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/push"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/x"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/onemeter/onemeter/telemetry"
)

// payments is a package-level instrument, as in a library: it works before Setup and after it.
var payments, _ = telemetry.Meter("github.com/acme/pay").Int64Counter("pay.payments",
	metric.WithDescription("Payments by result."), metric.WithUnit("{payment}"))

func ExampleMeter() {
	// In main.
	p, err := telemetry.Setup(context.Background(), telemetry.WithService("pay", "1.0"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = p.Shutdown(context.Background()) }()

	// Anywhere. Options that do not change are created once.
	ok := metric.WithAttributeSet(attribute.NewSet(attribute.String("result", "ok")))
	payments.Add(context.Background(), 1, ok)

	printPage(p.Handler(), "pay_")
	// Output:
	// # HELP pay_payments_total Payments by result.
	// # TYPE pay_payments_total counter
	// pay_payments_total{result="ok"} 1
}

func ExampleSetup() {
	ctx := context.Background()
	p, err := telemetry.Setup(ctx, telemetry.WithService("shop", "1.0"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer func() { _ = p.Shutdown(ctx) }()

	mux := http.NewServeMux()
	mux.Handle("GET /metrics", p.Handler())
	mux.Handle("GET /debug/telemetry", p.DebugHandler()) // where only operators reach it

	printPage(mux, "# TYPE go_goroutine", "# TYPE process_cpu")
	// Output:
	// # TYPE go_goroutine_count gauge
	// # TYPE process_cpu_seconds_total counter
}

// Push set up by options: no environment variable is needed.
func ExampleWithMetricExporter() {
	ctx := context.Background()
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.URL.Path, r.Header.Get("Content-Type"))
	}))
	defer receiver.Close()

	exporter, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(receiver.URL+"/v1/metrics"))
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := telemetry.New(ctx, telemetry.WithService("pay", "1.0"), telemetry.WithMetricExporter(exporter))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := p.Shutdown(ctx); err != nil { // sends what is left
		fmt.Println(err)
	}
	// Output: POST /v1/metrics application/x-protobuf
}

func ExampleWithGatherer() {
	// Code that still uses client_golang, with a name that new code uses too.
	old := prometheus.NewRegistry()
	requests := prometheus.NewCounterVec(
		prometheus.CounterOpts{Name: "http_requests_total", Help: "Requests."}, []string{"path"})
	old.MustRegister(requests)
	requests.WithLabelValues("/a").Add(2)

	ctx := context.Background()
	p, err := telemetry.New(ctx, telemetry.WithGatherer(old))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = p.Shutdown(ctx) }()
	c, _ := p.Meter("new").Int64Counter("http.requests", metric.WithDescription("HTTP requests served."))
	c.Add(ctx, 1, metric.WithAttributes(attribute.String("path", "/a")))

	printPage(p.Handler(), "http_")
	// Output:
	// # HELP http_requests_total HTTP requests served.
	// # TYPE http_requests_total counter
	// http_requests_total{path="/a"} 3
}

func ExampleProvider_Conflicts() {
	ctx := context.Background()
	p, err := telemetry.New(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = p.Shutdown(ctx) }()
	_, _ = p.Meter("api").Int64Counter("http.requests", metric.WithDescription("Total number of HTTP requests"))
	_, _ = p.Meter("push").Int64Gauge("http.requests.total")

	for _, c := range p.Conflicts() {
		fmt.Println(c.Family, c.Reason, c.Resolution, c.Second.Prometheus)
		fmt.Println(strings.Contains(c.String(), "example_test.go:"))
	}
	// Output:
	// http_requests_total Kind Renamed http_requests_total_gauge
	// true
}

func ExampleWithConflictPolicy() {
	ctx := context.Background()
	p, err := telemetry.New(ctx, telemetry.WithConflictPolicy(telemetry.Reject))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = p.Shutdown(ctx) }()
	_, _ = p.Meter("api").Int64Counter("http_requests_total", metric.WithDescription("Total number of HTTP requests"))
	_, err = p.Meter("push").Int64Counter("http_requests_total", metric.WithDescription("HTTP请求总数"))

	var conflict *telemetry.ConflictError
	if errors.As(err, &conflict) {
		fmt.Println(conflict.Conflict.Family, conflict.Conflict.Reason, conflict.Conflict.Resolution)
	}
	// Output: http_requests_total Description Rejected
}

// The attributes of a bound counter are looked up once: recording through it allocates nothing.
func ExampleBind() {
	ctx := context.Background()
	p, err := telemetry.New(ctx, telemetry.WithoutRuntime())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = p.Shutdown(ctx) }()
	requests, _ := p.Meter("api").Int64Counter("http.requests", metric.WithDescription("Requests."))
	ok := telemetry.Bind(requests, attribute.String("result", "ok"))
	for range 3 {
		ok.Add(ctx, 1)
	}
	printPage(p.Handler(), "http_requests_total")
	requests.(x.Finisher).Finish(ctx, attribute.String("result", "ok")) // collected once more, then gone
	// Output:
	// # HELP http_requests_total Requests.
	// # TYPE http_requests_total counter
	// http_requests_total{result="ok"} 3
}

// Code that uses client_golang takes the Provider's registry in place of its own.
func ExampleProvider_Registerer() {
	ctx := context.Background()
	p, err := telemetry.New(ctx, telemetry.WithoutRuntime())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = p.Shutdown(ctx) }()
	factory := promauto.With(p.Registerer())
	api := factory.NewCounter(prometheus.CounterOpts{Name: "http_requests_total", Help: "Total number of HTTP requests"})
	pushes := factory.NewCounter(prometheus.CounterOpts{Name: "http_requests_total", Help: "HTTP请求总数"})
	api.Add(2)
	pushes.Inc()

	printPage(p.Handler(), "http_requests_total")
	// Output:
	// # HELP http_requests_total Total number of HTTP requests
	// # TYPE http_requests_total counter
	// http_requests_total 3
}

// A job that ends before Prometheus can scrape it pushes its page to a Pushgateway.
func ExampleProvider_Gatherer() {
	pushgateway := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { fmt.Println(r.Method, r.URL.Path) }))
	defer pushgateway.Close()

	ctx := context.Background()
	p, err := telemetry.New(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = p.Shutdown(ctx) }()
	rows, _ := p.Meter("backup").Int64Counter("backup.rows")
	rows.Add(ctx, 3)

	if err := push.New(pushgateway.URL, "backup").Gatherer(p.Gatherer()).PushContext(ctx); err != nil {
		fmt.Println(err)
	}
	// Output: PUT /metrics/job/backup
}

// A view changes an instrument of somebody else's package, here the buckets of a histogram.
func ExampleWithView() {
	ctx := context.Background()
	p, err := telemetry.New(ctx, telemetry.WithoutRuntime(), telemetry.WithView(sdkmetric.NewView(
		sdkmetric.Instrument{Name: "job.duration"},
		sdkmetric.Stream{Aggregation: sdkmetric.AggregationExplicitBucketHistogram{Boundaries: []float64{1, 60}}},
	)))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = p.Shutdown(ctx) }()
	h, _ := p.Meter("jobs").Float64Histogram("job.duration", metric.WithUnit("s"))
	h.Record(ctx, 30)

	printPage(p.Handler(), "job_duration_seconds_bucket")
	// Output:
	// job_duration_seconds_bucket{le="1"} 0
	// job_duration_seconds_bucket{le="60"} 1
	// job_duration_seconds_bucket{le="+Inf"} 1
}

// printPage prints the lines of /metrics for families with one of the prefixes.
func printPage(h http.Handler, prefixes ...string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		for _, p := range prefixes {
			bare := strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE ")
			if strings.HasPrefix(line, p) || strings.HasPrefix(bare, p) {
				fmt.Print(line)
			}
		}
	}
}
