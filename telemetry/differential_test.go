package telemetry_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"pgregory.net/rapid"

	"github.com/onemeter/onemeter/telemetry"
)

// A plan is a set of instruments without a conflict, and their measurements.
type plan struct {
	scopes []string
	made   []planned
}

type planned struct {
	scope, kind      int
	name, desc, unit string
	values           []int
	attrs            []metric.MeasurementOption
}

// genPlan draws instruments whose families cannot collide: each name has a unique part in the middle.
func genPlan(t *rapid.T) plan {
	p := plan{scopes: rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,8}(/[a-z.]{1,8})?`), 1, 3, rapid.ID).Draw(t, "scopes")}
	n := rapid.IntRange(1, 12).Draw(t, "instruments")
	for i := range n {
		m := planned{
			scope: rapid.IntRange(0, len(p.scopes)-1).Draw(t, "scope"),
			kind:  rapid.IntRange(0, len(makers)-1).Draw(t, "kind"),
			name: rapid.SampledFrom([]string{"http.", "Http_", "a-b/", "x__y.", "bytes.", "total."}).Draw(t, "head") +
				fmt.Sprintf("n%02d", i) +
				rapid.SampledFrom([]string{"", ".seconds", ".total", "_ratio", ".x9", "-z"}).Draw(t, "tail"),
			desc: rapid.SampledFrom([]string{"", "Help.", "Zwei\nZeilen", `a "quoted" \ one`, "总数"}).Draw(t, "desc"),
			unit: rapid.SampledFrom([]string{"", "1", "s", "ms", "By", "By/s", "{thing}", "{a}/s", "%", "m/s", "Cel"}).Draw(t, "unit"),
		}
		keys := rapid.SliceOfNDistinct(rapid.SampledFrom(
			[]string{"a", "b.c", "b_c", "B-C", "9x", "_u", "x y", "http.route", "http_route", "ключ.x"}), 0, 4, rapid.ID)
		for range rapid.IntRange(1, 4).Draw(t, "series") {
			var kvs []attribute.KeyValue
			for _, k := range keys.Draw(t, "keys") {
				kvs = append(kvs, rapid.SampledFrom([]attribute.KeyValue{
					attribute.String(k, "v"), attribute.String(k, `"\`+"\n"), attribute.Int(k, 7), attribute.Bool(k, true),
					attribute.Float64(k, 1.5), attribute.StringSlice(k, []string{"x", "y"}), attribute.String(k, "ü"),
				}).Draw(t, "value"))
			}
			kvs = append(kvs, attribute.Int("point", len(m.attrs)))
			m.values = append(m.values, rapid.IntRange(0, 1000).Draw(t, "v"))
			m.attrs = append(m.attrs, metric.WithAttributes(kvs...))
		}
		if m.kind >= 8 { // an observable is made once: the SDK drops the callbacks of a second creation
			m.values, m.attrs = m.values[:1], m.attrs[:1]
		}
		p.made = append(p.made, m)
	}
	return p
}

func (p plan) run(mp metric.MeterProvider) {
	for _, m := range p.made {
		meter := mp.Meter(p.scopes[m.scope])
		for i, v := range m.values {
			if m.kind == 4 { // int64 histograms: our defaults for seconds differ on purpose
				h, _ := meter.Int64Histogram(m.name, desc(m.desc), unit(m.unit), metric.WithExplicitBucketBoundaries(1, 10, 100))
				h.Record(ctx, int64(v), m.attrs[i])
				continue
			}
			if m.kind == 5 {
				h, _ := meter.Float64Histogram(m.name, desc(m.desc), unit(m.unit), metric.WithExplicitBucketBoundaries(1, 10, 100))
				h.Record(ctx, float64(v), m.attrs[i])
				continue
			}
			makers[m.kind](meter, m.name, m.desc, m.unit, v, m.attrs[i])
		}
	}
}

// Without conflicts, our page is equal to that of the stock exporter and promhttp, byte for byte, in both text
// formats.
func TestDifferential(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		plan := genPlan(t)
		reg := prometheus.NewRegistry()
		stockOpts := []otelprom.Option{otelprom.WithRegisterer(reg)}
		ourOpts := []telemetry.Option{telemetry.WithoutRuntime()}
		if rapid.Bool().Draw(t, "scope labels") {
			ourOpts = append(ourOpts, telemetry.WithScopeLabels())
		} else {
			stockOpts = append(stockOpts, otelprom.WithoutScopeInfo())
		}
		exporter, err := otelprom.New(stockOpts...)
		if err != nil {
			t.Fatal(err)
		}
		sdk := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter))
		defer stop(sdk)
		p, err := telemetry.New(ctx, ourOpts...)
		if err != nil {
			t.Fatal(err)
		}
		defer stop(p)
		plan.run(sdk)
		plan.run(p)
		stock := promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true})
		for _, accept := range []string{acceptText, acceptOpenMetrics} {
			code, want := fetch(stock, accept)
			if code != 200 {
				t.Fatalf("the stock page is broken, so the plan has a conflict: %s", want)
			}
			_, got := fetch(p.Handler(), accept)
			if d := cmp.Diff(foreignLines(want), foreignLines(got)); d != "" {
				t.Fatalf("%s: stock -, ours +:\n%s", accept, d)
			}
		}
		if told(p) != "" {
			t.Fatalf("told %v", p.Conflicts())
		}
	})
}

// foreignLines leaves out the Provider's metrics about itself, and the HELP that the stock page has for an empty
// description.
func foreignLines(page []byte) []string {
	return slices.DeleteFunc(strings.Split(string(page), "\n"), func(l string) bool {
		return emptyHelp(l) || strings.HasPrefix(strings.TrimPrefix(strings.TrimPrefix(l, "# HELP "), "# TYPE "), "telemetry_")
	})
}
