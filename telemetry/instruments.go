package telemetry

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/embedded"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/onemeter/onemeter/telemetry/internal/series"
)

// The instruments of a ledger. Each implements the Binder of its kind and the Finisher of
// go.opentelemetry.io/otel/metric/x.
type (
	ownInt64Counter struct {
		series.Int64Adder
		embedded.Int64Counter
	}
	ownInt64UpDownCounter struct {
		series.Int64Adder
		embedded.Int64UpDownCounter
	}
	ownInt64Histogram struct {
		series.Int64Recorder
		embedded.Int64Histogram
	}
	ownInt64Gauge struct {
		series.Int64Setter
		embedded.Int64Gauge
	}
	ownFloat64Counter struct {
		series.Float64Adder
		embedded.Float64Counter
	}
	ownFloat64UpDownCounter struct {
		series.Float64Adder
		embedded.Float64UpDownCounter
	}
	ownFloat64Histogram struct {
		series.Float64Recorder
		embedded.Float64Histogram
	}
	ownFloat64Gauge struct {
		series.Float64Setter
		embedded.Float64Gauge
	}
)

// A shape identifies one of the eight synchronous instruments.
type shape struct {
	kind   sdkmetric.InstrumentKind
	number string
}

// ownInstrument returns a new instrument for a definition, and the handle that it records through.
func ownInstrument(d definition) (any, *series.Handle) {
	switch (shape{d.kind, d.number}) {
	case shape{sdkmetric.InstrumentKindCounter, int64Number}:
		i := &ownInt64Counter{}
		return i, &i.Handle
	case shape{sdkmetric.InstrumentKindUpDownCounter, int64Number}:
		i := &ownInt64UpDownCounter{}
		return i, &i.Handle
	case shape{sdkmetric.InstrumentKindHistogram, int64Number}:
		i := &ownInt64Histogram{}
		return i, &i.Handle
	case shape{sdkmetric.InstrumentKindGauge, int64Number}:
		i := &ownInt64Gauge{}
		return i, &i.Handle
	case shape{sdkmetric.InstrumentKindCounter, float64Number}:
		i := &ownFloat64Counter{}
		return i, &i.Handle
	case shape{sdkmetric.InstrumentKindUpDownCounter, float64Number}:
		i := &ownFloat64UpDownCounter{}
		return i, &i.Handle
	case shape{sdkmetric.InstrumentKindHistogram, float64Number}:
		i := &ownFloat64Histogram{}
		return i, &i.Handle
	case shape{sdkmetric.InstrumentKindGauge, float64Number}:
		i := &ownFloat64Gauge{}
		return i, &i.Handle
	}
	return nil, nil
}

// Bind returns the instrument bound to attributes.
func (i *ownInt64Counter) Bind(attrs ...attribute.KeyValue) metric.Int64Counter {
	b := &ownInt64Counter{}
	i.BindTo(&b.Handle, attrs)
	return b
}

// Bind returns the instrument bound to attributes.
func (i *ownInt64UpDownCounter) Bind(attrs ...attribute.KeyValue) metric.Int64UpDownCounter {
	b := &ownInt64UpDownCounter{}
	i.BindTo(&b.Handle, attrs)
	return b
}

// Bind returns the instrument bound to attributes.
func (i *ownInt64Histogram) Bind(attrs ...attribute.KeyValue) metric.Int64Histogram {
	b := &ownInt64Histogram{}
	i.BindTo(&b.Handle, attrs)
	return b
}

// Bind returns the instrument bound to attributes.
func (i *ownInt64Gauge) Bind(attrs ...attribute.KeyValue) metric.Int64Gauge {
	b := &ownInt64Gauge{}
	i.BindTo(&b.Handle, attrs)
	return b
}

// Bind returns the instrument bound to attributes.
func (i *ownFloat64Counter) Bind(attrs ...attribute.KeyValue) metric.Float64Counter {
	b := &ownFloat64Counter{}
	i.BindTo(&b.Handle, attrs)
	return b
}

// Bind returns the instrument bound to attributes.
func (i *ownFloat64UpDownCounter) Bind(attrs ...attribute.KeyValue) metric.Float64UpDownCounter {
	b := &ownFloat64UpDownCounter{}
	i.BindTo(&b.Handle, attrs)
	return b
}

// Bind returns the instrument bound to attributes.
func (i *ownFloat64Histogram) Bind(attrs ...attribute.KeyValue) metric.Float64Histogram {
	b := &ownFloat64Histogram{}
	i.BindTo(&b.Handle, attrs)
	return b
}

// Bind returns the instrument bound to attributes.
func (i *ownFloat64Gauge) Bind(attrs ...attribute.KeyValue) metric.Float64Gauge {
	b := &ownFloat64Gauge{}
	i.BindTo(&b.Handle, attrs)
	return b
}
