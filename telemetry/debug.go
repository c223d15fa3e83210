package telemetry

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// maxKeys is how many attribute keys of an instrument the debug page lists.
const maxKeys = 5

//go:embed debug.html
var debugHTML string

var debugPage = template.Must(template.New("debug").Parse(debugHTML))

// A debugReport is what DebugHandler shows. Its JSON form is for machines; fields may be added.
type debugReport struct {
	Limit       int               `json:"cardinality_limit"` // series of one instrument; 0 is none
	Series      int               `json:"series"`
	Conflicts   []debugConflict   `json:"conflicts"`
	Instruments []debugInstrument `json:"instruments"`
	Client      []debugInstrument `json:"client_golang"` // metrics that it made
}

type debugInstrument struct {
	Name        string     `json:"name"`
	Family      string     `json:"family"`
	Kind        string     `json:"kind"`
	Number      string     `json:"number,omitempty"`
	Unit        string     `json:"unit,omitempty"`
	Description string     `json:"description,omitempty"`
	Scope       string     `json:"scope,omitempty"`
	Version     string     `json:"scope_version,omitempty"`
	Site        string     `json:"site,omitempty"`
	Unknown     string     `json:"site_unknown,omitempty"` // why there is no site
	Series      int        `json:"series"`
	Share       float64    `json:"share_of_limit"` // 0 to 1
	Keys        []debugKey `json:"attribute_keys,omitempty"`
}

// A debugKey is an attribute key and how many values it has.
type debugKey struct {
	Key    string `json:"key"`
	Values int    `json:"values"`
}

type debugConflict struct {
	Family     string          `json:"family"`
	Reason     Reason          `json:"reason"`
	Resolution Resolution      `json:"resolution"`
	First      debugInstrument `json:"first"`
	Second     debugInstrument `json:"second"`
	Detail     string          `json:"detail,omitempty"`
	Text       string          `json:"text"`
}

// Percent is the share in whole percent.
func (d debugInstrument) Percent() int { return int(d.Share * 100) }

// OneSided tells whether the conflict is of one instrument with the rules, not with another.
func (c debugConflict) OneSided() bool {
	return c.First.Name == c.Second.Name && c.First.Site == c.Second.Site && c.First.Kind == c.Second.Kind &&
		c.First.Description == c.Second.Description && c.First.Scope == c.Second.Scope && c.First.Number == c.Second.Number
}

// DebugHandler shows every instrument, with its live series and the attribute keys that cause them, and every
// conflict: as a page for people, and with ?format=json for machines. It shows names and places in the code, and no
// attribute values; serve it where only operators reach it.
func (p *Provider) DebugHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		report := p.report(r.Context())
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.URL.Query().Get("format") == "json" {
			w.Header().Set("Content-Type", "application/json")
			enc := json.NewEncoder(w)
			enc.SetIndent("", "  ")
			_ = enc.Encode(report) // the client went away
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		_ = debugPage.Execute(w, report)
	})
}

func (p *Provider) report(ctx context.Context) debugReport {
	var live map[usageKey]*usage
	r := debugReport{Limit: p.limit, Conflicts: []debugConflict{}, Instruments: []debugInstrument{}, Client: p.scraper.client(ctx)}
	if p.scraper != nil && p.scraper.exposition != nil {
		live = p.scraper.exposition.usage(ctx)
	}
	for _, u := range live {
		r.Series += u.series
	}
	for _, i := range p.Instruments() {
		d := describe(i)
		if u := live[usageKey{i.Prometheus, i.Scope, i.Number}]; u != nil {
			d.Series, d.Keys = u.series, u.top()
			if p.limit > 0 {
				d.Share = float64(u.series) / float64(p.limit)
			}
		}
		r.Instruments = append(r.Instruments, d)
	}
	for _, c := range p.Conflicts() {
		r.Conflicts = append(r.Conflicts, debugConflict{
			c.Family, c.Reason, c.Resolution, describe(c.First), describe(c.Second), c.Detail, c.String(),
		})
	}
	return r
}

func describe(i Instrument) debugInstrument {
	d := debugInstrument{
		Name: i.Name, Family: i.Prometheus, Kind: kindName(i.Kind), Number: i.Number, Unit: i.Unit,
		Description: i.Description, Scope: i.Scope.Name, Version: i.Scope.Version, Site: i.Site,
	}
	if i.Site == "" {
		d.Unknown = i.whereabouts()
	}
	return d
}

// client describes the metrics of client_golang: what was registered with a registry of ours, with the place, and what
// was gathered otherwise. Several definitions of one family have its series in common.
func (s *scraper) client(ctx context.Context) []debugInstrument {
	ctx, cancel := context.WithTimeout(ctx, defaultScrapeTimeout)
	defer cancel()
	out := []debugInstrument{}
	exposed := map[string]*placed{} // by who defines it, and as what
	for _, p := range s.foreign(ctx).byName {
		if len(p.Metric) == 0 {
			continue
		}
		for _, by := range append([]party{p.first}, p.joined...) {
			if by.from == nil {
				continue
			}
			exposed[by.family.GetName()+" "+by.who()] = p
			if o := by.from.owner(by.family.GetName()); o == nil || o.Early() {
				out = append(out, describe(by.instrument()).on(p))
			}
		}
	}
	for _, src := range s.suppliers {
		if src.registry == nil {
			continue
		}
		for _, f := range src.registry.Families() {
			d := describe(registered(f.By, f.Definition))
			if p := exposed[f.Name+" "+src.name+" "+placeOf(f.By)]; p != nil {
				d = d.on(p)
			}
			out = append(out, d)
		}
	}
	slices.SortStableFunc(out, func(a, b debugInstrument) int { return strings.Compare(a.Family, b.Family) })
	return out
}

// on adds what a family has on the page.
func (d debugInstrument) on(p *placed) debugInstrument {
	u := usage{values: map[attribute.Key]map[attribute.Value]struct{}{}}
	for _, m := range p.Metric {
		u.add(labelSet(m))
	}
	d.Family, d.Series, d.Keys = p.GetName(), u.series, u.top()
	d.Kind = strings.ToLower(strings.ReplaceAll(p.GetType().String(), "_", " "))
	return d
}

func labelSet(m *dto.Metric) attribute.Set {
	kvs := make([]attribute.KeyValue, len(m.Label))
	for i, l := range m.Label {
		kvs[i] = attribute.String(l.GetName(), l.GetValue())
	}
	return attribute.NewSet(kvs...)
}

type usageKey struct {
	family string
	scope  instrumentation.Scope
	number string
}

// usage is what an instrument has on the page now.
type usage struct {
	series int
	values map[attribute.Key]map[attribute.Value]struct{}
}

func (u *usage) add(set attribute.Set) {
	u.series++
	for it := set.Iter(); it.Next(); {
		kv := it.Attribute()
		if u.values[kv.Key] == nil {
			u.values[kv.Key] = map[attribute.Value]struct{}{}
		}
		u.values[kv.Key][attribute.StringValue(kv.Value.String())] = struct{}{}
	}
}

// top returns the keys with the most values: those that make the series.
func (u *usage) top() []debugKey {
	var out []debugKey
	for k, vs := range u.values {
		out = append(out, debugKey{string(k), len(vs)})
	}
	slices.SortFunc(out, func(a, b debugKey) int {
		return cmp.Or(cmp.Compare(b.Values, a.Values), strings.Compare(a.Key, b.Key))
	})
	return out[:min(len(out), maxKeys)]
}

// usage collects once, beside the scrapes, and counts.
func (x *exposition) usage(ctx context.Context) map[usageKey]*usage {
	var rm metricdata.ResourceMetrics
	if err := x.reader.Collect(context.WithValue(ctx, cycleKey{}, x.callbacks.collect(ctx)), &rm); err != nil {
		return nil
	}
	out := map[usageKey]*usage{}
	for _, sm := range rm.ScopeMetrics {
		keys := make([]streamKey, len(sm.Metrics))
		for i, m := range sm.Metrics {
			class, number := shapeOf(m.Data)
			keys[i] = streamKey{sm.Scope, m.Name, m.Unit, m.Description, class, number}
		}
		for i, st := range x.catalog.resolve(keys) {
			k := usageKey{st.family.name, sm.Scope, keys[i].number}
			if out[k] == nil {
				out[k] = &usage{values: map[attribute.Key]map[attribute.Value]struct{}{}}
			}
			for _, set := range setsOf(sm.Metrics[i].Data) {
				out[k].add(set)
			}
		}
	}
	for _, a := range x.ledger.accounts() {
		k := usageKey{streamOf(a).family.name, a.Scope, streamOf(a).from.instrument().Number}
		if out[k] == nil {
			out[k] = &usage{values: map[attribute.Key]map[attribute.Value]struct{}{}}
		}
		a.Sets(out[k].add)
	}
	return out
}

// setsOf returns the attributes of each point.
func setsOf(data metricdata.Aggregation) []attribute.Set {
	switch d := data.(type) {
	case metricdata.Sum[int64]:
		return sets(d.DataPoints)
	case metricdata.Sum[float64]:
		return sets(d.DataPoints)
	case metricdata.Gauge[int64]:
		return sets(d.DataPoints)
	case metricdata.Gauge[float64]:
		return sets(d.DataPoints)
	case metricdata.Histogram[int64]:
		return histogramSets(d.DataPoints)
	case metricdata.Histogram[float64]:
		return histogramSets(d.DataPoints)
	case metricdata.ExponentialHistogram[int64]:
		return exponentialSets(d.DataPoints)
	case metricdata.ExponentialHistogram[float64]:
		return exponentialSets(d.DataPoints)
	}
	return nil
}

func sets[N int64 | float64](points []metricdata.DataPoint[N]) []attribute.Set {
	out := make([]attribute.Set, len(points))
	for i := range points {
		out[i] = points[i].Attributes
	}
	return out
}

func histogramSets[N int64 | float64](points []metricdata.HistogramDataPoint[N]) []attribute.Set {
	out := make([]attribute.Set, len(points))
	for i := range points {
		out[i] = points[i].Attributes
	}
	return out
}

func exponentialSets[N int64 | float64](points []metricdata.ExponentialHistogramDataPoint[N]) []attribute.Set {
	out := make([]attribute.Set, len(points))
	for i := range points {
		out[i] = points[i].Attributes
	}
	return out
}
