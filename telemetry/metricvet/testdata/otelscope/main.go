package main

import (
	"context"

	"corpus.example/page"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
)

var (
	meter = otel.Meter("im")
	a, _  = meter.Int64Counter("http.requests", metric.WithDescription("Total number of HTTP requests"))
	b, _  = meter.Int64Counter("http.requests", metric.WithDescription("HTTP请求总数")) // want `http_requests_total: description "Total number of HTTP requests" at corpus.example/otelscope/main.go:13, "HTTP请求总数" here; OpenTelemetry's Prometheus exporter answers every scrape with 500`
)

func main() {
	h := page.Export()
	a.Add(context.Background(), 1)
	b.Add(context.Background(), 1)
	page.PrintOf(h)
}
