package telemetry_test

import (
	"context"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/onemeter/onemeter/telemetry"
)

// A measurement within a sampled span puts its trace on the page, however long its attributes are.
func TestExemplars(t *testing.T) {
	p := newProvider(t, telemetry.WithView(sdkmetric.NewView(
		sdkmetric.Instrument{Name: "*"}, sdkmetric.Stream{AttributeFilter: attribute.NewAllowKeysFilter("path")})))
	span := trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
	}))
	attrs := metric.WithAttributes(attribute.String("path", "/a"), attribute.String("a.user", "7"),
		attribute.String("long", strings.Repeat("x", 200)), attribute.String("bad", "\xff"))
	must(p.Meter("one").Int64Counter("hits")).Add(span, 1, attrs)
	must(p.Meter("one").Float64Histogram("lat")).Record(span, 3, attrs)
	must(p.Meter("two").Float64Histogram("lat")).Record(span, 3, attrs)
	scrape(t, p)
	body := string(get(t, p.Handler(), acceptOpenMetrics))
	for _, want := range []string{
		`hits_total{path="/a"} 1.0 # {a_user="7",bad="` + "\uFFFD" + `",span_id="0200000000000000",trace_id="01`,
		`lat_bucket{path="/a",le="5.0"} 2 # {a_user="7"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s\n%s", want, body)
		}
	}
}
