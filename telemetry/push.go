package telemetry

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	bridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/onemeter/onemeter/telemetry/internal/foreign"
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

// metricTargets returns the exporters that the environment and the options name.
func metricTargets(ctx context.Context, cfg config) ([]exporterTo[sdkmetric.Exporter], error) {
	targets := cfg.metricExporters
	if !cfg.withoutPush {
		named, err := metricExporters(ctx, cfg.log)
		if err != nil {
			return nil, err
		}
		targets = append(targets, named...)
	}
	return targets, checkMetricsEnvironment(cfg.log, len(targets) > 0)
}

// needsSDK tells whether an exporter wants what a ledger does not have: differences, and exponential histograms.
func needsSDK(e exporterTo[sdkmetric.Exporter]) bool {
	for _, k := range []sdkmetric.InstrumentKind{
		sdkmetric.InstrumentKindCounter, sdkmetric.InstrumentKindUpDownCounter, sdkmetric.InstrumentKindHistogram, sdkmetric.InstrumentKindGauge,
	} {
		if e.exporter.Temporality(k) != metricdata.CumulativeTemporality || !reflect.DeepEqual(e.exporter.Aggregation(k), sdkmetric.DefaultAggregationSelector(k)) {
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
	added, rest := p.divide(foreign)
	rm = &metricdata.ResourceMetrics{Resource: rm.Resource, ScopeMetrics: slices.Clone(rm.ScopeMetrics)}
	mixed := x.families(rm)
	var plain []metricdata.ScopeMetrics
	var found []Conflict
	for _, k := range p.ledger.keep(x.catalog) {
		if foreign.left(k.family) {
			continue
		}
		if !mixed[k.family] && added[k.family] == nil {
			m, ok, conflicts := k.plain(p.reader)
			if found = append(found, conflicts...); ok {
				plain = appendTo(plain, soundScope(k.lines.Accounts()[0].Scope), m...)
				continue
			}
		}
		rm.ScopeMetrics = k.appendTo(rm.ScopeMetrics, p.reader)
	}
	x.take(rm)
	x.pending = append(x.pending, found...)
	for _, f := range slices.SortedFunc(maps.Keys(added), func(a, b *family) int { return strings.Compare(a.name, b.name) }) {
		x.addForeign(f, foreign.byName[f.name].joined, added[f])
	}
	x.describe()
	scopes := x.scopes(foreign.left)
	for _, sm := range plain {
		scopes = appendTo(scopes, sm.Scope, sm.Metrics...)
	}
	return &metricdata.ResourceMetrics{Resource: rm.Resource, ScopeMetrics: append(scopes, rest...)}
}

// plain returns the metric of a family that the page has as OTLP has it, if it has series, whether it is so, and what there
// is to tell.
func (k *kept) plain(reader uint64) (metrics []metricdata.Metrics, plain bool, conflicts []Conflict) {
	m, plain, found := k.lines.CollectPlain(reader)
	for _, what := range found {
		conflicts = append(conflicts, k.conflicts(what)...)
	}
	if !plain || m.Data == nil {
		return nil, plain, conflicts
	}
	m.Name, m.Unit = k.family.native()
	m.Description = k.head.Load().GetHelp()
	return []metricdata.Metrics{m}, true, conflicts
}

// gatherTime is how long gatherers may take, so that there is time left to send the rest.
func gatherTime(ctx context.Context) time.Duration {
	if end, ok := ctx.Deadline(); ok {
		return min(defaultScrapeTimeout, time.Until(end)/2)
	}
	return defaultScrapeTimeout
}

// divide returns the metrics of gatherers that share a family with ours, and all others. What is pushed as differences
// cannot be added to what client_golang counts from the start: then none is added.
func (p *push) divide(m *merge) (map[*family][]metricdata.Metrics, []metricdata.ScopeMetrics) {
	families := metricsOf(m.page())
	if len(families) == 0 {
		return nil, nil
	}
	var rest []metricdata.Metrics
	added := map[*family][]metricdata.Metrics{}
	apart := p.Temporality(sdkmetric.InstrumentKindCounter) == metricdata.DeltaTemporality
	for _, metric := range bridged(families) {
		f := p.fold.catalog.family(metric.Name)
		if f != nil && m.byName[metric.Name].first.from == nil && !apart {
			added[f] = append(added[f], metric)
			continue
		}
		rest = append(rest, metric)
	}
	if len(rest) == 0 {
		return added, nil
	}
	return added, []metricdata.ScopeMetrics{{Scope: instrumentation.Scope{Name: bridgeScope}, Metrics: rest}}
}

// addForeign adds metrics of client_golang to a family of ours.
func (x *fold) addForeign(f *family, joined []party, metrics []metricdata.Metrics) {
	from := joined[len(joined)-1].instrument()
	for _, m := range metrics {
		x.addOne(f, from, m)
	}
}

func (x *fold) addOne(f *family, from Instrument, m metricdata.Metrics) {
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
	for _, p := range x.sheets {
		metrics := p.native(x.now)
		if len(metrics) == 0 || left(p.family) {
			continue
		}
		out = appendTo(out, soundScope(p.scope()), metrics...)
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
	name, unit := p.family.native()
	for i := range out {
		out[i].Name, out[i].Unit, out[i].Description = name, unit, rule.SoundText(p.help)
	}
	return out
}

// native is the name and the unit that a family has in OpenTelemetry.
func (f *family) native() (name, unit string) {
	name, unit = f.def.name, rule.SoundText(f.def.unit)
	if !rule.Becomes(f.name, name, unit, f.class) { // the SDK takes invalid names, with an error
		return rule.InstrumentFor(f.name, unit, f.class)
	}
	return name, unit
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
	out := foreign.Shallow(f)
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
