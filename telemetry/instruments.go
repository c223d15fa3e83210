package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/embedded"
)

// The instruments of a ledger. Each satisfies the Binder of its kind and the Finisher of go.opentelemetry.io/otel/metric/x.
// Each has a hot path of its own, for a bound one without options: no call but those of its cell.

type ownInt64Counter struct {
	embedded.Int64Counter
	entry[int64]
}

func (i *ownInt64Counter) Add(ctx context.Context, v int64, opts ...metric.AddOption) {
	l := i.hot.Load()
	if l == nil || len(opts) > 0 || l.gone.Load() {
		i.add(ctx, v, opts)
		return
	}
	l.value.AddInt64(v)
	if !i.samples.idle(ctx) {
		i.sampled(ctx, 0, v)
	}
}

func (i *ownInt64Counter) Bind(attrs ...attribute.KeyValue) metric.Int64Counter {
	b := &ownInt64Counter{}
	i.bind(&b.entry, attrs)
	return b
}

type ownInt64UpDownCounter struct {
	embedded.Int64UpDownCounter
	entry[int64]
}

func (i *ownInt64UpDownCounter) Add(ctx context.Context, v int64, opts ...metric.AddOption) {
	l := i.hot.Load()
	if l == nil || len(opts) > 0 || l.gone.Load() {
		i.add(ctx, v, opts)
		return
	}
	l.value.AddInt64(v)
	if !i.samples.idle(ctx) {
		i.sampled(ctx, 0, v)
	}
}

func (i *ownInt64UpDownCounter) Bind(attrs ...attribute.KeyValue) metric.Int64UpDownCounter {
	b := &ownInt64UpDownCounter{}
	i.bind(&b.entry, attrs)
	return b
}

type ownInt64Histogram struct {
	embedded.Int64Histogram
	entry[int64]
}

func (i *ownInt64Histogram) Record(ctx context.Context, v int64, opts ...metric.RecordOption) {
	l := i.hot.Load()
	if l == nil || len(opts) > 0 || l.gone.Load() {
		i.record(ctx, v, opts)
		return
	}
	bucket := l.histogram.Record(float64(v))
	if !i.samples.idle(ctx) {
		i.sampled(ctx, bucket, v)
	}
}

func (i *ownInt64Histogram) Bind(attrs ...attribute.KeyValue) metric.Int64Histogram {
	b := &ownInt64Histogram{}
	i.bind(&b.entry, attrs)
	return b
}

type ownInt64Gauge struct {
	embedded.Int64Gauge
	entry[int64]
}

func (i *ownInt64Gauge) Record(ctx context.Context, v int64, opts ...metric.RecordOption) {
	l := i.hot.Load()
	if l == nil || len(opts) > 0 || l.gone.Load() {
		i.record(ctx, v, opts)
		return
	}
	l.value.SetInt64(v)
	if !i.samples.idle(ctx) {
		i.sampled(ctx, 0, v)
	}
}

func (i *ownInt64Gauge) Bind(attrs ...attribute.KeyValue) metric.Int64Gauge {
	b := &ownInt64Gauge{}
	i.bind(&b.entry, attrs)
	return b
}

type ownFloat64Counter struct {
	embedded.Float64Counter
	entry[float64]
}

func (i *ownFloat64Counter) Add(ctx context.Context, v float64, opts ...metric.AddOption) {
	l := i.hot.Load()
	if l == nil || len(opts) > 0 || l.gone.Load() {
		i.add(ctx, v, opts)
		return
	}
	l.value.AddFloat64(v)
	if !i.samples.idle(ctx) {
		i.sampled(ctx, 0, v)
	}
}

func (i *ownFloat64Counter) Bind(attrs ...attribute.KeyValue) metric.Float64Counter {
	b := &ownFloat64Counter{}
	i.bind(&b.entry, attrs)
	return b
}

type ownFloat64UpDownCounter struct {
	embedded.Float64UpDownCounter
	entry[float64]
}

func (i *ownFloat64UpDownCounter) Add(ctx context.Context, v float64, opts ...metric.AddOption) {
	l := i.hot.Load()
	if l == nil || len(opts) > 0 || l.gone.Load() {
		i.add(ctx, v, opts)
		return
	}
	l.value.AddFloat64(v)
	if !i.samples.idle(ctx) {
		i.sampled(ctx, 0, v)
	}
}

func (i *ownFloat64UpDownCounter) Bind(attrs ...attribute.KeyValue) metric.Float64UpDownCounter {
	b := &ownFloat64UpDownCounter{}
	i.bind(&b.entry, attrs)
	return b
}

type ownFloat64Histogram struct {
	embedded.Float64Histogram
	entry[float64]
}

func (i *ownFloat64Histogram) Record(ctx context.Context, v float64, opts ...metric.RecordOption) {
	l := i.hot.Load()
	if l == nil || len(opts) > 0 || l.gone.Load() {
		i.record(ctx, v, opts)
		return
	}
	bucket := l.histogram.Record(v)
	if !i.samples.idle(ctx) {
		i.sampled(ctx, bucket, v)
	}
}

func (i *ownFloat64Histogram) Bind(attrs ...attribute.KeyValue) metric.Float64Histogram {
	b := &ownFloat64Histogram{}
	i.bind(&b.entry, attrs)
	return b
}

type ownFloat64Gauge struct {
	embedded.Float64Gauge
	entry[float64]
}

func (i *ownFloat64Gauge) Record(ctx context.Context, v float64, opts ...metric.RecordOption) {
	l := i.hot.Load()
	if l == nil || len(opts) > 0 || l.gone.Load() {
		i.record(ctx, v, opts)
		return
	}
	l.value.SetFloat64(v)
	if !i.samples.idle(ctx) {
		i.sampled(ctx, 0, v)
	}
}

func (i *ownFloat64Gauge) Bind(attrs ...attribute.KeyValue) metric.Float64Gauge {
	b := &ownFloat64Gauge{}
	i.bind(&b.entry, attrs)
	return b
}
