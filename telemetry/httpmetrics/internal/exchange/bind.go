package exchange

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/x"
)

// bindDuration returns the histogram with its attributes looked up once, where it can do that, and else with an option
// that is made once.
func bindDuration(h metric.Float64Histogram, attrs []attribute.KeyValue) metric.Float64Histogram {
	if b, ok := h.(x.Float64HistogramBinder); ok {
		return b.Bind(attrs...)
	}
	return fixedFloat64{h, []metric.RecordOption{optionOf(attrs)}}
}

func bindSize(h metric.Int64Histogram, attrs []attribute.KeyValue) metric.Int64Histogram {
	if b, ok := h.(x.Int64HistogramBinder); ok {
		return b.Bind(attrs...)
	}
	return fixedInt64{h, []metric.RecordOption{optionOf(attrs)}}
}

func bindActive(c metric.Int64UpDownCounter, attrs []attribute.KeyValue) metric.Int64UpDownCounter {
	if b, ok := c.(x.Int64UpDownCounterBinder); ok {
		return b.Bind(attrs...)
	}
	return fixedUpDown{c, []metric.AddOption{optionOf(attrs)}}
}

func optionOf(attrs []attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attrs...))
}

// The fixed instruments are those of a MeterProvider that has no Bind. They ignore other options; nothing here gives any.
type (
	fixedFloat64 struct {
		metric.Float64Histogram
		opts []metric.RecordOption
	}
	fixedInt64 struct {
		metric.Int64Histogram
		opts []metric.RecordOption
	}
	fixedUpDown struct {
		metric.Int64UpDownCounter
		opts []metric.AddOption
	}
)

func (f fixedFloat64) Record(ctx context.Context, v float64, _ ...metric.RecordOption) {
	f.Float64Histogram.Record(ctx, v, f.opts...)
}

func (f fixedInt64) Record(ctx context.Context, v int64, _ ...metric.RecordOption) {
	f.Int64Histogram.Record(ctx, v, f.opts...)
}

func (f fixedUpDown) Add(ctx context.Context, v int64, _ ...metric.AddOption) {
	f.Int64UpDownCounter.Add(ctx, v, f.opts...)
}
