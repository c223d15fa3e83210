package telemetry

import (
	"context"
	"encoding/hex"
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	bridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/onemeter/onemeter/telemetry/internal/rule"
)

// bridgeScope is the scope of pushed client_golang metrics.
const bridgeScope = "go.opentelemetry.io/contrib/bridges/prometheus"

// A push is an exporter of metrics behind the rules of the page, so that both tell the same:
//
//	SDK -> PeriodicReader -> repair -> exporter
//
// What the page would not change goes out as OpenTelemetry has it: its own name, scope, attributes, number type.
// Instruments that are one family go out as one metric, under the name and scope of the first; attributes that the
// page repairs are repaired. Its own failures are not returned to the reader, which would tell of each: its outage
// counts them, and tells once.
type push struct {
	to      sdkmetric.Exporter
	fold    *fold
	sources *scraper // of client_golang metrics
	outage  *outage
	ledger  *ledger         // nil where the SDK has everything
	reader  uint64          // its bit among the ledger's
	ready   <-chan struct{} // closed when the Provider is complete
}

// newPushes returns a push for each exporter that the environment and the options name. They do not start yet.
func newPushes(ctx context.Context, cfg config) ([]*push, error) {
	targets := cfg.metricExporters
	if !cfg.withoutPush {
		named, err := metricExporters(ctx)
		if err != nil {
			return nil, err
		}
		targets = append(targets, named...)
	}
	if err := checkMetricsEnvironment(len(targets) > 0); err != nil {
		return nil, err
	}
	var out []*push
	for _, t := range targets {
		out = append(out, &push{to: t.exporter, outage: newOutage("metrics", t.to)})
	}
	return out, nil
}

// start returns the reader that pushes at intervals, by OTEL_METRIC_EXPORT_INTERVAL.
func (p *push) start(c *catalog, cfg config, sources *scraper, ready <-chan struct{}) sdkmetric.Reader {
	p.fold, p.sources, p.ready = newFold(c, cfg), sources, ready
	p.fold.native = true
	return sdkmetric.NewPeriodicReader(p)
}

// needsSDK tells whether the exporter wants what a ledger does not have: differences, and exponential histograms.
func (p *push) needsSDK() bool {
	for _, k := range []sdkmetric.InstrumentKind{
		sdkmetric.InstrumentKindCounter, sdkmetric.InstrumentKindUpDownCounter, sdkmetric.InstrumentKindHistogram, sdkmetric.InstrumentKindGauge,
	} {
		if p.Temporality(k) != metricdata.CumulativeTemporality || !reflect.DeepEqual(p.Aggregation(k), sdkmetric.DefaultAggregationSelector(k)) {
			return true
		}
	}
	return false
}

// Temporality is the exporter's choice.
func (p *push) Temporality(k sdkmetric.InstrumentKind) metricdata.Temporality {
	return p.to.Temporality(k)
}

// Aggregation is the exporter's choice.
func (p *push) Aggregation(k sdkmetric.InstrumentKind) sdkmetric.Aggregation {
	return p.to.Aggregation(k)
}

// Export sends what the SDK collected, made to agree with the page.
func (p *push) Export(ctx context.Context, rm *metricdata.ResourceMetrics) error {
	select {
	case <-p.ready:
		p.outage.record(p.to.Export(ctx, p.agree(ctx, rm)))
	case <-ctx.Done():
	}
	return nil
}

// ForceFlush flushes the exporter.
func (p *push) ForceFlush(ctx context.Context) error { return p.to.ForceFlush(ctx) }

// Shutdown stops the exporter.
func (p *push) Shutdown(ctx context.Context) error { return p.to.Shutdown(ctx) }

// agree returns what to send for what the SDK collected.
func (p *push) agree(ctx context.Context, rm *metricdata.ResourceMetrics) (out *metricdata.ResourceMetrics) {
	out = rm
	defer func() {
		if fault := recover(); fault != nil {
			p.sources.fail(failPanic, "a fault in package telemetry, over what is pushed", fmt.Errorf("panic: %v", fault))
		}
	}()
	wait, cancel := context.WithTimeout(ctx, gatherTime(ctx))
	foreign := p.sources.foreign(wait)
	cancel()
	x := p.fold
	x.mu.Lock()
	defer func() {
		conflicts := x.pending
		x.mu.Unlock()
		if len(conflicts) > 0 {
			x.catalog.tell(conflicts...)
		}
	}()
	rm = &metricdata.ResourceMetrics{Resource: rm.Resource, ScopeMetrics: append(slices.Clip(rm.ScopeMetrics), p.ledger.collect(p.reader)...)}
	x.take(rm)
	rest := p.join(foreign)
	x.describe()
	return &metricdata.ResourceMetrics{Resource: rm.Resource, ScopeMetrics: append(x.scopes(foreign.left), rest...)}
}

// gatherTime is how long gatherers may take, so that there is time left to send the rest.
func gatherTime(ctx context.Context) time.Duration {
	if end, ok := ctx.Deadline(); ok {
		return min(defaultScrapeTimeout, time.Until(end)/2)
	}
	return defaultScrapeTimeout
}

// join adds the metrics of gatherers that share a family with ours to ours, and returns all others. What is pushed
// as differences cannot be added to what client_golang counts from the start: then none is added.
func (p *push) join(m *merge) []metricdata.ScopeMetrics {
	families := metricsOf(m.page())
	if len(families) == 0 {
		return nil
	}
	var rest []metricdata.Metrics
	apart := p.Temporality(sdkmetric.InstrumentKindCounter) == metricdata.DeltaTemporality
	for _, metric := range bridged(families) {
		there := m.byName[metric.Name]
		if f := p.fold.catalog.family(metric.Name); f != nil && there.first.from == nil && !apart {
			p.fold.addForeign(f, there.joined[len(there.joined)-1].instrument(), metric)
			continue
		}
		rest = append(rest, metric)
	}
	if len(rest) == 0 {
		return nil
	}
	return []metricdata.ScopeMetrics{{Scope: instrumentation.Scope{Name: bridgeScope}, Metrics: rest}}
}

// addForeign adds a metric of client_golang to a family of ours.
func (x *fold) addForeign(f *family, from Instrument, m metricdata.Metrics) {
	k := streamKey{scope: instrumentation.Scope{Name: bridgeScope}, name: m.Name, class: f.class, number: float64Number}
	fd := x.feeds[k]
	if fd == nil {
		fd = x.newFeed(k, &stream{family: f, from: newAdmitted(math.MaxInt, nil, from)})
		fd.foreign = true
		x.feeds[k] = fd
	}
	fd.stream.help = m.Description // ours, if we have one: the merge chose
	fd.sheet.changed = true
	x.add(fd, m.Data)
}

// scopes lays the pages out for an exporter of OpenTelemetry.
// left tells which families the page leaves out.
func (x *fold) scopes(left func(*family) bool) []metricdata.ScopeMetrics {
	var out []metricdata.ScopeMetrics
	at := map[instrumentation.Scope]int{}
	for _, p := range x.sheets {
		metrics := p.native(x.now)
		if len(metrics) == 0 || left(p.family) {
			continue
		}
		scope := p.scope()
		i, ok := at[scope]
		if !ok {
			i = len(out)
			at[scope] = i
			out = append(out, metricdata.ScopeMetrics{Scope: soundScope(scope)})
		}
		out[i].Metrics = append(out[i].Metrics, metrics...)
	}
	return out
}

// scope is that of the first instrument that has values.
func (p *sheet) scope() instrumentation.Scope {
	if len(p.parts) > 0 {
		return p.parts[0].scope
	}
	return p.family.first.instrument().Scope
}

// native returns the page's series under the name and unit that the family has in OpenTelemetry: the SDK's own
// metric, if that says it all.
func (p *sheet) native(now uint64) []metricdata.Metrics {
	var out []metricdata.Metrics
	if live := p.live(now); live > 0 && !p.changed && len(p.parts) == 1 {
		p.order(now, live)
		out = []metricdata.Metrics{*p.parts[0].metric}
	} else {
		out = p.metrics(now, nil)
	}
	name, unit := p.family.def.name, rule.SoundText(p.family.def.unit)
	if !rule.Becomes(p.family.name, name, unit, p.family.class) { // the SDK takes invalid names, with an error
		name, unit = rule.InstrumentFor(p.family.name, unit, p.family.class)
	}
	for i := range out {
		out[i].Name, out[i].Unit, out[i].Description = name, unit, rule.SoundText(p.help)
	}
	return out
}

func soundScope(s instrumentation.Scope) instrumentation.Scope {
	return instrumentation.Scope{
		Name: rule.SoundText(s.Name), Version: rule.SoundText(s.Version), SchemaURL: rule.SoundText(s.SchemaURL),
		Attributes: rule.Sound(s.Attributes),
	}
}

// bridged makes OpenTelemetry's data of client_golang's.
func bridged(families []*dto.MetricFamily) []metricdata.Metrics {
	for i, f := range families {
		families[i] = withoutNative(f)
	}
	from := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, nil })
	scopes, err := bridge.NewMetricProducer(bridge.WithGatherer(from)).Produce(context.Background())
	if err != nil || len(scopes) == 0 {
		return nil
	}
	for _, m := range scopes[0].Metrics {
		switch d := m.Data.(type) {
		case metricdata.Sum[float64]:
			for i := range d.DataPoints {
				d.DataPoints[i].Exemplars = decoded(d.DataPoints[i].Exemplars)
			}
		case metricdata.Histogram[float64]:
			for i := range d.DataPoints {
				d.DataPoints[i].Exemplars = decoded(d.DataPoints[i].Exemplars)
			}
		}
	}
	return scopes[0].Metrics
}

// withoutNative leaves a histogram that has both kinds of buckets those that every format of the page shows. The bridge
// takes a family for what its first series is; where only some are native, these have their count and sum.
func withoutNative(f *dto.MetricFamily) *dto.MetricFamily {
	if f.GetType() != dto.MetricType_HISTOGRAM {
		return f
	}
	out := shallow(f)
	classic := slices.ContainsFunc(f.Metric, func(m *dto.Metric) bool { return len(m.GetHistogram().GetBucket()) > 0 })
	for i, m := range out.Metric {
		if h := m.GetHistogram(); classic && h.Schema != nil {
			out.Metric[i] = &dto.Metric{Label: m.Label, TimestampMs: m.TimestampMs, Histogram: &dto.Histogram{
				SampleCount: h.SampleCount, SampleSum: h.SampleSum, Bucket: h.Bucket, CreatedTimestamp: h.CreatedTimestamp,
			}}
		}
	}
	return out
}

// decoded makes bytes of the ids of exemplars, which the bridge leaves as the text of the labels. A receiver refuses
// everything over an id that is not of the right size, so such ids are left out.
func decoded(in []metricdata.Exemplar[float64]) []metricdata.Exemplar[float64] {
	for i := range in {
		in[i].TraceID = idOf(in[i].TraceID, 16)
		in[i].SpanID = idOf(in[i].SpanID, 8)
	}
	return in
}

func idOf(text []byte, size int) []byte {
	id, err := hex.DecodeString(string(text))
	if err != nil || len(id) != size {
		return nil
	}
	return id
}
