package series

import (
	"reflect"
	"unsafe"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// addSet returns the attributes of the options.
func addSet(opts []metric.AddOption) attribute.Set {
	set := metric.NewAddConfig(opts).Attributes()
	for i := range opts {
		if word(unsafe.Pointer(&opts[i])) != wordOfAdd {
			set = withRaw(set, opts[i])
		}
	}
	return set
}

// recordSet returns the attributes of the options.
func recordSet(opts []metric.RecordOption) attribute.Set {
	set := metric.NewRecordConfig(opts).Attributes()
	for i := range opts {
		if word(unsafe.Pointer(&opts[i])) != wordOfRecord {
			set = withRaw(set, opts[i])
		}
	}
	return set
}

// withRaw adds unsafe attributes, as the SDK does.
func withRaw(set attribute.Set, opt any) attribute.Set {
	if r, ok := opt.(interface{ RawAttributes() []attribute.KeyValue }); ok {
		set = attribute.NewSet(append(set.ToSlice(), r.RawAttributes()...)...)
	}
	return set
}

// These words identify options of metric.WithAttributeSet and WithAttributes by their type. Calling a method of the
// option instead would cost more than the rest of a measurement.
var wordOfAdd, wordOfRecord = func() (uintptr, uintptr) {
	var add metric.AddOption = metric.WithAttributeSet(overflow)
	var record metric.RecordOption = metric.WithAttributeSet(overflow)
	return word(unsafe.Pointer(&add)), word(unsafe.Pointer(&record))
}()

// word returns the first word of an interface.
func word(of unsafe.Pointer) uintptr { return *(*uintptr)(of) }

// pointed is whether such an option is a pointer to its set. OpenTelemetry does not promise that, so it is checked here.
var pointed = func() bool {
	var add metric.AddOption = metric.WithAttributeSet(overflow)
	of := reflect.TypeOf(add)
	return of.Kind() == reflect.Pointer && of.Elem().Kind() == reflect.Struct && of.Elem().NumField() == 1 &&
		of.Elem().Field(0).Type == reflect.TypeOf(overflow) && *pointee(unsafe.Pointer(&add)) == overflow
}()

// pointee returns the set that an option in an interface points to.
func pointee(of unsafe.Pointer) *attribute.Set { return (*[2]*attribute.Set)(of)[1] }

// addedSet returns the set of a single option, or nil if the caller must use addSet.
func addedSet(opts []metric.AddOption) *attribute.Set {
	if len(opts) != 1 || !pointed || word(unsafe.Pointer(&opts[0])) != wordOfAdd {
		return nil
	}
	return pointee(unsafe.Pointer(&opts[0]))
}

// recordedSet returns the set of a single option, or nil if the caller must use recordSet.
func recordedSet(opts []metric.RecordOption) *attribute.Set {
	if len(opts) != 1 || !pointed || word(unsafe.Pointer(&opts[0])) != wordOfRecord {
		return nil
	}
	return pointee(unsafe.Pointer(&opts[0]))
}
