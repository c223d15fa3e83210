package telemetrytest_test

import (
	"slices"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/onemeter/onemeter/telemetry"
	"github.com/onemeter/onemeter/telemetry/telemetrytest"
)

// viewed returns a Recorder of a shop that was paid .2 and .4 seconds with result ok, and 1 second with failed.
func viewed(t *testing.T, views ...sdkmetric.View) *telemetrytest.Recorder {
	t.Helper()
	t.Parallel()
	rec := telemetrytest.New(t, telemetry.WithView(views...))
	s, err := newShop(rec)
	if err != nil {
		t.Fatal(err)
	}
	s.pay("ok", .2)
	s.pay("ok", .4)
	s.pay("failed", 1)
	return rec
}

func view(instrument string, s sdkmetric.Stream) sdkmetric.View {
	return sdkmetric.NewView(sdkmetric.Instrument{Name: instrument}, s)
}

var ok = attribute.String("result", "ok")

func near(got, want float64) bool { return got > want-1e-9 && got < want+1e-9 }

func TestARenamedMetricHasThreeNames(t *testing.T) {
	rec := viewed(t,
		view("shop.payments", sdkmetric.Stream{Name: "sales"}),
		view("shop.duration", sdkmetric.Stream{Name: "sale.duration"}),
	)
	for _, name := range []string{"shop.payments", "sales", "sales_total"} {
		if got := rec.Sum(name, ok); got != 2 {
			t.Errorf("Sum(%s) = %v, want 2", name, got)
		}
		if m := rec.Metric(name); m.Name != "sales" {
			t.Errorf("Metric(%s) = %+v", name, m)
		}
	}
	for _, name := range []string{"shop.duration", "Sale.Duration", "sale_duration_seconds"} {
		if sum, n, b := rec.Sum(name), rec.Count(name, ok), rec.Bounds(name); !near(sum, 1.6) || n != 2 || len(b) == 0 {
			t.Errorf("%s: Sum = %v, Count = %v, Bounds = %v", name, sum, n, b)
		}
	}
}

func TestADroppedMetricIsZero(t *testing.T) {
	rec := viewed(t,
		view("shop.payments", sdkmetric.Stream{Aggregation: sdkmetric.AggregationDrop{}}),
		view("shop.duration", sdkmetric.Stream{Aggregation: sdkmetric.AggregationDrop{}}),
	)
	if sum, n, b := rec.Sum("shop.payments"), rec.Count("shop.duration"), rec.Bounds("shop.duration"); sum != 0 || n != 0 || b != nil {
		t.Errorf("Sum = %v, Count = %v, Bounds = %v", sum, n, b)
	}
	if m := rec.Metric("shop.payments"); m.Data != nil {
		t.Errorf("Metric = %+v", m)
	}
}

func TestAFilteredAttributeIsInNoSeries(t *testing.T) {
	rec := viewed(t, view("shop.payments", sdkmetric.Stream{AttributeFilter: attribute.NewDenyKeysFilter("result")}))
	if all, some := rec.Sum("shop.payments", attribute.Int("shard", 1)), rec.Sum("shop.payments", ok); all != 3 || some != 0 {
		t.Errorf("Sum = %v, want 3; with the attribute %v, want 0", all, some)
	}
}

func TestAViewChangesBounds(t *testing.T) {
	t.Parallel()
	bounds := []float64{1, 100}
	rec := telemetrytest.New(t, telemetry.WithView(view("shop.size", sdkmetric.Stream{
		Aggregation: sdkmetric.AggregationExplicitBucketHistogram{Boundaries: bounds},
	})))
	h, err := rec.Meter("shop").Int64Histogram("shop.size")
	if err != nil {
		t.Fatal(err)
	}
	h.Record(t.Context(), 7)
	h.Record(t.Context(), 9)
	if sum, n, b := rec.Sum("shop.size"), rec.Count("shop.size"), rec.Bounds("shop.size"); sum != 16 || n != 2 || !slices.Equal(b, bounds) {
		t.Errorf("Sum = %v, Count = %v, Bounds = %v", sum, n, b)
	}
}

// Below scale -4 the page has a classic histogram, because Prometheus has none that coarse.
func TestAnExponentialHistogramHasSumAndCount(t *testing.T) {
	for name, scale := range map[string]int32{"fine": 20, "too coarse for Prometheus": -6} {
		t.Run(name, func(t *testing.T) {
			rec := viewed(t, view("shop.duration", sdkmetric.Stream{
				Aggregation: sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 160, MaxScale: scale},
			}))
			if sum, n := rec.Sum("shop.duration", ok), rec.Count("shop.duration", ok); !near(sum, .6) || n != 2 {
				t.Errorf("Sum = %v, Count = %v", sum, n)
			}
			if b := rec.Bounds("shop.duration"); b != nil && scale > 0 {
				t.Errorf("Bounds = %v", b)
			}
			if _, isExponential := rec.Metric("shop.duration").Data.(metricdata.ExponentialHistogram[float64]); !isExponential {
				t.Errorf("Metric = %+v", rec.Metric("shop.duration"))
			}
		})
	}
}

func TestAHistogramThatIsSummedHasASum(t *testing.T) {
	rec := viewed(t, view("shop.duration", sdkmetric.Stream{Aggregation: sdkmetric.AggregationSum{}}))
	for _, name := range []string{"shop.duration", "shop_duration_seconds_total"} {
		if sum, n := rec.Sum(name), rec.Count(name); !near(sum, 1.6) || n != 0 {
			t.Errorf("%s: Sum = %v, Count = %v", name, sum, n)
		}
	}
}

func TestACounterThatIsAHistogramHasACount(t *testing.T) {
	rec := viewed(t, view("shop.payments", sdkmetric.Stream{
		Aggregation: sdkmetric.AggregationExplicitBucketHistogram{Boundaries: []float64{1, 2}},
	}))
	if sum, n, b := rec.Sum("shop.payments"), rec.Count("shop.payments"), rec.Bounds("shop.payments"); sum != 3 || n != 3 || len(b) != 2 {
		t.Errorf("Sum = %v, Count = %v, Bounds = %v", sum, n, b)
	}
}

// Two views make two metrics of one instrument. Both have all measurements, and neither is counted twice.
func TestAnInstrumentOfTwoViewsCountsOnce(t *testing.T) {
	one, two := []float64{.1}, []float64{.3, .9}
	rec := viewed(t,
		view("shop.duration", sdkmetric.Stream{Aggregation: sdkmetric.AggregationExplicitBucketHistogram{Boundaries: one}}),
		view("shop.duration", sdkmetric.Stream{
			Name: "shop.wait", Aggregation: sdkmetric.AggregationExplicitBucketHistogram{Boundaries: two},
		}),
	)
	for name, bounds := range map[string][]float64{"shop.duration": one, "shop.wait": two} {
		if n, b := rec.Count(name), rec.Bounds(name); n != 3 || !slices.Equal(b, bounds) {
			t.Errorf("%s: Count = %v, Bounds = %v", name, n, b)
		}
	}
}
