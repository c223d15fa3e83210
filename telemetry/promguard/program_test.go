package promguard_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

const blankImport = `import _ "github.com/onemeter/onemeter/telemetry/promguard"`

// A program is a main package with the packages a, b and perhaps c. Each of these defines metrics.
type program struct {
	name    string
	a, b, c definition
}

// A definition is what one of the packages defines.
type definition struct {
	how     string // "promauto", or "init": with MustRegister in an init function
	metric  string // a call such as NewGauge(…), without its package
	work    string // what Work does with the metric m
	guarded bool   // the blank import is in this package too
}

// source returns the file of a definition. The line that registers the metric ends in the comment "// here".
func (d definition) source(pkg string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "package %s\n\n", pkg)
	if d.guarded {
		b.WriteString(blankImport + "\n")
	}
	for _, path := range []string{"runtime", "github.com/prometheus/client_golang/prometheus/promauto", "github.com/prometheus/client_golang/prometheus"} {
		if name := path[strings.LastIndex(path, "/")+1:]; strings.Contains(d.code(), name+".") {
			fmt.Fprintf(&b, "import %q\n", path)
		}
	}
	return b.String() + d.code()
}

func (d definition) code() string {
	work := fmt.Sprintf("\nfunc Work() { %s }\n", d.work)
	if d.how == "promauto" {
		return fmt.Sprintf("\nvar m = promauto.%s // here\n", d.metric) + work
	}
	return fmt.Sprintf("\nvar m = prometheus.%s\n\nfunc init() {\n\tprometheus.MustRegister(m) // here\n}\n", d.metric) + work
}

// packages are the packages of the program, in alphabetical order.
func (p program) packages() []string {
	all := []string{"a", "b", "c"}
	return slices.DeleteFunc(all, func(pkg string) bool { return p.definition(pkg).metric == "" })
}

func (p program) definition(pkg string) definition {
	return map[string]definition{"a": p.a, "b": p.b, "c": p.c}[pkg]
}

// site returns the place that the log names for a package's registration.
func (p program) site(module, pkg string) string {
	return fmt.Sprintf("%s/%s/%s/", module, p.name, pkg) + siteIn(pkg+".go", p.definition(pkg).source(pkg))
}

// siteIn returns the line of a file that ends in the comment "// here".
func siteIn(file, source string) string {
	before, _, _ := strings.Cut(source, "// here")
	return fmt.Sprintf("%s:%d", file, strings.Count(before, "\n")+1)
}

// mainOf returns a main package that uses the packages of programs and prints the page.
func mainOf(module string, guarded bool, programs ...program) string {
	var imports, work strings.Builder
	if guarded {
		imports.WriteString(blankImport + "\n")
	}
	for _, p := range programs {
		for _, pkg := range p.packages() {
			fmt.Fprintf(&imports, "import %s%s %q\n", p.name, pkg, module+"/"+p.name+"/"+pkg)
			fmt.Fprintf(&work, "\t%s%s.Work()\n", p.name, pkg)
		}
	}
	return fmt.Sprintf("package main\n\n%simport %q\n\nfunc main() {\n%s\tpage.Print(page.Get())\n}\n", imports.String(), module+"/page", work.String())
}

// A module has files by path. Each main package is in a folder of its name.
type module struct {
	path  string
	files map[string]string
}

func newModule(path string, programs ...program) module {
	m := module{path, map[string]string{"page/page.go": pageSource}}
	for _, p := range programs {
		for _, pkg := range p.packages() {
			m.files[p.name+"/"+pkg+"/"+pkg+".go"] = p.definition(pkg).source(pkg)
		}
	}
	return m
}

func (m module) addMain(name, source string) { m.files["main/"+name+"/main.go"] = source }

// pageSource is a package that requests the page from an unmodified promhttp.Handler.
const pageSource = `package page

import (
	"encoding/json"
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Get requests the page in all formats. An unmodified handler has no OpenMetrics, which needs an option of promhttp.
func Get() map[string][]byte {
	open := promhttp.HandlerFor(prometheus.DefaultGatherer, promhttp.HandlerOpts{EnableOpenMetrics: true})
	return map[string][]byte{
		"text":        From(promhttp.Handler(), "text/plain"),
		"protobuf":    From(promhttp.Handler(), "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"),
		"openmetrics": From(open, "application/openmetrics-text;version=1.0.0"),
	}
}

// From requests the page from a handler.
func From(h http.Handler, accept string) []byte {
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 200 {
		log.Fatalf("%s: status %d: %s", accept, w.Code, w.Body)
	}
	return w.Body.Bytes()
}

func Print(pages map[string][]byte) {
	if err := json.NewEncoder(os.Stdout).Encode(pages); err != nil {
		log.Fatal(err)
	}
}
`

// build writes the module into a folder, builds its programs, and returns their paths.
func (m module) build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range m.files {
		write(t, filepath.Join(dir, filepath.FromSlash(name)), text)
	}
	require(t, dir, "module "+m.path+"\n", "")
	bin := filepath.Join(dir, "bin")
	goTool(t, dir, "build", "-buildvcs=false", "-ldflags=-s -w", "-o", bin+string(filepath.Separator), "./main/...")
	return bin
}

var goLine = regexp.MustCompile(`(?m)^(go|toolchain) .*\n`)

// require makes this repository and all its requirements the requirements of a module, besides its own, and takes over
// its version of Go. Without a go line, Go assumes 1.16, and downloads the go.mod files of all requirements of requirements:
// thousands.
func require(t *testing.T, dir, mod, sum string) {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	ours := read(t, filepath.Join(root, "go.mod"))
	_, ours, _ = strings.Cut(ours, "\n") // its module line
	mod = goLine.ReplaceAllString(mod, "")
	write(t, filepath.Join(dir, "go.mod"), mod+"\n"+ours+
		"\nrequire github.com/onemeter/onemeter v0.0.0\n\nreplace github.com/onemeter/onemeter => "+root+"\n")
	write(t, filepath.Join(dir, "go.sum"), sum+read(t, filepath.Join(root, "go.sum")))
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// goTool runs the go command in a folder and returns its output. The test fails where the command would download
// something.
func goTool(t *testing.T, dir string, args ...string) string {
	t.Helper()
	code, stdout, stderr := execute(t, dir, []string{"GOPROXY=off"}, "go", args...)
	if code != 0 {
		t.Fatalf("go %s: %s%s", strings.Join(args, " "), stdout, stderr)
	}
	return stdout
}

// An outcome is the result of running a program.
type outcome struct {
	code   int
	stderr string
	pages  map[string][]byte // what it printed
}

// run runs a program. env is added to its environment.
func run(t *testing.T, file string, env ...string) outcome {
	t.Helper()
	code, stdout, stderr := execute(t, ".", env, file)
	out := outcome{code: code, stderr: stderr}
	if code == 0 {
		if err := json.Unmarshal([]byte(stdout), &out.pages); err != nil {
			t.Fatalf("%v\n%s\n%s", err, stdout, stderr)
		}
	}
	return out
}

// execute runs a command in a folder until it ends.
func execute(t *testing.T, dir string, env []string, name string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// mustPanic checks that client_golang refused a definition and the program ended.
func (o outcome) mustPanic(t *testing.T) {
	t.Helper()
	if o.code != 2 || !strings.Contains(o.stderr, "prometheus.(*Registry).MustRegister") ||
		!strings.Contains(o.stderr, "panic: duplicate metrics collector registration attempted") &&
			!strings.Contains(o.stderr, "panic: a previously registered descriptor with the same fully-qualified name") {
		t.Errorf("exit code %d, no panic of client_golang's over a definition: %s", o.code, o.stderr)
	}
}

// mustTell checks that the log has one line for each conflict, and that each line has the given texts, in that order.
func (o outcome) mustTell(t *testing.T, conflicts ...[]string) {
	t.Helper()
	lines := strings.FieldsFunc(o.stderr, func(r rune) bool { return r == '\n' })
	if len(lines) != len(conflicts) {
		t.Errorf("%d lines on stderr, want %d:\n%s", len(lines), len(conflicts), o.stderr)
		return
	}
	for i, parts := range conflicts {
		rest := lines[i]
		for _, part := range append([]string{"telemetry: conflict"}, parts...) {
			_, after, found := strings.Cut(rest, part)
			if !found {
				t.Errorf("line %d does not have %q in its place: %s", i+1, part, lines[i])
				break
			}
			rest = after
		}
	}
}

// about returns the outcome with only those lines of stderr that contain a word.
func (o outcome) about(word string) outcome {
	var kept strings.Builder
	for line := range strings.Lines(o.stderr) {
		if strings.Contains(line, word) {
			kept.WriteString(line)
		}
	}
	o.stderr = kept.String()
	return o
}

// mustShow checks that the pages of all formats are valid and agree, and that the text has exactly the wanted lines
// for families whose names begin with a prefix.
func (o outcome) mustShow(t *testing.T, prefix, want string) {
	t.Helper()
	var got string
	for line := range strings.Lines(string(o.pages["text"])) {
		if strings.HasPrefix(strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE "), prefix) {
			got += line
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the page (-want +got):\n%s", d)
	}
	text, err1 := parseText(o.pages["text"])
	proto, err2 := parseProtobuf(o.pages["protobuf"])
	open, err3 := parseOpenMetrics(o.pages["openmetrics"])
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	for name, f := range text {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		if n := len(proto[name].GetMetric()); n != len(f.Metric) {
			t.Errorf("%s has %d series in the text, %d in protobuf", name, len(f.Metric), n)
		}
		if f.GetType() == dto.MetricType_COUNTER {
			name = strings.TrimSuffix(name, "_total")
		}
		if want := strings.ToLower(f.GetType().String()); open[name] != want {
			t.Errorf("%s is a %s in the text, a %q in OpenMetrics", name, want, open[name])
		}
	}
}

type families map[string]*dto.MetricFamily

func parseText(body []byte) (families, error) {
	if _, err := comments(body, "# HELP ", "# TYPE "); err != nil {
		return nil, fmt.Errorf("text: %w", err)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	out, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("text: %w\n%s", err, body)
	}
	return out, distinct(out)
}

func parseProtobuf(body []byte) (families, error) {
	out := families{}
	dec := expfmt.NewDecoder(bytes.NewReader(body), expfmt.FmtProtoDelim)
	for {
		f := &dto.MetricFamily{}
		if err := dec.Decode(f); errors.Is(err, io.EOF) {
			return out, distinct(out)
		} else if err != nil {
			return nil, fmt.Errorf("protobuf: %w", err)
		}
		if out[f.GetName()] != nil {
			return nil, fmt.Errorf("protobuf: family %s twice", f.GetName())
		}
		out[f.GetName()] = f
	}
}

// parseOpenMetrics returns the type of each family. It checks that each has its comments once, before its samples,
// and that no sample is there twice.
func parseOpenMetrics(body []byte) (map[string]string, error) {
	page, ok := bytes.CutSuffix(body, []byte("# EOF\n"))
	if !ok {
		return nil, fmt.Errorf("openmetrics: no # EOF at the end:\n%s", body)
	}
	types, err := comments(page, "# HELP ", "# TYPE ", "# UNIT ")
	if err != nil {
		return nil, fmt.Errorf("openmetrics: %w", err)
	}
	family, seen := "", map[string]bool{}
	for lines := bufio.NewScanner(bytes.NewReader(page)); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "# ") {
			family = strings.Fields(line)[2]
			continue
		}
		series := line[:strings.LastIndex(line, " ")]
		if !strings.HasPrefix(series, family) || seen[series] {
			return nil, fmt.Errorf("openmetrics: a sample of family %s that is none, or is there twice: %s", family, line)
		}
		seen[series] = true
	}
	return types, nil
}

// comments returns the type of each family. It checks that no comment is there twice for one family, except for a
// pair in client_golang's own Go collector, a gauge x and a counter x_total, which have one name in OpenMetrics.
func comments(body []byte, prefixes ...string) (map[string]string, error) {
	types, seen := map[string]string{}, map[string]bool{}
	for lines := bufio.NewScanner(bytes.NewReader(body)); lines.Scan(); {
		line := lines.Text()
		i := slices.IndexFunc(prefixes, func(p string) bool { return strings.HasPrefix(line, p) })
		if i < 0 {
			continue
		}
		name, rest, _ := strings.Cut(strings.TrimPrefix(line, prefixes[i]), " ")
		if seen[prefixes[i]+name] && name != "go_memstats_alloc_bytes" {
			return nil, fmt.Errorf("%s%s is there twice", prefixes[i], name)
		}
		seen[prefixes[i]+name] = true
		if prefixes[i] == "# TYPE " {
			types[name] = rest
		}
	}
	return types, nil
}

// distinct checks that no series is there twice.
func distinct(all families) error {
	for name, f := range all {
		seen := map[string]bool{}
		for _, m := range f.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			slices.Sort(labels)
			key := strings.Join(labels, ",")
			if seen[key] {
				return fmt.Errorf("series %s{%s} is there twice", name, key)
			}
			seen[key] = true
		}
	}
	return nil
}
