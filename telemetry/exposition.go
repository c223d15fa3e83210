package telemetry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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

// prepare lays the pages out for the exporter.
func (x *exposition) prepare() {
	streams := make([]*stream, 0, len(x.feeds))
	for _, f := range x.feeds {
		streams = append(streams, f.stream)
	}
	slices.SortFunc(streams, func(a, b *stream) int { return cmp.Compare(b.from.order, a.from.order) })
	for i, help := range x.catalog.helps(streams) {
		if help != "" { // the earliest stream is last, and so its help stays
			x.byName[streams[i].family].help = help
		}
	}
	x.ready = append(x.ready[:0], x.target)
	for _, p := range x.pages {
		x.ready = p.metrics(x.now, x.ready)
	}
}

// metrics appends the page's series as the exporter wants them: up to two metrics, as a family of histograms may
// hold classic and exponential ones.
func (p *page) metrics(now uint64, to []metricdata.Metrics) []metricdata.Metrics {
	live := 0
	for _, s := range p.sorted {
		if s.seen == now {
			live++
		}
	}
	p.order(now, live)
	if live == 0 {
		return to
	}
	m := metricdata.Metrics{Name: p.family.name, Description: p.help}
	if p.family.class == classHistogram {
		return p.histograms(now, m, to)
	}
	points := make([]metricdata.DataPoint[float64], 0, live)
	for _, s := range p.sorted {
		if s.seen == now {
			points = append(points, metricdata.DataPoint[float64]{Attributes: s.labels, Value: s.value, Exemplars: s.exemplars})
		}
	}
	if p.family.class == classGauge {
		m.Data = metricdata.Gauge[float64]{DataPoints: points}
	} else {
		m.Data = metricdata.Sum[float64]{DataPoints: points, IsMonotonic: p.family.class == classCounter}
	}
	return append(to, m)
}

func (p *page) histograms(now uint64, m metricdata.Metrics, to []metricdata.Metrics) []metricdata.Metrics {
	var classic []metricdata.HistogramDataPoint[float64]
	var exponential []metricdata.ExponentialHistogramDataPoint[float64]
	for _, s := range p.sorted {
		switch {
		case s.seen != now:
		case s.exp != nil:
			s.exp.Exemplars = s.exemplars
			exponential = append(exponential, *s.exp)
		default:
			s.histogram.Exemplars = s.exemplars
			classic = append(classic, s.histogram)
		}
	}
	if len(classic) > 0 {
		m.Data = metricdata.Histogram[float64]{DataPoints: classic}
		to = append(to, m)
	}
	if len(exponential) > 0 {
		m.Data = metricdata.ExponentialHistogram[float64]{DataPoints: exponential}
		to = append(to, m)
	}
	return to
}

// export sends what is ready through the exporter. It answers each point, in order, with one metric.
func (x *exposition) export() []*dto.MetricFamily {
	total := 0
	for _, m := range x.ready {
		total += points(m.Data)
	}
	ch := make(chan prometheus.Metric, total) // room for all: neither side waits for the other
	go func() {
		defer close(ch)
		x.collector.Collect(ch)
	}()
	slab := make([]dto.Metric, total)
	families := make([]*dto.MetricFamily, 0, len(x.ready))
	for _, m := range x.ready {
		f := familyFor(&families, m)
		for range points(m.Data) {
			metric, ok := <-ch
			if !ok {
				x.failed(failExporter)
				break
			}
			if err := metric.Write(&slab[0]); err != nil {
				x.failed(failExporter)
				continue
			}
			sortExemplars(&slab[0])
			f.Metric = append(f.Metric, &slab[0])
			slab = slab[1:]
		}
	}
	for range ch {
		x.failed(failExporter)
	}
	slices.SortFunc(families, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	return families
}

// sortExemplars puts the labels of exemplars in order: client_golang leaves them in that of a map.
func sortExemplars(m *dto.Metric) {
	order := func(e *dto.Exemplar) {
		if e != nil {
			slices.SortFunc(e.Label, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) })
		}
	}
	order(m.GetCounter().GetExemplar())
	for _, b := range m.GetHistogram().GetBucket() {
		order(b.Exemplar)
	}
	for _, e := range m.GetHistogram().GetExemplars() {
		order(e)
	}
}

// familyFor returns the family for a metric: the last one, if that has its name.
func familyFor(families *[]*dto.MetricFamily, m metricdata.Metrics) *dto.MetricFamily {
	if n := len(*families); n > 0 && (*families)[n-1].GetName() == m.Name {
		return (*families)[n-1]
	}
	f := &dto.MetricFamily{
		Name: new(m.Name), Help: new(strings.ToValidUTF8(m.Description, "\uFFFD")), Type: typeOf(m.Data).Enum(),
		Metric: make([]*dto.Metric, 0, points(m.Data)),
	}
	*families = append(*families, f)
	return f
}

func typeOf(data metricdata.Aggregation) dto.MetricType {
	switch d := data.(type) {
	case metricdata.Sum[float64]:
		if d.IsMonotonic {
			return dto.MetricType_COUNTER
		}
		return dto.MetricType_GAUGE
	case metricdata.Gauge[float64]:
		return dto.MetricType_GAUGE
	}
	return dto.MetricType_HISTOGRAM
}

func points(data metricdata.Aggregation) int {
	switch d := data.(type) {
	case metricdata.Sum[float64]:
		return len(d.DataPoints)
	case metricdata.Gauge[float64]:
		return len(d.DataPoints)
	case metricdata.Histogram[float64]:
		return len(d.DataPoints)
	case metricdata.ExponentialHistogram[float64]:
		return len(d.DataPoints)
	}
	return 0
}

func usableOrNil(bounds []float64) []float64 {
	if bounds == nil {
		return nil
	}
	return usable(bounds)
}
