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
)

func main() {
	h := page.Export()
	a.Add(context.Background(), 1)
	b.Add(context.Background(), 1)
	page.PrintOf(h)
}
