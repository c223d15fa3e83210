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

// The samplings of the specification.
const (
	SampleTraces Sampling = iota // those within a sampled span
	SampleAll
	SampleNone
)

// SamplingFromEnv returns the one that OTEL_METRICS_EXEMPLAR_FILTER names, as the SDK has it.
func SamplingFromEnv() Sampling {
	switch strings.ToLower(strings.TrimSpace(os.Getenv("OTEL_METRICS_EXEMPLAR_FILTER"))) {
	case "always_on":
		return SampleAll
	case "always_off":
		return SampleNone
	}
	return SampleTraces
}

// takes tells whether a measurement with this context becomes an exemplar.
func (s Sampling) takes(ctx context.Context) bool {
	return s == SampleAll || s == SampleTraces && ctx != nil && typeWord(ctx) != typeWord(background) &&
		trace.SpanContextFromContext(ctx).IsSampled()
}

// quiet returns the type word of contexts whose measurements are plainly no exemplars: by default these are within a span,
// and context.Background has none.
func (s Sampling) quiet() uintptr {
	if s == SampleAll {
		return ^uintptr(0) // no type has it
	}
	return typeWord(background)
}

var background = context.Background()

// typeWord returns the word of an interface that tells its type. The word of nil is 0.
func typeWord(ctx context.Context) uintptr { return word(unsafe.Pointer(&ctx)) }
