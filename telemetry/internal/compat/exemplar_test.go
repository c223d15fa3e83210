package compat_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/onemeter/onemeter/telemetry"
)

// Measurements within a sampled span refer to its trace, whatever attributes the view left to the exemplar.
// Prometheus's own parser accepts the page, and no exemplar has more than 128 characters.
func TestExemplarsForPrometheus(t *testing.T) {
	t.Setenv("OTEL_TRACES_SAMPLER", "always_on")
	long := strings.Repeat("ö", 300)
	for name, attrs := range map[string][]attribute.KeyValue{
		"none": nil, "short": {attribute.String("user", "7")}, "long value": {attribute.String("user", long)},
		"long key": {attribute.String(long, "7")}, "not UTF-8": {attribute.String("user", "\xff"), attribute.String("k\xff", "x")},
		"reserved": {attribute.String("le", "5"), attribute.String("trace_id", long), attribute.String("span_id", "mine")},
		"many":     {attribute.String("a", long[:60]), attribute.String("b", long[:60]), attribute.String("c", "1"), attribute.String("d", "2")},
		"odd":      {attribute.String("", "x"), attribute.String("a.b", "1"), attribute.String("a_b", "2"), attribute.String("q", "\"\\\n")},
		"values":   {attribute.Bool("b", true), attribute.StringSlice("s", []string{long, "\xff"}), attribute.Float64("f", 1e300)},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := telemetry.New(t.Context(), telemetry.WithoutRuntime(), telemetry.WithSpanExporter(tracetest.NewInMemoryExporter()),
				telemetry.WithGatherer(wildGatherer()), telemetry.WithView(sdkmetric.NewView(sdkmetric.Instrument{Name: "*"},
					sdkmetric.Stream{AttributeFilter: attribute.NewAllowKeysFilter("path", "reason", "signal")})))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = p.Shutdown(t.Context()) }()
			ctx, span := p.TracerProvider().Tracer("one").Start(t.Context(), "work")
			defer span.End()
			opt := metric.WithAttributes(append(attrs, attribute.String("path", "/a"))...)
			for _, m := range []metric.Meter{p.Meter("one"), p.Meter("two")} { // merged families keep theirs
				must(m.Int64Counter("hits")).Add(ctx, 1, opt)
				must(m.Float64Histogram("lat", metric.WithUnit("s"))).Record(ctx, .2, opt)
			}
			must(p.Meter("two").Int64Histogram("lat", metric.WithUnit("s"))).Record(ctx, 3, opt)
			found := exemplars(t, page(t, p, "application/openmetrics-text;version=1.0.0"))
			trace := span.SpanContext().TraceID().String()
			for _, series := range []string{"hits_total /a", "lat_seconds_bucket /a 0.25", "lat_seconds_bucket /a 5.0"} {
				if got := found[series].Get("trace_id"); got != trace {
					t.Errorf("%s: trace_id %q, want %s; found %v", series, got, trace, found)
				}
			}
			for series, l := range found {
				n := 0
				l.Range(func(l labels.Label) { n += utf8.RuneCountInString(l.Name) + utf8.RuneCountInString(l.Value) })
				if n > 128 {
					t.Errorf("%s: %d characters: %v", series, n, l)
				}
			}
			if strings.Contains(string(page(t, p, acceptText)), trace) {
				t.Error("the text format, which has no exemplars, has one")
			}
		})
	}
}

// wildGatherer returns what a prometheus.Registry would not: an exemplar of 600 characters.
func wildGatherer() prometheus.Gatherer {
	return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		return []*dto.MetricFamily{{
			Name: new("wild_total"), Type: dto.MetricType_COUNTER.Enum(),
			Metric: []*dto.Metric{{Counter: &dto.Counter{Value: new(1.0), Exemplar: &dto.Exemplar{
				Value: new(1.0), Label: []*dto.LabelPair{{Name: new("trace_id"), Value: new(strings.Repeat("x", 600))}},
			}}}},
		}}, nil
	})
}

// exemplars reads a page with Prometheus's parser and returns the exemplars by series: name, path and le.
func exemplars(t *testing.T, body []byte) map[string]labels.Labels {
	t.Helper()
	p, err := textparse.New(body, contentTypes[".openmetrics"], labels.NewSymbolTable(), textparse.ParserOptions{})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]labels.Labels{}
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, body)
		}
		var e exemplar.Exemplar
		if entry == textparse.EntrySeries && p.Exemplar(&e) {
			var l labels.Labels
			p.Labels(&l)
			key := strings.TrimSpace(fmt.Sprint(l.Get("__name__"), " ", l.Get("path"), " ", l.Get("le")))
			out[key] = e.Labels
		}
	}
}
