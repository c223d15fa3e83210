package telemetry

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// This file turns what the SDK collected into families without a conflict: points of all scopes, number types and
// attribute spellings that have equal labels become one series.

// A page is one family as it is exposed, with the series it had at the last collection. Translating attributes is
// the dear part of an exposition, so it is done once for each series, not at every scrape. A page belongs to a fold
// and is guarded by its lock.
type page struct {
	family      *family
	help        string
	bounds      []float64 // of all its histograms
	bySet       map[attribute.Distinct]*series
	sorted      []*series
	unsorted    bool
	temporality metricdata.Temporality

	parts   []part // what the SDK collected of it now
	changed bool   // its series are not just what the only part says
}

// A part is one metric of the SDK.
type part struct {
	scope  instrumentation.Scope
	metric *metricdata.Metrics
}

// A series is one line of the page, or, of a histogram, one group of lines.
type series struct {
	key    attribute.Distinct // of its labels
	labels attribute.Set      // translated: valid, distinct names; values are UTF-8 strings. In a native fold, attributes
	values []string           // of the labels in order, to sort by
	seen   uint64             // the collection that wrote the rest
	from   *stream

	start, time time.Time

	value     float64
	histogram metricdata.HistogramDataPoint[float64]
	exp       *metricdata.ExponentialHistogramDataPoint[float64]
	exemplars []metricdata.Exemplar[float64]
}

// A feed is what one stream of the SDK remembers between collections: the series of each of its attribute sets.
type feed struct {
	stream   *stream
	page     *page
	scope    []attribute.KeyValue // labels of the scope, where those are asked for
	bySource map[attribute.Distinct]*series
	repaired repair // what was told of
	altered  bool   // some attributes are not as they came
	foreign  bool   // it is of client_golang
	unequal  bool   // that its buckets are others was told
}

// translate makes labels of attributes. Keys that become one label have their values sorted and joined by ";", as
// the specification and the exporter do.
func translate(set attribute.Set, scope []attribute.KeyValue) (attribute.Set, repair) {
	var done repair
	values := make(map[string][]string, set.Len())
	for it := set.Iter(); it.Next(); {
		kv := it.Attribute()
		name, r := labelName(string(kv.Key))
		done |= r
		if name == "" {
			continue
		}
		value, r := labelValue(kv.Value)
		done |= r
		values[name] = append(values[name], value)
	}
	kvs := make([]attribute.KeyValue, 0, len(values)+len(scope))
	for name, vs := range values {
		slices.Sort(vs)
		kvs = append(kvs, attribute.String(name, strings.Join(vs, ";")))
	}
	return attribute.NewSet(append(kvs, scope...)...), done
}

// scopeLabels are the labels that the exporter gives to the points of a scope.
func scopeLabels(s instrumentation.Scope) []attribute.KeyValue {
	set, _ := translate(s.Attributes, nil)
	var out []attribute.KeyValue
	for _, kv := range set.ToSlice() {
		switch kv.Key {
		case "name", "version", "schema_url":
		default:
			out = append(out, attribute.String(scopeLabelPrefix+string(kv.Key), kv.Value.AsString()))
		}
	}
	for k, v := range map[string]string{"name": s.Name, "version": s.Version, "schema_url": s.SchemaURL} {
		v, _ := labelValue(attribute.StringValue(v))
		out = append(out, attribute.String(scopeLabelPrefix+k, v))
	}
	return out
}

// at returns the series for a set of attributes, and what had to be repaired if it is new.
func (x *fold) at(f *feed, set attribute.Set) (*series, repair) {
	key := set.Equivalent()
	if s, ok := f.bySource[key]; ok {
		return s, 0
	}
	labels, done := set, repair(0)
	if !f.foreign { // client_golang's are labels already
		labels, done = translate(set, f.scope)
	}
	p := f.page
	identity := withoutEmpty(labels)
	s, ok := p.bySet[identity.Equivalent()]
	if !ok {
		s = &series{key: identity.Equivalent(), labels: labels, values: valuesOf(labels)}
		if x.native && !f.foreign {
			s.labels = sound(set)
		}
		p.bySet[s.key] = s
		p.sorted = append(p.sorted, s)
		p.unsorted = true
	} else if set := withoutEmpty(s.labels); set.Len() < s.labels.Len() { // its labels may not depend on which came first
		s.labels, s.values = set, valuesOf(identity)
		p.unsorted, p.changed = true, true
	}
	f.bySource[key] = s
	f.altered = f.altered || s.labels.Equivalent() != key
	return s, done
}

func valuesOf(labels attribute.Set) []string {
	out := make([]string, 0, labels.Len())
	for it := labels.Iter(); it.Next(); {
		out = append(out, it.Attribute().Value.AsString())
	}
	return out
}

// withoutEmpty leaves out what Prometheus's data model has no room for: a label without a value is no label. Series that
// are one for it are one here.
func withoutEmpty(labels attribute.Set) attribute.Set {
	empty := func(kv attribute.KeyValue) bool {
		return kv.Value.Type() == attribute.STRING && kv.Value.AsString() == ""
	}
	if !slices.ContainsFunc(labels.ToSlice(), empty) {
		return labels
	}
	full, _ := labels.Filter(func(kv attribute.KeyValue) bool { return !empty(kv) })
	return full
}

// forget keeps the memory of a feed within a multiple of what it last held.
func (f *feed) forget(points int) {
	if len(f.bySource) > 2*points+64 {
		clear(f.bySource)
	}
}

// order sorts the series as client_golang does, and drops those that are gone once they are many.
func (p *page) order(now uint64, live int) {
	if len(p.sorted) > 2*live+64 {
		p.sorted = slices.DeleteFunc(p.sorted, func(s *series) bool {
			if s.seen == now {
				return false
			}
			delete(p.bySet, s.key)
			return true
		})
	}
	if p.unsorted {
		slices.SortFunc(p.sorted, func(a, b *series) int {
			return cmp.Or(cmp.Compare(len(a.values), len(b.values)), slices.Compare(a.values, b.values))
		})
		p.unsorted = false
	}
}

// addNumbers takes the points of a counter, an up-down counter or a gauge. Equal series of counters add up; of
// gauges the first one wins, and the second is returned.
func addNumbers[N int64 | float64](x *fold, f *feed, points []metricdata.DataPoint[N]) {
	gauge := f.stream.family.class == classGauge || f.foreign && f.stream.family.class != classCounter
	for i := range points {
		pt := &points[i]
		s, done := x.at(f, pt.Attributes)
		x.repaired(f, done)
		switch {
		case s.seen != x.now:
			s.seen, s.from, s.value, s.exemplars = x.now, f.stream, float64(pt.Value), nil
			s.start, s.time = pt.StartTime, pt.Time
		case gauge:
			x.duplicate(s.from, f.stream)
			f.page.changed = true
			continue
		default:
			s.value += float64(pt.Value)
			f.page.changed = true
		}
		keepExemplars(x, f, s, pt.Exemplars)
	}
	f.forget(len(points))
}

func addHistograms[N int64 | float64](x *fold, f *feed, points []metricdata.HistogramDataPoint[N]) {
	for i := range points {
		pt := &points[i]
		s, done := x.at(f, pt.Attributes)
		x.repaired(f, done)
		if f.page.bounds == nil {
			f.page.bounds = usable(pt.Bounds)
		}
		counts := rebucket(pt.BucketCounts, pt.Bounds, f.page.bounds)
		if s.seen == x.now && (s.exp != nil || !slices.Equal(pt.Bounds, f.page.bounds)) {
			x.unequal(f)
		}
		f.page.changed = f.page.changed || s.seen == x.now || !slices.Equal(pt.Bounds, f.page.bounds)
		h := &s.histogram
		if s.seen != x.now {
			s.seen, s.from, s.exp, s.exemplars = x.now, f.stream, nil, nil
			*h = metricdata.HistogramDataPoint[float64]{
				Attributes: s.labels, StartTime: pt.StartTime, Time: pt.Time,
				Count: pt.Count, Bounds: f.page.bounds, BucketCounts: counts, Sum: float64(pt.Sum),
			}
		} else {
			x.flatten(s, f.page)
			counts = slices.Clone(counts) // the SDK's own slice stays as it is
			for i, n := range h.BucketCounts {
				counts[i] += n
			}
			h.Count, h.Sum, h.BucketCounts = h.Count+pt.Count, h.Sum+float64(pt.Sum), counts
		}
		keepExemplars(x, f, s, pt.Exemplars)
	}
	f.forget(len(points))
}

// usable returns boundaries that make buckets: ascending, and without NaN and infinity, which is always there.
func usable(bounds []float64) []float64 {
	out := make([]float64, 0, len(bounds))
	for _, b := range bounds {
		if !math.IsNaN(b) && !math.IsInf(b, +1) && (len(out) == 0 || b > out[len(out)-1]) {
			out = append(out, b)
		}
	}
	return out
}

// rebucket moves counts from their boundaries to others. A count goes to the first bucket that holds its own whole
// bucket; none is lost. Where the boundaries are equal it returns counts itself.
func rebucket(counts []uint64, from, to []float64) []uint64 {
	if slices.Equal(from, to) {
		return counts
	}
	out := make([]uint64, len(to)+1)
	for i, n := range counts {
		j := len(to)
		if i < len(from) && !math.IsNaN(from[i]) {
			j, _ = slices.BinarySearch(to, from[i])
		}
		out[j] += n
	}
	return out
}

func usableOrNil(bounds []float64) []float64 {
	if bounds == nil {
		return nil
	}
	return usable(bounds)
}
