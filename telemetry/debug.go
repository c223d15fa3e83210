package telemetry

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/onemeter/onemeter/telemetry/internal/rule"
)

// maxKeys is how many attribute keys of an instrument the debug page lists.
const maxKeys = 5

//go:embed debug.html
var debugHTML string

var debugPage = template.Must(template.New("debug").Funcs(template.FuncMap{"words": words}).Parse(debugHTML))

// words lets the browser break a name between its words.
func words(name string) template.HTML {
	return template.HTML(wordEnds.Replace(template.HTMLEscapeString(name)))
}

var wordEnds = strings.NewReplacer("_", "_<wbr>", ".", ".<wbr>", "/", "/<wbr>")

// A debugReport is what DebugHandler shows. Programs may read its JSON form; fields may be added.
type debugReport struct {
	Filter      string            `json:"filter,omitempty"`  // only entries with this text in a name, a scope or a place are shown
	Limit       int               `json:"cardinality_limit"` // series of one instrument; 0 means no limit
	Series      int               `json:"series"`
	Conflicts   []debugConflict   `json:"conflicts"`
	Instruments []debugInstrument `json:"instruments"`
	Client      []debugInstrument `json:"client_golang"` // the metrics of client_golang
}

type debugInstrument struct {
	Name        string      `json:"name"`
	Family      string      `json:"family"`
	Kind        string      `json:"kind"`
	Number      string      `json:"number,omitempty"`
	Unit        string      `json:"unit,omitempty"`
	Description string      `json:"description,omitempty"`
	Scope       string      `json:"scope,omitempty"`
	Version     string      `json:"scope_version,omitempty"`
	Site        string      `json:"site,omitempty"`
	Unknown     string      `json:"site_unknown,omitempty"` // why the site is unknown
	Series      int         `json:"series"`
	Value       *debugValue `json:"value,omitempty"` // of all series together; nil if nothing was measured
	Share       float64     `json:"share_of_limit"`  // 0 to 1
	Keys        []debugKey  `json:"attribute_keys,omitempty"`
}

// A debugValue is what an instrument measured: the sum of a counter or an up-down counter, the count and the sum of a
// histogram, or the least and the greatest value of a gauge.
type debugValue struct {
	Sum   *float64 `json:"sum,omitempty"`
	Count *uint64  `json:"count,omitempty"`
	Least *float64 `json:"least,omitempty"`
	Most  *float64 `json:"most,omitempty"`
}

// String formats the value for people.
func (v *debugValue) String() string {
	switch {
	case v == nil:
		return ""
	case v.Count != nil && *v.Count > 0:
		return fmt.Sprintf("%d, mean %.4g", *v.Count, *v.Sum/float64(*v.Count))
	case v.Count != nil:
		return "0"
	case v.Sum != nil:
		return number(*v.Sum)
	case *v.Least == *v.Most:
		return number(*v.Least)
	}
	return number(*v.Least) + " to " + number(*v.Most)
}

func number(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}

// A debugKey is an attribute key and the number of its values.
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

// Percent returns the share of the cardinality limit, in whole percent.
func (d debugInstrument) Percent() int { return int(d.Share * 100) }

// OneSided reports whether the conflict involves one instrument only.
func (c debugConflict) OneSided() bool {
	return c.First.Name == c.Second.Name && c.First.Site == c.Second.Site && c.First.Kind == c.Second.Kind &&
		c.First.Description == c.Second.Description && c.First.Scope == c.Second.Scope && c.First.Number == c.Second.Number
}

// DebugHandler serves a page that shows every instrument, every metric of client_golang and every conflict: as HTML for
// people, or as JSON for programs with ?format=json. An instrument has the number of its series, their total, and the
// attribute keys with the most values. ?q=text shows only entries whose name, scope or place in the code contains the text.
// Another format is answered with 400. The page does not show attribute values; still, serve it only to operators. Each
// request runs all callbacks and collectors, as a scrape does.
func (p *Provider) DebugHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		report := p.report(r.Context())
		report.filter(r.URL.Query().Get("q"))
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		switch format := strings.ToLower(r.URL.Query().Get("format")); format {
		case "", "html":
		case "json":
			w.Header().Set("Content-Type", "application/json")
			enc := json.NewEncoder(w)
			enc.SetIndent("", "  ")
			_ = enc.Encode(report) // the client went away
			return
		default:
			http.Error(w, fmt.Sprintf("Unknown format %q: use format=json, or leave it out for HTML.", format), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		_ = debugPage.Execute(w, report)
	})
}

// maxFilter bounds the text to search for, in bytes.
const maxFilter = 200

// filter keeps only entries that contain the text, in any case, in a name, a scope or a place.
func (r *debugReport) filter(text string) {
	if text == "" {
		return
	}
	r.Filter = rule.SoundText(text[:min(len(text), maxFilter)])
	low := strings.ToLower(r.Filter)
	other := func(d debugInstrument) bool {
		return !slices.ContainsFunc([]string{d.Name, d.Family, d.Scope, d.Site}, func(s string) bool {
			return strings.Contains(strings.ToLower(s), low)
		})
	}
	r.Instruments = slices.DeleteFunc(r.Instruments, other)
	r.Client = slices.DeleteFunc(r.Client, other)
	r.Conflicts = slices.DeleteFunc(r.Conflicts, func(c debugConflict) bool { return other(c.First) && other(c.Second) })
	r.Series = 0
	for _, i := range r.Instruments {
		r.Series += i.Series
	}
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
			d.Series, d.Keys, d.Value = u.series, u.top(), u.value(i.Kind)
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

// client describes the metrics of client_golang: those registered with a registry of this package, with the place,
// and those gathered otherwise. If one family has several definitions, each shows the series of the whole family.
func (s *scraper) client(ctx context.Context) []debugInstrument {
	ctx, cancel := context.WithTimeout(ctx, defaultScrapeTimeout)
	defer cancel()
	out := []debugInstrument{}
	exposed := map[string]*placed{} // by definition and by who registered it
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

// on adds the values that a family has on the page to its description.
func (d debugInstrument) on(p *placed) debugInstrument {
	u := usage{values: map[attribute.Key]map[attribute.Value]struct{}{}}
	for _, m := range p.Metric {
		switch {
		case m.Histogram != nil:
			u.add(labelSet(m), m.Histogram.GetSampleSum(), m.Histogram.GetSampleCount())
		case m.Summary != nil:
			u.add(labelSet(m), m.Summary.GetSampleSum(), m.Summary.GetSampleCount())
		default:
			u.add(labelSet(m), m.GetCounter().GetValue()+m.GetGauge().GetValue()+m.GetUntyped().GetValue(), 0)
		}
	}
	d.Family, d.Series, d.Keys, d.Value = p.GetName(), u.series, u.top(), u.value(kindOf(p.GetType()))
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

// usage sums up the series that an instrument has on the page now.
type usage struct {
	series      int
	sum         float64
	count       uint64
	least, most float64
	values      map[attribute.Key]map[attribute.Value]struct{}
}

// add adds a series with its value, or with the sum and the count of a histogram.
func (u *usage) add(set attribute.Set, value float64, count uint64) {
	if u.series == 0 {
		u.least, u.most = value, value
	}
	u.series++
	u.sum, u.count = u.sum+value, u.count+count
	u.least, u.most = min(u.least, value), max(u.most, value)
	for it := set.Iter(); it.Next(); {
		kv := it.Attribute()
		if u.values[kv.Key] == nil {
			u.values[kv.Key] = map[attribute.Value]struct{}{}
		}
		u.values[kv.Key][attribute.StringValue(kv.Value.String())] = struct{}{}
	}
}

// value returns what the series measured, by the kind of their instrument. It is nil if the sum is not finite,
// because JSON has no such number.
func (u *usage) value(k sdkmetric.InstrumentKind) *debugValue {
	finite := !math.IsNaN(u.sum) && !math.IsInf(u.sum, 0)
	switch {
	case u.series == 0 || !finite:
		return nil
	case k == sdkmetric.InstrumentKindHistogram || u.count > 0:
		return &debugValue{Sum: &u.sum, Count: &u.count}
	case rule.ClassOf(k) == rule.Counter || rule.ClassOf(k) == rule.UpDown:
		return &debugValue{Sum: &u.sum}
	}
	return &debugValue{Least: &u.least, Most: &u.most}
}

// top returns the keys with the most values, which cause most series.
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

// usage collects once, apart from scrapes, and sums up the series of each instrument.
func (x *exposition) usage(ctx context.Context) map[usageKey]*usage {
	var rm metricdata.ResourceMetrics
	if err := x.reader.Collect(context.WithValue(ctx, cycleKey{}, x.callbacks.collect(ctx)), &rm); err != nil {
		rm.ScopeMetrics = nil // after Shutdown the ledger still has what was recorded
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
			eachPoint(sm.Metrics[i].Data, out[k].add)
		}
	}
	for _, a := range x.ledger.accounts() {
		k := usageKey{streamOf(a).family.name, a.Scope, streamOf(a).from.instrument().Number}
		if out[k] == nil {
			out[k] = &usage{values: map[attribute.Key]map[attribute.Value]struct{}{}}
		}
		a.All(out[k].add)
	}
	return out
}

// eachPoint calls visit for each point, with its value, or with the sum and the count of a histogram.
func eachPoint(data metricdata.Aggregation, visit func(set attribute.Set, value float64, count uint64)) {
	switch d := data.(type) {
	case metricdata.Sum[int64]:
		eachNumber(d.DataPoints, visit)
	case metricdata.Sum[float64]:
		eachNumber(d.DataPoints, visit)
	case metricdata.Gauge[int64]:
		eachNumber(d.DataPoints, visit)
	case metricdata.Gauge[float64]:
		eachNumber(d.DataPoints, visit)
	case metricdata.Histogram[int64]:
		eachHistogram(d.DataPoints, visit)
	case metricdata.Histogram[float64]:
		eachHistogram(d.DataPoints, visit)
	case metricdata.ExponentialHistogram[int64]:
		eachExponential(d.DataPoints, visit)
	case metricdata.ExponentialHistogram[float64]:
		eachExponential(d.DataPoints, visit)
	}
}

func eachNumber[N int64 | float64](points []metricdata.DataPoint[N], visit func(attribute.Set, float64, uint64)) {
	for i := range points {
		visit(points[i].Attributes, float64(points[i].Value), 0)
	}
}

func eachHistogram[N int64 | float64](points []metricdata.HistogramDataPoint[N], visit func(attribute.Set, float64, uint64)) {
	for i := range points {
		visit(points[i].Attributes, float64(points[i].Sum), points[i].Count)
	}
}

func eachExponential[N int64 | float64](
	points []metricdata.ExponentialHistogramDataPoint[N], visit func(attribute.Set, float64, uint64),
) {
	for i := range points {
		visit(points[i].Attributes, float64(points[i].Sum), points[i].Count)
	}
}
