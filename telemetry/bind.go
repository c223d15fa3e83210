package telemetry

import (
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Bind returns the instrument bound to attributes, which are looked up once. Use it for code that often records with
// the same attributes: a measurement then costs a few nanoseconds and allocates nothing, unless the SDK keeps the series
// (see the package documentation). The result is safe for concurrent use.
//
//	ok := telemetry.Bind(requests, attribute.String("result", "ok"))
//	ok.Add(ctx, 1)
//
// I is an interface type of package metric: any counter, up-down counter, histogram or gauge. Attributes given to a
// measurement are added to the bound ones, and win over those of the same key.
//
// The instruments of this package, and others that implement the Binder of go.opentelemetry.io/otel/metric/x, are bound
// by their own method. For other instruments, Bind passes the attributes as an option of each measurement. It returns
// anything else, such as an observable instrument, unchanged, and reports an error to otel.Handle.
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

// standInFor returns a stand-in of the kind I, or nil. It needs I because the dynamic type does not identify the
// kind: the SDK uses one type for several kinds.
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
