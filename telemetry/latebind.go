package telemetry

import (
	"context"
	"slices"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// This file binds stand-ins to attributes, as go.opentelemetry.io/otel/metric/x has it. One that is bound before Setup
// finds its instrument with the one that it was bound from.

// followers are the bound stand-ins of another.
type followers struct {
	mu     sync.Mutex
	to     any
	made   []func(any)
	sealed bool // no other instrument follows
}

// seal tells that there will be no other instrument, so that nobody needs to be remembered.
func (f *followers) seal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sealed = true
}

func (f *followers) follow(settled func(any)) {
	f.mu.Lock()
	if !f.sealed {
		f.made = append(f.made, settled)
	}
	to := f.to
	f.mu.Unlock()
	if to != nil {
		settled(to)
	}
}

func (f *followers) settled(to any) {
	f.mu.Lock()
	f.to = to
	made := slices.Clone(f.made)
	f.mu.Unlock()
	for _, settled := range made {
		settled(to)
	}
}

// A finisher is a metric/x.Finisher.
type finisher interface {
	Finish(context.Context, ...attribute.KeyValue)
}

// A binderOf is a metric/x Binder of one kind.
type binderOf[I any] interface {
	Bind(...attribute.KeyValue) I
}

// bindStandIn binds what from stands for: the instrument itself if it is there and can be bound, else bound, which stands
// for that.
func bindStandIn[I any](from, bound standIn, attrs []attribute.KeyValue) I {
	if b, ok := from.instrument().(binderOf[I]); ok {
		return b.Bind(attrs...)
	}
	attrs = slices.Clone(attrs)
	with := metric.WithAttributes(attrs...)
	settled := func(instrument any) {
		if b, ok := instrument.(binderOf[I]); ok {
			bound.settle(b.Bind(attrs...))
		} else {
			bound.settleWith(instrument, with)
		}
	}
	from.follow(settled)
	return bound.(I)
}

// An addingWith is an instrument of the SDK, which cannot be bound, with the attributes that it is bound to.
type addingWith[N int64 | float64] struct {
	adder[N]
	with metric.MeasurementOption
}

func (a addingWith[N]) Add(ctx context.Context, v N, opts ...metric.AddOption) {
	a.adder.Add(ctx, v, append([]metric.AddOption{a.with}, opts...)...)
}

// A recordingWith is addingWith for histograms and gauges.
type recordingWith[N int64 | float64] struct {
	recorder[N]
	with metric.MeasurementOption
}

func (r recordingWith[N]) Record(ctx context.Context, v N, opts ...metric.RecordOption) {
	r.recorder.Record(ctx, v, append([]metric.RecordOption{r.with}, opts...)...)
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
