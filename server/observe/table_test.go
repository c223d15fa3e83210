package observe

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace/noop"

	"github.com/onemeter/onemeter/telemetry"
)

// kind says what a reader of the page wants to know.
var kind = strings.NewReplacer("InstrumentKind", "", "Observable", "", "UpDownCounter", "gauge",
	"Counter", "counter", "Gauge", "gauge", "Histogram", "histogram")

var update = flag.Bool("update", false, "rewrite METRICS.md")

// TestTableIsDocumented holds METRICS.md to the instruments that are made.
func TestTableIsDocumented(t *testing.T) {
	p, err := telemetry.New(t.Context(), telemetry.WithoutRuntime(), telemetry.WithConflictPolicy(telemetry.Reject))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if _, err := New(p, noop.NewTracerProvider()); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.WriteString("# Metrics of the server\n\n" +
		"Made from the table in instruments.go by `go test ./server/observe -update`. Beside these there are `http.server.*`\n" +
		"of otelhttp, `go_*` of the Go runtime, `process_*`, and `telemetry_*` of the library.\n\n" +
		"| on /metrics | instrument | kind | unit | what it says |\n|---|---|---|---|---|\n")
	for _, i := range p.Instruments() {
		if i.Scope.Name != scope {
			continue
		}
		if i.Unit == "" || i.Description == "" {
			t.Errorf("%s has no unit or no description", i.Name)
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | `%s` | %s |\n", i.Prometheus, i.Name,
			kind.Replace(i.Kind.String()), i.Unit, i.Description)
	}
	const file = "METRICS.md"
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(have, b.Bytes()) {
		t.Errorf("%s is not what instruments.go says (%v): go test ./server/observe -update", file, err)
	}
}
