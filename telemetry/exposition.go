package telemetry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/otel/attribute"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
)

// An exposition turns what the SDK holds into Prometheus families that cannot fail a scrape:
//
//	callbacks -> SDK -> repair -> OpenTelemetry's Prometheus exporter -> families
//
// Names and labels are final when the exporter gets them, so it runs without translation; and as they are known to
// be consistent, its collector is read without the checks of a prometheus.Registry.
type exposition struct {
	catalog     *catalog
	callbacks   *callbacks
	reader      *sdkmetric.ManualReader // of the Provider's SDK
	scopeLabels bool
	limit       int                  // series of one instrument
	failed      func(reason string)  // feeds telemetry_scrape_errors_total
	collector   prometheus.Collector // the exporter's
	target      metricdata.Metrics   // target_info

	mu      sync.Mutex
	rm      metricdata.ResourceMetrics
	now     uint64 // number of the collection
	feeds   map[streamKey]*feed
	pages   []*page
	byName  map[*family]*page
	ready   []metricdata.Metrics // what the exporter is about to get
	pending []Conflict
	doubled map[[2]*stream]struct{}
	crowded map[*stream]struct{}
}

func newExposition(c *catalog, cb *callbacks, cfg config, res *resource.Resource) (*exposition, error) {
	x := &exposition{
		catalog: c, callbacks: cb, scopeLabels: cfg.scopeLabels, limit: cfg.cardinalityLimit,
		reader: sdkmetric.NewManualReader(), failed: func(string) {},
		feeds: map[streamKey]*feed{}, byName: map[*family]*page{},
		doubled: map[[2]*stream]struct{}{}, crowded: map[*stream]struct{}{},
	}
	x.target = targetInfo(res)
	exporter, err := otelprom.New(
		otelprom.WithRegisterer(captureCollector{&x.collector}),
		otelprom.WithProducer(x),
		otelprom.WithTranslationStrategy(otlptranslator.NoTranslation),
		otelprom.WithoutScopeInfo(),
		otelprom.WithoutTargetInfo(),
	)
	if err != nil {
		return nil, fmt.Errorf("telemetry: Prometheus exporter: %w", err)
	}
	// A reader collects only when it belongs to a provider. This one has no instruments: all data is produced by x.
	sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter), sdkmetric.WithResource(resource.Empty()))
	return x, nil
}

// captureCollector is a prometheus.Registerer that only takes the exporter's collector.
type captureCollector struct{ to *prometheus.Collector }

func (r captureCollector) Register(c prometheus.Collector) error { *r.to = c; return nil }

func (r captureCollector) MustRegister(cs ...prometheus.Collector) {
	for _, c := range cs {
		*r.to = c
	}
}

func (captureCollector) Unregister(prometheus.Collector) bool { return false }

// targetInfo describes the process by the attributes of its resource.
func targetInfo(res *resource.Resource) metricdata.Metrics {
	labels, _ := translate(*res.Set(), nil)
	return metricdata.Metrics{
		Name: otlptranslator.TargetInfoMetricName, Description: "Target metadata",
		Data: metricdata.Gauge[float64]{DataPoints: []metricdata.DataPoint[float64]{{Attributes: labels, Value: 1}}},
	}
}

// Produce hands the repaired data to the exporter. The exposition's lock is held by its caller's caller.
func (x *exposition) Produce(context.Context) ([]metricdata.ScopeMetrics, error) {
	return []metricdata.ScopeMetrics{{Metrics: x.ready}}, nil
}

// gather returns the families of all instruments, sorted by name. It does not fail: what cannot be had is counted.
func (x *exposition) gather(ctx context.Context) []*dto.MetricFamily {
	observed := x.callbacks.collect(ctx)
	x.mu.Lock()
	families, conflicts := x.collect(context.WithValue(context.WithoutCancel(ctx), cycleKey{}, observed))
	x.mu.Unlock()
	if len(conflicts) > 0 {
		x.catalog.tell(conflicts...)
	}
	return families
}

func (x *exposition) collect(ctx context.Context) ([]*dto.MetricFamily, []Conflict) {
	x.now++
	x.pending = nil
	if err := x.reader.Collect(ctx, &x.rm); err != nil {
		x.rm.ScopeMetrics = nil
		if !errors.Is(err, sdkmetric.ErrReaderShutdown) {
			x.failed(failCollect)
		}
	}
	x.repair()
	x.prepare()
	return x.export(), x.pending
}

// repair distributes all points to the pages of their families, in the order in which instruments were created, so
// that the first one wins at every scrape.
func (x *exposition) repair() {
	type batch struct {
		feed *feed
		data metricdata.Aggregation
	}
	var batches []batch
	for _, f := range x.resolve() {
		batches = append(batches, batch{feed: f})
	}
	i := 0
	for _, sm := range x.rm.ScopeMetrics {
		for _, m := range sm.Metrics {
			batches[i].data = m.Data
			i++
		}
	}
	slices.SortStableFunc(batches, func(a, b batch) int {
		return cmp.Compare(a.feed.stream.from.order, b.feed.stream.from.order)
	})
	for _, b := range batches {
		x.add(b.feed, b.data)
	}
}

// resolve returns the feed of each metric that was collected.
func (x *exposition) resolve() []*feed {
	var feeds []*feed
	var keys []streamKey
	var missing []int
	for _, sm := range x.rm.ScopeMetrics {
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

func (x *exposition) newFeed(k streamKey, st *stream) *feed {
	p := x.byName[st.family]
	if p == nil {
		p = &page{family: st.family, bySet: map[attribute.Distinct]*series{}, bounds: usableOrNil(st.family.def.buckets)}
		x.byName[st.family] = p
		x.pages = append(x.pages, p)
	}
	f := &feed{stream: st, page: p, bySource: map[attribute.Distinct]*series{}}
	if x.scopeLabels {
		f.scope = scopeLabels(k.scope)
	}
	x.feeds[k] = f
	return f
}

func shapeOf(data metricdata.Aggregation) (class, string) {
	switch d := data.(type) {
	case metricdata.Sum[int64]:
		return sumClass(d.IsMonotonic), int64Number
	case metricdata.Sum[float64]:
		return sumClass(d.IsMonotonic), float64Number
	case metricdata.Gauge[int64]:
		return classGauge, int64Number
	case metricdata.Gauge[float64]:
		return classGauge, float64Number
	case metricdata.Histogram[int64], metricdata.ExponentialHistogram[int64]:
		return classHistogram, int64Number
	}
	return classHistogram, float64Number
}

func sumClass(monotonic bool) class {
	if monotonic {
		return classCounter
	}
	return classUpDown
}

func (x *exposition) add(f *feed, data metricdata.Aggregation) {
	n := 0
	switch d := data.(type) {
	case metricdata.Sum[int64]:
		n = len(d.DataPoints)
		addNumbers(x, f, d.DataPoints)
	case metricdata.Sum[float64]:
		n = len(d.DataPoints)
		addNumbers(x, f, d.DataPoints)
	case metricdata.Gauge[int64]:
		n = len(d.DataPoints)
		addNumbers(x, f, d.DataPoints)
	case metricdata.Gauge[float64]:
		n = len(d.DataPoints)
		addNumbers(x, f, d.DataPoints)
	case metricdata.Histogram[int64]:
		n = len(d.DataPoints)
		addHistograms(x, f, d.DataPoints)
	case metricdata.Histogram[float64]:
		n = len(d.DataPoints)
		addHistograms(x, f, d.DataPoints)
	case metricdata.ExponentialHistogram[int64]:
		n = len(d.DataPoints)
		addExponential(x, f, d.DataPoints)
	case metricdata.ExponentialHistogram[float64]:
		n = len(d.DataPoints)
		addExponential(x, f, d.DataPoints)
	}
	x.crowd(f.stream, n)
}

// crowd tells of an instrument that is close to its cardinality limit while there is still room.
func (x *exposition) crowd(s *stream, points int) {
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

func (x *exposition) duplicate(first, second *stream) {
	pair := [2]*stream{first, second}
	if _, told := x.doubled[pair]; told {
		return
	}
	x.doubled[pair] = struct{}{}
	c := duplicate(first.from.instrument(), second.from.instrument())
	c.Family = first.family.name
	x.pending = append(x.pending, c)
}

func (x *exposition) repaired(f *feed, done repair) {
	fresh := done &^ f.repaired
	if fresh == 0 {
		return
	}
	f.repaired |= fresh
	for bit, reason := range map[repair]Reason{repairReserved: ReasonReserved, repairEncoding: ReasonEncoding} {
		if fresh&bit != 0 {
			x.pending = append(x.pending, Conflict{
				Family: f.stream.family.name, Reason: reason, Resolution: Repaired,
				First: f.stream.from.instrument(), Second: f.stream.from.instrument(),
			})
		}
	}
}
