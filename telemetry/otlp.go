package telemetry

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// An exporterTo is an exporter of metrics or spans, and where it sends, for people.
type exporterTo[E any] struct {
	exporter E
	to       string
}

// metricExporters makes the exporters of metrics that the environment asks for. They do not dial yet.
func metricExporters(ctx context.Context, log voice) ([]exporterTo[sdkmetric.Exporter], error) {
	return exporters(log, metricsSignal, func() (sdkmetric.Exporter, error) { return stdoutmetric.New() },
		func(t otlpTarget) (sdkmetric.Exporter, error) {
			switch {
			case t.protocol == protocolHTTP && t.named:
				return otlpmetrichttp.New(ctx)
			case t.protocol == protocolHTTP:
				return otlpmetrichttp.New(ctx, otlpmetrichttp.WithInsecure())
			case t.named:
				return otlpmetricgrpc.New(ctx)
			}
			return otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithInsecure())
		})
}

// spanExporters makes the exporters of spans that the environment asks for. They do not dial yet.
func spanExporters(ctx context.Context, log voice) ([]exporterTo[sdktrace.SpanExporter], error) {
	return exporters(log, tracesSignal, func() (sdktrace.SpanExporter, error) { return stdouttrace.New() },
		func(t otlpTarget) (sdktrace.SpanExporter, error) {
			switch {
			case t.protocol == protocolHTTP && t.named:
				return otlptracehttp.New(ctx)
			case t.protocol == protocolHTTP:
				return otlptracehttp.New(ctx, otlptracehttp.WithInsecure())
			case t.named:
				return otlptracegrpc.New(ctx)
			}
			return otlptracegrpc.New(ctx, otlptracegrpc.WithInsecure())
		})
}

func exporters[E any](
	log voice, signal string, console func() (E, error), otlp func(otlpTarget) (E, error),
) ([]exporterTo[E], error) {
	names, err := exportersOf(log, signal)
	if err != nil {
		return nil, err
	}
	var out []exporterTo[E]
	for _, name := range names {
		var e E
		to := "standard output"
		if name == consoleExporter {
			e, err = console()
		} else {
			var t otlpTarget
			if t, err = otlpTargetOf(log, signal); err != nil {
				return nil, err
			}
			to = t.endpoint + " (" + t.protocol + ")"
			e, err = otlp(t)
		}
		if err != nil {
			return nil, fmt.Errorf("telemetry: exporter %s of OTEL_%s_EXPORTER: %w", name, signal, err)
		}
		out = append(out, exporterTo[E]{e, to})
	}
	return out, nil
}
