package server_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/onemeter/onemeter"

// floors says what each package of this module may import of it, from the
// ground up. A package that is not listed fails the test: give it a floor.
var floors = map[string][]string{
	"telemetry/internal/rule": {}, "telemetry/internal/cell": {}, "telemetry/internal/table": {}, "telemetry/internal/text": {},
	"telemetry/internal/exporting": {}, "telemetry/internal/site": {}, "telemetry/internal/sparse": {}, "telemetry/internal/ratio": {},
	"telemetry/internal/series": {
		"telemetry/internal/rule", "telemetry/internal/cell", "telemetry/internal/table", "telemetry/internal/text",
	},
	"telemetry/internal/foreign":       {"telemetry/internal/rule", "telemetry/internal/sparse"},
	"telemetry/internal/guard":         {"telemetry/internal/site"},
	"telemetry/internal/guard/install": {"telemetry/internal/guard"},
	"telemetry": {
		"telemetry/internal/rule", "telemetry/internal/series", "telemetry/internal/text", "telemetry/internal/sparse",
		"telemetry/internal/foreign", "telemetry/internal/guard", "telemetry/internal/site", "telemetry/internal/exporting",
	},
	"telemetry/telemetrytest":                 {"telemetry"},
	"telemetry/otlp":                          {"telemetry/internal/exporting"},
	"telemetry/httpmetrics/internal/exchange": {"telemetry"},
	"telemetry/httpmetrics":                   {"telemetry/httpmetrics/internal/exchange"},
	"telemetry/httpmetrics/echometrics":       {"telemetry/httpmetrics", "telemetry/httpmetrics/internal/exchange"},
	"telemetry/promguard":                     {"telemetry", "telemetry/internal/guard/install"},
	"telemetry/metricvet":                     {"telemetry/internal/rule"},
	"telemetry/metricvet/golangci":            {"telemetry/metricvet"},
	"internal/needs":                          {},
	"internal/alive":                          {},
	"internal/cli":                            {},
	"internal/imclient":                       {},
	"internal/browser":                        {"internal/needs"},

	"server/chat":           {},
	"server/call":           {},
	"server/limit/memlimit": {"server/chat"}, "server/auth": {"server/chat"},
	"server/sqlstore": {"server/chat", "server/call"}, "server/bus/membus": {"server/chat"},
	"server/cache/memcache": {"server/chat"}, "server/blob": {"server/chat"},
	"server/redisconn": {"server/chat"}, "server/redisconn/redistest": {"internal/needs"},
	"server/bus/redisbus": {"server/chat"}, "server/cache/rediscache": {"server/chat"}, "server/limit/redislimit": {"server/chat"},
	"server/turn": {}, "server/page": {}, "server/page/pagetest": {}, "server/web": {"server/page"}, "server/admin": {"server/page"},
	"server/jsontype": {},
	"server/rest":     {"server/chat", "server/call", "server/jsontype"}, "server/ws": {"server/chat", "server/call", "server/jsontype"},
	"server/observe": {
		"telemetry", "telemetry/httpmetrics", "telemetry/httpmetrics/echometrics", "server/chat", "server/call",
		"server/ws", "server/turn", "server/redisconn", "server/bus/redisbus", "server/cache/rediscache",
	},
	"server/sqlstore/storetest": {"server/chat", "server/call"}, "server/blob/blobtest": {"server/chat"},
	"server/bus/bustest": {"server/chat", "internal/needs"}, "server/cache/cachetest": {"server/chat", "internal/needs"},
	"server/limit/limittest": {"server/chat"},

	"server": {
		"telemetry", "server/chat", "server/call", "server/sqlstore", "server/bus/membus", "server/cache/memcache", "server/limit/memlimit",
		"server/auth", "server/blob", "server/rest", "server/ws", "server/observe",
		"server/redisconn", "server/bus/redisbus", "server/cache/rediscache", "server/limit/redislimit", "server/turn",
		"server/web", "server/admin", "deploy", "internal/alive",
	},
	"server/servertest": {"telemetry", "internal/imclient", "server", "server/chat", "server/sqlstore"},
	"cmd/imserver":      {"telemetry", "telemetry/otlp", "server", "internal/cli"},
	"cmd/imload":        {"internal/imclient"}, // a client like any other
	"cmd/imadmin":       {"server/admin", "deploy", "internal/alive", "internal/cli"},
	"cmd/metricvet":     {"telemetry/metricvet"},

	"deploy": {"internal/needs"}, "deploy/grafana": {},
	"deploy/collector": {"internal/needs", "telemetry"},
}

// mayMeasure are the only packages that know of telemetry.
var mayMeasure = []string{"telemetry", "telemetry/otlp", "telemetry/telemetrytest", "telemetry/promguard", "telemetry/httpmetrics/internal/exchange", "telemetry/httpmetrics", "telemetry/metricvet", "server", "server/observe", "server/servertest", "cmd/imserver"}

type listed struct {
	ImportPath string
	Doc        string // the first sentence
	Imports    []string
	Standard   bool
}

func TestFloors(t *testing.T) {
	for _, pkg := range packages(t) {
		name := strings.TrimPrefix(pkg.ImportPath, module+"/")
		allowed, known := floors[name]
		if !known {
			t.Errorf("%s has no floor: add it to floors in this test", name)
			continue
		}
		for _, imp := range pkg.Imports {
			own, ours := strings.CutPrefix(imp, module+"/")
			if ours && !slices.Contains(allowed, own) {
				t.Errorf("%s imports %s, which is not below it", name, own)
			}
			if strings.HasPrefix(imp, "go.opentelemetry.io/") && !slices.Contains(mayMeasure, name) && !strings.HasPrefix(name, "telemetry/internal/") {
				t.Errorf("%s imports %s: only observe and the roof measure", name, imp)
			}
			if (name == "server/chat" || name == "server/call") && strings.Contains(strings.Split(imp, "/")[0], ".") {
				t.Errorf("%s imports %s: the domain imports the standard library only", name, imp)
			}
			if strings.HasPrefix(name, "telemetry") && !ours && !telemetryMayImport(imp) && !(name == "telemetry/httpmetrics/echometrics" && strings.HasPrefix(imp, "github.com/labstack/echo/")) {
				t.Errorf("%s imports %s: telemetry imports OpenTelemetry and Prometheus only", name, imp)
			}
		}
	}
}

// Exporters come by import: what a program links that only measures and has a page is no more than this.
func TestWhatTelemetryLinks(t *testing.T) {
	for name, most := range map[string]int{"telemetry": 335, "telemetry/httpmetrics": 340, "telemetry/httpmetrics/echometrics": 360} {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", module+"/"+name).Output()
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		all := strings.Fields(string(out))
		if len(all) > most {
			t.Errorf("package %s links %d packages, want %d at most", name, len(all), most)
		}
		for _, p := range all {
			for _, other := range []string{"google.golang.org/grpc", "go.opentelemetry.io/otel/exporters/otlp", "go.opentelemetry.io/otel/exporters/stdout"} {
				if strings.HasPrefix(p, other) {
					t.Errorf("package %s links %s: that is package otlp's", name, p)
				}
			}
		}
	}
}

// A service with echo, its metrics and a page is a binary of this size at most.
func TestSizeOfAService(t *testing.T) {
	t.Parallel()
	const most = 20_000_000
	dir := t.TempDir()
	source, binary := filepath.Join(dir, "main.go"), filepath.Join(dir, "service")
	if err := os.WriteFile(source, []byte(service), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > most {
		t.Errorf("it has %d bytes, want %d at most", info.Size(), most)
	}
}

const service = `package main

import (
	"context"
	"log"

	"github.com/labstack/echo/v4"

	"github.com/onemeter/onemeter/telemetry"
	"github.com/onemeter/onemeter/telemetry/httpmetrics/echometrics"
)

func main() {
	p, err := telemetry.Setup(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	e := echo.New()
	e.Use(echometrics.Middleware())
	e.GET("/metrics", echo.WrapHandler(p.Handler()))
	log.Fatal(e.Start(":8080"))
}
`

func telemetryMayImport(imp string) bool {
	root := strings.Split(imp, "/")[0]
	return !strings.Contains(root, ".") || root == "go.opentelemetry.io" ||
		strings.HasPrefix(imp, "github.com/prometheus/") || strings.HasPrefix(imp, "github.com/go-logr/") ||
		strings.HasPrefix(imp, "github.com/klauspost/compress/") || // pages
		strings.HasPrefix(imp, "golang.org/x/tools/go/") || // metricvet
		imp == "github.com/golangci/plugin-module-register/register"
}

var update = flag.Bool("update", false, "rewrite the map in CONTRIBUTING.md")

// TestMap holds the map in CONTRIBUTING.md to floors, and to what packages say of themselves.
func TestMap(t *testing.T) {
	byFloor := make(map[int][]string)
	for _, pkg := range packages(t) {
		name := strings.TrimPrefix(pkg.ImportPath, module+"/")
		says := strings.TrimSuffix(strings.TrimPrefix(pkg.Doc, "Package "+path.Base(name)+" "), ".")
		if says == "" {
			says = "tests the files in this folder"
		}
		byFloor[height(name)] = append(byFloor[height(name)], fmt.Sprintf("- [%s](%s): %s\n", name, name, says))
	}
	var b strings.Builder
	for floor := range len(byFloor) {
		slices.Sort(byFloor[floor])
		fmt.Fprintf(&b, "\nFloor %d\n\n%s", floor, strings.Join(byFloor[floor], ""))
	}
	const file, begin, end = "../CONTRIBUTING.md", "<!-- map -->\n", "\n<!-- /map -->"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, found := strings.Cut(rest, end)
	if !ok || !found {
		t.Fatal("CONTRIBUTING.md has no map")
	}
	if want := before + begin + b.String() + end + after; want != string(text) {
		if *update {
			err = os.WriteFile(file, []byte(want), 0o644)
		}
		if !*update || err != nil {
			t.Errorf("the map in CONTRIBUTING.md is out of date (%v): go test ./server -run TestMap -update", err)
		}
	}
}

// height is the floor of a package: above all that it may import.
func height(name string) int {
	h := 0
	for _, below := range floors[name] {
		h = max(h, height(below)+1)
	}
	return h
}

func packages(t *testing.T) []listed {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Doc,Imports,Standard", "./...")
	list.Dir = ".." // with module+"/..." it would search, and so download, all modules
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p listed
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 5 {
		t.Fatalf("go list found %d packages", len(all))
	}
	return all
}
