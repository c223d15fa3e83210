package telemetry

import (
	"context"
	"slices"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/embedded"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// A standIn takes the place of a synchronous instrument that does not exist yet, or of an SDK instrument, which cannot be
// bound. Until it is settled, it keeps the measurements.
type standIn interface {
	settle(instrument any)                                     // passes measurements on to the instrument from now on
	settleWith(instrument any, attrs metric.MeasurementOption) // the same, with attributes added
	instrument() any                                           // the instrument it is settled to, or nil
	seal()                                                     // no other instrument will follow
	follow(set attribute.Set, make func(instrument any, sealed bool) *follower) any
}

// newStandIn returns the stand-in for an instrument of this definition.
func newStandIn(d definition) standIn {
	switch (shape{d.kind, d.number}) {
	case shape{sdkmetric.InstrumentKindCounter, int64Number}:
		return &lateInt64Counter{lateAdder: lateAdder[int64]{name: d.name}}
	case shape{sdkmetric.InstrumentKindUpDownCounter, int64Number}:
		return &lateInt64UpDownCounter{lateAdder: lateAdder[int64]{name: d.name}}
	case shape{sdkmetric.InstrumentKindHistogram, int64Number}:
		return &lateInt64Histogram{lateRecorder: lateRecorder[int64]{name: d.name}}
	case shape{sdkmetric.InstrumentKindGauge, int64Number}:
		return &lateInt64Gauge{lateRecorder: lateRecorder[int64]{name: d.name}}
	case shape{sdkmetric.InstrumentKindCounter, float64Number}:
		return &lateFloat64Counter{lateAdder: lateAdder[float64]{name: d.name}}
	case shape{sdkmetric.InstrumentKindUpDownCounter, float64Number}:
		return &lateFloat64UpDownCounter{lateAdder: lateAdder[float64]{name: d.name}}
	case shape{sdkmetric.InstrumentKindHistogram, float64Number}:
		return &lateFloat64Histogram{lateRecorder: lateRecorder[float64]{name: d.name}}
	case shape{sdkmetric.InstrumentKindGauge, float64Number}:
		return &lateFloat64Gauge{lateRecorder: lateRecorder[float64]{name: d.name}}
	}
	return nil
}

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

// lateAdder passes additions on to its instrument. Until there is one, it keeps them.
type lateAdder[N int64 | float64] struct {
	name  string
	to    atomic.Pointer[adder[N]]
	early early[addition[N]]
	followers
}

type addition[N int64 | float64] struct {
	ctx    context.Context
	value  N
	opts   []metric.AddOption
	finish *[]attribute.KeyValue // if not nil, this is a call of Finish
}

// joined returns the sum of two additions that have no attributes of their own.
func (a addition[N]) joined(b addition[N]) (addition[N], bool) {
	if a.finish != nil || b.finish != nil || len(a.opts)+len(b.opts) > 0 {
		return a, false
	}
	a.value += b.value
	return a, true
}

func (l *lateAdder[N]) Add(ctx context.Context, v N, opts ...metric.AddOption) {
	to := l.to.Load()
	if to == nil {
		if l.early.keep(addition[N]{ctx: contextToKeep(ctx), value: v, opts: slices.Clone(opts)}) {
			return
		}
		to = l.to.Load()
	}
	(*to).Add(ctx, v, opts...)
}

// Enabled is true before Setup too, because measurements are kept.
func (l *lateAdder[N]) Enabled(ctx context.Context) bool {
	to := l.to.Load()
	return to == nil || (*to).Enabled(ctx)
}

func (l *lateAdder[N]) settle(instrument any) {
	to := instrument.(adder[N])
	l.early.release(l.name, func() { l.to.Store(&to) }, func(m addition[N]) {
		if m.finish == nil {
			to.Add(m.ctx, m.value, m.opts...)
		} else if f, ok := instrument.(finisher); ok {
			f.Finish(m.ctx, *m.finish...)
		}
	})
	l.settled(instrument)
}

func (l *lateAdder[N]) settleWith(instrument any, attrs metric.MeasurementOption) {
	l.settle(addingWith[N]{instrument.(adder[N]), []metric.AddOption{attrs}})
}

func (l *lateAdder[N]) instrument() any {
	if to := l.to.Load(); to != nil {
		return *to
	}
	return nil
}

// Finish ends a series, if the instrument supports it.
func (l *lateAdder[N]) Finish(ctx context.Context, attrs ...attribute.KeyValue) {
	if l.to.Load() == nil {
		if attrs := slices.Clone(attrs); l.early.keep(addition[N]{ctx: context.Background(), finish: &attrs}) {
			return
		}
	}
	if f, ok := l.instrument().(finisher); ok {
		f.Finish(ctx, attrs...)
	}
}

// lateRecorder is lateAdder for histograms and gauges.
type lateRecorder[N int64 | float64] struct {
	name  string
	to    atomic.Pointer[recorder[N]]
	early early[record[N]]
	followers
}

type record[N int64 | float64] struct {
	ctx    context.Context
	value  N
	opts   []metric.RecordOption
	finish *[]attribute.KeyValue // if not nil, this is a call of Finish
}

func (l *lateRecorder[N]) Record(ctx context.Context, v N, opts ...metric.RecordOption) {
	to := l.to.Load()
	if to == nil {
		if l.early.keep(record[N]{ctx: contextToKeep(ctx), value: v, opts: slices.Clone(opts)}) {
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

func (l *lateRecorder[N]) settle(instrument any) {
	to := instrument.(recorder[N])
	l.early.release(l.name, func() { l.to.Store(&to) }, func(m record[N]) {
		if m.finish == nil {
			to.Record(m.ctx, m.value, m.opts...)
		} else if f, ok := instrument.(finisher); ok {
			f.Finish(m.ctx, *m.finish...)
		}
	})
	l.settled(instrument)
}

func (l *lateRecorder[N]) settleWith(instrument any, attrs metric.MeasurementOption) {
	l.settle(recordingWith[N]{instrument.(recorder[N]), []metric.RecordOption{attrs}})
}

func (l *lateRecorder[N]) instrument() any {
	if to := l.to.Load(); to != nil {
		return *to
	}
	return nil
}

// Finish ends a series, if the instrument supports it.
func (l *lateRecorder[N]) Finish(ctx context.Context, attrs ...attribute.KeyValue) {
	if l.to.Load() == nil {
		if attrs := slices.Clone(attrs); l.early.keep(record[N]{ctx: context.Background(), finish: &attrs}) {
			return
		}
	}
	if f, ok := l.instrument().(finisher); ok {
		f.Finish(ctx, attrs...)
	}
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

// A discard is used for an instrument that was refused.
type discard[N int64 | float64] struct{}

// discarding returns a discard for a definition.
func discarding(d definition) any {
	if d.number == int64Number {
		return discard[int64]{}
	}
	return discard[float64]{}
}

func (discard[N]) Add(context.Context, N, ...metric.AddOption)       {}
func (discard[N]) Record(context.Context, N, ...metric.RecordOption) {}
func (discard[N]) Enabled(context.Context) bool                      { return false }
