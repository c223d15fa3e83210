package telemetry

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/embedded"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/onemeter/onemeter/telemetry/internal/rule"
	"github.com/onemeter/onemeter/telemetry/internal/site"
)

// secondsBuckets are the boundaries of histograms in seconds without boundaries of their own. The SDK's defaults suit
// milliseconds: nearly every request would be in the first bucket.
var secondsBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

const (
	int64Number   = "int64"
	float64Number = "float64"
)

// A meter creates the instruments of one scope. Synchronous ones record to the ledger, or are the SDK's if the ledger
// does not support them; observable ones are the SDK's. It is safe for concurrent use.
type meter struct {
	embedded.Meter

	sdk       metric.Meter
	scope     instrumentation.Scope
	catalog   *catalog
	callbacks *callbacks
	ledger    *ledger // nil if the SDK holds everything

	where  func() site.Path // returns the code that requests an instrument
	shared *sharedObservables
}

// sharedObservables holds the sources of a meter. Its copies for other sites share them.
type sharedObservables struct {
	mu    sync.Mutex
	byKey map[observableKey]any // *source[int64] or *source[float64]
}

type observableKey struct {
	name, unit, description string
	kind                    sdkmetric.InstrumentKind
	number                  string
}

func newMeter(sdk metric.Meter, scope instrumentation.Scope, c *catalog, cb *callbacks, l *ledger) *meter {
	return &meter{
		sdk: sdk, scope: scope, catalog: c, callbacks: cb, ledger: l, where: callSite,
		shared: &sharedObservables{byKey: map[observableKey]any{}},
	}
}

// onBehalfOf returns a copy of the meter for code that made its request earlier, from path.
func (m *meter) onBehalfOf(path site.Path) *meter {
	clone := *m
	clone.where = func() site.Path { return path }
	return &clone
}

// instrumentConfig is the common part of the configurations of all instruments.
type instrumentConfig interface {
	Description() string
	Unit() string
}

func define(name string, k sdkmetric.InstrumentKind, number string, cfg instrumentConfig) definition {
	return definition{
		name: name, unit: rule.SoundText(cfg.Unit()), description: rule.SoundText(cfg.Description()), kind: k, number: number,
	}
}

// synchronous admits an instrument and creates it under the admitted definition, to record to the ledger or as the
// SDK's own. It appends options, which override the author's; other options stay in force.
func synchronous[I, O any](
	m *meter, d definition, opts []O, create func(string, ...O) (I, error), refused I,
) (I, error) {
	if err := checkName(d.name); err != nil {
		return refused, err
	}
	a, err := m.catalog.admit(m.scope, d, m.where)
	if err != nil {
		return refused, err
	}
	if m.ledger != nil && len(advice(opts)) == 0 && !m.catalog.viewed(m.scope, a.create) {
		own, h := ownInstrument(a.create)
		h.Init(m.ledger.account(m.scope, a))
		return own.(I), checkBoundaries(d)
	}
	opts = append(slices.Clip(opts),
		any(metric.WithDescription(a.create.description)).(O), any(metric.WithUnit(a.create.unit)).(O))
	if d.kind == sdkmetric.InstrumentKindHistogram {
		opts = append(opts, any(metric.WithExplicitBucketBoundaries(a.create.buckets...)).(O))
	}
	i, err := create(a.create.name, opts...)
	stand := newStandIn(a.create) // it makes the instrument bindable
	stand.settle(i)
	stand.seal()
	return stand.(I), err
}

// checkName returns the SDK's own error for an invalid name. Such an instrument is in no family. The SDK is only
// asked about names that are not plainly valid, because creating a meter is slow and may log.
func checkName(name string) error {
	if plainName(name) {
		return nil
	}
	m := sdkmetric.NewMeterProvider(sdkmetric.WithResource(resource.Empty())).Meter(thisPackage)
	_, err := m.Int64Gauge(name)
	return err
}

// plainName reports whether a name consists of letters, digits and punctuation, as the specification demands.
func plainName(name string) bool {
	letter := func(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
	for i := range len(name) {
		switch c := name[i]; {
		case letter(c):
		case i > 0 && ('0' <= c && c <= '9' || c == '_' || c == '.' || c == '-' || c == '/'):
		default:
			return false
		}
	}
	return 0 < len(name) && len(name) <= rule.MaxNameLength
}

// checkBoundaries returns an error for boundaries that the SDK does not accept. The instrument still counts, with the
// valid ones.
func checkBoundaries(d definition) error {
	for i := 1; i < len(d.buckets); i++ {
		if !(d.buckets[i] > d.buckets[i-1]) {
			return fmt.Errorf("telemetry: histogram %q: boundaries %v do not ascend; only those that do are used", d.name, d.buckets)
		}
	}
	return nil
}

// boundaries returns the author's boundaries, or those for seconds. Without either, the reader decides.
func boundaries(explicit []float64, unit string) []float64 {
	if len(explicit) == 0 && unit == "s" {
		return secondsBuckets
	}
	return explicit
}

func (m *meter) Int64Counter(name string, opts ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	d := define(name, sdkmetric.InstrumentKindCounter, int64Number, metric.NewInt64CounterConfig(opts...))
	return synchronous(m, d, opts, m.sdk.Int64Counter, metric.Int64Counter(noop.Int64Counter{}))
}

func (m *meter) Int64UpDownCounter(
	name string, opts ...metric.Int64UpDownCounterOption,
) (metric.Int64UpDownCounter, error) {
	d := define(name, sdkmetric.InstrumentKindUpDownCounter, int64Number, metric.NewInt64UpDownCounterConfig(opts...))
	return synchronous(m, d, opts, m.sdk.Int64UpDownCounter, metric.Int64UpDownCounter(noop.Int64UpDownCounter{}))
}

func (m *meter) Int64Histogram(name string, opts ...metric.Int64HistogramOption) (metric.Int64Histogram, error) {
	cfg := metric.NewInt64HistogramConfig(opts...)
	d := define(name, sdkmetric.InstrumentKindHistogram, int64Number, cfg)
	d.buckets = boundaries(cfg.ExplicitBucketBoundaries(), d.unit)
	return synchronous(m, d, opts, m.sdk.Int64Histogram, metric.Int64Histogram(noop.Int64Histogram{}))
}

func (m *meter) Int64Gauge(name string, opts ...metric.Int64GaugeOption) (metric.Int64Gauge, error) {
	d := define(name, sdkmetric.InstrumentKindGauge, int64Number, metric.NewInt64GaugeConfig(opts...))
	return synchronous(m, d, opts, m.sdk.Int64Gauge, metric.Int64Gauge(noop.Int64Gauge{}))
}

func (m *meter) Float64Counter(name string, opts ...metric.Float64CounterOption) (metric.Float64Counter, error) {
	d := define(name, sdkmetric.InstrumentKindCounter, float64Number, metric.NewFloat64CounterConfig(opts...))
	return synchronous(m, d, opts, m.sdk.Float64Counter, metric.Float64Counter(noop.Float64Counter{}))
}

func (m *meter) Float64UpDownCounter(
	name string, opts ...metric.Float64UpDownCounterOption,
) (metric.Float64UpDownCounter, error) {
	d := define(name, sdkmetric.InstrumentKindUpDownCounter, float64Number, metric.NewFloat64UpDownCounterConfig(opts...))
	return synchronous(m, d, opts, m.sdk.Float64UpDownCounter, metric.Float64UpDownCounter(noop.Float64UpDownCounter{}))
}

func (m *meter) Float64Histogram(name string, opts ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	cfg := metric.NewFloat64HistogramConfig(opts...)
	d := define(name, sdkmetric.InstrumentKindHistogram, float64Number, cfg)
	d.buckets = boundaries(cfg.ExplicitBucketBoundaries(), d.unit)
	return synchronous(m, d, opts, m.sdk.Float64Histogram, metric.Float64Histogram(noop.Float64Histogram{}))
}

func (m *meter) Float64Gauge(name string, opts ...metric.Float64GaugeOption) (metric.Float64Gauge, error) {
	d := define(name, sdkmetric.InstrumentKindGauge, float64Number, metric.NewFloat64GaugeConfig(opts...))
	return synchronous(m, d, opts, m.sdk.Float64Gauge, metric.Float64Gauge(noop.Float64Gauge{}))
}

// observe admits an observable instrument. The SDK gets an instrument that replays what our callbacks observed. The
// caller gets a handle, and all callbacks run at every collection, as usual. It returns nil if the instrument is
// refused.
func observe[N int64 | float64, I, O any](
	m *meter, d definition, opts []O, create func(string, ...O) (I, error), replay func(*source[N]) O,
) (*observable[N], error) {
	if err := checkName(d.name); err != nil {
		return nil, err
	}
	a, err := m.catalog.admit(m.scope, d, m.where)
	if err != nil {
		return nil, err
	}
	k := observableKey{a.create.name, a.create.unit, a.create.description, d.kind, d.number}
	m.shared.mu.Lock()
	defer m.shared.mu.Unlock()
	src, ok := m.shared.byKey[k].(*source[N])
	if !ok {
		src = &source[N]{gauge: d.class() == rule.Gauge}
		sdkOpts := append(advice(opts), replay(src),
			any(metric.WithDescription(a.create.description)).(O), any(metric.WithUnit(a.create.unit)).(O))
		_, src.err = create(a.create.name, sdkOpts...)
		m.shared.byKey[k] = src
	}
	return &observable[N]{source: src, meter: m, as: a.as}, src.err
}

func observeInt64[I, O any](
	m *meter, d definition, run []metric.Int64Callback, opts []O, create func(string, ...O) (I, error), refused I,
) (I, error) {
	o, err := observe(m, d, opts, create, func(s *source[int64]) O {
		return any(metric.WithInt64Callback(m.callbacks.replayInt64(s))).(O)
	})
	if o == nil {
		return refused, err
	}
	return any(m.callbacks.addInt64(o, run)).(I), err
}

func observeFloat64[I, O any](
	m *meter, d definition, run []metric.Float64Callback, opts []O, create func(string, ...O) (I, error), refused I,
) (I, error) {
	o, err := observe(m, d, opts, create, func(s *source[float64]) O {
		return any(metric.WithFloat64Callback(m.callbacks.replayFloat64(s))).(O)
	})
	if o == nil {
		return refused, err
	}
	return any(m.callbacks.addFloat64(o, run)).(I), err
}

// advice returns the options that restrict attributes. It drops the callbacks, which the SDK must not get.
func advice[O any](opts []O) []O {
	var out []O
	for _, o := range opts {
		if _, ok := any(o).(interface{ AllowedKeys() []attribute.Key }); ok {
			out = append(out, o)
		}
	}
	return out
}

func (m *meter) Int64ObservableCounter(
	name string, opts ...metric.Int64ObservableCounterOption,
) (metric.Int64ObservableCounter, error) {
	cfg := metric.NewInt64ObservableCounterConfig(opts...)
	d := define(name, sdkmetric.InstrumentKindObservableCounter, int64Number, cfg)
	return observeInt64(m, d, cfg.Callbacks(), opts, m.sdk.Int64ObservableCounter,
		metric.Int64ObservableCounter(noop.Int64ObservableCounter{}))
}

func (m *meter) Int64ObservableUpDownCounter(
	name string, opts ...metric.Int64ObservableUpDownCounterOption,
) (metric.Int64ObservableUpDownCounter, error) {
	cfg := metric.NewInt64ObservableUpDownCounterConfig(opts...)
	d := define(name, sdkmetric.InstrumentKindObservableUpDownCounter, int64Number, cfg)
	return observeInt64(m, d, cfg.Callbacks(), opts, m.sdk.Int64ObservableUpDownCounter,
		metric.Int64ObservableUpDownCounter(noop.Int64ObservableUpDownCounter{}))
}

func (m *meter) Int64ObservableGauge(
	name string, opts ...metric.Int64ObservableGaugeOption,
) (metric.Int64ObservableGauge, error) {
	cfg := metric.NewInt64ObservableGaugeConfig(opts...)
	d := define(name, sdkmetric.InstrumentKindObservableGauge, int64Number, cfg)
	return observeInt64(m, d, cfg.Callbacks(), opts, m.sdk.Int64ObservableGauge,
		metric.Int64ObservableGauge(noop.Int64ObservableGauge{}))
}

func (m *meter) Float64ObservableCounter(
	name string, opts ...metric.Float64ObservableCounterOption,
) (metric.Float64ObservableCounter, error) {
	cfg := metric.NewFloat64ObservableCounterConfig(opts...)
	d := define(name, sdkmetric.InstrumentKindObservableCounter, float64Number, cfg)
	return observeFloat64(m, d, cfg.Callbacks(), opts, m.sdk.Float64ObservableCounter,
		metric.Float64ObservableCounter(noop.Float64ObservableCounter{}))
}

func (m *meter) Float64ObservableUpDownCounter(
	name string, opts ...metric.Float64ObservableUpDownCounterOption,
) (metric.Float64ObservableUpDownCounter, error) {
	cfg := metric.NewFloat64ObservableUpDownCounterConfig(opts...)
	d := define(name, sdkmetric.InstrumentKindObservableUpDownCounter, float64Number, cfg)
	return observeFloat64(m, d, cfg.Callbacks(), opts, m.sdk.Float64ObservableUpDownCounter,
		metric.Float64ObservableUpDownCounter(noop.Float64ObservableUpDownCounter{}))
}

func (m *meter) Float64ObservableGauge(
	name string, opts ...metric.Float64ObservableGaugeOption,
) (metric.Float64ObservableGauge, error) {
	cfg := metric.NewFloat64ObservableGaugeConfig(opts...)
	d := define(name, sdkmetric.InstrumentKindObservableGauge, float64Number, cfg)
	return observeFloat64(m, d, cfg.Callbacks(), opts, m.sdk.Float64ObservableGauge,
		metric.Float64ObservableGauge(noop.Float64ObservableGauge{}))
}

// RegisterCallback registers f to run at every collection. Refused instruments are left out, as the SDK leaves out
// dropped ones. An instrument of another meter is an error.
func (m *meter) RegisterCallback(f metric.Callback, insts ...metric.Observable) (metric.Registration, error) {
	var mine []metric.Observable
	var err error
	for _, inst := range insts {
		inst = settled(inst) // telemetry.Meter returns stand-ins
		owner, e := meterOf(inst)
		switch {
		case e != nil:
			return noop.Registration{}, e
		case owner == nil: // refused
		case owner.shared != m.shared:
			err = errors.Join(err, errForeignMeter)
		default:
			mine = append(mine, inst)
		}
	}
	if len(mine) == 0 {
		return noop.Registration{}, err
	}
	return m.callbacks.register(f, mine, m.where().String()), err
}

var (
	errForeignMeter      = errors.New("telemetry: RegisterCallback: the observable instrument belongs to another meter")
	errForeignObservable = errors.New("telemetry: RegisterCallback: the observable instrument belongs to another MeterProvider")
)

func meterOf(o metric.Observable) (*meter, error) {
	switch o := o.(type) {
	case *int64Observable:
		return o.observable.meter, nil
	case *float64Observable:
		return o.observable.meter, nil
	case noop.Int64ObservableCounter, noop.Int64ObservableUpDownCounter, noop.Int64ObservableGauge,
		noop.Float64ObservableCounter, noop.Float64ObservableUpDownCounter, noop.Float64ObservableGauge:
		return nil, nil
	}
	return nil, errForeignObservable
}
