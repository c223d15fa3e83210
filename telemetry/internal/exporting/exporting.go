// Package exporting is where package otlp leaves what package telemetry pushes with, if a program links it: as database
// drivers do.
package exporting

import (
	"context"

	"go.opentelemetry.io/otel/propagation"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// A Target says where to push. What is not said here, an exporter reads from the environment itself.
type Target struct {
	Console  bool // to standard output, and not over OTLP
	GRPC     bool // and not over HTTP
	Insecure bool // to the default endpoint, without TLS
}

// Makers make exporters, which do not dial yet.
type Makers struct {
	Metrics func(context.Context, Target) (sdkmetric.Exporter, error)
	Spans   func(context.Context, Target) (sdktrace.SpanExporter, error)

	// Propagator returns one by its name in OTEL_PROPAGATORS.
	Propagator func(name string) (propagation.TextMapPropagator, error)
}

// Linked are the makers of a program that imports package otlp, or nil. They are set before main runs.
var Linked *Makers
