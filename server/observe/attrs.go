package observe

import (
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// options remembers, for each key, the measurement option that carries its
// attributes, so that recording on a hot path builds no set. Its keys come from
// closed sets: routes, statuses, statements of our own.
type options[K comparable] struct {
	attrs func(K) []attribute.KeyValue
	known sync.Map // K -> metric.MeasurementOption
}

func (o *options[K]) of(key K) metric.MeasurementOption {
	if opt, ok := o.known.Load(key); ok {
		return opt.(metric.MeasurementOption)
	}
	opt := metric.WithAttributeSet(attribute.NewSet(o.attrs(key)...))
	actual, _ := o.known.LoadOrStore(key, opt)
	return actual.(metric.MeasurementOption)
}

// labelled are the options of one attribute.
func labelled(key string) *options[string] {
	return &options[string]{attrs: func(v string) []attribute.KeyValue {
		return []attribute.KeyValue{attribute.String(key, v)}
	}}
}
