package series

import (
	"context"
	"os"
	"strings"
	"unsafe"

	"go.opentelemetry.io/otel/trace"
)

// A Sampling says which measurements become exemplars.
type Sampling uint8

// The samplings of OpenTelemetry's specification, which are the values of OTEL_METRICS_EXEMPLAR_FILTER.
const (
	SampleTraces Sampling = iota // trace_based, the default: measurements within a sampled span
	SampleAll                    // always_on
	SampleNone                   // always_off
)

// SamplingFromEnv returns the Sampling that OTEL_METRICS_EXEMPLAR_FILTER names, or SampleTraces for any other value.
func SamplingFromEnv() Sampling {
	switch strings.ToLower(strings.TrimSpace(os.Getenv("OTEL_METRICS_EXEMPLAR_FILTER"))) {
	case "always_on":
		return SampleAll
	case "always_off":
		return SampleNone
	}
	return SampleTraces
}

// takes reports whether a measurement with this context becomes an exemplar.
func (s Sampling) takes(ctx context.Context) bool {
	return s == SampleAll || s == SampleTraces && ctx != nil && typeWord(ctx) != typeWord(background) &&
		trace.SpanContextFromContext(ctx).IsSampled()
}

// quiet returns the type word of contexts whose measurements certainly become no exemplars: without SampleAll, an exemplar
// needs a span, and context.Background has none.
func (s Sampling) quiet() uintptr {
	if s == SampleAll {
		return ^uintptr(0) // no type has this word
	}
	return typeWord(background)
}

var background = context.Background()

// typeWord returns the first word of an interface, which identifies its type. It is 0 for nil.
func typeWord(ctx context.Context) uintptr { return word(unsafe.Pointer(&ctx)) }
