package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/VictoriaMetrics/metricsql"
	"go.yaml.in/yaml/v3"
)

// maxFile bounds a dashboard and a rule file, in bytes.
const maxFile = 32 << 20

// A query is a PromQL expression and its place: a file, and a panel or a rule in it.
type query struct {
	file, place, expr string
}

// deadNames returns the names in dashboards and rules that no code emits.
func deadNames(o options, emitted []finding) ([]finding, error) {
	queries, err := dashboards(o.dashboards)
	if err != nil {
		return nil, err
	}
	recorded := map[string]bool{}
	for _, glob := range o.rules {
		files, err := filepath.Glob(glob)
		if err != nil || len(files) == 0 {
			return nil, fmt.Errorf("-rules %s: no file matches", glob)
		}
		for _, f := range files {
			qs, err := rules(f, recorded)
			if err != nil {
				return nil, err
			}
			queries = append(queries, qs...)
		}
	}
	known := newEmitted(emitted, recorded, o.external)
	var out []finding
	for _, q := range queries {
		names, err := namesOf(q.expr)
		if err != nil {
			out = append(out, finding{Category: "query", Posn: q.file, Message: fmt.Sprintf("%s: %q cannot be parsed: %v", q.place, q.expr, err)})
			continue
		}
		for _, name := range names {
			if !known.has(name) {
				out = append(out, finding{Category: "dead", Posn: q.file,
					Message: fmt.Sprintf("%s: no code emits %s. Correct the name, or add -external %s if another program emits it", q.place, name, name)})
			}
		}
	}
	slices.SortFunc(out, func(a, b finding) int { return strings.Compare(a.Posn+a.Message, b.Posn+b.Message) })
	return slices.CompactFunc(out, func(a, b finding) bool { return a.Posn == b.Posn && a.Message == b.Message }), nil
}

func read(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s has %d bytes; at most %d are allowed", file, info.Size(), maxFile)
	}
	return os.ReadFile(file)
}

// dashboards returns the expressions of the Grafana dashboards below a directory.
func dashboards(dir string) (out []query, err error) {
	if dir == "" {
		return nil, nil
	}
	found := 0
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(name) != ".json" {
			return err
		}
		text, err := read(name)
		if err != nil {
			return err
		}
		var board any
		if err := json.Unmarshal(text, &board); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		found++
		walk(board, "", func(place, expr string) { out = append(out, query{name, place, expr}) })
		return nil
	})
	if err == nil && found == 0 {
		err = errors.New("-dashboards " + dir + ": no .json file found")
	}
	return out, err
}

// walk visits the expressions of a dashboard, with the title of their panel.
func walk(v any, title string, visit func(place, expr string)) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			walk(e, title, visit)
		}
	case map[string]any:
		if t, ok := v["title"].(string); ok && t != "" {
			title = t
		}
		if expr, ok := v["expr"].(string); ok && strings.TrimSpace(expr) != "" {
			visit(fmt.Sprintf("panel %q", title), expr)
		}
		for _, key := range slices.Sorted(mapsKeys(v)) {
			if key != "expr" {
				walk(v[key], title, visit)
			}
		}
	}
}

func mapsKeys(m map[string]any) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// rules returns the expressions of a rule file, and adds the names that it records.
func rules(file string, recorded map[string]bool) (out []query, err error) {
	text, err := read(file)
	if err != nil {
		return nil, err
	}
	var doc struct {
		Groups []struct {
			Rules []struct {
				Record string `yaml:"record"`
				Alert  string `yaml:"alert"`
				Expr   string `yaml:"expr"`
			} `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, g := range doc.Groups {
		for _, r := range g.Rules {
			if r.Record != "" {
				recorded[r.Record] = true
				out = append(out, query{file, "rule " + r.Record, r.Expr})
			} else {
				out = append(out, query{file, "alert " + r.Alert, r.Expr})
			}
		}
	}
	return out, nil
}

// These find Grafana's variables. Each is replaced by text that PromQL's parser accepts where the variable may be.
var (
	intervals = regexp.MustCompile(`\$__(rate_)?interval(_ms)?|\$\{__(rate_)?interval(_ms)?\}|\$__range(_s|_ms)?`)
	inRange   = regexp.MustCompile(`\[\s*\$\{?\w+(:\w+)?\}?\s*(:[^\]]*)?\]`)
	variables = regexp.MustCompile(`\$\{\w+(:[^}]*)?\}|\[\[\w+(:\w+)?\]\]|\$\w+`)
)

// namesOf returns the metrics that an expression reads.
func namesOf(expr string) ([]string, error) {
	expr = intervals.ReplaceAllString(expr, "5m")
	expr = inRange.ReplaceAllString(expr, "[5m]")
	expr = variables.ReplaceAllString(expr, "variable")
	parsed, err := metricsql.Parse(expr)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	metricsql.VisitAll(parsed, func(e metricsql.Expr) {
		m, ok := e.(*metricsql.MetricExpr)
		if !ok {
			return
		}
		for _, filters := range m.LabelFilterss {
			for _, f := range filters {
				if f.Label == "__name__" && !f.IsNegative && !f.IsRegexp && !strings.Contains(f.Value, "variable") {
					seen[f.Value] = true
				}
			}
		}
	})
	out := make([]string, 0, len(seen))
	for name := range seen {
		out = append(out, name)
	}
	slices.Sort(out)
	return out, nil
}

// emitted has the names that code emits.
type emitted struct {
	names    map[string]bool
	patterns []*regexp.Regexp
}

func newEmitted(found []finding, recorded map[string]bool, external []*regexp.Regexp) emitted {
	e := emitted{names: map[string]bool{}, patterns: append([]*regexp.Regexp{alwaysThere}, external...)}
	for name := range recorded {
		e.names[name] = true
	}
	for _, f := range found {
		name, typ, _ := strings.Cut(f.Message, " ")
		for _, n := range samples(name, typ) {
			if strings.Contains(n, "*") {
				pattern := strings.ReplaceAll(regexp.QuoteMeta(n), `\*`, ".*")
				e.patterns = append(e.patterns, regexp.MustCompile("^"+pattern+"$"))
			} else {
				e.names[n] = true
			}
		}
	}
	return e
}

// alwaysThere matches names that Prometheus creates itself, and those that libraries emit whose code is not analyzed.
var alwaysThere = regexp.MustCompile(`^(up|ALERTS|ALERTS_FOR_STATE|scrape_.*|go_.*|process_.*|promhttp_.*|target_info|` +
	`telemetry_(conflicts|scrape_errors|callback_errors|exports|export_errors)_total)$`)

// samples returns the names of a metric's samples. The type of a custom collector's metric is unknown.
func samples(name, typ string) []string {
	switch typ {
	case "histogram", "summary", "", "*":
		return []string{name, name + "_bucket", name + "_sum", name + "_count"}
	}
	return []string{name}
}

func (e emitted) has(name string) bool {
	return e.names[name] || slices.ContainsFunc(e.patterns, func(re *regexp.Regexp) bool { return re.MatchString(name) })
}
