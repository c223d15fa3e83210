package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A shown is a panel as Grafana reads it.
type shown struct {
	ID          int
	Type, Title string
	Description string
	Datasource  struct{ UID string }
	GridPos     struct{ X, Y, W, H int }
	Links       []struct{ URL string }
	FieldConfig struct{ Defaults struct{ Unit string } }
	Targets     []struct {
		RefID, Expr, LegendFormat string
		Datasource                struct{ UID string }
	}
}

type file struct {
	UID, Title string
	Panels     []shown
	Templating struct{ List []struct{ Name string } }
}

func dashboards(t *testing.T) (all []file) {
	t.Helper()
	names, err := filepath.Glob("dashboards/*.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != len(boards()) {
		t.Errorf("%d files of %d dashboards", len(names), len(boards()))
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var f file
		if err := json.Unmarshal(text, &f); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, f)
	}
	return all
}

func TestFilesAreThoseOfTheTables(t *testing.T) {
	for _, b := range boards() {
		want, err := b.encode()
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join("dashboards", b.uid+".json")
		if have, err := os.ReadFile(name); err != nil || !bytes.Equal(have, want) {
			t.Errorf("%s is not what the tables say (%v): go run ./deploy/grafana deploy/grafana/dashboards", name, err)
		}
	}
}

// units are those of Grafana that are used; make test-grafana looks them up in
// its own list.
var units = []string{
	"none", "short", "percentunit", "s", "bytes", "binBps", "reqps", "mps", "eps", "ops", "cps", "pps", "dateTimeFromNow",
}

func TestPanelsAreComplete(t *testing.T) {
	text, err := os.ReadFile("../RUNBOOK.md")
	if err != nil {
		t.Fatal(err)
	}
	headings := strings.ToLower(string(text))
	for _, f := range dashboards(t) {
		for _, v := range []string{"datasource", "instance"} {
			if !slices.ContainsFunc(f.Templating.List, func(have struct{ Name string }) bool { return have.Name == v }) {
				t.Errorf("%s has no variable %s", f.UID, v)
			}
		}
		row, titles := "", map[string]bool{}
		for _, p := range f.Panels {
			if p.Type == "row" {
				row = p.Title
				continue
			}
			at := f.UID + ", " + row + ", " + p.Title
			if titles[at] || p.Title == "" || len(p.Description) < 8 {
				t.Errorf("%s: a title twice, or no words on what it shows: %q", at, p.Description)
			}
			titles[at] = true
			if !slices.Contains(units, p.FieldConfig.Defaults.Unit) {
				t.Errorf("%s: unit %q", at, p.FieldConfig.Defaults.Unit)
			}
			for _, l := range p.Links {
				anchor, ours := strings.CutPrefix(l.URL, runbookURL)
				if !ours || !strings.Contains(headings, "\n### "+anchor+"\n") {
					t.Errorf("%s links to %s", at, l.URL)
				}
			}
			checkTargets(t, at, p)
		}
	}
}

func checkTargets(t *testing.T, at string, p shown) {
	t.Helper()
	const variable = "${datasource}"
	if len(p.Targets) == 0 || p.Datasource.UID != variable {
		t.Errorf("%s: %d queries to %q", at, len(p.Targets), p.Datasource.UID)
	}
	refs, legends := map[string]bool{}, map[string]bool{}
	for _, q := range p.Targets {
		if q.Expr == "" || q.LegendFormat == "" || q.RefID == "" || q.Datasource.UID != variable {
			t.Errorf("%s: %+v", at, q)
		}
		if refs[q.RefID] || legends[q.LegendFormat] {
			t.Errorf("%s: two queries have one name: %+v", at, q)
		}
		refs[q.RefID], legends[q.LegendFormat] = true, true
		if strings.Contains(q.Expr, "{nodes") || strings.Contains(q.Expr, "[rate]") {
			t.Errorf("%s: a shorthand is left in %s", at, q.Expr)
		}
	}
}

func TestPanelsHaveTheirPlace(t *testing.T) {
	for _, f := range dashboards(t) {
		ids, taken := map[int]string{}, map[[2]int]string{}
		for _, p := range f.Panels {
			if other, ok := ids[p.ID]; ok || p.ID <= 0 {
				t.Errorf("%s: %q and %q have id %d", f.UID, p.Title, other, p.ID)
			}
			ids[p.ID] = p.Title
			g := p.GridPos
			if g.X < 0 || g.W <= 0 || g.H <= 0 || g.X+g.W > fullWidth {
				t.Errorf("%s: %q is at %+v", f.UID, p.Title, g)
			}
			for x := g.X; x < g.X+g.W; x++ {
				for y := g.Y; y < g.Y+g.H; y++ {
					if other, ok := taken[[2]int{x, y}]; ok {
						t.Fatalf("%s: %q lies over %q", f.UID, p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
		}
	}
}

// TestMetricsAreShown wants every metric of the server on a panel: one that
// nobody looks at is not worth its cost.
func TestMetricsAreShown(t *testing.T) {
	text, err := os.ReadFile("../../server/observe/METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := os.ReadFile("../prometheus/rules/recording.yml")
	if err != nil {
		t.Fatal(err)
	}
	var shown strings.Builder
	shown.Write(rules) // what they record is on panels; the test of deploy sees to it
	for _, f := range dashboards(t) {
		for _, p := range f.Panels {
			for _, q := range p.Targets {
				shown.WriteString(q.Expr + "\n")
			}
		}
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		name, ok := strings.CutPrefix(line, "### `")
		name = strings.TrimRight(name, "`\n")
		if !ok || alsoAs[name] != "" {
			continue
		}
		n++
		if !strings.Contains(shown.String(), name) {
			t.Errorf("%s is on no panel", name)
		}
	}
	if n < 50 {
		t.Errorf("%d metrics in METRICS.md", n)
	}
}

// alsoAs are metrics that say what another one says, which is shown.
var alsoAs = map[string]string{
	"im_db_connections": "db_client_connection_count",
}
