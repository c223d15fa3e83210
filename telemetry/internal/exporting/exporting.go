// Package exporting holds the exporters that package telemetry pushes with. Package otlp sets them when a program
// links it, as database drivers register themselves.
package exporting

import (
	"context"

	"go.opentelemetry.io/otel/propagation"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// A Target says where an exporter pushes to. The exporter reads everything else from the environment.
type Target struct {
	Console  bool // write to standard output instead of sending OTLP
	GRPC     bool // send over gRPC instead of HTTP
	Insecure bool // send without TLS; only for the default endpoint, because others say so themselves
}

// Makers are functions that create exporters, which do not connect yet.
type Makers struct {
	Metrics func(context.Context, Target) (sdkmetric.Exporter, error)
	Spans   func(context.Context, Target) (sdktrace.SpanExporter, error)

	// Propagator returns the propagator with this name in OTEL_PROPAGATORS, or an error if it does not know the name.
	Propagator func(name string) (propagation.TextMapPropagator, error)
}

// Linked has the makers of package otlp, or is nil if the program does not import that. It is set before main runs.
var Linked *Makers
