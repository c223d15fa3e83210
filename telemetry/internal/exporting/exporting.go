// Package exporting holds the exporters that package telemetry pushes with. Package otlp sets them when a program
// links it, as database drivers register themselves.
package exporting

import (
	"context"

	"go.opentelemetry.io/otel/propagation"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// A Target says where to push. The exporter reads everything else from the environment.
type Target struct {
	Console  bool // to standard output instead of OTLP
	GRPC     bool // instead of HTTP
	Insecure bool // without TLS, to the default endpoint
}

// Makers create exporters. The exporters do not connect yet.
type Makers struct {
	Metrics func(context.Context, Target) (sdkmetric.Exporter, error)
	Spans   func(context.Context, Target) (sdktrace.SpanExporter, error)

	// Propagator returns a propagator by its name in OTEL_PROPAGATORS.
	Propagator func(name string) (propagation.TextMapPropagator, error)
}

// Linked has the makers if the program imports package otlp. It is set before main runs.
var Linked *Makers
