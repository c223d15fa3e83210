package metricvet_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/packages"

	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/telemetry/metricvet"
)

// cases are the programs in testdata. Those whose name begins with silent have no conflict.
func cases(t *testing.T) (out []string) {
	t.Helper()
	entries, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && e.Name() != "page" && e.Name() != "elsewhere" {
			out = append(out, e.Name())
		}
	}
	if len(out) < 20 {
		t.Fatalf("there are %d programs in testdata", len(out))
	}
	return out
}

// wants are the comments of a file with the expected findings on their lines, always or with the flag possible.
var wants = regexp.MustCompile("// (want|possible)((?: `[^`]*`)+)$")

// Each program has a comment where something must be found; nothing must be found elsewhere. (Package analysistest
// would want a comment for every fact too.)
func TestFindings(t *testing.T) {
	found := analyze(t)
	silent := 0
	for _, c := range cases(t) {
		expected := take(t, c, "want", found)
		if silent += boolean(expected == 0); (expected == 0) != strings.HasPrefix(c, "silent") {
			t.Errorf("%s: %d findings are expected", c, expected)
		}
	}
	for place, messages := range found {
		t.Errorf("%s: found %q", place, messages)
	}
	if silent < 10 {
		t.Errorf("%d programs have no conflict", silent)
	}
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// With the flag, possible conflicts are found too.
func TestPossible(t *testing.T) {
	if err := metricvet.Analyzer.Flags.Set("possible", "true"); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = metricvet.Analyzer.Flags.Set("possible", "false") }()
	found := analyze(t)
	expected := 0
	for _, c := range cases(t) {
		take(t, c, "want", found)
		expected += take(t, c, "possible", found)
	}
	if expected < 3 {
		t.Errorf("%d findings are expected", expected)
	}
	for place, messages := range found {
		if strings.Contains(place, "silent_maybe") {
			t.Errorf("%s: found %q", place, messages)
		}
	}
}

var loaded = sync.OnceValues(func() ([]*packages.Package, error) {
	return packages.Load(&packages.Config{Mode: packages.LoadAllSyntax | packages.NeedModule, Dir: "testdata", Tests: true}, "./...")
})

// analyze returns the findings, by file:line.
func analyze(t *testing.T) map[string][]string {
	t.Helper()
	pkgs, err := loaded()
	if err != nil || packages.PrintErrors(pkgs) > 0 {
		t.Fatal("testdata cannot be loaded: ", err)
	}
	graph, err := checker.Analyze([]*analysis.Analyzer{metricvet.Analyzer}, pkgs, &checker.Options{SanityCheck: true})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, act := range graph.Roots {
		if act.Err != nil {
			t.Errorf("%s: %v", act.Package.ID, act.Err)
		}
		for _, d := range act.Diagnostics {
			p := act.Package.Fset.Position(d.Pos)
			place := fmt.Sprintf("%s:%d", p.Filename, p.Line)
			if !slices.Contains(found[place], d.Message) { // in the test variant too
				found[place] = append(found[place], d.Message)
			}
		}
	}
	return found
}

// take removes the findings that the comments of a program expect, and returns how many they are.
func take(t *testing.T, program, word string, found map[string][]string) (expected int) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join("testdata", program), func(name string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, ".go") {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if name, err = filepath.Abs(name); err != nil {
			return err
		}
		for i, line := range strings.Split(string(text), "\n") {
			place := fmt.Sprintf("%s:%d", name, i+1)
			m := wants.FindStringSubmatch(line)
			if m == nil || m[1] != word {
				continue
			}
			for _, want := range strings.Split(strings.Trim(strings.TrimSpace(m[2]), "`"), "` `") {
				expected++
				rest := slices.DeleteFunc(slices.Clone(found[place]), func(got string) bool { return strings.HasPrefix(got, want) })
				if len(rest) != len(found[place])-1 {
					t.Errorf("%s: found %q, want %s", place, found[place], want)
				}
				if found[place] = rest; len(rest) == 0 {
					delete(found, place)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return expected
}

// Findings are exactly what makes stock client_golang panic, or OpenTelemetry's stock exporter answer 500. A program
// without a finding runs, and its page can be scraped. With promguard, all programs that use the default registry
// run, and different help texts are reported.
func TestFindingsAgreeWithRunTime(t *testing.T) {
	needs.Time(t, "builds and runs the programs of testdata")
	programs := slices.DeleteFunc(cases(t), func(c string) bool { return c == "silent_mains" })
	programs = append(programs, "silent_mains/a", "silent_mains/b")
	stock := build(t, programs)
	var cured []string
	for _, p := range programs {
		code, out := start(t, filepath.Join(stock, filepath.Base(p)))
		broken := code != 0 || !strings.HasPrefix(out, "200")
		if silent := strings.HasPrefix(p, "silent"); silent == broken {
			t.Errorf("%s: exit %d\n%s", p, code, out)
		}
		if broken && !slices.Contains([]string{"sameregistry", "otelscope", "early", "repeated_listed"}, p) {
			cured = append(cured, p)
		}
	}
	guarded := build(t, cured, "-tags=guarded")
	for _, p := range cured {
		code, out := start(t, filepath.Join(guarded, p))
		if code != 0 || !strings.Contains(out, "200\n") {
			t.Errorf("%s with promguard: exit %d\n%s", p, code, out)
		}
		main, err := os.ReadFile(filepath.Join("testdata", p, "main.go"))
		if err != nil {
			t.Fatal(err)
		}
		if helps := bytes.Contains(main, []byte(": help ")); helps != strings.Contains(out, "Description") {
			t.Errorf("%s with promguard: a help text that differs is told: %v\n%s", p, !helps, out)
		}
	}
}

// build builds programs into a folder, named by the last parts of their paths.
func build(t *testing.T, programs []string, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	args = append([]string{"build", "-ldflags=-s -w", "-o", dir}, args...)
	for _, p := range programs {
		args = append(args, "./"+p)
	}
	build := exec.CommandContext(t.Context(), "go", args...)
	build.Dir = "testdata"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

func start(t *testing.T, binary string) (code int, out string) {
	t.Helper()
	run := exec.CommandContext(t.Context(), binary)
	text, err := run.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return run.ProcessState.ExitCode(), string(text)
}
