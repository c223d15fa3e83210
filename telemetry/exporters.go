package telemetry

import (
	"context"
	"fmt"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/onemeter/onemeter/telemetry/internal/exporting"
)

// An exporterTo is an exporter of metrics or spans, and the name of its target in logs.
type exporterTo[E any] struct {
	exporter E
	to       string
}

// metricExporters creates the metric exporters that the environment asks for. They do not connect yet.
func metricExporters(ctx context.Context, log voice) ([]exporterTo[sdkmetric.Exporter], error) {
	return exporters(log, metricsSignal, func(t exporting.Target) (sdkmetric.Exporter, error) {
		return exporting.Linked.Metrics(ctx, t)
	})
}

// spanExporters creates the span exporters that the environment asks for. They do not connect yet.
func spanExporters(ctx context.Context, log voice) ([]exporterTo[sdktrace.SpanExporter], error) {
	return exporters(log, tracesSignal, func(t exporting.Target) (sdktrace.SpanExporter, error) {
		return exporting.Linked.Spans(ctx, t)
	})
}

func exporters[E any](log voice, signal string, make func(exporting.Target) (E, error)) ([]exporterTo[E], error) {
	names, err := exportersOf(log, signal)
	if err != nil {
		return nil, err
	}
	var out []exporterTo[E]
	for _, name := range names {
		target, to := exporting.Target{Console: true}, "standard output"
		if name != consoleExporter {
			t, err := otlpTargetOf(log, signal)
			if err != nil {
				return nil, err
			}
			target = exporting.Target{GRPC: t.protocol == protocolGRPC, Insecure: !t.named}
			to = t.endpoint + " (" + t.protocol + ")"
		}
		if exporting.Linked == nil {
			return nil, notLinked(signal, name)
		}
		e, err := make(target)
		if err != nil {
			return nil, fmt.Errorf("telemetry: exporter %s of OTEL_%s_EXPORTER: %w", name, signal, err)
		}
		out = append(out, exporterTo[E]{e, to})
	}
	return out, nil
}

// notLinked is the error for an exporter that the environment asks for and the program does not link.
func notLinked(signal, name string) error {
	variable := "OTEL_" + signal + "_EXPORTER"
	if env(variable) == "" {
		variable = otlpVariable(signal, "ENDPOINT")
	}
	return wrong(variable, "asks for the exporter %s, which this program does not link: import _ %q in main", name, thisPackage+"/otlp")
}
