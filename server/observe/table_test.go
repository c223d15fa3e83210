package observe

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/dbconv"
	"go.yaml.in/yaml/v3"

	"github.com/onemeter/onemeter/telemetry"
)

// kind says what a reader of the page wants to know.
var kind = strings.NewReplacer("InstrumentKind", "", "Observable", "", "UpDownCounter", "gauge",
	"Counter", "counter", "Gauge", "gauge", "Histogram", "histogram")

var update = flag.Bool("update", false, "rewrite METRICS.md")

// TestNamesOfTheConventions holds what is named after the semantic conventions
// to the version that is imported.
func TestNamesOfTheConventions(t *testing.T) {
	o, _ := observed(t)
	for _, c := range []interface{ Name() string }{
		dbconv.ClientOperationDuration{}, dbconv.ClientConnectionCount{}, dbconv.ClientConnectionMax{},
		dbconv.ClientConnectionPendingRequests{}, dbconv.ClientConnectionTimeouts{},
	} {
		if _, ok := o.rows[c.Name()]; !ok {
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

// strictly makes an Observer whose instruments must not conflict.
func strictly(t *testing.T) (*telemetry.Provider, *Observer, func() string) {
	t.Helper()
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
	return p, o, func() string {
		w := httptest.NewRecorder()
		p.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		return w.Body.String()
	}
}

const preface = `# Metrics of the server

` + "`go test ./server/observe -update`" + ` generates this page from the tables in instruments.go and state.go, the dashboards and the alerts.
The test fails if the page is out of date.

The server also has ` + "`http_server_*`" + ` of the semantic conventions, ` + "`go_*`" + ` of the Go runtime, ` + "`process_*`" + `, and ` + "`telemetry_*`" + ` of the
library. Only with ` + "`--redis`" + `: ` + "`im_redis_*`, `im_cache_shared_*`, and `im_bus_*` except `im_bus_failures_total`" + `. Only with
` + "`--blob s3://…`: `http_client_request_duration_seconds`" + ` of the semantic conventions.
`

// TestTableIsDocumented holds METRICS.md to the instruments that are made, and to what asks for them.
func TestTableIsDocumented(t *testing.T) {
	tel, o, scrape := strictly(t)
	by, panels, alerts := moves(t, o, tel, scrape), shown(t), alerted(t)
	var b bytes.Buffer
	b.WriteString(preface)
	all := tel.Instruments()
	slices.SortFunc(all, func(a, b telemetry.Instrument) int { return strings.Compare(a.Prometheus, b.Prometheus) })
	for _, i := range all {
		if i.Scope.Name != scope {
			continue
		}
		if i.Unit == "" || i.Description == "" {
			t.Errorf("%s has no unit or no description", i.Name)
		}
		if cause, ok := edges[i.Name]; ok {
			by[i.Prometheus] = append(by[i.Prometheus], cause)
		}
		fmt.Fprintf(&b, "\n### `%s`\n\n%s\n\n- %s in `%s`; as `%s` over OTLP\n", i.Prometheus, i.Description, kind.Replace(i.Kind.String()), i.Unit, i.Name)
		r := o.rows[i.Name]
		for _, l := range r.labels {
			fmt.Fprintf(&b, "- label %s\n", l)
		}
		if len(r.bounds) > 0 {
			fmt.Fprintf(&b, "- buckets: %s\n", strings.Trim(fmt.Sprint(r.bounds), "[]"))
		}
		fmt.Fprintf(&b, "- changed by: %s\n", strings.Join(by[i.Prometheus], ", "))
		if p := panels.about(i.Prometheus); len(p) > 0 {
			fmt.Fprintf(&b, "- on panels: %s\n", strings.Join(p, "; "))
		}
		if a := alerts.about(i.Prometheus); len(a) > 0 {
			fmt.Fprintf(&b, "- alerts: %s\n", strings.Join(a, ", "))
		}
	}
	const file = "METRICS.md"
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(have, b.Bytes()) {
		t.Errorf("%s is out of date (%v): go test ./server/observe -update", file, err)
	}
}

// An asker is what asks for metrics: a panel or an alert.
type asker struct{ name, expr string }

type askers []asker

// about returns the names of those that ask for a metric.
func (all askers) about(family string) (names []string) {
	asks := regexp.MustCompile(`(^|[^a-zA-Z0-9_:])` + family + `(_bucket|_sum|_count)?([^a-zA-Z0-9_:]|$)`)
	for _, a := range all {
		if asks.MatchString(a.expr) && !slices.Contains(names, a.name) {
			names = append(names, a.name)
		}
	}
	return names
}

const deployed = "../../deploy/"

// shown are the panels of all dashboards.
func shown(t *testing.T) (all askers) {
	t.Helper()
	recorded := recordings(t)
	for _, file := range filesOf(t, deployed+"grafana/dashboards/*.json") {
		var d struct {
			Title  string
			Panels []struct {
				Title   string
				Targets []struct{ Expr string }
			}
		}
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(text, &d)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				all = append(all, asker{d.Title + " / " + p.Title, recorded.resolve(q.Expr)})
			}
		}
	}
	return all
}

// alerted are the alerts, each as a link to what the runbook says of it.
func alerted(t *testing.T) (all askers) {
	t.Helper()
	recorded := recordings(t)
	for _, r := range rulesOf(t) {
		if r.Alert != "" {
			all = append(all, asker{fmt.Sprintf("[%s](%sRUNBOOK.md#%s)", r.Alert, deployed, strings.ToLower(r.Alert)), recorded.resolve(r.Expr)})
		}
	}
	return all
}

// recorded are the expressions of recording rules, by name.
type recorded map[string]string

func recordings(t *testing.T) recorded {
	t.Helper()
	all := make(recorded)
	for _, r := range rulesOf(t) {
		if r.Record != "" {
			all[r.Record] = r.Expr
		}
	}
	return all
}

// resolve adds to an expression those of the rules that it names.
func (all recorded) resolve(expr string) string {
	for name, e := range all {
		if strings.Contains(expr, name) && !strings.Contains(expr, e) {
			return all.resolve(expr + "\n" + e)
		}
	}
	return expr
}

type promRule struct{ Record, Alert, Expr string }

func rulesOf(t *testing.T) (all []promRule) {
	t.Helper()
	for _, file := range filesOf(t, deployed+"prometheus/rules/*.yml") {
		var doc struct{ Groups []struct{ Rules []promRule } }
		text, err := os.ReadFile(file)
		if err == nil {
			err = yaml.Unmarshal(text, &doc)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range doc.Groups {
			all = append(all, g.Rules...)
		}
	}
	return all
}

func filesOf(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("no %s: %v", pattern, err)
	}
	return names
}
