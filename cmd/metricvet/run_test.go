package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onemeter/onemeter/internal/needs"
)

// binary is the command, built without -race: go vet runs it for every package of the standard library too.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "metricvet")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "metricvet")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		panic(string(out))
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// in runs metricvet in a folder.
func in(t *testing.T, dir string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
	if err, exit := cmd.Run(), new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

const outage = "../../telemetry/promguard/testdata/outage"

// The outage that this project is about is found before it is deployed. The finding has both places and the cure.
func TestOutageIsFound(t *testing.T) {
	code, out, errs := in(t, outage, "./before")
	want := `before/main.go:12:2: http_requests_total: help "Total number of HTTP requests" at im.example/backend/api/api.go:9, "HTTP请求总数" at im.example/backend/push/push.go:6; ` +
		`the program panics at start. Define it once, or import _ "github.com/onemeter/onemeter/telemetry/promguard" in main` + "\n"
	if code != exitFound || out != want {
		t.Errorf("exit %d, %q%s\nwant %q", code, out, errs, want)
	}
}

func TestOutageInJSON(t *testing.T) {
	code, out, errs := in(t, outage, "-json", "./...")
	var got map[string]map[string][]finding
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != exitFound {
		t.Fatalf("exit %d, %v: %s%s", code, err, out, errs)
	}
	list := got["im.example/backend/before"]["metricvet"]
	if len(list) != 1 || list[0].Category != "conflict" || !strings.HasPrefix(list[0].Message, "http_requests_total: ") {
		t.Errorf("%s", out)
	}
}

// go vet itself can have metricvet as its tool.
func TestAsVettool(t *testing.T) {
	vet := exec.CommandContext(t.Context(), "go", "vet", "-vettool="+binary, "./before")
	vet.Dir = outage
	out, err := vet.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "before/main.go:12:2: http_requests_total: help") {
		t.Errorf("%v: %s", err, out)
	}
}

// module writes a module without dependencies.
func module(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files["go.mod"] = "module m.example\n\ngo 1.26\n"
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Input that cannot be read is reported as an error, not as a finding.
func TestWhatCannotBeRead(t *testing.T) {
	good := map[string]string{"a.go": "package a\n"}
	for name, c := range map[string]struct {
		files map[string]string
		args  []string
		want  string
	}{
		"code that does not compile": {map[string]string{"a.go": "package a\n\nvar x int = \"\"\n"}, nil, "a.go:3:13: cannot use"},
		"no such package":            {good, []string{"./nowhere"}, "nowhere"},
		"an unknown flag":            {good, []string{"-nothing"}, "flag provided but not defined: -nothing"},
		"no dashboards":              {good, []string{"-dashboards", "."}, "no .json file found"},
		"no folder of dashboards":    {good, []string{"-dashboards", "nowhere"}, "no such file or directory"},
		"a dashboard that is none":   {map[string]string{"a.go": "package a\n", "d/x.json": "{"}, []string{"-dashboards", "d"}, "x.json: unexpected end of JSON"},
		"no rules":                   {good, []string{"-rules", "*.yml"}, "-rules *.yml: no file matches"},
		"rules that are none":        {map[string]string{"a.go": "package a\n", "r.yml": "groups: 7"}, []string{"-rules", "r.yml"}, "r.yml: yaml:"},
		"a pattern that is none":     {good, []string{"-external", "("}, "missing closing )"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := in(t, module(t, c.files), c.args...)
			if code != exitFailed || out != "" || !strings.Contains(errs, c.want) {
				t.Errorf("exit %d, %q, %q; want %q", code, out, errs, c.want)
			}
		})
	}
	if code, out, errs := in(t, module(t, good)); code != exitOK || out+errs != "" {
		t.Errorf("exit %d, %q, %q", code, out, errs)
	}
	if code, out, _ := in(t, ".", "--help"); code != exitOK || !strings.Contains(out, "Exit status: 0 if nothing was found") {
		t.Errorf("exit %d, %q", code, out)
	}
}

const board = `{"title": "Shop", "panels": [
	{"title": "Requests", "targets": [{"expr": "sum by (path) (rate(http_requests_total{job=\"$job\", path=~\"${path:regex}\"}[$__rate_interval]))"}]},
	{"title": "Gone", "targets": [{"expr": "histogram_quantile(0.9, rate(gone_seconds_bucket[$interval])) + job:ratio"}]},
	{"title": "Node", "targets": [{"expr": "node_load1 / on(instance) up"}]},
	{"title": "Broken", "targets": [{"expr": "sum("}]}]}`

const ruleFile = `groups:
  - name: shop
    rules:
      - record: job:ratio
        expr: rate(http_requests_total[5m]) / lost_total
      - alert: Many
        expr: job:ratio > 0.5 or absent(http_requests_total)
`

// Names that no code emits are found in dashboards and rules; those of a program's packages and of what it links are known.
func TestDeadNames(t *testing.T) {
	boards := module(t, map[string]string{"d/shop.json": board, "r.yml": ruleFile})
	code, out, errs := in(t, outage, "-dashboards", filepath.Join(boards, "d"), "-rules", filepath.Join(boards, "*.yml"), "-external", "node_.*", "./api", "./push")
	var got []string
	for line := range strings.Lines(out) {
		_, line, _ = strings.Cut(line, boards)
		got = append(got, strings.TrimSpace(line))
	}
	want := []string{
		`/d/shop.json: panel "Broken": "sum(" cannot be parsed:`,
		`/d/shop.json: panel "Gone": no code emits gone_seconds_bucket.`,
		`/r.yml: rule job:ratio: no code emits lost_total.`,
	}
	if code != exitFound || len(got) != len(want) {
		t.Fatalf("exit %d, %q, %s", code, got, errs)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
}

// A finding is printed once. Findings about different places are printed separately, even if their text is equal.
func TestFindingsArePrintedOnce(t *testing.T) {
	trap := func(posn string) finding { return finding{Posn: posn, Message: "it panics"} }
	conflict := func(posn, message string) finding {
		return finding{Category: "conflict", Posn: posn, Message: message}
	}
	got := findings{
		"a":        {trap("a.go:1"), trap("a.go:2"), conflict("a.go:3", "x: one at p.go:1, two at q.go:1"), conflict("a.go:4", "y: at p.go:1 and here")},
		"a [test]": {trap("a.go:1"), conflict("a.go:4", "y: at p.go:1 and here")},
		"b":        {conflict("b.go:3", "x: one at p.go:1, two at q.go:1"), conflict("b.go:4", "y: at p.go:1 and here")},
	}.once()
	if len(got["a"]) != 4 || len(got["a [test]"]) != 0 || len(got["b"]) != 1 || got["b"][0].Posn != "b.go:4" {
		t.Errorf("%v", got)
	}
}

// In go vet, as in the tests of package metricvet: what is found is what the programs' comments expect. Packages come one by one
// here, each with the facts of those that it imports.
func TestFindsWhatTheAnalyzerFinds(t *testing.T) {
	needs.Time(t, "vets the programs of testdata")
	const programs = "../../telemetry/metricvet/testdata"
	wanted := map[string]bool{}
	err := filepath.WalkDir(programs, func(name string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, ".go") {
			return err
		}
		text, err := os.ReadFile(name)
		name = strings.TrimPrefix(name, programs+"/")
		for i, line := range strings.Split(string(text), "\n") {
			if strings.Contains(line, "// want `") {
				wanted[fmt.Sprintf("%s:%d", name, i+1)] = true
			}
		}
		return err
	})
	if err != nil || len(wanted) < 20 {
		t.Fatalf("%d lines with findings: %v", len(wanted), err)
	}
	code, out, errs := in(t, programs, "./...")
	if code != exitFound {
		t.Fatalf("exit %d, %s", code, errs)
	}
	found := map[string]bool{}
	for line := range strings.Lines(out) {
		parts := strings.SplitN(line, ":", 3)
		found[parts[0]+":"+parts[1]] = true
		if !wanted[parts[0]+":"+parts[1]] {
			t.Errorf("found %s", line)
		}
	}
	for place := range wanted {
		if !found[place] {
			t.Errorf("%s: nothing is found", place)
		}
	}
}
