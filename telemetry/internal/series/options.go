package series

import (
	"unsafe"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// addSet returns the attributes that options bring.
func addSet(opts []metric.AddOption) attribute.Set {
	set := metric.NewAddConfig(opts).Attributes()
	for i := range opts {
		if word(unsafe.Pointer(&opts[i])) != wordOfAdd {
			set = withRaw(set, opts[i])
		}
	}
	return set
}

// recordSet returns the attributes that options bring.
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

// An option that metric.WithAttributeSet returns has no raw attributes. It is known by the word of the interface that
// tells the type: to ask for a method costs more than all else.
var wordOfAdd, wordOfRecord = func() (uintptr, uintptr) {
	var add metric.AddOption = metric.WithAttributeSet(overflow)
	var record metric.RecordOption = metric.WithAttributeSet(overflow)
	return word(unsafe.Pointer(&add)), word(unsafe.Pointer(&record))
}()

// word returns the first word of an interface.
func word(of unsafe.Pointer) uintptr { return *(*uintptr)(of) }
