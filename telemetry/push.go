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

// A push applies the rules of the page to what an exporter sends, so that the two agree:
//
//	SDK -> PeriodicReader -> repair -> exporter
//
// Data that the page would not change is sent as OpenTelemetry has it: with its own name, scope, attributes and
// number type. Instruments of one family are sent as one metric, with the name and scope of the first. Attributes are
// repaired as on the page. Export returns no error, because the reader would log each; the outage counts and reports
// failures.
type push struct {
	to      sdkmetric.Exporter
	fold    *fold
	sources *scraper // of client_golang metrics
	outage  *outage
	ledger  *ledger         // nil if the SDK holds everything
	reader  uint64          // its bit in the ledger
	ready   <-chan struct{} // closed when the Provider is complete
}

// metricTargets returns the exporters of the options and the environment.
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

// needsSDK reports whether an exporter needs what a ledger does not have: deltas, or other aggregations than the
// default.
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

// Temporality returns the exporter's choice.
func (p *push) Temporality(k sdkmetric.InstrumentKind) metricdata.Temporality {
	return p.to.Temporality(k)
}

// Aggregation returns the exporter's choice.
func (p *push) Aggregation(k sdkmetric.InstrumentKind) sdkmetric.Aggregation {
	return p.to.Aggregation(k)
}

// Export sends what the SDK collected, after making it agree with the page.
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

// agree returns the data to send for what the SDK collected.
func (p *push) agree(ctx context.Context, rm *metricdata.ResourceMetrics) (out *metricdata.ResourceMetrics) {
	out = rm
	defer func() {
		if fault := recover(); fault != nil {
			p.sources.fail(failPanic, "a bug in package telemetry: metrics are pushed without repairs", fmt.Errorf("panic: %v", fault))
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

// plain returns the metrics of a kept family if its page needs no repair, so that OTLP gets them unchanged. It also
// returns the conflicts found on the way.
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

// gatherTime returns how long gatherers may take, so that there is time left to send.
func gatherTime(ctx context.Context) time.Duration {
	if end, ok := ctx.Deadline(); ok {
		return min(defaultScrapeTimeout, time.Until(end)/2)
	}
	return defaultScrapeTimeout
}

// divide returns the gathered metrics that share a family with an instrument, and all others. With delta temporality it
// returns all as others, because deltas cannot be added to client_golang's totals.
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

// addForeign adds metrics of client_golang to the family of an instrument.
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
	fd.stream.help = m.Description // the merge chose it
	fd.sheet.changed = true
	x.add(fd, m.Data)
}

// scopes returns the metrics of all sheets by scope, without the families for which left is true.
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

// scope returns the scope of the first instrument that has values.
func (p *sheet) scope() instrumentation.Scope {
	if len(p.parts) > 0 {
		return p.parts[0].scope
	}
	return p.family.first.instrument().Scope
}

// native returns the sheet's series under the family's name and unit in OpenTelemetry. If nothing was changed, it
// returns the SDK's own metric.
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

// native returns the name and the unit that a family has in OpenTelemetry.
func (f *family) native() (name, unit string) {
	name, unit = f.def.name, rule.SoundText(f.def.unit)
	if !rule.Becomes(f.name, name, unit, f.class) { // the SDK accepts invalid names, but returns an error
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

// bridged converts client_golang's families to OpenTelemetry's data.
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

// withoutNative drops the native buckets of histograms that also have classic ones, because every format of the page
// shows the classic ones. If only some series have classic buckets, the others keep their count and sum: the bridge
// treats all series of a family like the first.
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

// decoded decodes the ids of exemplars, which the bridge leaves as hexadecimal text. It drops ids of a wrong size,
// because a receiver would refuse the whole push.
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
