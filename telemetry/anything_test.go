package telemetry_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"pgregory.net/rapid"

	"github.com/onemeter/onemeter/telemetry"
)

// Names, units and keys are drawn from small sets, so that all combinations occur.
var (
	anyName = rapid.SampledFrom([]string{
		"x", "X", "x.total", "x_total", "x.count", "x_count", "x.sum", "x.bucket", "x_gauge", "x.counter", "x.histogram",
		"x.seconds", "x_seconds_total", "target.info", "target", "x_gauge_2", "x.ratio", "", "!!", "日本", "total",
	})
	anyUnit  = rapid.SampledFrom([]string{"", "s", "ms", "1", "{x}", "By/s", "total", "count", "gauge"})
	anyDesc  = rapid.SampledFrom([]string{"", "A", "B", "\xff"})
	anyScope = rapid.SampledFrom([]string{"one", "two", ""})
	anyKey   = rapid.SampledFrom([]string{"", "a", "a.b", "a_b", "A.B", "le", "quantile", "__name__", "__", "otel_scope_name", "exported_le", "job"})
	anyValue = rapid.SampledFrom([]string{"", "v", "w", "\xff", "a;b", "\n\"\\"})
)

// Whatever instruments, views and gatherers are drawn: the page is complete in every format, no count is lost, and a
// second scrape gives the same page.
func TestAnything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		opts := []telemetry.Option{telemetry.WithoutRuntime()}
		if rapid.Bool().Draw(rt, "scope labels") {
			opts = append(opts, telemetry.WithScopeLabels())
		}
		if rapid.Bool().Draw(rt, "view") {
			opts = append(opts, telemetry.WithView(sdkmetric.NewView(
				sdkmetric.Instrument{Name: anyName.Filter(func(s string) bool { return s != "" }).Draw(rt, "viewed")},
				sdkmetric.Stream{Name: anyName.Draw(rt, "as"), Description: anyDesc.Draw(rt, "view's")})))
		}
		var counted float64
		var observed uint64
		if rapid.Bool().Draw(rt, "gatherer") {
			reg := prometheus.NewRegistry()
			name := rapid.SampledFrom([]string{"x", "x_total", "x_count", "x_seconds", "x_gauge", "target_info"}).Draw(rt, "foreign")
			switch rapid.IntRange(0, 2).Draw(rt, "foreign kind") {
			case 0:
				c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: anyDesc.Filter(func(s string) bool { return s != "\xff" }).Draw(rt, "help")})
				c.Add(3)
				counted += 3
				reg.MustRegister(c)
			case 1:
				h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name})
				h.Observe(1)
				observed++
				reg.MustRegister(h)
			case 2:
				reg.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: name}))
			}
			opts = append(opts, telemetry.WithGatherer(reg))
		}
		p, err := telemetry.New(ctx, opts...)
		if err != nil {
			rt.Fatal(err)
		}
		defer stop(p)
		for range rapid.IntRange(1, 10).Draw(rt, "instruments") {
			m := p.Meter(anyScope.Draw(rt, "scope"))
			kind := rapid.IntRange(0, len(makers)-1).Draw(rt, "kind")
			attrs := metric.WithAttributes(
				attribute.String(anyKey.Draw(rt, "key"), anyValue.Draw(rt, "value")),
				attribute.String(anyKey.Draw(rt, "key"), anyValue.Draw(rt, "value")))
			name := anyName.Draw(rt, "name")
			c, o := makers[kind](m, name, anyDesc.Draw(rt, "desc"), anyUnit.Draw(rt, "unit"),
				rapid.IntRange(0, 9).Draw(rt, "v"), attrs)
			if !refused(name) {
				counted, observed = counted+c, observed+o
			}
		}
		var gotCounted float64
		var gotObserved uint64
		text, err := parseText(okBody(rt, p, acceptText))
		if err != nil {
			rt.Fatal(err)
		}
		for name, family := range text {
			if own(name) {
				continue
			}
			for _, m := range family.Metric {
				gotCounted += m.GetCounter().GetValue()
				gotObserved += m.GetHistogram().GetSampleCount()
			}
		}
		body := okBody(rt, p, acceptText)
		if gotCounted != counted || gotObserved != observed {
			rt.Fatalf("on the page: counters %v, histograms %d; want %v, %d\n%s", gotCounted, gotObserved, counted, observed, body)
		}
		if err := checkOpenMetrics(okBody(rt, p, acceptOpenMetrics)); err != nil {
			rt.Fatal(err)
		}
		if _, err := parseProtobuf(okBody(rt, p, acceptProtobuf)); err != nil {
			rt.Fatal(err)
		}
		if next := okBody(rt, p, acceptText); string(next) != string(body) {
			rt.Fatalf("the page changes from scrape to scrape:\n%s\n%s", body, next)
		}
	})
}

func okBody(t *rapid.T, p *telemetry.Provider, accept string) []byte {
	code, body := fetch(p.Handler(), accept)
	if code != 200 {
		t.Fatalf("status %d: %s", code, body)
	}
	return body
}
