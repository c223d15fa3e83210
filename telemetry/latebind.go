package telemetry

import (
	"context"
	"slices"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// This file binds instruments of Meter to attributes, as go.opentelemetry.io/otel/metric/x has it. One that is bound
// before Setup finds its Provider with the instrument that it was bound from.

// bindings are the bound instruments that wait for theirs.
type bindings[I any] struct {
	mu   sync.Mutex
	to   *I
	made []func(I)
}

// add has bind called with the instrument, now and for each Provider that follows.
func (b *bindings[I]) add(bind func(I)) {
	b.mu.Lock()
	b.made = append(b.made, bind)
	to := b.to
	b.mu.Unlock()
	if to != nil {
		bind(*to)
	}
}

func (b *bindings[I]) settle(to I) {
	b.mu.Lock()
	b.to = &to
	made := slices.Clone(b.made)
	b.mu.Unlock()
	for _, bind := range made {
		bind(to)
	}
}

// A finisher is a metric/x.Finisher.
type finisher interface {
	Finish(context.Context, ...attribute.KeyValue)
}

// An addingWith is an instrument of the SDK, which cannot be bound, with the attributes that it is to be bound to.
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

// Finish ends a series, if the instrument has found its Provider.
func (l *lateAdder[N]) Finish(ctx context.Context, attrs ...attribute.KeyValue) {
	if to := l.to.Load(); to != nil {
		if f, ok := (*to).(finisher); ok {
			f.Finish(ctx, attrs...)
		}
	}
}

// Finish ends a series, if the instrument has found its Provider.
func (l *lateRecorder[N]) Finish(ctx context.Context, attrs ...attribute.KeyValue) {
	if to := l.to.Load(); to != nil {
		if f, ok := (*to).(finisher); ok {
			f.Finish(ctx, attrs...)
		}
	}
}

// Bind returns the instrument bound to attributes.
func (l *lateInt64Counter) Bind(attrs ...attribute.KeyValue) metric.Int64Counter {
	type binder interface {
		Bind(...attribute.KeyValue) metric.Int64Counter
	}
	if to := l.to.Load(); to != nil {
		if b, ok := (*to).(binder); ok {
			return b.Bind(attrs...)
		}
	}
	attrs = slices.Clone(attrs)
	bound := &lateInt64Counter{lateAdder: lateAdder[int64]{name: l.name}}
	l.bound.add(func(to adder[int64]) {
		if b, ok := to.(binder); ok {
			bound.set(b.Bind(attrs...))
		} else {
			bound.set(addingWith[int64]{to, metric.WithAttributeSet(attribute.NewSet(slices.Clone(attrs)...))})
		}
	})
	return bound
}

// Bind returns the instrument bound to attributes.
func (l *lateInt64UpDownCounter) Bind(attrs ...attribute.KeyValue) metric.Int64UpDownCounter {
	type binder interface {
		Bind(...attribute.KeyValue) metric.Int64UpDownCounter
	}
	if to := l.to.Load(); to != nil {
		if b, ok := (*to).(binder); ok {
			return b.Bind(attrs...)
		}
	}
	attrs = slices.Clone(attrs)
	bound := &lateInt64UpDownCounter{lateAdder: lateAdder[int64]{name: l.name}}
	l.bound.add(func(to adder[int64]) {
		if b, ok := to.(binder); ok {
			bound.set(b.Bind(attrs...))
		} else {
			bound.set(addingWith[int64]{to, metric.WithAttributeSet(attribute.NewSet(slices.Clone(attrs)...))})
		}
	})
	return bound
}

// Bind returns the instrument bound to attributes.
func (l *lateInt64Histogram) Bind(attrs ...attribute.KeyValue) metric.Int64Histogram {
	type binder interface {
		Bind(...attribute.KeyValue) metric.Int64Histogram
	}
	if to := l.to.Load(); to != nil {
		if b, ok := (*to).(binder); ok {
			return b.Bind(attrs...)
		}
	}
	attrs = slices.Clone(attrs)
	bound := &lateInt64Histogram{lateRecorder: lateRecorder[int64]{name: l.name}}
	l.bound.add(func(to recorder[int64]) {
		if b, ok := to.(binder); ok {
			bound.set(b.Bind(attrs...))
		} else {
			bound.set(recordingWith[int64]{to, metric.WithAttributeSet(attribute.NewSet(slices.Clone(attrs)...))})
		}
	})
	return bound
}

// Bind returns the instrument bound to attributes.
func (l *lateInt64Gauge) Bind(attrs ...attribute.KeyValue) metric.Int64Gauge {
	type binder interface {
		Bind(...attribute.KeyValue) metric.Int64Gauge
	}
	if to := l.to.Load(); to != nil {
		if b, ok := (*to).(binder); ok {
			return b.Bind(attrs...)
		}
	}
	attrs = slices.Clone(attrs)
	bound := &lateInt64Gauge{lateRecorder: lateRecorder[int64]{name: l.name}}
	l.bound.add(func(to recorder[int64]) {
		if b, ok := to.(binder); ok {
			bound.set(b.Bind(attrs...))
		} else {
			bound.set(recordingWith[int64]{to, metric.WithAttributeSet(attribute.NewSet(slices.Clone(attrs)...))})
		}
	})
	return bound
}

// Bind returns the instrument bound to attributes.
func (l *lateFloat64Counter) Bind(attrs ...attribute.KeyValue) metric.Float64Counter {
	type binder interface {
		Bind(...attribute.KeyValue) metric.Float64Counter
	}
	if to := l.to.Load(); to != nil {
		if b, ok := (*to).(binder); ok {
			return b.Bind(attrs...)
		}
	}
	attrs = slices.Clone(attrs)
	bound := &lateFloat64Counter{lateAdder: lateAdder[float64]{name: l.name}}
	l.bound.add(func(to adder[float64]) {
		if b, ok := to.(binder); ok {
			bound.set(b.Bind(attrs...))
		} else {
			bound.set(addingWith[float64]{to, metric.WithAttributeSet(attribute.NewSet(slices.Clone(attrs)...))})
		}
	})
	return bound
}

// Bind returns the instrument bound to attributes.
func (l *lateFloat64UpDownCounter) Bind(attrs ...attribute.KeyValue) metric.Float64UpDownCounter {
	type binder interface {
		Bind(...attribute.KeyValue) metric.Float64UpDownCounter
	}
	if to := l.to.Load(); to != nil {
		if b, ok := (*to).(binder); ok {
			return b.Bind(attrs...)
		}
	}
	attrs = slices.Clone(attrs)
	bound := &lateFloat64UpDownCounter{lateAdder: lateAdder[float64]{name: l.name}}
	l.bound.add(func(to adder[float64]) {
		if b, ok := to.(binder); ok {
			bound.set(b.Bind(attrs...))
		} else {
			bound.set(addingWith[float64]{to, metric.WithAttributeSet(attribute.NewSet(slices.Clone(attrs)...))})
		}
	})
	return bound
}

// Bind returns the instrument bound to attributes.
func (l *lateFloat64Histogram) Bind(attrs ...attribute.KeyValue) metric.Float64Histogram {
	type binder interface {
		Bind(...attribute.KeyValue) metric.Float64Histogram
	}
	if to := l.to.Load(); to != nil {
		if b, ok := (*to).(binder); ok {
			return b.Bind(attrs...)
		}
	}
	attrs = slices.Clone(attrs)
	bound := &lateFloat64Histogram{lateRecorder: lateRecorder[float64]{name: l.name}}
	l.bound.add(func(to recorder[float64]) {
		if b, ok := to.(binder); ok {
			bound.set(b.Bind(attrs...))
		} else {
			bound.set(recordingWith[float64]{to, metric.WithAttributeSet(attribute.NewSet(slices.Clone(attrs)...))})
		}
	})
	return bound
}

// Bind returns the instrument bound to attributes.
func (l *lateFloat64Gauge) Bind(attrs ...attribute.KeyValue) metric.Float64Gauge {
	type binder interface {
		Bind(...attribute.KeyValue) metric.Float64Gauge
	}
	if to := l.to.Load(); to != nil {
		if b, ok := (*to).(binder); ok {
			return b.Bind(attrs...)
		}
	}
	attrs = slices.Clone(attrs)
	bound := &lateFloat64Gauge{lateRecorder: lateRecorder[float64]{name: l.name}}
	l.bound.add(func(to recorder[float64]) {
		if b, ok := to.(binder); ok {
			bound.set(b.Bind(attrs...))
		} else {
			bound.set(recordingWith[float64]{to, metric.WithAttributeSet(attribute.NewSet(slices.Clone(attrs)...))})
		}
	})
	return bound
}
