package telemetry

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/embedded"
)

// The instruments of a ledger. Each satisfies the Binder of its kind and the Finisher of go.opentelemetry.io/otel/metric/x.
type (
	ownInt64Counter struct {
		embedded.Int64Counter
		adding[int64]
	}
	ownInt64UpDownCounter struct {
		embedded.Int64UpDownCounter
		adding[int64]
	}
	ownFloat64Counter struct {
		embedded.Float64Counter
		adding[float64]
	}
	ownFloat64UpDownCounter struct {
		embedded.Float64UpDownCounter
		adding[float64]
	}
	ownInt64Histogram struct {
		embedded.Int64Histogram
		recording_[int64]
	}
	ownInt64Gauge struct {
		embedded.Int64Gauge
		recording_[int64]
	}
	ownFloat64Histogram struct {
		embedded.Float64Histogram
		recording_[float64]
	}
	ownFloat64Gauge struct {
		embedded.Float64Gauge
		recording_[float64]
	}
)

func (i *ownInt64Counter) Bind(attrs ...attribute.KeyValue) metric.Int64Counter {
	return &ownInt64Counter{adding: adding[int64]{i.bind(attrs)}}
}

func (i *ownInt64UpDownCounter) Bind(attrs ...attribute.KeyValue) metric.Int64UpDownCounter {
	return &ownInt64UpDownCounter{adding: adding[int64]{i.bind(attrs)}}
}

func (i *ownFloat64Counter) Bind(attrs ...attribute.KeyValue) metric.Float64Counter {
	return &ownFloat64Counter{adding: adding[float64]{i.bind(attrs)}}
}

func (i *ownFloat64UpDownCounter) Bind(attrs ...attribute.KeyValue) metric.Float64UpDownCounter {
	return &ownFloat64UpDownCounter{adding: adding[float64]{i.bind(attrs)}}
}

func (i *ownInt64Histogram) Bind(attrs ...attribute.KeyValue) metric.Int64Histogram {
	return &ownInt64Histogram{recording_: recording_[int64]{i.bind(attrs)}}
}

func (i *ownInt64Gauge) Bind(attrs ...attribute.KeyValue) metric.Int64Gauge {
	return &ownInt64Gauge{recording_: recording_[int64]{i.bind(attrs)}}
}

func (i *ownFloat64Histogram) Bind(attrs ...attribute.KeyValue) metric.Float64Histogram {
	return &ownFloat64Histogram{recording_: recording_[float64]{i.bind(attrs)}}
}

func (i *ownFloat64Gauge) Bind(attrs ...attribute.KeyValue) metric.Float64Gauge {
	return &ownFloat64Gauge{recording_: recording_[float64]{i.bind(attrs)}}
}
