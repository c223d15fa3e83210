package deploy

import (
	"encoding/json"
	"math"
	"net/url"
	"slices"
	"strconv"
	"testing"
	"time"
)

// A prometheus answers questions over its API.
type prometheus struct {
	api   string
	since time.Time
}

// ask makes a request, and decodes its data.
func (p *prometheus) ask(t *testing.T, what string, params url.Values, into any) {
	t.Helper()
	var answer struct{ Data json.RawMessage }
	err := get(p.api+what+"?"+params.Encode(), &answer)
	if err == nil {
		err = json.Unmarshal(answer.Data, into)
	}
	if err != nil {
		t.Fatalf("%s %v: %v", what, params, err)
	}
}

// faults are the targets that have not been scraped, and why.
func (p *prometheus) faults(t *testing.T) (faults []string) {
	t.Helper()
	var answer struct {
		Active []struct{ ScrapePool, Health, LastError string } `json:"activeTargets"`
	}
	p.ask(t, "targets", url.Values{}, &answer)
	if len(answer.Active) == 0 {
		return []string{"there is none yet"}
	}
	for _, target := range answer.Active {
		if target.Health != "up" {
			faults = append(faults, target.ScrapePool+" is "+target.Health+": "+target.LastError)
		}
	}
	return faults
}

func stamp(at time.Time) string { return strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64) }

func (p *prometheus) window(params url.Values) url.Values {
	params.Set("start", stamp(p.since))
	params.Set("end", stamp(time.Now()))
	return params
}

// most returns how many series an expression has had since the start, and the
// highest number among them; none where it never had one.
func (p *prometheus) most(t *testing.T, expr string) (series int, value float64) {
	t.Helper()
	var answer struct {
		Result []struct{ Values [][2]any }
	}
	p.ask(t, "query_range", p.window(url.Values{"query": {expr}, "step": {"1"}}), &answer)
	value = math.Inf(-1)
	for _, r := range answer.Result {
		had := false
		for _, point := range r.Values {
			v, err := strconv.ParseFloat(point[1].(string), 64)
			if err != nil {
				t.Fatal(err)
			}
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				value, had = max(value, v), true
			}
		}
		if had {
			series++
		}
	}
	return series, value
}

// exemplars counts those with a trace among the series of an expression.
func (p *prometheus) exemplars(t *testing.T, expr string) (n int) {
	t.Helper()
	var answer []struct {
		Exemplars []struct{ Labels map[string]string }
	}
	p.ask(t, "query_exemplars", p.window(url.Values{"query": {expr}}), &answer)
	for _, series := range answer {
		for _, e := range series.Exemplars {
			if len(e.Labels["trace_id"]) == 32 {
				n++
			}
		}
	}
	return n
}

// series are the labels of all that a selector has selected since the start.
func (p *prometheus) series(t *testing.T, selector string) (all []map[string]string) {
	t.Helper()
	p.ask(t, "series", p.window(url.Values{"match[]": {selector}}), &all)
	return all
}

// A selector is a metric in an expression, and what is asked of its labels.
type selector struct {
	Name     string
	Matchers []struct{ Name, Type, Value string }
}

// parse returns what an expression selects, and the labels that it groups by
// and joins on.
func (p *prometheus) parse(t *testing.T, expr string) (selectors []selector, labels []string) {
	t.Helper()
	var tree json.RawMessage
	p.ask(t, "parse_query", url.Values{"query": {expr}}, &tree)
	var walk func(node json.RawMessage)
	walk = func(node json.RawMessage) {
		var list []json.RawMessage
		if json.Unmarshal(node, &list) == nil {
			for _, item := range list {
				walk(item)
			}
			return
		}
		var fields map[string]json.RawMessage
		if json.Unmarshal(node, &fields) != nil {
			return
		}
		var n struct {
			Type string
			selector
			Grouping []string
			Matching struct{ Labels, Include []string }
		}
		if err := json.Unmarshal(node, &n); err != nil {
			return // a leaf, such as a matcher
		}
		if n.Type == "vectorSelector" || n.Type == "matrixSelector" {
			selectors = append(selectors, n.selector)
		}
		labels = slices.Concat(labels, n.Grouping, n.Matching.Labels, n.Matching.Include)
		for _, field := range fields {
			walk(field)
		}
	}
	walk(tree)
	return selectors, labels
}
