package observe

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/dbconv"

	"github.com/onemeter/onemeter/telemetry"
)

// kind says what a reader of the page wants to know.
var kind = strings.NewReplacer("InstrumentKind", "", "Observable", "", "UpDownCounter", "gauge",
	"Counter", "counter", "Gauge", "gauge", "Histogram", "histogram")

func (r row) tellLabels() string {
	var texts []string
	for _, l := range r.labels {
		texts = append(texts, l.String())
	}
	return strings.Join(texts, "; ")
}

func (r row) tellBounds() string { return strings.Trim(fmt.Sprint(r.bounds), "[]") }

var update = flag.Bool("update", false, "rewrite METRICS.md")

// TestNamesOfTheConventions holds what is named after the semantic conventions
// to the version that is imported.
func TestNamesOfTheConventions(t *testing.T) {
	o, _ := observed(t)
	for _, c := range []interface{ Name() string }{
		dbconv.ClientOperationDuration{}, dbconv.ClientConnectionCount{}, dbconv.ClientConnectionMax{},
		dbconv.ClientConnectionPendingRequests{}, dbconv.ClientConnectionTimeouts{},
	} {
		if _, ok := o.ins.rows[c.Name()]; !ok {
			t.Errorf("there is no %s", c.Name())
		}
	}
	for have, want := range map[string]attribute.Key{
		byDBSystem.key: semconv.DBSystemNameKey, byDBOperation.key: semconv.DBOperationNameKey,
		byCollection.key: semconv.DBCollectionNameKey, byError.key: semconv.ErrorTypeKey,
		byPool.key: semconv.DBClientConnectionPoolNameKey, byPoolState.key: semconv.DBClientConnectionStateKey,
	} {
		if have != string(want) {
			t.Errorf("%s is called %s", have, want)
		}
	}
}

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
	o, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.WriteString("# Metrics of the server\n\n" +
		"Made from the table in instruments.go by `go test ./server/observe -update`. Beside these there are `http.server.*`\n" +
		"of the semantic conventions, `go_*` of the Go runtime, `process_*`, and `telemetry_*` of the library.\n\n" +
		"With `--redis` only: `im_redis_*`, `im_cache_shared_*`, and `im_bus_*` apart from `im_bus_failures_total`. With `--blob s3://…`:\n" +
		"`http_client_request_duration_seconds` of the semantic conventions.\n\n" +
		"| on /metrics | instrument | kind | unit | what it says | labels | buckets |\n|---|---|---|---|---|---|---|\n")
	for _, i := range p.Instruments() {
		if i.Scope.Name != scope {
			continue
		}
		if i.Unit == "" || i.Description == "" {
			t.Errorf("%s has no unit or no description", i.Name)
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | `%s` | %s | %s | %s |\n", i.Prometheus, i.Name,
			kind.Replace(i.Kind.String()), i.Unit, i.Description, o.ins.rows[i.Name].tellLabels(), o.ins.rows[i.Name].tellBounds())
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
