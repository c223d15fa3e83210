package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/contrib/instrumentation/runtime"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/embedded"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// A Provider is a metric.MeterProvider whose instruments cannot break the page that they are exposed on. All its
// methods are safe for concurrent use. Make one with New or Setup.
type Provider struct {
	embedded.MeterProvider

	sdk       *sdkmetric.MeterProvider // nil where OTEL_SDK_DISABLED is true
	catalog   *catalog
	callbacks *callbacks
	scraper   *scraper // nil under WithoutPrometheus
	limit     int      // series of one instrument
	stopped   atomic.Bool
	shutdown  sync.Once
	stopErr   error
	done      chan struct{} // closed when the shutdown has ended

	mu     sync.Mutex
	meters map[instrumentation.Scope]*meter
}

var _ metric.MeterProvider = (*Provider)(nil)

// New builds a Provider and touches no global: tests run many side by side. ctx bounds the detection of the
// resource. The caller shuts the Provider down.
func New(ctx context.Context, opts ...Option) (*Provider, error) {
	cfg := newConfig(opts)
	res, err := cfg.buildResource(ctx)
	if err != nil {
		return nil, err
	}
	c := newCatalog(cfg.policy, cfg.views)
	p := &Provider{
		catalog:   c,
		callbacks: newCallbacks(cfg.callbackTimeout, c.tell),
		limit:     max(cfg.cardinalityLimit, 0),
		meters:    map[instrumentation.Scope]*meter{},
		done:      make(chan struct{}),
	}
	var x *exposition
	if !cfg.disabled {
		sdkOpts := []sdkmetric.Option{
			sdkmetric.WithResource(res),
			sdkmetric.WithCardinalityLimit(cfg.cardinalityLimit),
			sdkmetric.WithView(append([]sdkmetric.View{keepLeader}, cfg.views...)...),
		}
		if !cfg.withoutPrometheus {
			if x, err = newExposition(c, p.callbacks, cfg, res); err != nil {
				return nil, err
			}
			sdkOpts = append(sdkOpts, sdkmetric.WithReader(x.reader))
		}
		for _, r := range cfg.readers {
			sdkOpts = append(sdkOpts, sdkmetric.WithReader(r))
		}
		p.sdk = sdkmetric.NewMeterProvider(sdkOpts...)
		// The first instrument of all: the SDK runs its callback before those of the others.
		lead := metric.WithInt64Callback(p.callbacks.lead())
		if _, err := p.sdk.Meter(thisPackage).Int64ObservableGauge(leaderName, lead); err != nil {
			return nil, fmt.Errorf("telemetry: %w", err)
		}
	}
	if !cfg.withoutPrometheus {
		p.scraper = newScraper(x, cfg.gatherers)
	}
	if err := p.instrument(cfg); err != nil {
		return nil, errors.Join(err, p.Shutdown(ctx))
	}
	return p, nil
}

const leaderName = "telemetry.lead"

// keepLeader keeps our own instrument alive where other views drop everything.
func keepLeader(i sdkmetric.Instrument) (sdkmetric.Stream, bool) {
	return sdkmetric.Stream{Name: i.Name}, i.Name == leaderName && i.Scope.Name == thisPackage
}

// instrument makes the metrics that a Provider has about itself, the Go runtime and the process.
func (p *Provider) instrument(cfg config) error {
	m := p.Meter(thisPackage)
	conflicts, err1 := m.Int64Counter("telemetry.conflicts",
		metric.WithDescription("Instruments or attributes that met another in one Prometheus family."))
	callbacks, err2 := m.Int64Counter("telemetry.callback.errors",
		metric.WithDescription("Runs of observable callbacks that failed, panicked or were too late."))
	scrapes, err3 := m.Int64Counter("telemetry.scrape.errors",
		metric.WithDescription("Faults that cost a scrape some of its metrics."))
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	ctx := context.Background()
	byReason := map[string]metric.AddOption{}
	for _, r := range failures {
		byReason[r] = metric.WithAttributeSet(attribute.NewSet(attribute.String("reason", r)))
	}
	for _, r := range reasons {
		byReason[string(r)] = metric.WithAttributeSet(attribute.NewSet(attribute.String("reason", string(r))))
		conflicts.Add(ctx, 0, byReason[string(r)])
	}
	callbacks.Add(ctx, 0)
	p.catalog.count = func(r Reason) { conflicts.Add(ctx, 1, byReason[string(r)]) }
	p.callbacks.failed = func() { callbacks.Add(ctx, 1) }
	if p.scraper != nil {
		for _, r := range failures {
			scrapes.Add(ctx, 0, byReason[r])
		}
		p.scraper.failed = func(reason string) { scrapes.Add(ctx, 1, byReason[reason]) }
		if p.scraper.exposition != nil {
			p.scraper.exposition.failed = p.scraper.failed
		}
	}
	if cfg.withoutRuntime || cfg.disabled {
		return nil
	}
	return p.instrumentRuntime()
}

// instrumentRuntime adds the metrics of the Go runtime, and, on the page, those of the process under the names
// that operators know.
func (p *Provider) instrumentRuntime() error {
	if err := runtime.Start(runtime.WithMeterProvider(p)); err != nil {
		return fmt.Errorf("telemetry: runtime metrics: %w", err)
	}
	if p.scraper == nil {
		return nil
	}
	reg := prometheus.NewRegistry()
	if err := reg.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})); err != nil {
		return fmt.Errorf("telemetry: process metrics: %w", err)
	}
	p.scraper.sources = append(p.scraper.sources, &gatherer{from: reg, name: "the process collector", fallback: true})
	return nil
}

// Meter returns a meter whose instruments are matched with all others of the Provider. Meters of one name, version,
// schema and attributes are one.
func (p *Provider) Meter(name string, opts ...metric.MeterOption) metric.Meter {
	if p.sdk == nil || p.stopped.Load() {
		return noop.Meter{}
	}
	cfg := metric.NewMeterConfig(opts...)
	scope := instrumentation.Scope{
		Name: name, Version: cfg.InstrumentationVersion(), SchemaURL: cfg.SchemaURL(),
		Attributes: cfg.InstrumentationAttributes(),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	m, ok := p.meters[scope]
	if !ok {
		m = newMeter(p.sdk.Meter(name, opts...), scope, p.catalog, p.callbacks)
		p.meters[scope] = m
	}
	return m
}

// Handler serves /metrics: the Prometheus text format, OpenMetrics or protobuf, by the Accept header. It respects
// X-Prometheus-Scrape-Timeout-Seconds and does not answer 500. Under WithoutPrometheus it answers 404.
func (p *Provider) Handler() http.Handler {
	if p.scraper == nil {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "This process does not expose metrics here: it was set up without Prometheus.", http.StatusNotFound)
		})
	}
	return p.scraper
}

// Instruments returns a copy of what was asked for, sorted by family, then in order of creation.
func (p *Provider) Instruments() []Instrument { return p.catalog.instruments() }

// Conflicts returns a copy of the conflicts in order of discovery, each once. After 1000 further ones are counted
// in telemetry_conflicts_total only.
func (p *Provider) Conflicts() []Conflict { return p.catalog.conflicts() }

// ForceFlush has every reader that pushes send what it has, within ctx.
func (p *Provider) ForceFlush(ctx context.Context) error {
	if p.sdk == nil {
		return nil
	}
	return p.sdk.ForceFlush(ctx)
}

// Shutdown flushes what is left and stops the readers. It returns when that is done or ctx ends, whichever is
// first. It is idempotent; recording through an instrument of a stopped Provider is harmless.
func (p *Provider) Shutdown(ctx context.Context) error {
	p.stopped.Store(true)
	p.shutdown.Do(func() {
		go func() { // an exporter may take longer than ctx allows
			defer close(p.done)
			if p.sdk != nil {
				p.stopErr = p.sdk.Shutdown(ctx)
			}
		}()
	})
	select {
	case <-p.done:
		return p.stopErr
	case <-ctx.Done():
		return fmt.Errorf("telemetry: shutdown: %w", ctx.Err())
	}
}
