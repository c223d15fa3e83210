package promguard_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/onemeter/onemeter/telemetry"
	"github.com/onemeter/onemeter/telemetry/telemetrytest"
)

// These are the examples of MIGRATING.md. Each moves one metric from client_golang to OpenTelemetry. In a service,
// use promauto instead of auto, and telemetry.Meter("github.com/acme/shop") instead of meter.

var ctx = context.Background()

func Example_counterVec() {
	showMove("shop_orders_total",
		func(auto promauto.Factory) {
			orders := auto.NewCounterVec(prometheus.CounterOpts{Name: "shop_orders_total", Help: "Orders by result."}, []string{"result"})
			orders.WithLabelValues("ok").Inc()
		},
		func(meter metric.Meter) {
			orders, _ := meter.Int64Counter("shop.orders", metric.WithDescription("Orders by result."))
			orders.Add(ctx, 1, metric.WithAttributes(attribute.String("result", "ok")))
		})
	// Output:
	// client_golang:
	// # HELP shop_orders_total Orders by result.
	// # TYPE shop_orders_total counter
	// shop_orders_total{result="ok"} 1
	// OpenTelemetry: the same
	// both at once:
	// # HELP shop_orders_total Orders by result.
	// # TYPE shop_orders_total counter
	// shop_orders_total{result="ok"} 2
}

func Example_gaugeFunc() {
	queue := make(chan string, 10)
	queue <- "job"
	showMove("shop_queue_length",
		func(auto promauto.Factory) {
			auto.NewGaugeFunc(prometheus.GaugeOpts{Name: "shop_queue_length", Help: "Jobs that wait."},
				func() float64 { return float64(len(queue)) })
		},
		func(meter metric.Meter) {
			_, _ = meter.Int64ObservableGauge("shop.queue.length", metric.WithDescription("Jobs that wait."),
				metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
					o.Observe(int64(len(queue)))
					return nil
				}))
		})
	// Output:
	// client_golang:
	// # HELP shop_queue_length Jobs that wait.
	// # TYPE shop_queue_length gauge
	// shop_queue_length 1
	// OpenTelemetry: the same
	// both at once:
	// # HELP shop_queue_length Jobs that wait.
	// # TYPE shop_queue_length gauge
	// shop_queue_length 1
	// conflict: Duplicate, Merged
}

func Example_gaugeIncDec() {
	showMove("shop_checkouts_active",
		func(auto promauto.Factory) {
			active := auto.NewGauge(prometheus.GaugeOpts{Name: "shop_checkouts_active", Help: "Open checkouts."})
			active.Inc()
			active.Inc()
			active.Dec()
		},
		func(meter metric.Meter) {
			active, _ := meter.Int64UpDownCounter("shop.checkouts.active", metric.WithDescription("Open checkouts."))
			active.Add(ctx, 1)
			active.Add(ctx, 1)
			active.Add(ctx, -1)
		})
	// Output:
	// client_golang:
	// # HELP shop_checkouts_active Open checkouts.
	// # TYPE shop_checkouts_active gauge
	// shop_checkouts_active 1
	// OpenTelemetry: the same
	// both at once:
	// # HELP shop_checkouts_active Open checkouts.
	// # TYPE shop_checkouts_active gauge
	// shop_checkouts_active 1
	// conflict: Duplicate, Merged
}

func Example_histogramVec() {
	showMove("shop_request_duration_seconds",
		func(auto promauto.Factory) {
			opts := prometheus.HistogramOpts{
				Name: "shop_request_duration_seconds", Help: "Time to answer.", Buckets: []float64{.1, 1},
			}
			duration := auto.NewHistogramVec(opts, []string{"route"})
			duration.WithLabelValues("/buy").Observe(.5)
		},
		func(meter metric.Meter) {
			duration, _ := meter.Float64Histogram("shop.request.duration", metric.WithUnit("s"),
				metric.WithDescription("Time to answer."), metric.WithExplicitBucketBoundaries(.1, 1))
			duration.Record(ctx, .5, metric.WithAttributes(attribute.String("route", "/buy")))
		})
	// Output:
	// client_golang:
	// # HELP shop_request_duration_seconds Time to answer.
	// # TYPE shop_request_duration_seconds histogram
	// shop_request_duration_seconds_bucket{route="/buy",le="0.1"} 0
	// shop_request_duration_seconds_bucket{route="/buy",le="1"} 1
	// shop_request_duration_seconds_bucket{route="/buy",le="+Inf"} 1
	// shop_request_duration_seconds_sum{route="/buy"} 0.5
	// shop_request_duration_seconds_count{route="/buy"} 1
	// OpenTelemetry: the same
	// both at once:
	// # HELP shop_request_duration_seconds Time to answer.
	// # TYPE shop_request_duration_seconds histogram
	// shop_request_duration_seconds_bucket{route="/buy",le="0.1"} 0
	// shop_request_duration_seconds_bucket{route="/buy",le="1"} 2
	// shop_request_duration_seconds_bucket{route="/buy",le="+Inf"} 2
	// shop_request_duration_seconds_sum{route="/buy"} 1
	// shop_request_duration_seconds_count{route="/buy"} 2
}

// A histogram replaces a summary. While both exist, the summary has another name.
func Example_summary() {
	showMove("shop_payload_bytes",
		func(auto promauto.Factory) {
			payload := auto.NewSummary(prometheus.SummaryOpts{
				Name: "shop_payload_bytes", Help: "Size of orders.", Objectives: map[float64]float64{.99: .001},
			})
			payload.Observe(200)
		},
		func(meter metric.Meter) {
			payload, _ := meter.Int64Histogram("shop.payload", metric.WithUnit("By"),
				metric.WithDescription("Size of orders."), metric.WithExplicitBucketBoundaries(128, 1024, 8192))
			payload.Record(ctx, 200)
		})
	// Output:
	// client_golang:
	// # HELP shop_payload_bytes Size of orders.
	// # TYPE shop_payload_bytes summary
	// shop_payload_bytes{quantile="0.99"} 200
	// shop_payload_bytes_sum 200
	// shop_payload_bytes_count 1
	// OpenTelemetry:
	// # HELP shop_payload_bytes Size of orders.
	// # TYPE shop_payload_bytes histogram
	// shop_payload_bytes_bucket{le="128"} 0
	// shop_payload_bytes_bucket{le="1024"} 1
	// shop_payload_bytes_bucket{le="8192"} 1
	// shop_payload_bytes_bucket{le="+Inf"} 1
	// shop_payload_bytes_sum 200
	// shop_payload_bytes_count 1
	// both at once:
	// # HELP shop_payload_bytes Size of orders.
	// # TYPE shop_payload_bytes histogram
	// shop_payload_bytes_bucket{le="128"} 0
	// shop_payload_bytes_bucket{le="1024"} 1
	// shop_payload_bytes_bucket{le="8192"} 1
	// shop_payload_bytes_bucket{le="+Inf"} 1
	// shop_payload_bytes_sum 200
	// shop_payload_bytes_count 1
	// # HELP shop_payload_bytes_summary Size of orders.
	// # TYPE shop_payload_bytes_summary summary
	// shop_payload_bytes_summary{quantile="0.99"} 200
	// shop_payload_bytes_summary_sum 200
	// shop_payload_bytes_summary_count 1
	// conflict: Kind, Renamed
}

func Example_timer() {
	work := func() {}
	showMove("shop_pack_duration_seconds_count", // the rest differs from run to run
		func(auto promauto.Factory) {
			duration := auto.NewHistogram(prometheus.HistogramOpts{Name: "shop_pack_duration_seconds", Help: "Time to pack."})
			timer := prometheus.NewTimer(duration)
			work()
			timer.ObserveDuration()
		},
		func(meter metric.Meter) {
			duration, _ := meter.Float64Histogram("shop.pack.duration", metric.WithUnit("s"), metric.WithDescription("Time to pack."))
			start := time.Now()
			work()
			duration.Record(ctx, time.Since(start).Seconds())
		})
	// Output:
	// client_golang:
	// shop_pack_duration_seconds_count 1
	// OpenTelemetry: the same
	// both at once:
	// shop_pack_duration_seconds_count 2
}

// A shop in the middle of its move: it counts orders at the desk with client_golang, and online orders with
// OpenTelemetry.
type shop struct {
	desk   *prometheus.CounterVec
	online metric.Int64Counter
}

func newShop(reg prometheus.Registerer, mp metric.MeterProvider) *shop {
	desk := promauto.With(reg).NewCounterVec(prometheus.CounterOpts{Name: "shop_orders_total"}, []string{"result"})
	online, _ := mp.Meter("github.com/acme/shop").Int64Counter("shop.orders")
	return &shop{desk, online}
}

func (s *shop) buyAtDesk() { s.desk.WithLabelValues("ok").Inc() }

func (s *shop) buyOnline() {
	s.online.Add(ctx, 1, metric.WithAttributes(attribute.String("result", "ok")))
}

func TestOrders(t *testing.T) {
	rec := telemetrytest.New(t)
	s := newShop(rec.Registerer(), rec) // a prometheus.Registerer and a metric.MeterProvider
	s.buyAtDesk()
	s.buyOnline()
	if got := rec.Sum("shop_orders_total", attribute.String("result", "ok")); got != 2 {
		t.Errorf("orders = %v, want 2", got)
	}
}

// showMove prints the lines of the page that begin with a name: with the metric in client_golang, in OpenTelemetry,
// and in both.
func showMove(name string, before func(promauto.Factory), after func(metric.Meter)) {
	none := func(metric.Meter) {}
	old, moved := pageWith(name, before, none), pageWith(name, func(promauto.Factory) {}, after)
	fmt.Print("client_golang:\n", old)
	if moved == old {
		fmt.Println("OpenTelemetry: the same")
	} else {
		fmt.Print("OpenTelemetry:\n", moved)
	}
	fmt.Print("both at once:\n", pageWith(name, before, after))
}

func pageWith(name string, before func(promauto.Factory), after func(metric.Meter)) string {
	p, err := telemetry.New(ctx, telemetry.WithoutRuntime(), telemetry.WithoutPush())
	if err != nil {
		return err.Error()
	}
	defer func() { _ = p.Shutdown(ctx) }()
	before(promauto.With(p.Registerer()))
	after(p.Meter("github.com/acme/shop"))

	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	var b strings.Builder
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE "), name) {
			b.WriteString(line)
		}
	}
	for _, c := range p.Conflicts() {
		fmt.Fprintf(&b, "conflict: %s, %s\n", c.Reason, c.Resolution)
	}
	return b.String()
}

// The snippets in the last section of MIGRATING.md are lines of this file.
func TestGuideQuotesTheExamples(t *testing.T) {
	guide, err1 := os.ReadFile("MIGRATING.md")
	code, err2 := os.ReadFile("example_test.go")
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	_, moves, found := strings.Cut(string(guide), "\n## 3. ")
	if !found {
		t.Fatal("MIGRATING.md has no section 3")
	}
	inCode := false
	for line := range strings.Lines(moves) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "```") {
			inCode = line == "```go"
		} else if inCode && !strings.HasPrefix(line, "//") && !strings.Contains(string(code), line) {
			t.Errorf("not in example_test.go: %s", line)
		}
	}
}
