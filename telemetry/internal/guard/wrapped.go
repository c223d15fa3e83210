package guard

import (
	"reflect"
	"unsafe"

	"github.com/prometheus/client_golang/prometheus"
)

// A collector of prometheus.WrapRegistererWith runs the caller's collector in its own goroutine, where a panic ends the
// process. To put a shield around the caller's collector, this file takes the wrapper apart by reflection, because
// client_golang has no function for that. If a later version changes the wrapper's fields, the panic is not caught; a test
// checks this.

var wrapperType = reflect.TypeOf(prometheus.WrapCollectorWith(nil, nil)).Elem()

// unwrap returns the caller's own collector, without any wrappers, and a function that wraps another one in the same
// way. inner is nil if c is not wrapped.
func unwrap(c prometheus.Collector) (inner prometheus.Collector, wrap func(prometheus.Collector) prometheus.Collector) {
	v := reflect.ValueOf(c)
	if v.Kind() != reflect.Pointer || v.Type().Elem() != wrapperType {
		return nil, nil
	}
	w := v.Elem()
	wrapped, prefix, labels := w.FieldByName("wrappedCollector"), w.FieldByName("prefix"), w.FieldByName("labels")
	if !wrapped.IsValid() || !prefix.IsValid() || !labels.IsValid() || wrapped.Type() != reflect.TypeFor[prometheus.Collector]() || prefix.Kind() != reflect.String ||
		labels.Type() != reflect.TypeFor[prometheus.Labels]() || wrapped.IsNil() {
		return nil, nil
	}
	inner = *(*prometheus.Collector)(unsafe.Pointer(wrapped.UnsafeAddr()))
	with := prometheus.Labels{}
	for it := labels.MapRange(); it.Next(); {
		with[it.Key().String()] = it.Value().String()
	}
	rewrap := func(c prometheus.Collector) prometheus.Collector {
		if prefix.String() != "" {
			c = prometheus.WrapCollectorWithPrefix(prefix.String(), c)
		}
		if len(with) > 0 {
			c = prometheus.WrapCollectorWith(with, c)
		}
		return c
	}
	if deeper, again := unwrap(inner); deeper != nil {
		return deeper, func(c prometheus.Collector) prometheus.Collector { return rewrap(again(c)) }
	}
	return inner, rewrap
}
