// Package page prints what a scrape of the default registry answers, as a program's main.
package page

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// Print scrapes the default registry.
func Print() { PrintOf(promhttp.Handler()) }

// PrintOf scrapes h.
func PrintOf(h http.Handler) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	fmt.Println(w.Code)
}

// Export makes OpenTelemetry's stock exporter the default, and returns its page.
func Export() http.Handler {
	reg := prometheus.NewRegistry()
	x, err := exporter.New(exporter.WithRegisterer(reg))
	if err != nil {
		panic(err)
	}
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(x)))
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{})
}
