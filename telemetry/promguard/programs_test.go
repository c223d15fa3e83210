package promguard_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onemeter/onemeter/internal/needs"
)

const (
	helpA = "Total number of HTTP requests"
	helpB = "HTTP请求总数"
	early = "registered before promguard was there" // what the log says where it knows no place
)

// requests returns a definition of a family that counts one.
func requests(family, how, help string) definition {
	return definition{
		how: how, metric: `NewCounterVec(prometheus.CounterOpts{Name: "` + family + `", Help: "` + help + `"}, []string{"path"})`,
		work: `m.WithLabelValues("/a").Inc()`,
	}
}

// shapes are the ways in which the packages a and b register. The names of their families begin with the name of the
// program.
func shapes() []program {
	var out []program
	for _, s := range []struct{ name, a, b string }{
		{"autoauto", "promauto", "promauto"}, {"autoinit", "promauto", "init"}, {"initauto", "init", "promauto"},
		{"initinit", "init", "init"}, {"importa", "init", "init"}, {"importb", "init", "init"},
	} {
		p := program{name: s.name, a: requests(s.name+"_total", s.a, helpA), b: requests(s.name+"_total", s.b, helpB)}
		p.a.guarded, p.b.guarded = s.name == "importa", s.name == "importb"
		out = append(out, p)
	}
	return out
}

// Go initializes packages that are ready in the order of their paths. So it matters how two packages register,
// whether their paths are before promguard's, and where the blank import is.
func TestWhereTheImportReaches(t *testing.T) {
	needs.Time(t, "builds programs")
	// first is the package that registers first, with a "?" if promguard is not installed yet. "" is a panic.
	before := map[string]string{"autoauto": "a", "autoinit": "b?", "initauto": "a?", "initinit": "", "importa": "b?", "importb": "a?"}
	behind := map[string]string{"autoauto": "a", "autoinit": "a", "initauto": "a", "initinit": "a", "importa": "a", "importb": "a"}
	gitlab := maps.Clone(behind)
	gitlab["importa"] = "b" // a waits for what promguard needs of go.opentelemetry.io
	for path, first := range map[string]map[string]string{
		"example.com/prog": before, "github.com/acme/prog": before, "gitlab.com/prog": gitlab, "zz.example/prog": behind,
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			m := newModule(path, shapes()...)
			var cured []program
			for _, p := range shapes() {
				if !p.a.guarded && !p.b.guarded {
					m.addMain(p.name+"_stock", mainOf(path, false, p))
				}
				if first[p.name] == "" {
					m.addMain(p.name, mainOf(path, true, p))
					continue
				}
				cured = append(cured, p)
			}
			m.addMain("cured", mainOf(path, true, cured...)) // one program for all: what takes long is to link
			bin := m.build(t)
			got := run(t, filepath.Join(bin, "cured"))
			if lines := strings.Count(got.stderr, "\n"); lines != len(cured) {
				t.Errorf("%d lines on stderr for %d conflicts:\n%s", lines, len(cured), got.stderr)
			}
			for _, p := range shapes() {
				t.Run(p.name, func(t *testing.T) {
					if !p.a.guarded && !p.b.guarded {
						run(t, filepath.Join(bin, p.name+"_stock")).mustPanic(t)
					}
					if first[p.name] == "" {
						run(t, filepath.Join(bin, p.name)).mustPanic(t)
						return
					}
					one, unknown := strings.CutSuffix(first[p.name], "?")
					help, other, place := helpA, "b", p.site(path, "a")
					if one == "b" {
						help, other, place = helpB, "a", p.site(path, "b")
					}
					if unknown {
						place = early
					}
					got.about("family="+p.name+"_total ").mustTell(t, []string{"resolution=Merged first=", place, " second=", p.site(path, other)})
					got.mustShow(t, p.name, fmt.Sprintf("# HELP %[1]s_total %s\n# TYPE %[1]s_total counter\n%[1]s_total{path=\"/a\"} 2\n", p.name, help))
				})
			}
		})
	}
}

type kind struct {
	program
	page string   // what they become
	told []string // a part of the log line for each of the packages but the first
}

// kinds are definitions that client_golang refuses. The names of their families begin with the name of the program.
var kinds = []kind{
	{
		program: program{
			name: "equal",
			a:    auto(`NewCounterVec(prometheus.CounterOpts{Name: "equal_total", Help: "Q."}, []string{"path"})`, `m.WithLabelValues("/a").Add(2)`),
			b:    auto(`NewCounterVec(prometheus.CounterOpts{Name: "equal_total", Help: "Q."}, []string{"path"})`, `m.WithLabelValues("/a").Add(3); m.WithLabelValues("/b").Inc()`),
		},
		page: `
# HELP equal_total Q.
# TYPE equal_total counter
equal_total{path="/a"} 5
equal_total{path="/b"} 1
`,
		told: []string{"resolution=Merged"},
	},
	{
		program: program{
			name: "labels",
			a:    auto(`NewCounterVec(prometheus.CounterOpts{Name: "labels_total", Help: "A."}, []string{"path"})`, `m.WithLabelValues("/a").Add(2)`),
			b:    auto(`NewCounterVec(prometheus.CounterOpts{Name: "labels_total", Help: "A."}, []string{"topic"})`, `m.WithLabelValues("b").Add(3)`),
		},
		page: `
# HELP labels_total A.
# TYPE labels_total counter
labels_total{path="/a"} 2
labels_total{topic="b"} 3
`,
		told: []string{`reason=Labels resolution=Merged`},
	},
	{ // to client_golang the two are one collector
		program: program{
			name: "togauge",
			a:    auto(`NewCounter(prometheus.CounterOpts{Name: "togauge_total", Help: "A."})`, `m.Add(2)`),
			b:    auto(`NewGauge(prometheus.GaugeOpts{Name: "togauge_total", Help: "A."})`, `m.Set(9)`),
		},
		page: `
# HELP togauge_total A.
# TYPE togauge_total counter
togauge_total 2
# HELP togauge_total_gauge A.
# TYPE togauge_total_gauge gauge
togauge_total_gauge 9
`,
		told: []string{`reason=Kind resolution=Renamed`},
	},
	{
		program: program{
			name: "tocounter",
			a:    auto(`NewGauge(prometheus.GaugeOpts{Name: "tocounter_total", Help: "A."})`, `m.Set(9)`),
			b:    auto(`NewCounter(prometheus.CounterOpts{Name: "tocounter_total", Help: "B."})`, `m.Add(2)`),
		},
		page: `
# HELP tocounter_counter_total B.
# TYPE tocounter_counter_total counter
tocounter_counter_total 2
# HELP tocounter_total A.
# TYPE tocounter_total gauge
tocounter_total 9
`,
		told: []string{`reason="Kind, Description" resolution=Renamed`},
	},
	{
		program: program{
			name: "tohistogram",
			a:    auto(`NewCounter(prometheus.CounterOpts{Name: "tohistogram_total", Help: "A."})`, `m.Add(2)`),
			b:    auto(`NewHistogram(prometheus.HistogramOpts{Name: "tohistogram_total", Help: "B.", Buckets: []float64{1}})`, `m.Observe(3)`),
		},
		page: `
# HELP tohistogram_total A.
# TYPE tohistogram_total counter
tohistogram_total 2
# HELP tohistogram_total_histogram B.
# TYPE tohistogram_total_histogram histogram
tohistogram_total_histogram_bucket{le="1"} 0
tohistogram_total_histogram_bucket{le="+Inf"} 1
tohistogram_total_histogram_sum 3
tohistogram_total_histogram_count 1
`,
		told: []string{`reason="Kind, Description" resolution=Renamed`},
	},
	{ // to client_golang the two are one collector
		program: program{
			name: "buckets",
			a:    auto(`NewHistogram(prometheus.HistogramOpts{Name: "buckets", Help: "A.", Buckets: []float64{1, 10}})`, `m.Observe(3)`),
			b:    auto(`NewHistogram(prometheus.HistogramOpts{Name: "buckets", Help: "A.", Buckets: []float64{.5, 10, 20}})`, `m.Observe(.25); m.Observe(15)`),
		},
		page: `
# HELP buckets A.
# TYPE buckets histogram
buckets_bucket{le="1"} 1
buckets_bucket{le="10"} 2
buckets_bucket{le="+Inf"} 3
buckets_sum 18.25
buckets_count 3
`,
		told: []string{`reason=Buckets resolution=Merged`},
	},
	{
		program: program{
			name: "summary",
			a:    auto(`NewSummary(prometheus.SummaryOpts{Name: "summary", Help: "A."})`, `m.Observe(3)`),
			b:    auto(`NewSummary(prometheus.SummaryOpts{Name: "summary", Help: "B."})`, `m.Observe(4)`),
		},
		page: `
# HELP summary A.
# TYPE summary summary
summary_sum 7
summary_count 2
`,
		told: []string{`reason=Description resolution=Merged`},
	},
	{
		program: program{
			name: "gauges",
			a:    auto(`NewGauge(prometheus.GaugeOpts{Name: "gauges", Help: "A."})`, `m.Set(2)`),
			b:    auto(`NewGauge(prometheus.GaugeOpts{Name: "gauges", Help: "B."})`, `m.Set(3)`),
		},
		page: `
# HELP gauges A.
# TYPE gauges gauge
gauges 2
`,
		told: []string{`reason=Description resolution=Merged`},
	},
	{
		program: program{
			name: "three",
			a:    auto(`NewCounter(prometheus.CounterOpts{Name: "three_total", Help: "A."})`, `m.Add(2)`),
			b:    auto(`NewCounter(prometheus.CounterOpts{Name: "three_total", Help: "B."})`, `m.Add(3)`),
			c:    auto(`NewCounterVec(prometheus.CounterOpts{Name: "three_total", Help: "C."}, []string{"path"})`, `m.WithLabelValues("/c").Add(4)`),
		},
		page: `
# HELP three_total A.
# TYPE three_total counter
three_total 5
three_total{path="/c"} 4
`,
		told: []string{`reason=Description resolution=Merged`, `reason=Description resolution=Merged`},
	},
	{ // both report the same thing
		program: program{
			name: "function",
			a:    auto(`NewCounterFunc(prometheus.CounterOpts{Name: "function_total", Help: "A."}, func() float64 { return 5 })`, ""),
			b:    auto(`NewCounterFunc(prometheus.CounterOpts{Name: "function_total", Help: "A."}, func() float64 { return 5 })`, ""),
		},
		page: `
# HELP function_total A.
# TYPE function_total counter
function_total 5
`,
		told: []string{`reason=Duplicate resolution=Merged`},
	},
}

func auto(metric, work string) definition {
	return definition{how: "promauto", metric: metric, work: work}
}

// The programs of all kinds panic without promguard. With it, one program has all of them.
func TestKinds(t *testing.T) {
	needs.Time(t, "builds programs")
	t.Parallel()
	// client_golang's default registry has a Go collector before a second one comes.
	again := program{name: "again", a: definition{how: "init", metric: "NewGoCollector()", work: "runtime.GC()"}}
	programs := []program{again}
	for _, k := range kinds {
		programs = append(programs, k.program)
	}
	m := newModule("gitlab.com/kinds", programs...)
	m.addMain("all", mainOf(m.path, true, programs...))
	for _, p := range programs {
		m.addMain(p.name+"_stock", mainOf(m.path, false, p))
	}
	bin := m.build(t)
	for _, p := range programs {
		run(t, filepath.Join(bin, p.name+"_stock")).mustPanic(t)
	}
	all := run(t, filepath.Join(bin, "all"), "GOGC=off")
	var rest outcome
	for line := range strings.Lines(all.stderr) {
		if !slices.ContainsFunc(kinds, func(k kind) bool { return strings.Contains(line, "/"+k.name+"/") }) {
			rest.stderr += line
		}
	}
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			var want [][]string
			for i, told := range k.told {
				want = append(want, []string{told, "first=", k.site(m.path, "a"), " second=", k.site(m.path, k.packages()[i+1])})
			}
			all.about("/"+k.name+"/").mustTell(t, want...)
			all.mustShow(t, k.name, strings.TrimPrefix(k.page, "\n"))
		})
	}
	rest.mustTell(t, []string{"reason=Duplicate resolution=Merged first=", "of client_golang itself", " second=", again.site(m.path, "a")})
	if want := "\ngo_gc_duration_seconds_count 1\n"; !strings.Contains(string(all.pages["text"]), want) {
		t.Errorf("the page does not have %q:\n%s", want, all.pages["text"])
	}
}

// setupMain also has instruments of OpenTelemetry. It prints the pages of everything that can show one, and what is
// pushed.
const setupMain = `package main

import _ "github.com/onemeter/onemeter/telemetry/promguard"

import (
	"bytes"
	"context"
	"fmt"
	"log"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/onemeter/onemeter/telemetry"

	"gitlab.com/setup/page"
	"gitlab.com/setup/setup/a"
	"gitlab.com/setup/setup/b"
)

// memory keeps what is pushed: a line for each point of a sum.
type memory struct{ bytes.Buffer }

func (*memory) Temporality(sdkmetric.InstrumentKind) metricdata.Temporality {
	return metricdata.CumulativeTemporality
}
func (*memory) Aggregation(sdkmetric.InstrumentKind) sdkmetric.Aggregation { return nil }
func (*memory) ForceFlush(context.Context) error                           { return nil }
func (*memory) Shutdown(context.Context) error                             { return nil }

func (b *memory) Export(_ context.Context, rm *metricdata.ResourceMetrics) error {
	b.Reset()
	for _, s := range rm.ScopeMetrics {
		for _, m := range s.Metrics {
			switch d := m.Data.(type) {
			case metricdata.Sum[float64]:
				for _, p := range d.DataPoints {
					fmt.Fprintf(b, "%s %v\n", m.Name, p.Value)
				}
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					fmt.Fprintf(b, "%s %v\n", m.Name, p.Value)
				}
			}
		}
	}
	return nil
}

func main() {
	ctx := context.Background()
	a.Work()
	pushed := &memory{}
	p, err := telemetry.Setup(ctx, telemetry.WithoutRuntime(), telemetry.WithoutPush(), telemetry.WithMetricExporter(pushed),
		telemetry.WithGatherer(prometheus.DefaultGatherer)) // needless, and harmless
	if err != nil {
		log.Fatal(err)
	}
	b.Work()
	count("orders", "Orders.", 3)
	count("http.requests", "Requests.", 5) // here
	if families, err := p.Gatherer().Gather(); err != nil || len(families) == 0 {
		log.Fatalf("%d families, %v", len(families), err)
	}
	pages := page.Get()
	pages["handler"] = page.From(p.Handler(), "text/plain")
	pages["gatherer"] = page.From(promhttp.HandlerFor(p.Gatherer(), promhttp.HandlerOpts{}), "text/plain")
	if err := p.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
	pages["pushed"] = pushed.Bytes()
	for _, c := range p.Conflicts() {
		pages["conflicts"] = append(pages["conflicts"], c.String()+"\n"...)
	}
	page.Print(pages)
}

func count(name, help string, n int64) {
	c, err := otel.Meter("shop").Int64Counter(name, metric.WithDescription(help))
	if err != nil {
		log.Fatal(err)
	}
	c.Add(context.Background(), n, metric.WithAttributes(attribute.String("path", "/a")))
}
`

// Everything that shows or pushes metrics has those of both libraries, and a conflict between the two names both
// places.
func TestSetup(t *testing.T) {
	t.Parallel()
	p := program{name: "setup", a: requests("http_requests_total", "promauto", helpA), b: requests("http_requests_total", "promauto", helpB)}
	m := newModule("gitlab.com/setup", p)
	m.addMain("setup", setupMain)
	got := run(t, filepath.Join(m.build(t), "setup"))
	a, b, otel := p.site(m.path, "a"), p.site(m.path, "b"), "main/"+siteIn("main.go", setupMain)
	told := [][]string{{"first=", a, " second=", b}, {"first=", otel, " second=", a}, {"first=", otel, " second=", b}}
	got.mustTell(t, told...)
	conflicts := strings.Split(strings.TrimSpace(string(got.pages["conflicts"])), "\n")
	for i, places := range told {
		if len(conflicts) != len(told) || !strings.Contains(conflicts[i], places[1]) || !strings.Contains(conflicts[i], places[3]) {
			t.Errorf("Conflicts() returns %q, want %q", conflicts, told)
		}
	}
	for _, who := range []string{"text", "handler", "gatherer"} {
		got.pages["text"] = got.pages[who]
		got.mustShow(t, "http_", "# HELP http_requests_total Requests.\n# TYPE http_requests_total counter\n"+`http_requests_total{path="/a"} 7`+"\n")
		got.mustShow(t, "orders", "# HELP orders_total Orders.\n# TYPE orders_total counter\n"+`orders_total{path="/a"} 3`+"\n")
	}
	for _, line := range []string{"http.requests 7\n", "orders 3\n", "process_cpu_seconds_total "} {
		if !strings.Contains(string(got.pages["pushed"]), line) {
			t.Errorf("%q is not pushed: %s", line, got.pages["pushed"])
		}
	}
}

// leaf must be initialized before others register.
const leaf = "github.com/onemeter/onemeter/telemetry/internal/guard/install"

// With one import more, the leaf is initialized after packages that register.
func TestTheLeafImportsWhatClientGolangImports(t *testing.T) {
	deps := func(pkg string) []string { return strings.Fields(goTool(t, ".", "list", "-deps", pkg)) }
	want := append(deps("github.com/prometheus/client_golang/prometheus"),
		leaf, "github.com/onemeter/onemeter/telemetry/internal/guard", "github.com/onemeter/onemeter/telemetry/internal/site")
	got := deps(leaf)
	slices.Sort(want)
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("go list -deps %s (-want +got):\n%s", leaf, d)
	}
}

// The pair of programs in testdata/outage is for people to run.
func TestTheOutage(t *testing.T) {
	t.Parallel()
	const line = "\t_ \"github.com/onemeter/onemeter/telemetry/promguard\"\n"
	dir := filepath.Join("testdata", "outage")
	before, after := read(t, filepath.Join(dir, "before", "main.go")), read(t, filepath.Join(dir, "after", "main.go"))
	if d := cmp.Diff(before, strings.Replace(after, line, "", 1)); before == after || d != "" {
		t.Errorf("the programs differ in another line than the import (-before +after):\n%s", d)
	}
	code, stdout, stderr := execute(t, dir, nil, "go", "run", "./before")
	if code == 0 || !strings.HasPrefix(stderr, "panic: a previously registered descriptor") || stdout != "" {
		t.Errorf("before exits with %d:\n%s%s", code, stdout, stderr)
	}
	code, stdout, stderr = execute(t, dir, nil, "go", "run", "./after")
	page := `# HELP http_requests_total Total number of HTTP requests
# TYPE http_requests_total counter
http_requests_total{path="/devices"} 1
http_requests_total{path="/messages"} 2
`
	if d := cmp.Diff(page, stdout); code != 0 || d != "" {
		t.Errorf("after exits with %d (-want +got):\n%s%s", code, d, stderr)
	}
	outcome{stderr: stderr}.mustTell(t, []string{"first=", "im.example/backend/api/api.go:9", " second=", "im.example/backend/push/push.go:12"})
}
