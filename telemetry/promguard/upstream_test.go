package promguard_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/onemeter/onemeter/internal/needs"
)

// upstream are the packages of client_golang whose own tests run with the guard.
var upstream = []string{
	"prometheus", "prometheus/promauto", "prometheus/promhttp", "prometheus/testutil", "prometheus/collectors", "prometheus/push",
}

const (
	registers = "Register refuses a collector for what another one defines"
	gathers   = "Gather fails for what one collector sends"
)

// unwanted are the tests that want an error which the guard prevents. Each of them fails.
var unwanted = map[string]string{
	"prometheus ExampleRegister":       registers,
	"prometheus TestDescribeByCollect": registers,
	"prometheus TestWrapRegisterer/counter_registered_twice_but_wrapped_with_different_inconsistent_label_values": registers,
	"prometheus TestCheckMetricConsistency": gathers,
	"prometheus TestWrapRegisterer/wrap_labeled_unchecked_collector_with_prefix_and_inconsistent_label":                                               gathers,
	"prometheus TestWrapRegisterer/wrap_labeled_unchecked_collector_with_prefix_and_the_same_label_again":                                             gathers,
	"prometheus TestWrapRegisterer/wrap_labeled_unchecked_collector_with_prefix_and_another_label_resulting_in_collision_with_pre-registered_counter": gathers,
	"prometheus/promhttp TestHandlerErrorHandling":                                                                                                    gathers,
}

// skipped is a test that wants such an error too. Without one it ends the program, so it is skipped.
const skipped = "TestCollectorOnMetricPanic"

// guardedSource is added to client_golang, for its tests.
const guardedSource = `package prometheus

import dto "github.com/prometheus/client_model/go"

// Guarded has the methods of a Registry that the tests use.
type Guarded struct {
	Registerer
	Gatherer
}

func (g Guarded) MustGather() []*dto.MetricFamily {
	all, err := g.Gather()
	if err != nil {
		panic(err)
	}
	return all
}

var NewGuarded func() Guarded
`

// importSource is a test file with the blank import. It also creates registries.
const importSource = `package %s_test

import (
	"context"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/onemeter/onemeter/telemetry"
	_ "github.com/onemeter/onemeter/telemetry/promguard"
)

func init() {
	prometheus.NewGuarded = func() prometheus.Guarded {
		p, err := telemetry.New(context.Background(), telemetry.WithoutPrometheus(), telemetry.WithoutRuntime(), telemetry.WithoutPush())
		if err != nil {
			panic(err)
		}
		return prometheus.Guarded{p.Registerer(), p.Gatherer()}
	}
}

func TestTheGuardIsThere(t *testing.T) {
	if _, ok := prometheus.DefaultRegisterer.(*prometheus.Registry); ok {
		t.Error("the default registry is client_golang's own")
	}
}
`

// Registries that the tests create themselves become guarded ones, which have the same methods.
var (
	makesRegistry = regexp.MustCompile(`(?m)^(\s*(?:reg|registry|globalReg) :?= (?:prometheus\.)?)New(?:Pedantic)?Registry\(\)$`)
	namesRegistry = regexp.MustCompile(`\*prometheus\.Registry\b`)
)

// client_golang's own tests pass with the guard in place of its registries, the default one and all others.
func TestUpstream(t *testing.T) {
	needs.Time(t, "builds and runs the tests of client_golang")
	t.Parallel()
	dir := copyOfClientGolang(t)
	write(t, filepath.Join(dir, "prometheus", "guarded.go"), guardedSource)
	// With -trimpath, packages built in another folder are in the cache.
	args := []string{"test", "-mod=mod", "-json", "-short", "-vet=off", "-trimpath", "-skip=^" + skipped + "$"}
	guarded := 0
	for _, pkg := range upstream {
		guarded += guardRegistries(t, filepath.Join(dir, filepath.FromSlash(pkg)))
		args = append(args, "./"+pkg)
	}
	if guarded < 50 {
		t.Errorf("only %d registries became guarded ones", guarded)
	}
	_, stdout, stderr := execute(t, dir, nil, "go", args...)
	passed, failed := results(stdout)
	for _, pkg := range upstream {
		if !passed[pkg+" TestTheGuardIsThere"] {
			t.Errorf("the tests of %s did not run with the guard: %s%s", pkg, failed[pkg], stderr)
		}
	}
	for name, output := range failed {
		if _, ok := unwanted[name]; !ok {
			t.Errorf("%s fails:\n%s", name, output)
		}
	}
	for name, reason := range unwanted {
		pkg, _, _ := strings.Cut(name, " ")
		if _, ok := failed[name]; !ok && passed[pkg+" TestTheGuardIsThere"] {
			t.Errorf("%s passes or is gone, so it is not true any more that without the guard %s", name, reason)
		}
	}
	t.Logf("%d tests pass, with %d guarded registries beside the default one", len(passed), guarded)
}

// copyOfClientGolang returns a copy of the module that requires this one.
func copyOfClientGolang(t *testing.T) string {
	t.Helper()
	from := strings.TrimSpace(goTool(t, ".", "list", "-m", "-f", "{{.Dir}}", "github.com/prometheus/client_golang"))
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error { // the module cache cannot be written to
		return errors.Join(err, os.Chmod(path, 0o755))
	})
	if err != nil {
		t.Fatal(err)
	}
	require(t, dir, read(t, filepath.Join(dir, "go.mod")), read(t, filepath.Join(dir, "go.sum")))
	return dir
}

// guardRegistries adds the blank import to a package, and returns how many registries of its tests are guarded now.
func guardRegistries(t *testing.T, dir string) (n int) {
	t.Helper()
	write(t, filepath.Join(dir, "promguard_import_test.go"), fmt.Sprintf(importSource, filepath.Base(dir)))
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source := read(t, file)
		if found := len(makesRegistry.FindAllString(source, -1)); found > 0 {
			n += found
			write(t, file, namesRegistry.ReplaceAllString(makesRegistry.ReplaceAllString(source, "${1}NewGuarded()"), "prometheus.Guarded"))
		}
	}
	return n
}

// results returns the tests that passed, and those that failed or did not end, with their output. They are named
// "package Test"; a package that was not built is among them. Failures of subtests are left out.
func results(stdout string) (passed map[string]bool, failed map[string]string) {
	passed, failed = map[string]bool{}, map[string]string{}
	output := map[string]*strings.Builder{}
	for line := range strings.Lines(stdout) {
		var e struct{ Action, Package, ImportPath, Test, Output string }
		if json.Unmarshal([]byte(line), &e) != nil {
			continue
		}
		pkg, _, _ := strings.Cut(e.Package+e.ImportPath, " ")
		name := strings.TrimSpace(strings.TrimPrefix(pkg, "github.com/prometheus/client_golang/") + " " + e.Test)
		if output[name] == nil {
			output[name] = &strings.Builder{}
		}
		switch e.Action {
		case "output", "build-output":
			output[name].WriteString(e.Output)
		case "run":
			failed[name] = "it did not end"
		case "skip":
			delete(failed, name)
		case "pass":
			delete(failed, name)
			if e.Test != "" {
				passed[name] = true
			}
		case "fail", "build-fail":
			failed[name] = output[name].String()
		}
	}
	for _, name := range slices.Collect(maps.Keys(failed)) {
		within := name + " " // a package
		if strings.Contains(name, " ") {
			within = name + "/"
		}
		for other := range failed {
			if strings.HasPrefix(other, within) {
				delete(failed, name)
			}
		}
	}
	return passed, failed
}
