package telemetry

import (
	"context"
	"maps"
	"slices"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// This file binds stand-ins to attributes, as go.opentelemetry.io/otel/metric/x defines it. A stand-in that was bound
// before Setup gets its instrument together with the stand-in from which it was bound.

// followers holds what was bound from a stand-in, by attributes: repeated calls get the same instrument.
type followers struct {
	mu     sync.Mutex
	to     any
	made   map[attribute.Set]*follower
	sealed bool // the instrument will not change any more
}

// A follower is an instrument that was bound from a stand-in, and a function that moves it to another instrument.
type follower struct {
	bound any
	move  func(instrument any)
}

// seal declares that the instrument will not change any more.
func (f *followers) seal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sealed = true
}

// follow returns the instrument bound to a set. If there is none yet, make creates it from the current instrument, which
// may be nil.
func (f *followers) follow(set attribute.Set, make func(instrument any, sealed bool) *follower) any {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b := f.made[set]; b != nil {
		return b.bound
	}
	b := make(f.to, f.sealed)
	if f.made == nil {
		f.made = map[attribute.Set]*follower{}
	}
	f.made[set] = b
	return b.bound
}

func (f *followers) settled(to any) {
	f.mu.Lock()
	f.to = to
	made := slices.Collect(maps.Values(f.made))
	f.mu.Unlock()
	for _, b := range made {
		b.move(to)
	}
}

// A finisher is a metric/x.Finisher.
type finisher interface {
	Finish(context.Context, ...attribute.KeyValue)
}

// A binderOf is the metric/x Binder of one kind.
type binderOf[I any] interface {
	Bind(...attribute.KeyValue) I
}

// bindStandIn binds the instrument of a stand-in, from, if it has one that can be bound. Otherwise it returns bound, which
// is a stand-in for the bound instrument. If from gets another instrument later, the result moves to that one too.
func bindStandIn[I any](from, bound standIn, attrs []attribute.KeyValue) I {
	set := attribute.NewSet(slices.Clone(attrs)...)
	move := func(instrument any) {
		if b, ok := instrument.(binderOf[I]); ok {
			bound.settle(b.Bind(set.ToSlice()...))
		} else {
			bound.settleWith(instrument, metric.WithAttributeSet(set))
		}
	}
	return from.follow(set, func(instrument any, sealed bool) *follower {
		if b, ok := instrument.(binderOf[I]); ok {
			own := b.Bind(set.ToSlice()...)
			return &follower{own, func(instrument any) {
				if h, ok := any(own).(interface{ PassOn(to any) }); ok {
					move(instrument)
					h.PassOn(bound)
				}
			}}
		}
		if instrument != nil {
			move(instrument)
		}
		if sealed {
			bound.seal()
		}
		return &follower{bound, move}
	}).(I)
}

// addingWith is an instrument of the SDK, which cannot be bound, with the attributes to add to each measurement.
type addingWith[N int64 | float64] struct {
	adder[N]
	with []metric.AddOption
}

func (a addingWith[N]) Add(ctx context.Context, v N, opts ...metric.AddOption) {
	if len(opts) == 0 {
		a.adder.Add(ctx, v, a.with...)
		return
	}
	a.adder.Add(ctx, v, slices.Concat(a.with, opts)...)
}

// A recordingWith is addingWith for histograms and gauges.
type recordingWith[N int64 | float64] struct {
	recorder[N]
	with []metric.RecordOption
}

func (r recordingWith[N]) Record(ctx context.Context, v N, opts ...metric.RecordOption) {
	if len(opts) == 0 {
		r.recorder.Record(ctx, v, r.with...)
		return
	}
	r.recorder.Record(ctx, v, slices.Concat(r.with, opts)...)
}

// Bind returns the instrument bound to attributes.
func (l *lateInt64Counter) Bind(attrs ...attribute.KeyValue) metric.Int64Counter {
	return bindStandIn[metric.Int64Counter](l, &lateInt64Counter{lateAdder: lateAdder[int64]{name: l.name}}, attrs)
}

// Bind returns the instrument bound to attributes.
func (l *lateInt64UpDownCounter) Bind(attrs ...attribute.KeyValue) metric.Int64UpDownCounter {
	return bindStandIn[metric.Int64UpDownCounter](l, &lateInt64UpDownCounter{lateAdder: lateAdder[int64]{name: l.name}}, attrs)
}

// Bind returns the instrument bound to attributes.
func (l *lateInt64Histogram) Bind(attrs ...attribute.KeyValue) metric.Int64Histogram {
	return bindStandIn[metric.Int64Histogram](l, &lateInt64Histogram{lateRecorder: lateRecorder[int64]{name: l.name}}, attrs)
}

// Bind returns the instrument bound to attributes.
func (l *lateInt64Gauge) Bind(attrs ...attribute.KeyValue) metric.Int64Gauge {
	return bindStandIn[metric.Int64Gauge](l, &lateInt64Gauge{lateRecorder: lateRecorder[int64]{name: l.name}}, attrs)
}

// Bind returns the instrument bound to attributes.
func (l *lateFloat64Counter) Bind(attrs ...attribute.KeyValue) metric.Float64Counter {
	return bindStandIn[metric.Float64Counter](l, &lateFloat64Counter{lateAdder: lateAdder[float64]{name: l.name}}, attrs)
}

// Bind returns the instrument bound to attributes.
func (l *lateFloat64UpDownCounter) Bind(attrs ...attribute.KeyValue) metric.Float64UpDownCounter {
	return bindStandIn[metric.Float64UpDownCounter](l, &lateFloat64UpDownCounter{lateAdder: lateAdder[float64]{name: l.name}}, attrs)
}

// Bind returns the instrument bound to attributes.
func (l *lateFloat64Histogram) Bind(attrs ...attribute.KeyValue) metric.Float64Histogram {
	return bindStandIn[metric.Float64Histogram](l, &lateFloat64Histogram{lateRecorder: lateRecorder[float64]{name: l.name}}, attrs)
}

// Bind returns the instrument bound to attributes.
func (l *lateFloat64Gauge) Bind(attrs ...attribute.KeyValue) metric.Float64Gauge {
	return bindStandIn[metric.Float64Gauge](l, &lateFloat64Gauge{lateRecorder: lateRecorder[float64]{name: l.name}}, attrs)
}
