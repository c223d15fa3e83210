package telemetry_test

import (
	"context"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/onemeter/onemeter/telemetry"
)

// A maker creates one of the 14 kinds of instrument and records v, which is not negative. It returns the value that
// the page must show: the sum of a counter, or the count of a histogram.
type maker func(m metric.Meter, name, desc, unit string, v int, attrs metric.MeasurementOption) (counted float64, observed uint64)

var makers = []maker{
	func(m metric.Meter, name, d, u string, v int, attrs metric.MeasurementOption) (float64, uint64) {
		i, _ := m.Int64Counter(name, desc(d), unit(u))
		i.Add(ctx, int64(v), attrs)
		return float64(v), 0
	},
	func(m metric.Meter, name, d, u string, v int, attrs metric.MeasurementOption) (float64, uint64) {
		i, _ := m.Float64Counter(name, desc(d), unit(u))
		i.Add(ctx, float64(v), attrs)
		return float64(v), 0
	},
	func(m metric.Meter, name, d, u string, v int, attrs metric.MeasurementOption) (float64, uint64) {
		i, _ := m.Int64UpDownCounter(name, desc(d), unit(u))
		i.Add(ctx, int64(v), attrs)
		return 0, 0
	},
	func(m metric.Meter, name, d, u string, v int, attrs metric.MeasurementOption) (float64, uint64) {
		i, _ := m.Float64UpDownCounter(name, desc(d), unit(u))
		i.Add(ctx, float64(v), attrs)
		return 0, 0
	},
	func(m metric.Meter, name, d, u string, v int, attrs metric.MeasurementOption) (float64, uint64) {
		i, _ := m.Int64Histogram(name, desc(d), unit(u))
		i.Record(ctx, int64(v), attrs)
		return 0, 1
	},
	func(m metric.Meter, name, d, u string, v int, attrs metric.MeasurementOption) (float64, uint64) {
		i, _ := m.Float64Histogram(name, desc(d), unit(u), metric.WithExplicitBucketBoundaries(1, 2, float64(v)+3))
		i.Record(ctx, float64(v), attrs)
		return 0, 1
	},
	func(m metric.Meter, name, d, u string, v int, attrs metric.MeasurementOption) (float64, uint64) {
		i, _ := m.Int64Gauge(name, desc(d), unit(u))
		i.Record(ctx, int64(v), attrs)
		return 0, 0
	},
	func(m metric.Meter, name, d, u string, v int, attrs metric.MeasurementOption) (float64, uint64) {
		i, _ := m.Float64Gauge(name, desc(d), unit(u))
		i.Record(ctx, float64(v), attrs)
		return 0, 0
	},
	func(m metric.Meter, name, d, u string, v int, attrs metric.MeasurementOption) (float64, uint64) {
		_, _ = m.Int64ObservableCounter(name, desc(d), unit(u), int64s(v, attrs))
		return float64(v), 0
	},
	func(m metric.Meter, name, d, u string, v int, attrs metric.MeasurementOption) (float64, uint64) {
		_, _ = m.Float64ObservableCounter(name, desc(d), unit(u), float64s(v, attrs))
		return float64(v), 0
	},
	func(m metric.Meter, name, d, u string, v int, attrs metric.MeasurementOption) (float64, uint64) {
		_, _ = m.Int64ObservableUpDownCounter(name, desc(d), unit(u), int64s(v, attrs))
		return 0, 0
	},
	func(m metric.Meter, name, d, u string, v int, attrs metric.MeasurementOption) (float64, uint64) {
		_, _ = m.Float64ObservableUpDownCounter(name, desc(d), unit(u), float64s(v, attrs))
		return 0, 0
	},
	func(m metric.Meter, name, d, u string, v int, attrs metric.MeasurementOption) (float64, uint64) {
		_, _ = m.Int64ObservableGauge(name, desc(d), unit(u), int64s(v, attrs))
		return 0, 0
	},
	func(m metric.Meter, name, d, u string, v int, attrs metric.MeasurementOption) (float64, uint64) {
		_, _ = m.Float64ObservableGauge(name, desc(d), unit(u), float64s(v, attrs))
		return 0, 0
	},
}

type int64Callback interface {
	metric.Int64ObservableCounterOption
	metric.Int64ObservableUpDownCounterOption
	metric.Int64ObservableGaugeOption
}

type float64Callback interface {
	metric.Float64ObservableCounterOption
	metric.Float64ObservableUpDownCounterOption
	metric.Float64ObservableGaugeOption
}

func int64s(v int, attrs metric.MeasurementOption) int64Callback {
	return metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(int64(v), attrs)
		return nil
	})
}

func float64s(v int, attrs metric.MeasurementOption) float64Callback {
	return metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
		o.Observe(float64(v), attrs)
		return nil
	})
}

// FuzzIdentity creates three instruments of any kinds, names, units, descriptions and attributes, in one meter or
// several. Strict parsers must accept the page in all formats, it must have every count, and a push must equal it.
func FuzzIdentity(f *testing.F) {
	type seed struct {
		kinds, shape                           uint16
		n1, n2, n3, d1, d2, u1, u2, k1, k2, v1 string
	}
	for _, s := range []seed{
		{0x000, 0, "http.requests", "http.requests", "http_requests_total", "A", "B", "", "", "path", "le", "/a"},
		{0x060, 1, "http.requests", "http.requests.total", "http.requests_gauge", "A", "", "1", "", "__name__", "", "\xff"},
		{0x645, 2, "lat", "lat.count", "lat.sum", "A", "B", "s", "ms", "otel_scope_name", "otel.scope.name", "x"},
		{0x0c8, 3, "target.info", "target", "target_info_total", "\xff", "B", "By/s", "{x}", "a.b", "a_b", ";"},
		{0xd71, 7, "", "1 bad name!", "!!!", "\n", "\\", "/", "//", "", "日本", "\x00"},
		{0x111, 4, strings.Repeat("x", 255), strings.Repeat("x", 254) + "y", "total", "", "", "total", "1", "job", "instance", ""},
	} {
		f.Add(s.kinds, s.shape, s.n1, s.n2, s.n3, s.d1, s.d2, s.u1, s.u2, s.k1, s.k2, s.v1)
	}
	f.Fuzz(func(t *testing.T, kinds, shape uint16, n1, n2, n3, d1, d2, u1, u2, k1, k2, v1 string) {
		var opts []telemetry.Option
		if shape&4 != 0 {
			opts = append(opts, telemetry.WithScopeLabels())
		}
		w := newWire(t)
		p := newProvider(t, append(opts, telemetry.WithMetricExporter(w))...)
		meters := []metric.Meter{p.Meter("one"), p.Meter("one"), p.Meter("one")}
		if shape&1 != 0 {
			meters[1] = p.Meter(n1, metric.WithInstrumentationAttributes(attribute.String(k1, v1)))
		}
		if shape&2 != 0 {
			meters[2] = p.Meter("three", metric.WithInstrumentationVersion(v1), metric.WithSchemaURL(v1))
		}
		attrs := []metric.MeasurementOption{
			metric.WithAttributes(attribute.String(k1, v1)),
			metric.WithAttributes(attribute.String(k1, v1), attribute.String(k2, "x")),
			metric.WithAttributes(attribute.String(k2, v1), attribute.Int("n", 1), attribute.StringSlice("s", []string{v1})),
		}
		names, descs, units := []string{n1, n2, n3}, []string{d1, d2, d1}, []string{u1, u2, u1}
		var counted float64
		var observed uint64
		for i := range 3 {
			kind := int(kinds>>(4*i)) & 15 % len(makers)
			c, o := makers[kind](meters[i], names[i], descs[i], units[i], i+1, attrs[i])
			if !refused(names[i]) {
				counted, observed = counted+c, observed+o
			}
		}
		var gotCounted float64
		var gotObserved uint64
		for name, family := range scrape(t, p) {
			if own(name) {
				continue
			}
			for _, m := range family.Metric {
				gotCounted += m.GetCounter().GetValue()
				gotObserved += m.GetHistogram().GetSampleCount()
			}
		}
		if gotCounted != counted || gotObserved != observed {
			t.Errorf("on the page: counters %v, histograms %d; want %v, %d\n%s",
				gotCounted, gotObserved, counted, observed, get(t, p.Handler(), acceptText))
		}
		if shape&4 == 0 {
			w.agrees(t, p, otelprom.WithoutScopeInfo())
		} else if err := p.ForceFlush(ctx); err != nil {
			t.Error(err)
		}
	})
}

// refused reports whether the stock SDK returns an error for an instrument's name. Such an instrument counts nothing
// here.
func refused(name string) bool {
	_, err := sdkmetric.NewMeterProvider().Meter("").Int64Counter(name)
	return err != nil
}

// own matches the families that a Provider has about itself.
func own(family string) bool {
	return strings.HasPrefix(family, "telemetry_export") || family == "telemetry_conflicts_total" || family == "telemetry_callback_errors_total" ||
		family == "telemetry_scrape_errors_total"
}
