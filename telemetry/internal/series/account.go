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

// A Definition is what an instrument is, as the SDK would have it.
type Definition struct {
	Scope                   instrumentation.Scope
	Name, Unit, Description string
	Class                   rule.Class
	Float                   bool                 // its numbers are float64, not int64
	Bounds                  []float64            // of a histogram
	Labels                  []attribute.KeyValue // that each of its series has on the page, beside its attributes
	Order                   int                  // of the instruments of a family: the first one's gauges are shown
	Owner                   any                  // whose it is, for who made it
}

// Rules are what all accounts of a Provider have in common.
type Rules struct {
	Limit   int // series of one account; 0 or less is none
	Samples Sampling
	Readers uint64       // a bit for each that collects
	read    atomic.Int64 // when the page was read, in ns since 1970
}

// forgotten is how long nobody has read a page that does not count as a reader any more. Prometheus gives up a series
// that it did not scrape for as long.
const forgotten = 5 * time.Minute

// PageRead notes that the page is read. It is called once before anything else.
func (r *Rules) PageRead() { r.read.Store(time.Now().UnixNano()) }

// readers returns those that collect.
func (r *Rules) readers() uint64 {
	if time.Since(time.Unix(0, r.read.Load())) > forgotten {
		return r.Readers &^ Page
	}
	return r.Readers
}

// Page is the bit of the page among the readers.
const Page = 1

// An Account is what one instrument recorded, or several that are equal. It is safe for concurrent use.
type Account struct {
	Definition
	rules  *Rules
	bounds *cell.Bounds
	series table.Table[series]

	freshMu sync.Mutex
	paged   bool     // Lines wants to know of new series
	fresh   []*entry // that Lines does not know yet
	pruneAt int      // so many, as nobody may read the page

	mu       sync.Mutex             // one collects at a time, and no series ends meanwhile
	ended    []*end                 // in their order
	open     map[attribute.Set]*end // those that nobody has collected
	settleAt int                    // so many, as nobody may collect

	onPage   shown       // what Lines shows of ended; the rest is guarded by the lock of Lines
	repaired rule.Repair // of its attributes, as Lines told
	crowded  bool        // Lines told of it
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

// defaultBounds are the SDK's, which the specification gives.
var defaultBounds = []float64{0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000}

func (a *Account) gauge() bool { return a.Class == rule.Gauge }

// Len returns how many series there are.
func (a *Account) Len() int { return a.series.Len() }

func (a *Account) empty() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.series.Len() == 0 && !slices.ContainsFunc(a.ended, func(x *end) bool { return x.seen&Page == 0 })
}

// All calls visit for each series, with its value, or what a histogram has counted and its sum.
func (a *Account) All(visit func(set attribute.Set, value float64, count uint64)) {
	a.series.All(func(e *entry) {
		v, c := a.read(&e.Value)
		if e.Value.histogram != nil {
			visit(e.Set, c.Sum, c.Count)
		} else {
			visit(e.Set, a.float(v), 0)
		}
	})
}

// at returns the series of a set, or that for the rest.
func (a *Account) at(set *attribute.Set) *entry {
	if e := a.series.Get(set); e != nil {
		return e
	}
	set = canonical(set)
	e := a.series.Add(*set, func(e *entry, entries int) bool {
		if a.rules.Limit > 0 && entries >= a.rules.Limit-1 && *set != overflow {
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

// canonical returns the one set for no attributes, of which OpenTelemetry has two that are not equal.
func canonical(set *attribute.Set) *attribute.Set {
	if set.Len() == 0 {
		return &none
	}
	return set
}

var none attribute.Set

func (a *Account) fill(e *entry) {
	e.Value.account, e.Value.started = a, time.Now().UnixNano()
	if a.Class == rule.Histogram {
		e.Value.histogram = cell.NewHistogram(a.bounds)
	}
	a.freshMu.Lock()
	defer a.freshMu.Unlock()
	if !a.paged {
		return
	}
	if a.fresh = append(a.fresh, e); len(a.fresh) > a.pruneAt {
		a.fresh = slices.DeleteFunc(a.fresh, func(e *entry) bool { return e.Value.has(settled) })
		a.pruneAt = 2*len(a.fresh) + 64
	}
}

// takeFresh returns the series that are new since it was called before. The account's lock is held.
func (a *Account) takeFresh() []*entry {
	a.freshMu.Lock()
	defer a.freshMu.Unlock()
	if !a.paged {
		a.paged = true
		for _, x := range a.ended {
			a.fresh = append(a.fresh, x.entry)
		}
		a.series.All(func(e *entry) { a.fresh = append(a.fresh, e) })
	}
	out := a.fresh
	a.fresh = nil
	return out
}

// number returns a raw value as what it is.
func number[N int64 | float64](raw uint64) N {
	var zero N
	if _, ok := any(zero).(int64); ok {
		return N(int64(raw))
	}
	return N(math.Float64frombits(raw))
}

// float returns a raw value of the account as Prometheus has it.
func (a *Account) float(raw uint64) float64 {
	if a.Float {
		return math.Float64frombits(raw)
	}
	return float64(int64(raw))
}

// Collect returns the series as the SDK has them, for a reader. A series that was finished is in it once for each reader.
// Its Data is nil if there is none.
func (a *Account) Collect(reader uint64) metricdata.Metrics {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settle()
	m := metricdata.Metrics{Name: a.Name, Description: a.Description, Unit: a.Unit}
	switch {
	case a.series.Len()+len(a.ended) == 0:
	case a.Float:
		m.Data = collect[float64](a, reader)
	default:
		m.Data = collect[int64](a, reader)
	}
	return m
}

func collect[N int64 | float64](a *Account, reader uint64) metricdata.Aggregation {
	now := time.Now()
	if a.Class == rule.Histogram {
		points := make([]metricdata.HistogramDataPoint[N], 0, a.series.Len())
		a.each(reader, func(e *entry, _ uint64, c cell.Snapshot) {
			p := metricdata.HistogramDataPoint[N]{
				Attributes: e.Set, StartTime: time.Unix(0, e.Value.started), Time: now, Count: c.Count, Sum: N(c.Sum),
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
	a.each(reader, func(e *entry, v uint64, _ cell.Snapshot) {
		points = append(points, metricdata.DataPoint[N]{
			Attributes: e.Set, StartTime: time.Unix(0, e.Value.started), Time: now, Value: number[N](v),
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

// each visits what a reader collects: the series with their values, of which one that ended hides the one that follows it.
func (a *Account) each(reader uint64, visit func(*entry, uint64, cell.Snapshot)) {
	shown := a.showEnded(reader)
	for _, x := range shown {
		visit(x.entry, x.value, x.counts)
	}
	a.series.All(func(e *entry) {
		if shown.hides(e) {
			return
		}
		v, c := a.read(&e.Value)
		visit(e, v, c)
	})
}

// read returns the value of a series: a raw one, or a histogram's.
func (a *Account) read(s *series) (uint64, cell.Snapshot) {
	switch {
	case s.histogram != nil:
		return 0, s.histogram.Read()
	case a.Float:
		return math.Float64bits(s.value.Float64()), cell.Snapshot{}
	}
	return uint64(s.value.Int64()), cell.Snapshot{}
}
