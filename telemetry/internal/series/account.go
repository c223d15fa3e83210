package series

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/onemeter/onemeter/telemetry/internal/cell"
	"github.com/onemeter/onemeter/telemetry/internal/rule"
	"github.com/onemeter/onemeter/telemetry/internal/table"
)

// A Definition describes an instrument, as the SDK would.
type Definition struct {
	Scope                   instrumentation.Scope
	Name, Unit, Description string
	Class                   rule.Class
	Float                   bool                 // its numbers are float64, not int64
	Bounds                  []float64            // of a histogram
	Labels                  []attribute.KeyValue // added to each of its series on the page
	Order                   int                  // among the instruments of a family: of equal gauges the lowest is shown
	Unlimited               bool                 // the series are not limited
	Owner                   any                  // the caller's own data
}

// Rules are shared by all accounts of a Provider.
type Rules struct {
	Limit   int          // series of one account; 0 or less means no limit
	Samples Sampling     // the measurements that become exemplars
	Readers uint64       // a bit for each reader
	read    atomic.Int64 // when the page was read last, in ns since 1970
	stopped atomic.Bool
}

// forgotten is the time after which a page that nobody reads no longer counts as a reader. After the same time Prometheus
// considers a series stale that it has not scraped.
const forgotten = 5 * time.Minute

// PageRead records that the page is being read. Call it once when the rules are created, if there is a page.
func (r *Rules) PageRead() { r.read.Store(time.Now().UnixNano()) }

// Stop says that nobody collects any more, so that ended series are freed.
func (r *Rules) Stop() { r.stopped.Store(true) }

// readers returns the readers that collect.
func (r *Rules) readers() uint64 {
	if r.stopped.Load() {
		return 0
	}
	if time.Since(time.Unix(0, r.read.Load())) > forgotten {
		return r.Readers &^ Page
	}
	return r.Readers
}

// Page is the bit of the page among the readers.
const Page = 1

// An Account holds the series of one instrument, or of several equal ones. It is safe for concurrent use.
type Account struct {
	Definition
	rules  *Rules
	bounds *cell.Bounds
	series table.Table[series]

	started atomic.Int64 // when the latest series was created, in ns since 1970

	freshMu sync.Mutex
	fresh   []*entry // series that Lines does not have yet
	pruneAt int      // length of fresh at which to prune it, because nobody may read the page

	mu       sync.Mutex // held while collecting and while ending a series
	ended    []*end     // in the order of their end
	open     ends       // those that nobody has collected
	settleAt int        // length of ended at which to settle, because nobody may collect

	showing  ends        // the part of ended that Lines shows; this and the rest are guarded by the lock of Lines
	repaired rule.Repair // repairs of its attributes that Lines reported
	crowded  bool        // Lines reported that it is close to its limit
}

// NewAccount returns an empty account.
func NewAccount(d Definition, r *Rules) *Account {
	if d.Class == rule.Histogram {
		if d.Bounds == nil {
			d.Bounds = defaultBounds
		}
		d.Bounds = rule.Boundaries(d.Bounds)
	} else {
		d.Bounds = nil
	}
	return &Account{Definition: d, rules: r, bounds: cell.NewBounds(d.Bounds)}
}

// defaultBounds are the SDK's defaults, from the specification.
var defaultBounds = []float64{0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000}

func (a *Account) gauge() bool { return a.Class == rule.Gauge }

// Len returns the number of series.
func (a *Account) Len() int { return a.series.Len() }

func (a *Account) empty() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.series.Len() == 0 && !slices.ContainsFunc(a.ended, func(x *end) bool { return x.seen&Page == 0 })
}

// All calls visit for each series, with its value, or with the sum and the count of a histogram. Ended series are not
// among them.
func (a *Account) All(visit func(set attribute.Set, value float64, count uint64)) {
	a.series.All(func(e *entry) {
		if t := a.read(&e.Value); e.Value.histogram != nil {
			visit(e.Set, t.counts.Total(), t.counts.Count)
		} else {
			visit(e.Set, a.float(t.value), 0)
		}
	})
}

// at returns the series of a set, or the overflow series if the limit is reached.
func (a *Account) at(set *attribute.Set) *entry {
	if e := a.series.Get(set); e != nil {
		return e
	}
	set = canonical(set)
	e := a.series.Add(*set, func(e *entry, entries int) bool {
		if a.rules.Limit > 0 && !a.Unlimited && entries >= a.rules.Limit-1 && *set != overflow {
			return false
		}
		a.fill(e)
		return true
	})
	if e != nil {
		return e
	}
	return a.series.Add(overflow, func(e *entry, _ int) bool { a.fill(e); return true })
}

// canonical returns the same set for every set without attributes, because OpenTelemetry has two that are not equal.
func canonical(set *attribute.Set) *attribute.Set {
	if set.Len() == 0 {
		return &none
	}
	return set
}

var none attribute.Set

// startTime returns a start time that is unique in the account, even with a coarse clock. So readers can distinguish
// a series from its successor.
func (a *Account) startTime() int64 {
	for {
		last := a.started.Load()
		if now := max(time.Now().UnixNano(), last+1); a.started.CompareAndSwap(last, now) {
			return now
		}
	}
}

func (a *Account) fill(e *entry) {
	e.Value.account, e.Value.started = a, a.startTime()
	if a.Class == rule.Histogram {
		e.Value.histogram = cell.NewHistogram(a.bounds, !a.Float)
	}
	a.freshMu.Lock()
	defer a.freshMu.Unlock()
	if a.fresh = append(a.fresh, e); len(a.fresh) > a.pruneAt {
		a.fresh = slices.DeleteFunc(a.fresh, func(e *entry) bool { return e.Value.has(done) })
		a.pruneAt = 2*len(a.fresh) + 64
	}
}

// takeFresh returns the series created since the last call. The caller holds the account's lock.
func (a *Account) takeFresh() []*entry {
	a.freshMu.Lock()
	defer a.freshMu.Unlock()
	out := a.fresh
	a.fresh = nil
	return out
}

// number converts a raw value to its type.
func number[N int64 | float64](raw uint64) N {
	var zero N
	if _, ok := any(zero).(int64); ok {
		return N(int64(raw))
	}
	return N(math.Float64frombits(raw))
}

// float converts a raw value of the account to float64.
func (a *Account) float(raw uint64) float64 {
	if a.Float {
		return math.Float64frombits(raw)
	}
	return float64(int64(raw))
}

// Collect returns the series for a reader, in the SDK's form. Each reader gets an ended series once more. Data is nil if
// there are no series. reader is the reader's bit in Rules.Readers.
func (a *Account) Collect(reader uint64) metricdata.Metrics {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settle()
	return a.collect(reader, func(*entry) bool { return true })
}

// collect returns the wanted series. The caller holds the account's lock.
func (a *Account) collect(reader uint64, wanted func(*entry) bool) metricdata.Metrics {
	m := metricdata.Metrics{Name: a.Name, Description: a.Description, Unit: a.Unit}
	switch {
	case a.series.Len()+len(a.ended) == 0:
	case a.Float:
		m.Data = collect[float64](a, reader, wanted)
	default:
		m.Data = collect[int64](a, reader, wanted)
	}
	return m
}

func collect[N int64 | float64](a *Account, reader uint64, wanted func(*entry) bool) metricdata.Aggregation {
	now := time.Now()
	if a.Class == rule.Histogram {
		points := make([]metricdata.HistogramDataPoint[N], 0, a.series.Len())
		a.each(reader, wanted, func(e *entry, t total) {
			c := t.counts
			p := metricdata.HistogramDataPoint[N]{
				Attributes: e.Set, StartTime: time.Unix(0, e.Value.started), Time: now, Count: c.Count, Sum: sumOf[N](c),
				Bounds: a.Bounds, BucketCounts: c.Counts, Exemplars: exemplars[N](&e.Value),
			}
			if !math.IsNaN(c.Min) {
				p.Min, p.Max = metricdata.NewExtrema(N(c.Min)), metricdata.NewExtrema(N(c.Max))
			}
			points = append(points, p)
		})
		if len(points) == 0 {
			return nil
		}
		return metricdata.Histogram[N]{Temporality: metricdata.CumulativeTemporality, DataPoints: points}
	}
	points := make([]metricdata.DataPoint[N], 0, a.series.Len())
	a.each(reader, wanted, func(e *entry, t total) {
		points = append(points, metricdata.DataPoint[N]{
			Attributes: e.Set, StartTime: time.Unix(0, e.Value.started), Time: now, Value: number[N](t.value),
			Exemplars: exemplars[N](&e.Value),
		})
	})
	switch {
	case len(points) == 0:
		return nil
	case a.gauge():
		return metricdata.Gauge[N]{DataPoints: points}
	}
	return metricdata.Sum[N]{
		DataPoints: points, Temporality: metricdata.CumulativeTemporality, IsMonotonic: a.Class == rule.Counter,
	}
}

// sumOf returns the sum of a histogram, exactly if its values are integers.
func sumOf[N int64 | float64](c cell.Snapshot) N {
	var zero N
	if _, ok := any(zero).(int64); ok {
		return N(c.IntSum)
	}
	return N(c.Sum)
}

// each visits the series that a reader collects. A series that has ended hides its successor in that collection. visit may
// keep the values, which are copies.
func (a *Account) each(reader uint64, wanted func(*entry) bool, visit func(*entry, total)) {
	shown := a.showEnded(reader)
	for _, same := range shown {
		for _, x := range same {
			t := x.total
			t.counts.Counts = slices.Clone(t.counts.Counts)
			visit(x.entry, t)
		}
	}
	a.series.All(func(e *entry) {
		if wanted(e) && shown.of(&e.Set) == nil {
			visit(e, a.read(&e.Value))
		}
	})
}

// read returns the total of a series.
func (a *Account) read(s *series) total {
	switch {
	case s.histogram != nil:
		return total{counts: s.histogram.Read()}
	case a.Float:
		return total{value: math.Float64bits(s.value.Float64())}
	}
	return total{value: uint64(s.value.Int64())}
}
