package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/contrib/instrumentation/runtime"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/embedded"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/onemeter/onemeter/telemetry/internal/guard"
)

// A Provider is a metric.MeterProvider whose instruments cannot break the page that exposes them. [New] and [Setup]
// create one, and the caller must call Shutdown. All methods are safe for concurrent use. The zero value is not usable.
type Provider struct {
	embedded.MeterProvider

	log       voice
	sdk       sdk // nil if OTEL_SDK_DISABLED is true
	pushes    []*push
	traces    *traces // nil if no spans are exported
	catalog   *catalog
	callbacks *callbacks
	scraper   *scraper
	ledger    *ledger
	registry  *guard.Registry // for collectors of client_golang
	paged     bool            // false under WithoutPrometheus
	limit     int             // series of one instrument; 0 means no limit
	runtime   atomic.Bool     // the Provider has OpenTelemetry's metrics of the Go runtime
	global    atomic.Bool     // Setup made it OpenTelemetry's global MeterProvider
	stopped   atomic.Bool
	shutdown  sync.Once
	stopErr   error
	ready     chan struct{} // closed when build is done
	done      chan struct{} // closed when the shutdown is done

	mu     sync.Mutex
	meters map[instrumentation.Scope]*meter
}

var _ metric.MeterProvider = (*Provider)(nil)

// sdk is what a Provider needs of the SDK's MeterProvider. It is an interface, because each package that mentions a
// struct with that type compiles some 1,400 functions of the SDK anew, for 3 seconds.
type sdk interface {
	metric.MeterProvider
	ForceFlush(ctx context.Context) error
	Shutdown(ctx context.Context) error
}

// New returns a new Provider and changes no global state, so tests can use several side by side. Without options it has
// a page for Prometheus, the metrics of the Go runtime and of the process, and the pushes that the OTEL_ variables ask
// for; see the package documentation. ctx is passed to the constructors of these exporters. The caller must call
// Shutdown.
//
// The error names the variable of the environment that is wrong, or the exporter that could not be created. The Provider
// is then nil, and readers and exporters passed as options may still be open.
func New(ctx context.Context, opts ...Option) (*Provider, error) {
	return build(ctx, newConfig(opts))
}

func build(ctx context.Context, cfg config) (*Provider, error) {
	res, err := cfg.buildResource()
	if err != nil {
		return nil, err
	}
	p := &Provider{
		log: cfg.log, limit: max(cfg.cardinalityLimit, 0), registry: guard.New(), paged: !cfg.withoutPrometheus,
		meters: map[instrumentation.Scope]*meter{}, ready: make(chan struct{}), done: make(chan struct{}),
	}
	registries := []*guard.Registry{p.registry}
	if r := guard.Default(); r != nil && cfg.global {
		registries = []*guard.Registry{r, p.registry}
	}
	suppliers := suppliersOf(registries, cfg.gatherers)
	if !cfg.withoutRuntime && !cfg.disabled {
		process, err := processSupplier()
		if err != nil {
			return nil, err
		}
		suppliers = append(suppliers, process)
	}
	shared := slices.ContainsFunc(suppliers, func(s *supplier) bool { return s.registry != nil && s.registry == guard.Default() })
	self := newSelfMetrics()
	p.catalog = newCatalog(cfg, self, shared)
	p.callbacks = newCallbacks(cfg, self, p.catalog.tell)
	if !cfg.disabled {
		err = p.startSDK(ctx, cfg, res, suppliers, self)
	} else {
		p.scraper = newScraper(nil, p.catalog, suppliers, self, p.watchGlobal(cfg))
	}
	if err != nil {
		return nil, err
	}
	p.registry.Serve(p.scraper.gatherPage, p.scraper.hear)
	err = p.instrument(cfg, self)
	close(p.ready)
	if err != nil {
		return nil, errors.Join(err, p.Shutdown(ctx))
	}
	return p, nil
}

// startSDK creates the SDK's MeterProvider with all its readers.
func (p *Provider) startSDK(
	ctx context.Context, cfg config, res *resource.Resource, suppliers []*supplier, self *selfMetrics,
) error {
	targets, err := metricTargets(ctx, cfg)
	if err != nil {
		return err
	}
	if p.traces, err = newTraces(ctx, cfg, res, self); err != nil {
		return err
	}
	opts := []sdkmetric.Option{
		sdkmetric.WithResource(res),
		sdkmetric.WithCardinalityLimit(cfg.cardinalityLimit),
		sdkmetric.WithView(append([]sdkmetric.View{keepLeader}, cfg.views...)...),
	}
	if len(cfg.readers) == 0 && !slices.ContainsFunc(targets, needsSDK) {
		p.ledger = newLedger(cfg, p.paged, len(targets))
	}
	var x *exposition
	if p.paged {
		if x, err = newExposition(p.catalog, p.callbacks, cfg, res, p.ledger, self); err != nil {
			return err
		}
		opts = append(opts, sdkmetric.WithReader(x.reader))
	}
	p.scraper = newScraper(x, p.catalog, suppliers, self, p.watchGlobal(cfg))
	for i, t := range targets {
		push := &push{
			to: t.exporter, fold: newFold(p.catalog, cfg, true), sources: p.scraper, ledger: p.ledger, reader: readerOf(i),
			outage: newOutage(cfg.log, self, signalMetrics, t.to), ready: p.ready,
		}
		p.pushes = append(p.pushes, push)
		opts = append(opts, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(push)))
	}
	for _, r := range cfg.readers {
		opts = append(opts, sdkmetric.WithReader(r))
	}
	p.sdk = sdkmetric.NewMeterProvider(opts...)
	// The leader is the SDK's first instrument, so the SDK runs its callback before those of the others.
	lead := metric.WithInt64Callback(p.callbacks.lead())
	if _, err := p.sdk.Meter(thisPackage).Int64ObservableGauge(leaderName, lead); err != nil {
		return fmt.Errorf("telemetry: %w", err)
	}
	return nil
}

const leaderName = "telemetry.lead"

// keepLeader is a view that makes the SDK collect the leader even if the caller's views drop everything.
func keepLeader(i sdkmetric.Instrument) (sdkmetric.Stream, bool) {
	return sdkmetric.Stream{Name: i.Name}, i.Name == leaderName && i.Scope.Name == thisPackage
}

// instrument creates the Provider's metrics about itself and those of the Go runtime.
func (p *Provider) instrument(cfg config, self *selfMetrics) error {
	var signals []string
	for _, o := range p.outages() {
		if !slices.Contains(signals, o.signal) {
			signals = append(signals, o.signal)
		}
	}
	if err := self.make(p.Meter(thisPackage), p.paged || len(p.pushes) > 0, signals); err != nil {
		return err
	}
	if cfg.withoutRuntime || cfg.disabled {
		return nil
	}
	if err := runtime.Start(runtime.WithMeterProvider(p)); err != nil {
		return fmt.Errorf("telemetry: runtime metrics: %w", err)
	}
	p.runtime.Store(true)
	return nil
}

// processSupplier supplies the process metrics under client_golang's usual names.
func processSupplier() (*supplier, error) {
	reg := prometheus.NewRegistry()
	if err := reg.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})); err != nil {
		return nil, fmt.Errorf("telemetry: process metrics: %w", err)
	}
	return &supplier{from: reg, name: processScope, fallback: true}, nil
}

// Meter returns a meter. Its instruments are compared with all others of the Provider. Calls with equal name,
// version, schema URL and attributes return the same meter.
//
// The meter does nothing after Shutdown, and if OTEL_SDK_DISABLED is true. If the Provider measures the Go runtime, the
// meter of OpenTelemetry's runtime metrics does nothing either, because a second runtime.Start would double them.
//
// A histogram with the unit s and without boundaries has .005 to 10, as prometheus.DefBuckets; OpenTelemetry's default is
// meant for milliseconds.
func (p *Provider) Meter(name string, opts ...metric.MeterOption) metric.Meter {
	if p.sdk == nil || p.stopped.Load() {
		return noop.Meter{}
	}
	if name == runtimeScope && p.runtime.Load() {
		p.tellRuntimeTwice(callSite().String())
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
		m = newMeter(p.sdk.Meter(name, opts...), scope, p.catalog, p.callbacks, p.ledger)
		p.meters[scope] = m
	}
	return m
}

// Handler serves /metrics. The Accept header chooses between the Prometheus text format, OpenMetrics and protobuf, and
// Accept-Encoding between zstd, gzip and none. The parameter name[] selects families, as with promhttp.
//
// A scrape ends a little before the timeout in X-Prometheus-Scrape-Timeout-Seconds, or after ten seconds without that
// header, and serves what was collected until then. The answer is never 500. It is 503 only if eight scrapes are running
// and none of them ends in time, and 404 under WithoutPrometheus.
func (p *Provider) Handler() http.Handler {
	if !p.paged {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "This process does not expose metrics here: it was set up without Prometheus.", http.StatusNotFound)
		})
	}
	return p.scraper
}

// Instruments returns the OpenTelemetry instruments of the Provider, including those about itself and the Go runtime,
// sorted by family, then by order of creation. Requests with equal definitions in one scope are one instrument.
// Instruments that were refused and metrics of client_golang are not among them. The caller may change the slice.
func (p *Provider) Instruments() []Instrument { return p.catalog.instruments() }

// Conflicts returns the conflicts found so far, each once, in order of discovery. Some are found only when the page is
// read or pushed: those of attributes, views and client_golang's metrics. The first 1000 are kept; further ones are only
// counted in telemetry_conflicts_total. The caller may change the slice.
func (p *Provider) Conflicts() []Conflict { return p.catalog.conflicts() }

// An Export is a signal that a Provider pushes, and its target.
type Export struct {
	Signal string // "metrics" or "traces"
	// To is an endpoint without credentials and its protocol, as in "http://collector:4318 (http/protobuf)", or
	// "standard output". For an exporter that was passed as an option it is the Go type.
	To string
}

// Exports returns what the Provider pushes because of the environment and the options, metrics first. It is empty if
// nothing is pushed. Readers of WithReader are not among it.
func (p *Provider) Exports() []Export {
	var out []Export
	for _, o := range p.outages() {
		out = append(out, Export{o.signal, o.to})
	}
	return out
}

func (p *Provider) outages() []*outage {
	var out []*outage
	for _, push := range p.pushes {
		out = append(out, push.outage)
	}
	if p.traces != nil {
		out = append(out, p.traces.outages...)
	}
	return out
}

// ForceFlush makes every pushing reader send its metrics, and sends the spans that have ended. It returns when that is
// done or ctx ends. The error says what could not be sent, and to which target.
func (p *Provider) ForceFlush(ctx context.Context) error {
	if p.sdk == nil {
		return nil
	}
	err := p.sdk.ForceFlush(ctx)
	if p.traces != nil {
		err = errors.Join(err, p.traces.provider.ForceFlush(ctx))
	}
	return errors.Join(err, p.failing())
}

// defaultShutdownTimeout bounds a Shutdown whose context has no deadline.
const defaultShutdownTimeout = 5 * time.Second

// Shutdown flushes and stops the readers, the exporters and the tracers. It returns when that is done or ctx ends,
// whichever is first, and after five seconds if ctx has no deadline. The error says what could not be sent, and to which
// target. Shutdown is idempotent: a later call waits for the first one, within its own limit, and returns its error.
//
// Recording through an instrument of a stopped Provider is harmless, and its Handler still answers.
func (p *Provider) Shutdown(ctx context.Context) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, defaultShutdownTimeout)
		defer cancel()
	}
	p.stopped.Store(true)
	p.shutdown.Do(func() {
		go func() { // an exporter may take longer than ctx allows
			defer close(p.done)
			p.stopErr = p.stop(ctx)
		}()
	})
	select {
	case <-p.done:
		return p.stopErr
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("telemetry: shutdown: %w", ctx.Err()), p.failing())
	}
}

// failing returns the errors of the last pushes that failed.
func (p *Provider) failing() error {
	var err error
	for _, push := range p.pushes {
		err = errors.Join(err, push.outage.failing())
	}
	if p.traces != nil {
		for _, o := range p.traces.outages {
			err = errors.Join(err, o.failing())
		}
	}
	return err
}

// stop shuts both signals down concurrently, so that neither waits for the other's receiver.
func (p *Provider) stop(ctx context.Context) error {
	spans := make(chan error, 1)
	if p.traces == nil {
		spans <- nil
	} else {
		go func() { spans <- p.traces.stop(ctx) }()
	}
	var err error
	if p.sdk != nil {
		err = p.sdk.Shutdown(ctx)
	}
	p.ledger.stop()
	err = errors.Join(err, <-spans, p.failing())
	mailbox.flush(ctx)
	return err
}
