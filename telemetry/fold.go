package telemetry

import (
	"cmp"
	"slices"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/onemeter/onemeter/telemetry/internal/rule"
)

// A fold sorts what the SDK collected into families, where points with equal labels become one. The page has a fold, and
// each push has another one. A fold remembers its series from one collection to the next.
type fold struct {
	catalog     *catalog
	scopeLabels bool
	limit       int  // series of one instrument
	native      bool // for a push: attributes stay OpenTelemetry's instead of becoming labels

	mu      sync.Mutex
	rm      *metricdata.ResourceMetrics // what was collected
	now     uint64                      // number of the collection
	feeds   map[streamKey]*feed
	sheets  []*sheet
	byName  map[sheetKey]*sheet
	pending []Conflict
	doubled map[[2]*stream]struct{}
	crowded map[*stream]struct{}
}

// A sheetKey identifies a sheet: by its family, and by its scope if a push keeps scopes apart.
type sheetKey struct {
	family *family
	scope  instrumentation.Scope
}

func newFold(c *catalog, cfg config, native bool) *fold {
	return &fold{
		catalog: c, native: native, scopeLabels: cfg.scopeLabels, limit: cfg.cardinalityLimit,
		rm: &metricdata.ResourceMetrics{}, feeds: map[streamKey]*feed{}, byName: map[sheetKey]*sheet{},
		doubled: map[[2]*stream]struct{}{}, crowded: map[*stream]struct{}{},
	}
}

// take distributes all points to the sheets of their families, in the order in which the instruments were created, so
// that the first one wins at every collection.
func (x *fold) take(rm *metricdata.ResourceMetrics) {
	x.now++
	x.pending = nil
	for _, p := range x.sheets {
		p.parts, p.changed = p.parts[:0], false
	}
	type batch struct {
		feed *feed
		part part
	}
	var batches []batch
	for _, f := range x.resolve(rm) {
		batches = append(batches, batch{feed: f})
	}
	i := 0
	for _, sm := range rm.ScopeMetrics {
		for j := range sm.Metrics {
			batches[i].part = part{sm.Scope, &sm.Metrics[j]}
			i++
		}
	}
	slices.SortStableFunc(batches, func(a, b batch) int {
		return cmp.Compare(a.feed.stream.from.order, b.feed.stream.from.order)
	})
	for _, b := range batches {
		b.feed.sheet.parts = append(b.feed.sheet.parts, b.part)
		x.add(b.feed, b.part.metric.Data)
	}
}

// resolve returns the feed of each metric that was collected.
func (x *fold) resolve(rm *metricdata.ResourceMetrics) []*feed {
	var feeds []*feed
	var keys []streamKey
	var missing []int
	for _, sm := range rm.ScopeMetrics {
		for _, m := range sm.Metrics {
			class, number := shapeOf(m.Data)
			k := streamKey{sm.Scope, m.Name, m.Unit, m.Description, class, number}
			f := x.feeds[k]
			if f == nil {
				missing, keys = append(missing, len(feeds)), append(keys, k)
			}
			feeds = append(feeds, f)
		}
	}
	if len(missing) > 0 {
		for i, st := range x.catalog.resolve(keys) {
			feeds[missing[i]] = x.newFeed(keys[i], st)
		}
	}
	return feeds
}

// families returns the families that were collected.
func (x *fold) families(rm *metricdata.ResourceMetrics) map[*family]bool {
	out := map[*family]bool{}
	for _, f := range x.resolve(rm) {
		out[f.stream.family] = true
	}
	return out
}

func (x *fold) newFeed(k streamKey, st *stream) *feed {
	key := sheetKey{family: st.family}
	if x.scopeLabels && x.native {
		key.scope = k.scope
	}
	p := x.byName[key]
	if p == nil {
		p = &sheet{family: st.family, bySet: map[attribute.Set]*folded{}, bounds: rule.BoundariesOrNil(st.family.def.buckets)}
		x.byName[key] = p
		x.sheets = append(x.sheets, p)
	}
	f := &feed{stream: st, sheet: p, bySource: map[attribute.Set]*folded{}}
	p.feeds = append(p.feeds, f)
	if x.scopeLabels && !x.native {
		f.scope = rule.ScopeLabels(k.scope)
	}
	x.feeds[k] = f
	return f
}

func shapeOf(data metricdata.Aggregation) (rule.Class, string) {
	switch d := data.(type) {
	case metricdata.Sum[int64]:
		return sumClass(d.IsMonotonic), int64Number
	case metricdata.Sum[float64]:
		return sumClass(d.IsMonotonic), float64Number
	case metricdata.Gauge[int64]:
		return rule.Gauge, int64Number
	case metricdata.Gauge[float64]:
		return rule.Gauge, float64Number
	case metricdata.Histogram[int64], metricdata.ExponentialHistogram[int64]:
		return rule.Histogram, int64Number
	}
	return rule.Histogram, float64Number
}

func sumClass(monotonic bool) rule.Class {
	if monotonic {
		return rule.Counter
	}
	return rule.UpDown
}

func (x *fold) add(f *feed, data metricdata.Aggregation) {
	n := 0
	switch d := data.(type) {
	case metricdata.Sum[int64]:
		n, f.sheet.temporality = len(d.DataPoints), d.Temporality
		addNumbers(x, f, d.DataPoints)
	case metricdata.Sum[float64]:
		n, f.sheet.temporality = len(d.DataPoints), d.Temporality
		addNumbers(x, f, d.DataPoints)
	case metricdata.Gauge[int64]:
		n = len(d.DataPoints)
		addNumbers(x, f, d.DataPoints)
	case metricdata.Gauge[float64]:
		n = len(d.DataPoints)
		addNumbers(x, f, d.DataPoints)
	case metricdata.Histogram[int64]:
		n, f.sheet.temporality = len(d.DataPoints), d.Temporality
		addHistograms(x, f, d.DataPoints)
	case metricdata.Histogram[float64]:
		n, f.sheet.temporality = len(d.DataPoints), d.Temporality
		addHistograms(x, f, d.DataPoints)
	case metricdata.ExponentialHistogram[int64]:
		n, f.sheet.temporality = len(d.DataPoints), d.Temporality
		addExponential(x, f, d.DataPoints)
	case metricdata.ExponentialHistogram[float64]:
		n, f.sheet.temporality = len(d.DataPoints), d.Temporality
		addExponential(x, f, d.DataPoints)
	}
	f.sheet.changed = f.sheet.changed || f.altered
	x.crowd(f.stream, n)
}

// describe gives each sheet the HELP of the earliest instrument that has one.
func (x *fold) describe() {
	feeds := make([]*feed, 0, len(x.feeds))
	for _, f := range x.feeds {
		feeds = append(feeds, f)
	}
	slices.SortFunc(feeds, func(a, b *feed) int { return cmp.Compare(b.stream.from.order, a.stream.from.order) })
	streams := make([]*stream, len(feeds))
	for i, f := range feeds {
		streams[i] = f.stream
	}
	for i, help := range x.catalog.streamHelp(streams) {
		if help != "" { // the earliest one is last, so its HELP stays
			feeds[i].sheet.help = help
		}
	}
}

// crowd reports an instrument that has reached 80 % of its cardinality limit, while there is still room.
func (x *fold) crowd(s *stream, points int) {
	if x.limit <= 0 || points*5 < x.limit*4 {
		return
	}
	if _, told := x.crowded[s]; told {
		return
	}
	x.crowded[s] = struct{}{}
	x.pending = append(x.pending, Conflict{
		Family: s.family.name, Reason: ReasonCardinality, Resolution: Limited,
		First: s.from.instrument(), Second: s.from.instrument(),
	})
}

// unequal reports that a histogram of client_golang has other buckets than the instrument to which it is added. Different
// buckets of two instruments are reported when the second is created.
func (x *fold) unequal(f *feed) {
	if !f.foreign || f.unequal {
		return
	}
	f.unequal = true
	first := f.stream.family.first.instrument()
	x.pending = append(x.pending, Conflict{
		Family: f.stream.family.name, Reason: ReasonBuckets, Resolution: Merged, First: first, Second: f.stream.from.instrument(),
	})
}

func (x *fold) duplicate(first, second *stream) {
	pair := [2]*stream{first, second}
	if _, told := x.doubled[pair]; told {
		return
	}
	x.doubled[pair] = struct{}{}
	c := duplicate(first.from.instrument(), second.from.instrument())
	c.Family = first.family.name
	x.pending = append(x.pending, c)
}

func (x *fold) repaired(f *feed, set attribute.Set, done rule.Repair) {
	fresh := done &^ f.repaired
	f.repaired |= fresh
	for _, c := range repairs(set, fresh) {
		c.Family, c.First, c.Second = f.stream.family.name, f.stream.from.instrument(), f.stream.from.instrument()
		x.pending = append(x.pending, c)
	}
}

// repairs returns the conflicts for attributes that were repaired.
func repairs(set attribute.Set, done rule.Repair) (out []Conflict) {
	if done&rule.RepairReserved != 0 {
		out = append(out, Conflict{Reason: ReasonReserved, Resolution: Repaired, Detail: rule.Repairs(set, rule.RepairReserved)})
	}
	if done&rule.RepairEncoding != 0 {
		out = append(out, Conflict{Reason: ReasonEncoding, Resolution: Repaired, Detail: rule.Repairs(set, rule.RepairEncoding)})
	}
	return out
}
