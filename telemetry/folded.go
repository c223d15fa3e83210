package telemetry

import (
	"cmp"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/onemeter/onemeter/telemetry/internal/rule"
)

// This file turns what the SDK collected into families without a conflict: points with equal labels become one
// series, whatever their scope, number type and attribute spelling.

// A sheet is one family as it is exposed, with the series of the last collection. Translating attributes is the
// expensive part of an exposition, so it is done once for each series, not at every scrape. The lock of the fold guards
// its sheets.
type sheet struct {
	family      *family
	help        string
	bounds      []float64                 // of all its histograms
	bySet       map[attribute.Set]*folded // by labels; sets are compared, not their hashes
	sorted      []*folded
	unsorted    bool
	temporality metricdata.Temporality

	feeds   []*feed
	parts   []part // metrics of the current collection
	changed bool   // its series are not equal to those of its only part
}

// A part is one metric of the SDK.
type part struct {
	scope  instrumentation.Scope
	metric *metricdata.Metrics
}

// A folded series is one line of the page, or one group of lines for a histogram.
type folded struct {
	key    attribute.Set // the labels: their names are valid and distinct, their values are UTF-8 strings
	labels attribute.Set // the same; in a native fold, the attributes to push
	values []string      // of the labels, in order; the sort key
	seen   uint64        // the collection that wrote the fields below
	from   *stream

	start, time time.Time

	value     float64
	histogram metricdata.HistogramDataPoint[float64]
	exp       *metricdata.ExponentialHistogramDataPoint[float64]
	exemplars []metricdata.Exemplar[float64]
}

// A feed is what a fold remembers of one stream of the SDK: the series of each of its attribute sets.
type feed struct {
	stream   *stream
	sheet    *sheet
	scope    []attribute.KeyValue // labels of the scope, under WithScopeLabels
	bySource map[attribute.Set]*folded
	repaired rule.Repair // the repairs that were reported
	altered  bool        // some attributes were changed
	foreign  bool        // it is client_golang's
	unequal  bool        // other buckets were reported
}

// at returns the series for a set of attributes, and, if it is new, what had to be repaired.
func (x *fold) at(f *feed, set attribute.Set) (*folded, rule.Repair) {
	if s, ok := f.bySource[set]; ok {
		return s, 0
	}
	var labels attribute.Set
	var done rule.Repair
	if f.foreign { // client_golang's are labels already
		labels = rule.WithoutEmpty(set)
	} else {
		labels, done = rule.Labels(set, f.scope)
	}
	if labels.Len() == 0 {
		labels = attribute.Set{} // OpenTelemetry has two representations of the empty set
	}
	p := f.sheet
	s, ok := p.bySet[labels]
	if !ok {
		s = &folded{key: labels, labels: labels, values: rule.Values(labels)}
		if x.native && !f.foreign {
			s.labels = rule.Sound(set)
		}
		p.bySet[s.key] = s
		p.sorted = append(p.sorted, s)
		p.unsorted = true
	}
	f.bySource[set] = s
	f.altered = f.altered || s.labels.Equivalent() != set.Equivalent()
	return s, done
}

// forget bounds the memory of a feed to a multiple of its last points.
func (f *feed) forget(points int) {
	if len(f.bySource) > 2*points+64 {
		clear(f.bySource)
	}
}

// order sorts the series as client_golang does. It drops ended series once there are many.
func (p *sheet) order(now uint64, live int) {
	if len(p.sorted) > 2*live+64 {
		p.sorted = slices.DeleteFunc(p.sorted, func(s *folded) bool {
			if s.seen == now {
				return false
			}
			delete(p.bySet, s.key)
			return true
		})
		for _, f := range p.feeds { // they may refer to dropped series
			clear(f.bySource)
		}
	}
	if p.unsorted {
		slices.SortFunc(p.sorted, func(a, b *folded) int {
			return cmp.Or(cmp.Compare(len(a.values), len(b.values)), slices.Compare(a.values, b.values))
		})
		p.unsorted = false
	}
}

// addNumbers adds the points of a counter, an up-down counter or a gauge. Equal series of counters add up. Of equal
// gauges the first one wins, and the second is reported.
func addNumbers[N int64 | float64](x *fold, f *feed, points []metricdata.DataPoint[N]) {
	gauge := f.stream.family.class == rule.Gauge || f.foreign && f.stream.family.class != rule.Counter
	for i := range points {
		pt := &points[i]
		s, done := x.at(f, pt.Attributes)
		x.repaired(f, points[i].Attributes, done)
		switch {
		case s.seen != x.now:
			s.seen, s.from, s.value, s.exemplars = x.now, f.stream, float64(pt.Value), nil
			s.start, s.time = pt.StartTime, pt.Time
		case gauge && s.from == f.stream && pt.StartTime.Before(s.start): // the first series of an instrument is its oldest
			s.start, s.time, s.value, s.exemplars = pt.StartTime, pt.Time, float64(pt.Value), nil
			f.sheet.changed = true
			x.duplicate(s.from, f.stream)
		case gauge:
			x.duplicate(s.from, f.stream)
			f.sheet.changed = true
			continue
		default:
			s.value += float64(pt.Value)
			f.sheet.changed = true
		}
		keepExemplars(x, f, s, pt.Exemplars)
	}
	f.forget(len(points))
}

func addHistograms[N int64 | float64](x *fold, f *feed, points []metricdata.HistogramDataPoint[N]) {
	for i := range points {
		pt := &points[i]
		s, done := x.at(f, pt.Attributes)
		x.repaired(f, points[i].Attributes, done)
		if f.sheet.bounds == nil {
			f.sheet.bounds = rule.Boundaries(pt.Bounds)
		}
		counts := rule.Rebucket(pt.BucketCounts, pt.Bounds, f.sheet.bounds)
		if s.seen == x.now && (s.exp != nil || !slices.Equal(pt.Bounds, f.sheet.bounds)) {
			x.unequal(f)
		}
		f.sheet.changed = f.sheet.changed || s.seen == x.now || !slices.Equal(pt.Bounds, f.sheet.bounds)
		h := &s.histogram
		if s.seen != x.now {
			s.seen, s.from, s.exp, s.exemplars = x.now, f.stream, nil, nil
			*h = metricdata.HistogramDataPoint[float64]{
				Attributes: s.labels, StartTime: pt.StartTime, Time: pt.Time,
				Count: pt.Count, Bounds: f.sheet.bounds, BucketCounts: counts, Sum: float64(pt.Sum),
			}
		} else {
			x.flatten(s, f.sheet)
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
