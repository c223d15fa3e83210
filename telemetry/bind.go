package telemetry

import (
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Bind returns an instrument that records with these attributes, which are looked up once: for code that records often with the
// same ones. A measurement then costs a few nanoseconds and allocates nothing.
//
//	ok := telemetry.Bind(requests, attribute.String("result", "ok"))
//	ok.Add(ctx, 1)
//
// It takes every counter, up-down counter, histogram and gauge, as the interface types of package metric. Those that are Binders of go.opentelemetry.io/otel/metric/x, as
// all of this package are, bind themselves; for those of another MeterProvider the attributes are kept as an option. Attributes
// that are given to a measurement all the same are added, and win over bound ones of the same key.
//
// Anything else, such as an observable instrument, is returned as it is, and otel.Handle is told.
func Bind[I any](instrument I, attrs ...attribute.KeyValue) I {
	if b, ok := any(instrument).(binderOf[I]); ok {
		return b.Bind(attrs...)
	}
	if any(instrument) == nil {
		return instrument
	}
	from := standInFor[I]()
	if from == nil {
		otel.Handle(fmt.Errorf("telemetry: cannot bind a %T: only a counter, up-down counter, histogram or gauge can be bound", instrument))
		return instrument
	}
	from.settle(instrument)
	return from.(binderOf[I]).Bind(attrs...)
}

// standInFor returns a stand-in of the kind I, or nil. The type of an instrument does not tell its kind: in the SDK one type
// is several.
func standInFor[I any]() standIn {
	switch any((*I)(nil)).(type) {
	case *metric.Int64Counter:
		return &lateInt64Counter{}
	case *metric.Int64UpDownCounter:
		return &lateInt64UpDownCounter{}
	case *metric.Int64Histogram:
		return &lateInt64Histogram{}
	case *metric.Int64Gauge:
		return &lateInt64Gauge{}
	case *metric.Float64Counter:
		return &lateFloat64Counter{}
	case *metric.Float64UpDownCounter:
		return &lateFloat64UpDownCounter{}
	case *metric.Float64Histogram:
		return &lateFloat64Histogram{}
	case *metric.Float64Gauge:
		return &lateFloat64Gauge{}
	}
	return nil
}
