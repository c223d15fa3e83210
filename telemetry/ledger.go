package telemetry

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"

	"github.com/onemeter/onemeter/telemetry/internal/cell"
	"github.com/onemeter/onemeter/telemetry/internal/rule"
	"github.com/onemeter/onemeter/telemetry/internal/table"
)

// A ledger holds what synchronous instruments recorded, for the page and for cumulative pushes. What these do not need
// is the SDK's: readers of the caller's, delta temporality, and instruments that a view matches.
type ledger struct {
	limit   int // series of one account; 0 or less is none
	samples sampling
	readers uint64 // a bit for each that collects

	mu       sync.Mutex
	byKey    map[streamKey]any // *account[int64] or *account[float64]
	accounts []collectable     // in order of creation
}

type collectable interface {
	collect(reader uint64) metricdata.Metrics
	owner() instrumentation.Scope
}

// newLedger returns a ledger for the page, which is reader 0, if there is one, and for so many pushes.
func newLedger(limit int, paged bool, pushes int) *ledger {
	l := &ledger{limit: limit, samples: exemplarFilter(), readers: (1<<pushes - 1) << 1, byKey: map[streamKey]any{}}
	if paged {
		l.readers |= 1
	}
	return l
}

// A sampling says which measurements become exemplars.
type sampling uint8

const (
	sampleTraces sampling = iota // those within a sampled span
	sampleAll
	sampleNone
)

// exemplarFilter is the one that OTEL_METRICS_EXEMPLAR_FILTER names, as the SDK has it.
func exemplarFilter() sampling {
	switch strings.ToLower(env("OTEL_METRICS_EXEMPLAR_FILTER")) {
	case "always_on":
		return sampleAll
	case "always_off":
		return sampleNone
	}
	return sampleTraces
}

var background = context.Background()

// takes tells whether a measurement with this context becomes an exemplar.
func (s sampling) takes(ctx context.Context) bool {
	return s == sampleAll || s == sampleTraces && ctx != nil && trace.SpanContextFromContext(ctx).IsSampled()
}

// idle tells, for next to nothing, that a measurement is not sampled: by default one is only within a span, and
// context.Background has none.
func (s sampling) idle(ctx context.Context) bool {
	return s == sampleTraces && typeWord(ctx) == typeWord(background)
}

// typeWord returns the word of an interface that tells its type.
func typeWord(ctx context.Context) uintptr { return *(*uintptr)(unsafe.Pointer(&ctx)) }

// An account is what one instrument recorded, or several that are equal.
type account[N int64 | float64] struct {
	ledger *ledger
	scope  instrumentation.Scope
	def    definition
	series table.Table[*live[N]]

	mu   sync.Mutex // one collects at a time
	ends []ended[N]
}

// accountOf returns the account for a definition.
func accountOf[N int64 | float64](l *ledger, scope instrumentation.Scope, d definition) *account[N] {
	k := streamKey{scope, strings.ToLower(d.name), d.unit, d.description, d.class(), d.number}
	l.mu.Lock()
	defer l.mu.Unlock()
	if a, ok := l.byKey[k].(*account[N]); ok {
		return a
	}
	if d.class() == rule.Histogram {
		if d.buckets == nil {
			d.buckets = defaultBuckets
		}
		d.buckets = rule.Boundaries(d.buckets)
	}
	a := &account[N]{ledger: l, scope: scope, def: d}
	l.byKey[k] = a
	l.accounts = append(l.accounts, a)
	return a
}

// defaultBuckets are the SDK's, which the specification gives.
var defaultBuckets = []float64{0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000}

// collect returns all accounts by scope. Series that were finished are in it once for each reader.
func (l *ledger) collect(reader int) []metricdata.ScopeMetrics {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	accounts := l.accounts
	l.mu.Unlock()
	var out []metricdata.ScopeMetrics
	at := map[instrumentation.Scope]int{}
	for _, a := range accounts {
		m := a.collect(1 << reader)
		if m.Data == nil {
			continue
		}
		i, ok := at[a.owner()]
		if !ok {
			i = len(out)
			at[a.owner()] = i
			out = append(out, metricdata.ScopeMetrics{Scope: a.owner()})
		}
		out[i].Metrics = append(out[i].Metrics, m)
	}
	return out
}

// live is a series that is recorded to.
type live[N int64 | float64] struct {
	cells
	set       attribute.Set
	start     time.Time
	exemplars atomic.Pointer[[]atomic.Pointer[metricdata.Exemplar[N]]]
	finished  atomic.Bool
	seen      atomic.Uint64 // the readers that collected it since it was finished
}

// The cells of a series, and all that a hot path needs to know of it.
type cells struct {
	value     cell.Number
	histogram *cell.Histogram // nil unless it is one
	gone      atomic.Bool     // it is not collected any more
}

// An ended series is watched for a while: who was recording when it ended may have been late.
type ended[N int64 | float64] struct {
	live   *live[N]
	value  N
	counts cell.Snapshot
	rounds int
}

var overflow = attribute.NewSet(attribute.Bool("otel.metric.overflow", true))

// at returns the series of a set, or that for the rest.
func (a *account[N]) at(set attribute.Set) *live[N] {
	if e := a.series.Get(set); e != nil {
		return e.Value
	}
	limit := a.ledger.limit
	e := a.series.Add(set, func(entries int) (*live[N], bool) {
		if limit > 0 && entries >= limit-1 && set != overflow {
			return nil, false
		}
		return a.newLive(set), true
	})
	if e != nil {
		return e.Value
	}
	return a.series.Add(overflow, func(int) (*live[N], bool) { return a.newLive(overflow), true }).Value
}

func (a *account[N]) newLive(set attribute.Set) *live[N] {
	l := &live[N]{set: set, start: time.Now()}
	if a.def.class() == rule.Histogram {
		l.histogram = cell.NewHistogram(a.def.buckets)
	}
	return l
}

// record takes a measurement to a series.
func (a *account[N]) record(ctx context.Context, l *live[N], v N) {
	bucket := 0
	switch {
	case l.histogram != nil:
		bucket = l.histogram.Record(float64(v))
	case a.def.class() == rule.Gauge:
		l.replace(v)
	default:
		l.add(v)
	}
	if a.ledger.samples.takes(ctx) {
		l.remember(ctx, bucket, len(a.def.buckets)+1, v)
	}
}

func (l *live[N]) add(v N) {
	if i, ok := any(v).(int64); ok {
		l.value.AddInt64(i)
	} else {
		l.value.AddFloat64(float64(v))
	}
}

func (l *live[N]) replace(v N) {
	if i, ok := any(v).(int64); ok {
		l.value.SetInt64(i)
	} else {
		l.value.SetFloat64(float64(v))
	}
}

func (l *live[N]) read() N {
	var zero N
	if _, ok := any(zero).(int64); ok {
		return N(l.value.Int64())
	}
	return N(l.value.Float64())
}

// remember keeps the measurement as the exemplar of its bucket.
func (l *live[N]) remember(ctx context.Context, bucket, buckets int, v N) {
	if l.exemplars.Load() == nil {
		fresh := make([]atomic.Pointer[metricdata.Exemplar[N]], buckets)
		l.exemplars.CompareAndSwap(nil, &fresh)
	}
	e := &metricdata.Exemplar[N]{Time: time.Now(), Value: v}
	if ctx != nil {
		if span := trace.SpanContextFromContext(ctx); span.IsValid() {
			trace, id := span.TraceID(), span.SpanID()
			e.TraceID, e.SpanID = trace[:], id[:]
		}
	}
	(*l.exemplars.Load())[bucket].Store(e)
}

func (l *live[N]) kept() []metricdata.Exemplar[N] {
	all := l.exemplars.Load()
	if all == nil {
		return nil
	}
	var out []metricdata.Exemplar[N]
	for i := range *all {
		if e := (*all)[i].Load(); e != nil {
			out = append(out, *e)
		}
	}
	return out
}

// finish ends a series: each reader collects it once more.
func (a *account[N]) finish(set attribute.Set) {
	if e := a.series.Get(set); e != nil {
		e.Value.finished.Store(true)
	}
}

func (a *account[N]) owner() instrumentation.Scope { return a.scope }

// collect returns the account's series as the SDK has them.
func (a *account[N]) collect(reader uint64) metricdata.Metrics {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settle()
	m := metricdata.Metrics{Name: a.def.name, Description: a.def.description, Unit: a.def.unit}
	if a.series.Len() == 0 {
		return m
	}
	now := time.Now()
	if a.def.class() == rule.Histogram {
		m.Data = metricdata.Histogram[N]{Temporality: metricdata.CumulativeTemporality, DataPoints: a.histograms(reader, now)}
		return m
	}
	points := make([]metricdata.DataPoint[N], 0, a.series.Len())
	a.each(reader, func(l *live[N]) ended[N] {
		v := l.read()
		points = append(points, metricdata.DataPoint[N]{
			Attributes: l.set, StartTime: l.start, Time: now, Value: v, Exemplars: l.kept(),
		})
		return ended[N]{live: l, value: v}
	})
	switch c := a.def.class(); c {
	case rule.Gauge:
		m.Data = metricdata.Gauge[N]{DataPoints: points}
	default:
		m.Data = metricdata.Sum[N]{
			DataPoints: points, Temporality: metricdata.CumulativeTemporality, IsMonotonic: c == rule.Counter,
		}
	}
	return m
}

func (a *account[N]) histograms(reader uint64, now time.Time) []metricdata.HistogramDataPoint[N] {
	points := make([]metricdata.HistogramDataPoint[N], 0, a.series.Len())
	a.each(reader, func(l *live[N]) ended[N] {
		s := l.histogram.Read()
		p := metricdata.HistogramDataPoint[N]{
			Attributes: l.set, StartTime: l.start, Time: now, Count: s.Count, Sum: N(s.Sum), Bounds: a.def.buckets,
			BucketCounts: s.Counts, Exemplars: l.kept(),
		}
		if !math.IsNaN(s.Min) {
			p.Min, p.Max = metricdata.NewExtrema(N(s.Min)), metricdata.NewExtrema(N(s.Max))
		}
		points = append(points, p)
		return ended[N]{live: l, counts: s}
	})
	return points
}

// each visits all series, and takes those out that every reader has seen since they were finished.
func (a *account[N]) each(reader uint64, visit func(*live[N]) ended[N]) {
	a.series.All(func(e *table.Entry[*live[N]]) {
		l := e.Value
		last := l.finished.Load() && (l.seen.Or(reader&a.ledger.readers)|reader&a.ledger.readers) == a.ledger.readers
		if last {
			l.gone.Store(true)
		}
		if end := visit(l); last {
			a.series.Remove(l.set)
			a.ends = append(a.ends, end)
		}
	})
}

// rounds is how many collections a series that ended is watched for.
const rounds = 2

// settle moves what was recorded to a series while it ended to the one that follows it.
func (a *account[N]) settle() {
	kept := a.ends[:0]
	for _, e := range a.ends {
		switch {
		case e.live.histogram != nil:
			s := e.live.histogram.Read()
			if s.Count != e.counts.Count {
				a.at(e.live.set).histogram.Merge(s, e.counts)
				e.counts = s
			}
		case a.def.class() != rule.Gauge:
			if v := e.live.read(); v != e.value {
				a.at(e.live.set).add(v - e.value)
				e.value = v
			}
		}
		if e.rounds++; e.rounds < rounds {
			kept = append(kept, e)
		}
	}
	clear(a.ends[len(kept):])
	a.ends = kept
}

// An entry is what an instrument records through, bound to attributes or not.
type entry[N int64 | float64] struct {
	account *account[N]
	samples sampling
	hot     atomic.Pointer[cells]   // of the series that is bound; nil unless one is
	bound   atomic.Pointer[live[N]] // the same
	set     attribute.Set           // that it is bound to
}

func (e *entry[N]) init(m *meter, d definition) {
	e.account, e.samples = accountOf[N](m.ledger, m.scope, d), m.ledger.samples
}

// bind makes to what e is, bound to more attributes.
func (e *entry[N]) bind(to *entry[N], attrs []attribute.KeyValue) {
	to.account, to.samples = e.account, e.samples
	to.set = e.with(attribute.NewSet(slices.Clone(attrs)...))
	to.hold(e.account.at(to.set))
}

func (e *entry[N]) hold(l *live[N]) {
	e.bound.Store(l)
	e.hot.Store(&l.cells)
}

// of returns the series of a measurement. One that is bound and has ended is followed by another.
func (e *entry[N]) of(set attribute.Set) *live[N] {
	l := e.account.at(e.with(set))
	if set.Len() == 0 && e.bound.Load() != nil {
		e.hold(l)
	}
	return l
}

func (e *entry[N]) add(ctx context.Context, v N, opts []metric.AddOption) {
	e.account.record(ctx, e.of(withRaw(metric.NewAddConfig(opts).Attributes(), opts)), v)
}

func (e *entry[N]) record(ctx context.Context, v N, opts []metric.RecordOption) {
	e.account.record(ctx, e.of(withRaw(metric.NewRecordConfig(opts).Attributes(), opts)), v)
}

// sampled keeps the exemplar of a measurement that a hot path has taken.
func (e *entry[N]) sampled(ctx context.Context, bucket int, v N) {
	if l := e.bound.Load(); e.samples.takes(ctx) {
		l.remember(ctx, bucket, len(e.account.def.buckets)+1, v)
	}
}

// Finish ends a series, as metric/x.Finisher has it.
func (e *entry[N]) Finish(_ context.Context, attrs ...attribute.KeyValue) {
	e.account.finish(e.with(attribute.NewSet(slices.Clone(attrs)...)))
}

// Enabled tells that measurements are taken.
func (*entry[N]) Enabled(context.Context) bool { return true }

// with returns the attributes of a measurement: those that are bound, and those that it brings, which win.
func (e *entry[N]) with(set attribute.Set) attribute.Set {
	switch {
	case e.set.Len() == 0:
		return set
	case set.Len() == 0:
		return e.set
	}
	return attribute.NewSet(append(e.set.ToSlice(), set.ToSlice()...)...)
}

// withRaw adds unsafe attributes, as the SDK does.
func withRaw[O any](set attribute.Set, opts []O) attribute.Set {
	for _, o := range opts {
		if r, ok := any(o).(interface{ RawAttributes() []attribute.KeyValue }); ok {
			set = attribute.NewSet(append(set.ToSlice(), r.RawAttributes()...)...)
		}
	}
	return set
}
