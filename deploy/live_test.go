package deploy

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// A panel's query, or what a rule records.
type shown struct {
	where, expr string
	exemplars   bool
}

// troubles is in expressions that are 0 while all is well.
var troubles = regexp.MustCompile(`failures|errors|dropped|slow|lost|garbage|recover|reconnects|resumes|stale|timeouts|pending|wait_|` +
	`queued|owed|behind|forgotten|conflicts|panics|denied|refused_faults|rate_limited|broken|5\.\.|ALERTS`)

// moved tells whether an expression has had data, and more than 0 if nothing
// but use of the server has to move it.
func (s shown) moved(t *testing.T, p *prometheus) bool {
	t.Helper()
	series, value := p.most(t, s.expr)
	return series > 0 && (value > 0 || troubles.MatchString(s.expr)) && (!s.exemplars || p.exemplars(t, s.expr) > 0)
}

// TestEveryExpressionHasData runs a server of two nodes with all its parts and
// people who use it, before a real Prometheus with our configuration. Every
// panel must show a number, every recording rule record one, and no alert may
// fire. That an alert is quiet means something only if it can fire: its cases
// in prometheus/tests have it do so, and here every metric, label and value
// that it names must be the server's.
func TestEveryExpressionHasData(t *testing.T) {
	otlp, collector := startCollector(t)
	nodes, admin, _ := startNodes(t, 2, otlp)
	p := startPrometheus(t, nodes, collector)
	everybody := newTown(t, nodes, admin)

	missing := slices.Concat(panels(t), recorded(t))
	all := slices.Clone(missing)
	for deadline := time.Now().Add(patience); ; {
		everybody.live()
		missing = slices.DeleteFunc(missing, func(s shown) bool {
			return s.moved(t, p)
		})
		if len(missing) == 0 {
			break
		}
		if time.Now().After(deadline) {
			for _, s := range missing {
				n, value := p.most(t, s.expr)
				t.Errorf("%s: %d series, up to %v, exemplars wanted %v, have %d: %s", s.where, n, value, s.exemplars, p.exemplars(t, s.expr), s.expr)
			}
			break
		}
	}
	for _, s := range all {
		series, value := p.most(t, s.expr)
		t.Logf("%-70s %3d series, up to %.4g", s.where, series, value)
		checkNames(t, p, s.where, s.expr)
	}
	checkAlerts(t, p)
}

// panels returns the queries of all dashboards, as Grafana would send them.
func panels(t *testing.T) (all []shown) {
	t.Helper()
	fill := strings.NewReplacer("$instance", ".+", "$__rate_interval", "10s")
	for _, file := range files(t, "grafana/dashboards/*.json") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var board struct {
			Panels []struct {
				Title   string
				Targets []struct {
					Expr, LegendFormat string
					Exemplar           bool
				}
			}
		}
		if err := json.Unmarshal(text, &board); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, panel := range board.Panels {
			for _, q := range panel.Targets {
				where := strings.TrimSuffix(filepath.Base(file), ".json") + ", " + panel.Title + ", " + q.LegendFormat
				all = append(all, shown{where, fill.Replace(q.Expr), q.Exemplar})
			}
		}
	}
	if len(all) < 100 {
		t.Fatalf("the dashboards have %d queries", len(all))
	}
	return all
}

func recorded(t *testing.T) (all []shown) {
	t.Helper()
	for _, r := range rules(t, "prometheus/rules/recording.yml") {
		all = append(all, shown{"rule " + r.Record, r.Record, false})
	}
	return all
}

// checkAlerts wants Prometheus to have loaded all rules, none to fail, and no
// alert to fire.
func checkAlerts(t *testing.T, p *prometheus) {
	t.Helper()
	var loaded struct {
		Groups []struct {
			Rules []struct{ Type, Name, Health, LastError, State, Query string }
		}
	}
	p.ask(t, "rules", url.Values{}, &loaded)
	names := make(map[string]bool)
	for _, g := range loaded.Groups {
		for _, r := range g.Rules {
			names[r.Name] = true
			if r.Health != "ok" || r.State == "firing" {
				t.Errorf("%s is %s and %s: %s", r.Name, r.Health, r.State, r.LastError)
			}
			checkNames(t, p, r.Name, r.Query)
		}
	}
	for _, file := range files(t, "prometheus/rules/*.yml") {
		for _, r := range rules(t, file) {
			if !names[r.Record+r.Alert] {
				t.Errorf("Prometheus has not loaded %s", r.Record+r.Alert)
			}
		}
	}
}

// checkNames wants an expression's metrics and labels to be there, and the
// values that it asks for to be among those that a label may have.
func checkNames(t *testing.T, p *prometheus, where, expr string) {
	t.Helper()
	selectors, labels := p.parse(t, expr)
	if len(selectors) == 0 {
		t.Errorf("%s selects nothing: %s", where, expr)
	}
	there := map[string]bool{}
	for _, s := range selectors {
		if s.Name == "ALERTS" || s.Name == "" {
			return // there only while an alert is; a family as such
		}
		series := p.series(t, s.Name)
		if len(series) == 0 {
			t.Errorf("%s: there is no %s", where, s.Name)
		}
		for _, one := range series {
			for label := range one {
				there[label] = true
			}
		}
		for _, m := range s.Matchers {
			if m.Name == "__name__" {
				continue
			}
			labels = append(labels, m.Name)
			for _, fault := range strangers(t, s.Name, m.Name, m.Value) {
				t.Errorf("%s: %s of %s is never %q", where, m.Name, s.Name, fault)
			}
		}
	}
	made := strings.Contains(expr, "label_replace(")
	for _, label := range labels {
		if !there[label] && label != "le" && !made {
			t.Errorf("%s: nothing in it has a label %s: %s", where, label, expr)
		}
	}
}

// strangers returns the words of a matcher that are no values of a label whose
// values METRICS.md lists.
func strangers(t *testing.T, metric, label, value string) (faults []string) {
	t.Helper()
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		metric = strings.TrimSuffix(metric, suffix)
	}
	values := documented(t)[metric+" "+label]
	for _, word := range strings.Split(value, "|") {
		if len(values) > 0 && word != "" && !slices.Contains(values, word) {
			faults = append(faults, word)
		}
	}
	return faults
}

// documented returns the values of labels, by metric and label, where
// METRICS.md has a list and nothing but.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../server/observe/METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	all, metric := make(map[string][]string), ""
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "### "); ok {
			metric = strings.Trim(name, "`\n")
		}
		label, ok := strings.CutPrefix(line, "- label ")
		if !ok {
			continue
		}
		name, values, _ := strings.Cut(label, ":")
		words := strings.Fields(values)
		listed := !slices.ContainsFunc(words, func(w string) bool { return !strings.HasPrefix(w, "`") || !strings.HasSuffix(w, "`") })
		if listed && len(words) > 0 {
			all[metric+" "+strings.Trim(name, "`")] = strings.Fields(strings.ReplaceAll(values, "`", ""))
		}
	}
	if len(all) < 10 {
		t.Fatalf("METRICS.md lists the values of %d labels", len(all))
	}
	return all
}
