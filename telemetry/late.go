package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/embedded"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/onemeter/onemeter/telemetry/internal/site"
)

// late holds what Meter handed out, in order, and binds it to a Provider when there is one. OpenTelemetry's own
// global meters do the same, but in the order of a map and without the sites.
type late struct {
	mu       sync.Mutex
	provider *Provider
	meters   map[instrumentation.Scope]*lateMeter
	made     []binder
}

// A binder creates its instrument, or registers its callback, with a Provider. It is called again for a Provider
// that follows a stopped one.
type binder interface{ bind(*Provider) error }

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
		m = &lateMeter{late: l, name: name, opts: opts, known: map[lateKey]any{}}
		l.meters[scope] = m
	}
	return m
}

// bind creates everything that was asked for, with p. No lock is held while it does: creating may log, and a logger may
// ask for an instrument. What is asked for meanwhile is created by whoever asks.
func (l *late) bind(p *Provider) {
	l.mu.Lock()
	l.provider = p
	made := slices.Clone(l.made)
	l.mu.Unlock()
	for _, b := range made {
		if err := b.bind(p); err != nil {
			slog.Warn("telemetry: an instrument made before Setup: " + err.Error())
		}
	}
}

// keep remembers b, and returns the Provider to bind it to, or nil. The lock is held.
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

// A lateMeter makes instruments that find their Provider later.
type lateMeter struct {
	embedded.Meter
	late  *late
	name  string
	opts  []metric.MeterOption
	known map[lateKey]any // so that code that asks again and again gets the same one; guarded by late.mu
}

type lateKey struct {
	identity
}

func (m *lateMeter) of(p *Provider) metric.Meter { return p.Meter(m.name, m.opts...) }

// An adder is a counter or an up-down counter.
type adder[N int64 | float64] interface {
	Add(context.Context, N, ...metric.AddOption)
	Enabled(context.Context) bool
}

// A recorder is a histogram or a gauge.
type recorder[N int64 | float64] interface {
	Record(context.Context, N, ...metric.RecordOption)
	Enabled(context.Context) bool
}

// lateAdder passes on to the SDK's instrument; until there is one, it keeps what is added.
type lateAdder[N int64 | float64] struct {
	name  string
	to    atomic.Pointer[adder[N]]
	early early[addition[N]]
	bound bindings[adder[N]]
}

type addition[N int64 | float64] struct {
	ctx   context.Context
	value N
	opts  []metric.AddOption
}

func (l *lateAdder[N]) Add(ctx context.Context, v N, opts ...metric.AddOption) {
	to := l.to.Load()
	if to == nil {
		if l.early.keep(addition[N]{contextToKeep(ctx), v, slices.Clone(opts)}) {
			return
		}
		to = l.to.Load()
	}
	(*to).Add(ctx, v, opts...)
}

// Enabled is true before Setup, too: what is recorded then is kept.
func (l *lateAdder[N]) Enabled(ctx context.Context) bool {
	to := l.to.Load()
	return to == nil || (*to).Enabled(ctx)
}

func (l *lateAdder[N]) set(a adder[N]) {
	l.early.release(l.name, func() { l.to.Store(&a) }, func(m addition[N]) { a.Add(m.ctx, m.value, m.opts...) })
	l.bound.settle(a)
}

// lateRecorder is lateAdder for histograms and gauges.
type lateRecorder[N int64 | float64] struct {
	name  string
	to    atomic.Pointer[recorder[N]]
	early early[record[N]]
	bound bindings[recorder[N]]
}

type record[N int64 | float64] struct {
	ctx   context.Context
	value N
	opts  []metric.RecordOption
}

func (l *lateRecorder[N]) Record(ctx context.Context, v N, opts ...metric.RecordOption) {
	to := l.to.Load()
	if to == nil {
		if l.early.keep(record[N]{contextToKeep(ctx), v, slices.Clone(opts)}) {
			return
		}
		to = l.to.Load()
	}
	(*to).Record(ctx, v, opts...)
}

func (l *lateRecorder[N]) Enabled(ctx context.Context) bool {
	to := l.to.Load()
	return to == nil || (*to).Enabled(ctx)
}

func (l *lateRecorder[N]) set(r recorder[N]) {
	l.early.release(l.name, func() { l.to.Store(&r) }, func(m record[N]) { r.Record(m.ctx, m.value, m.opts...) })
	l.bound.settle(r)
}

type (
	lateInt64Counter struct {
		embedded.Int64Counter
		lateAdder[int64]
	}
	lateInt64UpDownCounter struct {
		embedded.Int64UpDownCounter
		lateAdder[int64]
	}
	lateInt64Histogram struct {
		embedded.Int64Histogram
		lateRecorder[int64]
	}
	lateInt64Gauge struct {
		embedded.Int64Gauge
		lateRecorder[int64]
	}
	lateFloat64Counter struct {
		embedded.Float64Counter
		lateAdder[float64]
	}
	lateFloat64UpDownCounter struct {
		embedded.Float64UpDownCounter
		lateAdder[float64]
	}
	lateFloat64Histogram struct {
		embedded.Float64Histogram
		lateRecorder[float64]
	}
	lateFloat64Gauge struct {
		embedded.Float64Gauge
		lateRecorder[float64]
	}
)

// A binding creates one instrument with a Provider's meter.
type binding struct {
	meter  *lateMeter
	site   site.Path
	create func(metric.Meter) error
}

func (b *binding) bind(p *Provider) error {
	m := b.meter.of(p)
	if own, ok := m.(*meter); ok {
		m = own.onBehalfOf(b.site)
	}
	return b.create(m)
}

// lateSync returns the instrument for a definition, the one made before if there was one. I is an instrument of
// OpenTelemetry's API, L ours that stands in for it.
func lateSync[I any, L any](
	m *lateMeter, d definition, stand *L, create func(metric.Meter) (I, error), set func(*L, I),
) (*L, error) {
	b := &binding{meter: m, site: callSite(), create: func(to metric.Meter) error {
		i, err := create(to)
		set(stand, i)
		return err
	}}
	known, p := m.know(d, stand, b)
	if known != nil {
		return known.(*L), nil
	}
	if p == nil {
		return stand, nil
	}
	return stand, b.bind(p)
}

// know returns what was asked for before under the definition, or remembers stand for it and returns the Provider to
// bind it to, or nil.
func (m *lateMeter) know(d definition, stand any, b binder) (known any, p *Provider) {
	k := lateKey{identity{name: d.name, unit: d.unit, description: d.description, kind: d.kind, number: d.number,
		buckets: fmt.Sprint(d.buckets)}}
	m.late.mu.Lock()
	defer m.late.mu.Unlock()
	if known = m.known[k]; known != nil {
		return known, nil
	}
	m.known[k] = stand
	return nil, m.late.keep(b)
}

func (m *lateMeter) Int64Counter(name string, opts ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	d := define(name, sdkmetric.InstrumentKindCounter, int64Number, metric.NewInt64CounterConfig(opts...))
	return lateSync(m, d, &lateInt64Counter{lateAdder: lateAdder[int64]{name: name}},
		func(to metric.Meter) (metric.Int64Counter, error) { return to.Int64Counter(name, opts...) },
		func(l *lateInt64Counter, i metric.Int64Counter) { l.set(i) })
}

func (m *lateMeter) Int64UpDownCounter(
	name string, opts ...metric.Int64UpDownCounterOption,
) (metric.Int64UpDownCounter, error) {
	d := define(name, sdkmetric.InstrumentKindUpDownCounter, int64Number, metric.NewInt64UpDownCounterConfig(opts...))
	return lateSync(m, d, &lateInt64UpDownCounter{lateAdder: lateAdder[int64]{name: name}},
		func(to metric.Meter) (metric.Int64UpDownCounter, error) { return to.Int64UpDownCounter(name, opts...) },
		func(l *lateInt64UpDownCounter, i metric.Int64UpDownCounter) { l.set(i) })
}

func (m *lateMeter) Int64Histogram(name string, opts ...metric.Int64HistogramOption) (metric.Int64Histogram, error) {
	cfg := metric.NewInt64HistogramConfig(opts...)
	d := define(name, sdkmetric.InstrumentKindHistogram, int64Number, cfg)
	d.buckets = cfg.ExplicitBucketBoundaries()
	return lateSync(m, d, &lateInt64Histogram{lateRecorder: lateRecorder[int64]{name: name}},
		func(to metric.Meter) (metric.Int64Histogram, error) { return to.Int64Histogram(name, opts...) },
		func(l *lateInt64Histogram, i metric.Int64Histogram) { l.set(i) })
}

func (m *lateMeter) Int64Gauge(name string, opts ...metric.Int64GaugeOption) (metric.Int64Gauge, error) {
	d := define(name, sdkmetric.InstrumentKindGauge, int64Number, metric.NewInt64GaugeConfig(opts...))
	return lateSync(m, d, &lateInt64Gauge{lateRecorder: lateRecorder[int64]{name: name}},
		func(to metric.Meter) (metric.Int64Gauge, error) { return to.Int64Gauge(name, opts...) },
		func(l *lateInt64Gauge, i metric.Int64Gauge) { l.set(i) })
}

func (m *lateMeter) Float64Counter(name string, opts ...metric.Float64CounterOption) (metric.Float64Counter, error) {
	d := define(name, sdkmetric.InstrumentKindCounter, float64Number, metric.NewFloat64CounterConfig(opts...))
	return lateSync(m, d, &lateFloat64Counter{lateAdder: lateAdder[float64]{name: name}},
		func(to metric.Meter) (metric.Float64Counter, error) { return to.Float64Counter(name, opts...) },
		func(l *lateFloat64Counter, i metric.Float64Counter) { l.set(i) })
}

func (m *lateMeter) Float64UpDownCounter(
	name string, opts ...metric.Float64UpDownCounterOption,
) (metric.Float64UpDownCounter, error) {
	d := define(name, sdkmetric.InstrumentKindUpDownCounter, float64Number, metric.NewFloat64UpDownCounterConfig(opts...))
	return lateSync(m, d, &lateFloat64UpDownCounter{lateAdder: lateAdder[float64]{name: name}},
		func(to metric.Meter) (metric.Float64UpDownCounter, error) {
			return to.Float64UpDownCounter(name, opts...)
		},
		func(l *lateFloat64UpDownCounter, i metric.Float64UpDownCounter) { l.set(i) })
}

func (m *lateMeter) Float64Histogram(name string, opts ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	cfg := metric.NewFloat64HistogramConfig(opts...)
	d := define(name, sdkmetric.InstrumentKindHistogram, float64Number, cfg)
	d.buckets = cfg.ExplicitBucketBoundaries()
	return lateSync(m, d, &lateFloat64Histogram{lateRecorder: lateRecorder[float64]{name: name}},
		func(to metric.Meter) (metric.Float64Histogram, error) { return to.Float64Histogram(name, opts...) },
		func(l *lateFloat64Histogram, i metric.Float64Histogram) { l.set(i) })
}

func (m *lateMeter) Float64Gauge(name string, opts ...metric.Float64GaugeOption) (metric.Float64Gauge, error) {
	d := define(name, sdkmetric.InstrumentKindGauge, float64Number, metric.NewFloat64GaugeConfig(opts...))
	return lateSync(m, d, &lateFloat64Gauge{lateRecorder: lateRecorder[float64]{name: name}},
		func(to metric.Meter) (metric.Float64Gauge, error) { return to.Float64Gauge(name, opts...) },
		func(l *lateFloat64Gauge, i metric.Float64Gauge) { l.set(i) })
}
