package telemetrytest_test

import (
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"go.opentelemetry.io/otel/attribute"

	"github.com/onemeter/onemeter/telemetry/telemetrytest"
)

func TestMetricsOfClientGolangAreFoundByTheirFamily(t *testing.T) {
	t.Parallel()
	rec := telemetrytest.New(t)
	with := promauto.With(rec.Registerer())
	jobs := with.NewCounterVec(prometheus.CounterOpts{Name: "jobs_total"}, []string{"queue"})
	jobs.WithLabelValues("mail").Add(3)
	jobs.WithLabelValues("push").Add(4)
	with.NewGauge(prometheus.GaugeOpts{Name: "jobs_open"}).Set(5)
	with.NewUntypedFunc(prometheus.UntypedOpts{Name: "jobs_limit"}, func() float64 { return 6 })
	bounds := []float64{1, 2}
	classic := with.NewHistogram(prometheus.HistogramOpts{Name: "jobs_seconds", Buckets: bounds})
	classic.Observe(1.5)
	classic.(prometheus.ExemplarObserver).ObserveWithExemplar(7, prometheus.Labels{"job": "7"}) // shows the last bucket
	native := with.NewHistogram(prometheus.HistogramOpts{Name: "jobs_bytes", NativeHistogramBucketFactor: 1.1})
	native.Observe(10)
	native.Observe(20)
	with.NewSummary(prometheus.SummaryOpts{Name: "jobs_size"}).Observe(9)

	with.NewCounter(prometheus.CounterOpts{
		Name: "jobs_routed_total", ConstLabels: prometheus.Labels{"job.route": "fast"},
	}).Inc()

	mail := attribute.String("queue", "mail")
	for _, c := range []struct {
		what      string
		got, want float64
	}{
		{"Sum of a counter", rec.Sum("jobs_total"), 7},
		{"Sum of one label", rec.Sum("jobs_total", mail), 3},
		{"Sum of no label", rec.Sum("jobs_total", mail, attribute.Int("shard", 1)), 0},
		{"Sum of a label with a dot", rec.Sum("jobs_routed_total", attribute.String("job.route", "fast")), 1},
		{"Sum of a gauge", rec.Sum("jobs_open"), 5},
		{"Sum of an untyped metric", rec.Sum("jobs_limit"), 6},
		{"Sum of a histogram", rec.Sum("jobs_seconds"), 8.5},
		{"Count of a histogram", float64(rec.Count("jobs_seconds")), 2},
		{"Sum of a native histogram", rec.Sum("jobs_bytes"), 30},
		{"Count of a native histogram", float64(rec.Count("jobs_bytes")), 2},
		{"Sum of a summary", rec.Sum("jobs_size"), 9},
		{"Count of a summary", float64(rec.Count("jobs_size")), 1},
		{"Count of a counter", float64(rec.Count("jobs_total")), 0},
	} {
		if c.got != c.want {
			t.Errorf("%s = %v, want %v", c.what, c.got, c.want)
		}
	}
	if b := rec.Bounds("jobs_seconds"); !slices.Equal(b, bounds) {
		t.Errorf("Bounds = %v, want %v", b, bounds)
	}
	if b := rec.Bounds("jobs_bytes"); b != nil {
		t.Errorf("Bounds of a native histogram = %v", b)
	}
	if m := rec.Metric("jobs_total"); m.Data != nil {
		t.Errorf("Metric = %+v", m)
	}
}

// While a package moves from client_golang to OpenTelemetry, both count into one family.
func TestAFamilyOfBothCountsTogether(t *testing.T) {
	t.Parallel()
	rec := telemetrytest.New(t)
	c, err := rec.Meter("api").Int64Counter("jobs")
	if err != nil {
		t.Fatal(err)
	}
	c.Add(t.Context(), 1)
	promauto.With(rec.Registerer()).NewCounter(prometheus.CounterOpts{Name: "jobs_total"}).Add(2)
	for _, name := range []string{"jobs", "jobs_total"} {
		if got := rec.Sum(name); got != 3 {
			t.Errorf("Sum(%s) = %v, want 3", name, got)
		}
	}
}
