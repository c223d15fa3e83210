// Package otlp links the exporters that OpenTelemetry's environment variables can ask for: OTLP over gRPC and HTTP,
// and the console, for metrics and traces. It also links the propagators that OTEL_PROPAGATORS can ask for besides W3C's:
// b3, b3multi, jaeger, xray and ottrace. Import it in main, only for this effect:
//
//	import _ "github.com/onemeter/onemeter/telemetry/otlp"
//
// Package telemetry does not link them itself, because they make up two fifths of the size of a small program. If
// OTEL_METRICS_EXPORTER, OTEL_TRACES_EXPORTER or an endpoint asks for an exporter and this package is not imported,
// telemetry.New and telemetry.Setup return an error that names the import. Exporters that are passed to
// telemetry.WithMetricExporter and telemetry.WithSpanExporter do not need this package.
package otlp

import (
	"context"

	"go.opentelemetry.io/contrib/propagators/autoprop"
	"go.opentelemetry.io/otel/propagation"

	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/onemeter/onemeter/telemetry/internal/exporting"
)

func init() {
	exporting.Linked = &exporting.Makers{Metrics: metrics, Spans: spans, Propagator: propagator}
}

func propagator(name string) (propagation.TextMapPropagator, error) {
	return autoprop.TextMapPropagator(name)
}

func metrics(ctx context.Context, t exporting.Target) (sdkmetric.Exporter, error) {
	switch {
	case t.Console:
		return stdoutmetric.New()
	case t.GRPC && t.Insecure:
		return otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithInsecure())
	case t.GRPC:
		return otlpmetricgrpc.New(ctx)
	case t.Insecure:
		return otlpmetrichttp.New(ctx, otlpmetrichttp.WithInsecure())
	}
	return otlpmetrichttp.New(ctx)
}

func spans(ctx context.Context, t exporting.Target) (sdktrace.SpanExporter, error) {
	switch {
	case t.Console:
		return stdouttrace.New()
	case t.GRPC && t.Insecure:
		return otlptracegrpc.New(ctx, otlptracegrpc.WithInsecure())
	case t.GRPC:
		return otlptracegrpc.New(ctx)
	case t.Insecure:
		return otlptracehttp.New(ctx, otlptracehttp.WithInsecure())
	}
	return otlptracehttp.New(ctx)
}
