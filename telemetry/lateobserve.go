package telemetry

import (
	"sync/atomic"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/embedded"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/onemeter/onemeter/telemetry/internal/site"
)

// A lateInt64Observable is a stand-in for an observable instrument with int64 values.
type lateInt64Observable struct {
	metric.Int64Observable
	embedded.Int64ObservableCounter
	embedded.Int64ObservableUpDownCounter
	embedded.Int64ObservableGauge
	to atomic.Pointer[metric.Int64Observable]
}

type lateFloat64Observable struct {
	metric.Float64Observable
	embedded.Float64ObservableCounter
	embedded.Float64ObservableUpDownCounter
	embedded.Float64ObservableGauge
	to atomic.Pointer[metric.Float64Observable]
}

// newObservableStandIn returns a stand-in for an observable instrument, and a function that sets the instrument.
func newObservableStandIn(d definition) (stand any, settle func(any)) {
	if d.number == int64Number {
		l := &lateInt64Observable{}
		return l, func(i any) { l.to.Store(new(i.(metric.Int64Observable))) }
	}
	l := &lateFloat64Observable{}
	return l, func(i any) { l.to.Store(new(i.(metric.Float64Observable))) }
}

// refusedObservable returns the instrument that is used where creation was refused.
func refusedObservable(d definition) any {
	if d.number == int64Number {
		return noop.Int64ObservableGauge{}
	}
	return noop.Float64ObservableGauge{}
}

// lateObserving returns the stand-in for an observable instrument: the earlier one if there was one and this request
// has no callbacks. A request with callbacks gets its own, because its callbacks must run too.
func lateObserving[I any](m *lateMeter, d definition, callbacks int, create func(metric.Meter) (I, error)) (I, error) {
	stand, settle := newObservableStandIn(d)
	if err := checkName(d.name); err != nil {
		settle(refusedObservable(d))
		return stand.(I), err
	}
	b := m.binding(func(to metric.Meter) error {
		i, err := create(to)
		settle(i)
		return err
	})
	if callbacks > 0 {
		return stand.(I), m.late.add(b)
	}
	known, err := m.once(d, stand, b)
	return known.(I), err
}

func (m *lateMeter) Int64ObservableCounter(
	name string, opts ...metric.Int64ObservableCounterOption,
) (metric.Int64ObservableCounter, error) {
	cfg := metric.NewInt64ObservableCounterConfig(opts...)
	d := define(name, sdkmetric.InstrumentKindObservableCounter, int64Number, cfg)
	return lateObserving(m, d, len(cfg.Callbacks()), func(to metric.Meter) (metric.Int64ObservableCounter, error) {
		return to.Int64ObservableCounter(name, opts...)
	})
}

func (m *lateMeter) Int64ObservableUpDownCounter(
	name string, opts ...metric.Int64ObservableUpDownCounterOption,
) (metric.Int64ObservableUpDownCounter, error) {
	cfg := metric.NewInt64ObservableUpDownCounterConfig(opts...)
	d := define(name, sdkmetric.InstrumentKindObservableUpDownCounter, int64Number, cfg)
	return lateObserving(m, d, len(cfg.Callbacks()), func(to metric.Meter) (metric.Int64ObservableUpDownCounter, error) {
		return to.Int64ObservableUpDownCounter(name, opts...)
	})
}

func (m *lateMeter) Int64ObservableGauge(
	name string, opts ...metric.Int64ObservableGaugeOption,
) (metric.Int64ObservableGauge, error) {
	cfg := metric.NewInt64ObservableGaugeConfig(opts...)
	d := define(name, sdkmetric.InstrumentKindObservableGauge, int64Number, cfg)
	return lateObserving(m, d, len(cfg.Callbacks()), func(to metric.Meter) (metric.Int64ObservableGauge, error) {
		return to.Int64ObservableGauge(name, opts...)
	})
}

func (m *lateMeter) Float64ObservableCounter(
	name string, opts ...metric.Float64ObservableCounterOption,
) (metric.Float64ObservableCounter, error) {
	cfg := metric.NewFloat64ObservableCounterConfig(opts...)
	d := define(name, sdkmetric.InstrumentKindObservableCounter, float64Number, cfg)
	return lateObserving(m, d, len(cfg.Callbacks()), func(to metric.Meter) (metric.Float64ObservableCounter, error) {
		return to.Float64ObservableCounter(name, opts...)
	})
}

func (m *lateMeter) Float64ObservableUpDownCounter(
	name string, opts ...metric.Float64ObservableUpDownCounterOption,
) (metric.Float64ObservableUpDownCounter, error) {
	cfg := metric.NewFloat64ObservableUpDownCounterConfig(opts...)
	d := define(name, sdkmetric.InstrumentKindObservableUpDownCounter, float64Number, cfg)
	return lateObserving(m, d, len(cfg.Callbacks()), func(to metric.Meter) (metric.Float64ObservableUpDownCounter, error) {
		return to.Float64ObservableUpDownCounter(name, opts...)
	})
}

func (m *lateMeter) Float64ObservableGauge(
	name string, opts ...metric.Float64ObservableGaugeOption,
) (metric.Float64ObservableGauge, error) {
	cfg := metric.NewFloat64ObservableGaugeConfig(opts...)
	d := define(name, sdkmetric.InstrumentKindObservableGauge, float64Number, cfg)
	return lateObserving(m, d, len(cfg.Callbacks()), func(to metric.Meter) (metric.Float64ObservableGauge, error) {
		return to.Float64ObservableGauge(name, opts...)
	})
}

// RegisterCallback registers f with the current Provider, or the next one.
func (m *lateMeter) RegisterCallback(f metric.Callback, insts ...metric.Observable) (metric.Registration, error) {
	r := &lateRegistration{meter: m, site: callSite(), callback: f, insts: insts}
	return r, m.late.add(r)
}

type lateRegistration struct {
	embedded.Registration
	meter    *lateMeter
	site     site.Path
	callback metric.Callback
	insts    []metric.Observable
	to       atomic.Pointer[metric.Registration]
}

func (r *lateRegistration) place() string { return r.site.String() }

func (r *lateRegistration) bind(p *Provider) error {
	m := r.meter.of(p)
	insts := make([]metric.Observable, len(r.insts))
	for i, inst := range r.insts {
		insts[i] = settled(inst)
	}
	if own, ok := m.(*meter); ok {
		m = own.onBehalfOf(r.site)
	}
	reg, err := m.RegisterCallback(r.callback, insts...)
	if reg == nil {
		reg = noop.Registration{}
	}
	r.to.Store(&reg)
	return err
}

// Unregister takes effect with the next collection.
func (r *lateRegistration) Unregister() error {
	r.meter.late.drop(r)
	if to := r.to.Swap(nil); to != nil {
		return (*to).Unregister()
	}
	return nil
}

// settled returns the instrument behind a stand-in, or o itself.
func settled(o metric.Observable) metric.Observable {
	switch l := o.(type) {
	case *lateInt64Observable:
		if to := l.to.Load(); to != nil {
			return *to
		}
	case *lateFloat64Observable:
		if to := l.to.Load(); to != nil {
			return *to
		}
	}
	return o
}
