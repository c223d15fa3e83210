package telemetry

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/otlptranslator"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/onemeter/onemeter/telemetry/internal/rule"
	"github.com/onemeter/onemeter/telemetry/internal/series"
)

// An exposition turns the SDK's data into Prometheus families that cannot fail a scrape:
//
//	callbacks -> SDK -> repair -> OpenTelemetry's Prometheus exporter -> families
//
// Names and labels are final when the exporter gets them, so the exporter does not translate them. They are also
// consistent, so its collector is read without the checks of a prometheus.Registry.
type exposition struct {
	*fold
	callbacks *callbacks
	reader    *sdkmetric.ManualReader // of the Provider's SDK
	self      *selfMetrics
	collector prometheus.Collector // the exporter's
	target    metricdata.Metrics   // the family target_info
	ledger    *ledger              // nil if the SDK holds everything
	ready     []metricdata.Metrics // input of the exporter; guarded by the fold's lock
	aside     *fold                // for kept families whose metrics are needed
}

func newExposition(c *catalog, cb *callbacks, cfg config, res *resource.Resource, l *ledger, self *selfMetrics) (*exposition, error) {
	x := &exposition{
		fold: newFold(c, cfg, false), aside: newFold(c, cfg, false), callbacks: cb, reader: sdkmetric.NewManualReader(), self: self,
		target: targetInfo(res), ledger: l,
	}
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
	// A reader collects only if it belongs to a provider. This one has no instruments: x produces all data.
	sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter), sdkmetric.WithResource(resource.Empty()))
	return x, nil
}

// captureCollector is a prometheus.Registerer that only stores the exporter's collector.
type captureCollector struct{ to *prometheus.Collector }

func (r captureCollector) Register(c prometheus.Collector) error { *r.to = c; return nil }

func (r captureCollector) MustRegister(cs ...prometheus.Collector) {
	for _, c := range cs {
		*r.to = c
	}
}

func (captureCollector) Unregister(prometheus.Collector) bool { return false }

// targetInfo returns target_info, which has the attributes of the resource as labels.
func targetInfo(res *resource.Resource) metricdata.Metrics {
	labels, _ := rule.Labels(*res.Set(), nil)
	return metricdata.Metrics{
		Name: otlptranslator.TargetInfoMetricName, Description: "Target metadata",
		Data: metricdata.Gauge[float64]{DataPoints: []metricdata.DataPoint[float64]{{Attributes: labels, Value: 1}}},
	}
}

// Produce returns the repaired data to the exporter, which calls it while collect or whole holds the lock.
func (x *exposition) Produce(context.Context) ([]metricdata.ScopeMetrics, error) {
	return []metricdata.ScopeMetrics{{Metrics: x.ready}}, nil
}

// gather returns the families of all instruments. If whole, every family has its metrics; otherwise families that can
// write their lines themselves have none. It does not fail: data that cannot be collected is counted.
func (x *exposition) gather(ctx context.Context, whole bool) []shown {
	observed := x.callbacks.collect(ctx)
	x.mu.Lock()
	page, conflicts := x.collect(context.WithValue(context.WithoutCancel(ctx), cycleKey{}, observed), whole)
	x.mu.Unlock()
	if len(conflicts) > 0 {
		x.catalog.tell(conflicts...)
	}
	return page
}

func (x *exposition) collect(ctx context.Context, whole bool) ([]shown, []Conflict) {
	if err := x.reader.Collect(ctx, x.rm); err != nil {
		x.rm.ScopeMetrics = nil
		if !errors.Is(err, sdkmetric.ErrReaderShutdown) {
			x.self.scrapeFailed(failCollect)
		}
	}
	if x.ledger != nil {
		x.ledger.rules.PageRead()
	}
	var page []shown
	mixed := x.families(x.rm)
	for _, k := range x.ledger.keep(x.catalog) {
		if whole || mixed[k.family] {
			x.rm.ScopeMetrics = k.appendTo(x.rm.ScopeMetrics, series.Page)
		} else if !k.lines.Empty() {
			page = append(page, shown{k.head.Load(), k})
		}
	}
	x.take(x.rm)
	x.ready = x.lay(append(x.ready[:0], x.target))
	for _, f := range x.export() {
		page = append(page, shown{MetricFamily: f})
	}
	slices.SortFunc(page, byName)
	return page, x.pending
}

// whole returns a kept family with its metrics, or nil if it has no metrics any more.
func (x *exposition) whole(k *kept) *dto.MetricFamily {
	x.mu.Lock()
	x.aside.take(&metricdata.ResourceMetrics{ScopeMetrics: k.appendTo(nil, series.Page)})
	x.ready = x.aside.layOne(k.family, k.head.Load().GetHelp(), x.ready[:0])
	families := x.export()
	conflicts := x.aside.pending
	x.mu.Unlock()
	if len(conflicts) > 0 {
		x.catalog.tell(conflicts...)
	}
	if len(families) == 0 {
		return nil
	}
	return families[0]
}
