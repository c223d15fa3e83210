package main

import (
	"context"

	"corpus.example/page"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
)

var (
	a, _ = otel.Meter("a").Int64Counter("http.requests", metric.WithDescription("Of a."))
	b, _ = otel.Meter("b").Int64Counter("http.requests", metric.WithDescription("Of b."))

	meter = otel.Meter("c")
	c, _  = meter.Float64Histogram("wait", metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(0.1, 1))
	d, _  = meter.Float64Histogram("wait", metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(.1, 1.0))
	e, _  = meter.Float64Histogram("wait", metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(0.5)) // possible `wait_seconds: buckets [0.1 1] at corpus.example/silent_otelmeters/main.go:16, [0.5] here; OpenTelemetry's SDK uses the first one's for both`
)

func main() {
	h := page.Export()
	a.Add(context.Background(), 1)
	b.Add(context.Background(), 1)
	for _, wait := range []metric.Float64Histogram{c, d, e} {
		wait.Record(context.Background(), 1)
	}
	page.PrintOf(h)
}
