package telemetrytest_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/onemeter/onemeter/telemetry"
)

// This test's program does not import package otlp: if an exporter is asked for, the error names the import.
func TestExportersAreLinkedByImport(t *testing.T) {
	for variable, value := range map[string]string{
		"OTEL_METRICS_EXPORTER": "otlp", "OTEL_TRACES_EXPORTER": "console", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://localhost:4318",
	} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, value)
			p, err := telemetry.New(context.Background(), telemetry.WithoutRuntime())
			if err == nil {
				_ = p.Shutdown(context.Background())
				t.Fatal("no error")
			}
			for _, want := range []string{variable, `import _ "github.com/onemeter/onemeter/telemetry/otlp"`} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %s: %v", want, err)
				}
			}
		})
	}
}

// A propagator that is not linked is ignored with a warning that names the import.
func TestPropagatorsAreLinkedByImport(t *testing.T) {
	t.Setenv("OTEL_PROPAGATORS", "b3,baggage")
	var log bytes.Buffer
	p, err := telemetry.New(context.Background(), telemetry.WithoutRuntime(), telemetry.WithSpanExporter(tracetest.NewNoopExporter()),
		telemetry.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Shutdown(context.Background()) }()
	if !strings.Contains(log.String(), "telemetry/otlp") || !strings.Contains(log.String(), "value=b3") {
		t.Errorf("the log is %s", log.String())
	}
	if got := p.Propagator().Fields(); len(got) != 1 || got[0] != "baggage" {
		t.Errorf("headers %v, want baggage", got)
	}
}
