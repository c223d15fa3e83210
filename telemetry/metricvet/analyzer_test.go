package metricvet_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/packages"

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
		if e.IsDir() && e.Name() != "page" {
			out = append(out, e.Name())
		}
	}
	if len(out) < 20 {
		t.Fatalf("there are %d programs in testdata", len(out))
	}
	return out
}

// wants are the comments of a file that say what is to be found on their lines.
var wants = regexp.MustCompile("// want((?: `[^`]*`)+)$")

// Each program has a comment where something is to be found, and nothing is found elsewhere. (Package analysistest wants a comment
// for every fact too.)
func TestFindings(t *testing.T) {
	pkgs, err := packages.Load(&packages.Config{Mode: packages.LoadAllSyntax, Dir: "testdata", Tests: true, Context: t.Context()}, "./...")
	if err != nil || packages.PrintErrors(pkgs) > 0 {
		t.Fatal("testdata cannot be loaded: ", err)
	}
	graph, err := checker.Analyze([]*analysis.Analyzer{metricvet.Analyzer}, pkgs, &checker.Options{SanityCheck: true})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{} // by file:line
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
	silent := 0
	for _, c := range cases(t) {
		expected := 0
		err := filepath.WalkDir(filepath.Join("testdata", c), func(name string, _ os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(name, ".go") {
				return err
			}
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			name, err = filepath.Abs(name)
			if err != nil {
				return err
			}
			for i, line := range strings.Split(string(text), "\n") {
				place := fmt.Sprintf("%s:%d", name, i+1)
				m := wants.FindStringSubmatch(line)
				if m == nil {
					continue
				}
				for _, want := range strings.Split(strings.Trim(strings.TrimSpace(m[1]), "`"), "` `") {
					expected++
					n := len(found[place])
					if found[place] = slices.DeleteFunc(found[place], func(got string) bool { return strings.HasPrefix(got, want) }); len(found[place]) != n-1 {
						t.Errorf("%s: want %s", place, want)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if expected == 0 {
			silent++
			if !strings.HasPrefix(c, "silent") {
				t.Errorf("%s: nothing is to be found", c)
			}
		}
	}
	for place, messages := range found {
		for _, m := range messages {
			t.Errorf("%s: found %s", place, m)
		}
	}
	if silent < 10 {
		t.Errorf("%d programs have no conflict", silent)
	}
}

// What is found is what stock client_golang panics on, or what OpenTelemetry's stock exporter answers 500 to; a program
// without a finding runs, and its page can be scraped.
func TestFindingsAgreeWithRunTime(t *testing.T) {
	bin := t.TempDir()
	for _, c := range cases(t) {
		mains := []string{c}
		if c == "silent_mains" {
			mains = []string{"silent_mains/a", "silent_mains/b"}
		}
		for _, m := range mains {
			t.Run(m, func(t *testing.T) {
				binary := filepath.Join(bin, strings.ReplaceAll(m, "/", "_"))
				build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./"+m)
				build.Dir = "testdata"
				if out, err := build.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				out, err := exec.CommandContext(t.Context(), binary).CombinedOutput()
				broken := err != nil || !bytes.HasPrefix(out, []byte("200"))
				if silent := strings.HasPrefix(m, "silent"); silent == broken {
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
	}
}
