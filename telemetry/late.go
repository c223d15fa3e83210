package telemetry

import (
	"fmt"
	"slices"
	"sync"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/embedded"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/onemeter/onemeter/telemetry/internal/site"
)

// late holds the instruments that Meter returned, in order, and binds them to a Provider once there is one. OpenTelemetry's
// own global meters do the same, but in the random order of a map, and without the places in the code.
type late struct {
	mu       sync.Mutex
	provider *Provider
	meters   map[instrumentation.Scope]*lateMeter
	made     []binder
}

// A binder creates its instrument, or registers its callback, with a Provider. It is called again when a new Provider
// follows a stopped one.
type binder interface {
	bind(*Provider) error
	place() string // the place in the code that requested it
}

func (l *late) meter(name string, opts ...metric.MeterOption) metric.Meter {
	cfg := metric.NewMeterConfig(opts...)
	scope := instrumentation.Scope{
		Name: name, Version: cfg.InstrumentationVersion(), SchemaURL: cfg.SchemaURL(),
		Attributes: cfg.InstrumentationAttributes(),
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.meters == nil {
		l.meters = map[instrumentation.Scope]*lateMeter{}
	}
	m, ok := l.meters[scope]
	if !ok {
		m = &lateMeter{late: l, name: name, opts: opts, known: map[identity]any{}}
		l.meters[scope] = m
	}
	return m
}

// bind creates everything requested so far, with p. It holds no lock meanwhile, because creating may log, and a
// logger may request an instrument. What is requested meanwhile is created by its caller.
func (l *late) bind(p *Provider) {
	l.mu.Lock()
	l.provider = p
	made := slices.Clone(l.made)
	l.mu.Unlock()
	for _, b := range made {
		if err := b.bind(p); err != nil {
			p.log.warn("an instrument requested before Setup could not be created as requested", "error", err, "site", b.place())
		}
	}
}

// keep remembers b and returns the Provider to bind it to, or nil. The caller holds the lock.
func (l *late) keep(b binder) *Provider {
	l.made = append(l.made, b)
	return l.provider
}

// add remembers b and binds it if there is a Provider.
func (l *late) add(b binder) error {
	l.mu.Lock()
	p := l.keep(b)
	l.mu.Unlock()
	if p == nil {
		return nil
	}
	return b.bind(p)
}

func (l *late) drop(b binder) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, x := range l.made {
		if x == b {
			l.made = append(l.made[:i:i], l.made[i+1:]...)
			return
		}
	}
}

// A lateMeter creates stand-ins for instruments, which get their Provider later.
type lateMeter struct {
	embedded.Meter
	late  *late
	name  string
	opts  []metric.MeterOption
	known map[identity]any // repeated requests get the same instrument; guarded by late.mu
}

func (m *lateMeter) of(p *Provider) metric.Meter { return p.Meter(m.name, m.opts...) }

// A binding creates one instrument with a Provider's meter.
type binding struct {
	meter  *lateMeter
	site   site.Path
	create func(metric.Meter) error
}

// binding returns a binding for the code that calls this package.
func (m *lateMeter) binding(create func(metric.Meter) error) *binding {
	return &binding{meter: m, site: callSite(), create: create}
}

func (b *binding) place() string { return b.site.String() }

func (b *binding) bind(p *Provider) error {
	m := b.meter.of(p)
	if own, ok := m.(*meter); ok {
		m = own.onBehalfOf(b.site)
	}
	return b.create(m)
}

// once returns what was requested earlier under the definition, or else stand, which it binds if there is a Provider.
func (m *lateMeter) once(d definition, stand any, b binder) (any, error) {
	k := identity{name: d.name, unit: d.unit, description: d.description, kind: d.kind, number: d.number,
		buckets: fmt.Sprint(d.buckets)}
	m.late.mu.Lock()
	if known := m.known[k]; known != nil {
		m.late.mu.Unlock()
		return known, nil
	}
	m.known[k] = stand
	p := m.late.keep(b)
	m.late.mu.Unlock()
	if p == nil {
		return stand, nil
	}
	return stand, b.bind(p)
}

// lateSync returns the stand-in for a definition: the earlier one if there was one.
func lateSync[I any](m *lateMeter, d definition, create func(metric.Meter) (I, error)) (I, error) {
	stand := newStandIn(d)
	if err := checkName(d.name); err != nil {
		stand.settle(discarding(d))
		return stand.(I), err
	}
	known, err := m.once(d, stand, m.binding(func(to metric.Meter) error {
		i, err := create(to)
		stand.settle(i)
		return err
	}))
	return known.(I), err
}

func (m *lateMeter) Int64Counter(name string, opts ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	d := define(name, sdkmetric.InstrumentKindCounter, int64Number, metric.NewInt64CounterConfig(opts...))
	return lateSync(m, d, func(to metric.Meter) (metric.Int64Counter, error) { return to.Int64Counter(name, opts...) })
}

func (m *lateMeter) Int64UpDownCounter(
	name string, opts ...metric.Int64UpDownCounterOption,
) (metric.Int64UpDownCounter, error) {
	d := define(name, sdkmetric.InstrumentKindUpDownCounter, int64Number, metric.NewInt64UpDownCounterConfig(opts...))
	return lateSync(m, d, func(to metric.Meter) (metric.Int64UpDownCounter, error) { return to.Int64UpDownCounter(name, opts...) })
}

func (m *lateMeter) Int64Histogram(name string, opts ...metric.Int64HistogramOption) (metric.Int64Histogram, error) {
	cfg := metric.NewInt64HistogramConfig(opts...)
	d := define(name, sdkmetric.InstrumentKindHistogram, int64Number, cfg)
	d.buckets = cfg.ExplicitBucketBoundaries()
	return lateSync(m, d, func(to metric.Meter) (metric.Int64Histogram, error) { return to.Int64Histogram(name, opts...) })
}

func (m *lateMeter) Int64Gauge(name string, opts ...metric.Int64GaugeOption) (metric.Int64Gauge, error) {
	d := define(name, sdkmetric.InstrumentKindGauge, int64Number, metric.NewInt64GaugeConfig(opts...))
	return lateSync(m, d, func(to metric.Meter) (metric.Int64Gauge, error) { return to.Int64Gauge(name, opts...) })
}

func (m *lateMeter) Float64Counter(name string, opts ...metric.Float64CounterOption) (metric.Float64Counter, error) {
	d := define(name, sdkmetric.InstrumentKindCounter, float64Number, metric.NewFloat64CounterConfig(opts...))
	return lateSync(m, d, func(to metric.Meter) (metric.Float64Counter, error) { return to.Float64Counter(name, opts...) })
}

func (m *lateMeter) Float64UpDownCounter(
	name string, opts ...metric.Float64UpDownCounterOption,
) (metric.Float64UpDownCounter, error) {
	d := define(name, sdkmetric.InstrumentKindUpDownCounter, float64Number, metric.NewFloat64UpDownCounterConfig(opts...))
	return lateSync(m, d, func(to metric.Meter) (metric.Float64UpDownCounter, error) {
		return to.Float64UpDownCounter(name, opts...)
	})
}

func (m *lateMeter) Float64Histogram(name string, opts ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	cfg := metric.NewFloat64HistogramConfig(opts...)
	d := define(name, sdkmetric.InstrumentKindHistogram, float64Number, cfg)
	d.buckets = cfg.ExplicitBucketBoundaries()
	return lateSync(m, d, func(to metric.Meter) (metric.Float64Histogram, error) { return to.Float64Histogram(name, opts...) })
}

func (m *lateMeter) Float64Gauge(name string, opts ...metric.Float64GaugeOption) (metric.Float64Gauge, error) {
	d := define(name, sdkmetric.InstrumentKindGauge, float64Number, metric.NewFloat64GaugeConfig(opts...))
	return lateSync(m, d, func(to metric.Meter) (metric.Float64Gauge, error) { return to.Float64Gauge(name, opts...) })
}
