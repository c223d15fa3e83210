package text

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/attribute"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// expected is the line that expfmt writes.
func expected(f Format, t dto.MetricType, m *dto.Metric) string {
	page := f.write(&dto.MetricFamily{Name: new("x_total"), Type: t.Enum(), Metric: []*dto.Metric{m}})
	return page[strings.Index(page, "\nx")+1:]
}

// Numbers are written as by expfmt.
func TestFloats(t *testing.T) {
	values := []float64{
		0, math.Copysign(0, -1), 1, -1, 2, 0.1, -0.5, 999999, 1e6, 1e6 + 1, -999999, -1e6, 123456789, 1e15, 1 << 53, 1e20, 1e21, 1e22,
		1e-4, 1e-5, math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1), math.NaN(), 1.5e6, 100000.5,
	}
	for range 2000 {
		values = append(values, math.Float64frombits(rand.Uint64()), rand.NormFloat64()*1e4, float64(rand.IntN(1e8)))
	}
	for _, v := range values {
		for _, f := range []Format{Prometheus, OpenMetrics} {
			want := expected(f, dto.MetricType_GAUGE, &dto.Metric{Gauge: &dto.Gauge{Value: &v}})
			if got := "x_total " + string(f.AppendFloat(nil, v)) + "\n"; got != want {
				t.Fatalf("%v: %q, want %q", v, got, want)
			}
		}
	}
}

// Counts of buckets are written as by expfmt.
func TestCounts(t *testing.T) {
	for _, n := range []uint64{0, 1, 2, 999_999, 1_000_000, 1_000_001, 1 << 53, math.MaxUint64} {
		for _, f := range []Format{Prometheus, OpenMetrics} {
			want := expected(f, dto.MetricType_HISTOGRAM, &dto.Metric{Histogram: &dto.Histogram{SampleCount: &n}})
			line := `x_total_bucket{le="+Inf"} ` + string(f.AppendCount(nil, n)) + "\n"
			if !strings.HasPrefix(want, line) {
				t.Errorf("%q, want the beginning of %q", line, want)
			}
		}
	}
}

// Exemplars are written as by expfmt.
func TestExemplars(t *testing.T) {
	type ids struct {
		trace           [16]byte
		span            [8]byte
		traceID, spanID string
	}
	for at, id := range map[int64]ids{
		1_764_428_400_123_456_789: {[16]byte{1, 2, 0xff}, [8]byte{0xab}, "0102ff00000000000000000000000000", "ab00000000000000"},
		1_000_000_000:             {},
	} {
		m := &dto.Metric{Counter: &dto.Counter{Value: new(3.0), Exemplar: &dto.Exemplar{
			Label: []*dto.LabelPair{
				{Name: new("span_id"), Value: &id.spanID},
				{Name: new("trace_id"), Value: &id.traceID},
			},
			Value: new(1.25), Timestamp: &timestamppb.Timestamp{Seconds: at / 1e9, Nanos: int32(at % 1e9)},
		}}}
		want := expected(OpenMetrics, dto.MetricType_COUNTER, m)
		got := "x_total 3.0" + string(AppendExemplar(nil, id.trace, id.span, 1.25, at)) + "\n"
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Labels and comments are written as by expfmt, whatever their text.
func TestLabelsAndComments(t *testing.T) {
	if got := Labels(attribute.NewSet()); got != "" {
		t.Errorf("no labels are %q", got)
	}
	nasty := "a\\b\"c\nd} 0\n# TYPE e\nx{f"
	set := attribute.NewSet(attribute.String("a", nasty), attribute.String("b", ""))
	if got, want := Labels(set), `a="a\\b\"c\nd} 0\n# TYPE e\nx{f",b=""`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for f, want := range map[Format]string{
		Prometheus:  "# HELP x_total a\\\\b\"c\\nd} 0\\n# TYPE e\\nx{f\n# TYPE x_total counter\n",
		OpenMetrics: "# HELP x a\\\\b\\\"c\\nd} 0\\n# TYPE e\\nx{f\n# TYPE x counter\n",
	} {
		if got := f.Head("x_total", nasty, dto.MetricType_COUNTER); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got, want := Prometheus.Head("h", "", dto.MetricType_HISTOGRAM), "# TYPE h histogram\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
