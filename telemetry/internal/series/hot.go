package series

import (
	"context"
	"math"

	"go.opentelemetry.io/otel/metric"
)

// The hot path is a measurement through a bound handle, without options and without sampling. It is written out for each
// kind, so that the only function calls are those that record. Everything else is in add and record.
type (
	// An Int64Adder is the handle of a counter or an up-down counter.
	Int64Adder struct{ Handle }
	// A Float64Adder is the handle of a counter or an up-down counter.
	Float64Adder struct{ Handle }
	// An Int64Setter is the handle of a gauge.
	Int64Setter struct{ Handle }
	// A Float64Setter is the handle of a gauge.
	Float64Setter struct{ Handle }
	// An Int64Recorder is the handle of a histogram.
	Int64Recorder struct{ Handle }
	// A Float64Recorder is the handle of a histogram.
	Float64Recorder struct{ Handle }
)

// Add adds to a counter.
func (h *Int64Adder) Add(ctx context.Context, v int64, opts ...metric.AddOption) {
	e := h.bound.Load()
	if len(opts) == 0 && typeWord(ctx) == h.quiet {
		if e.Value.value.Calm() {
			if e.Value.value.AddCalm(v) {
				e.Value.value.Probe()
			}
			return
		}
		if e.Value.value.AddStriped(v) {
			return
		}
	}
	h.add(ctx, uint64(v), opts)
}

// Add adds to a counter.
func (h *Float64Adder) Add(ctx context.Context, v float64, opts ...metric.AddOption) {
	e := h.bound.Load()
	if len(opts) > 0 || typeWord(ctx) != h.quiet || !e.Value.value.TryAddFloat64(v) {
		h.add(ctx, math.Float64bits(v), opts)
	}
}

// Record sets a gauge.
func (h *Int64Setter) Record(ctx context.Context, v int64, opts ...metric.RecordOption) {
	e := h.bound.Load()
	if len(opts) > 0 || typeWord(ctx) != h.quiet || !e.Value.value.SetInt64(v) {
		h.record(ctx, uint64(v), opts)
	}
}

// Record sets a gauge.
func (h *Float64Setter) Record(ctx context.Context, v float64, opts ...metric.RecordOption) {
	e := h.bound.Load()
	if len(opts) > 0 || typeWord(ctx) != h.quiet || !e.Value.value.SetFloat64(v) {
		h.record(ctx, math.Float64bits(v), opts)
	}
}

// Record records to a histogram.
func (h *Int64Recorder) Record(ctx context.Context, v int64, opts ...metric.RecordOption) {
	e := h.bound.Load()
	if len(opts) > 0 || typeWord(ctx) != h.quiet || e.Value.histogram.RecordInt64(v) < 0 {
		h.record(ctx, uint64(v), opts)
	}
}

// Record records to a histogram.
func (h *Float64Recorder) Record(ctx context.Context, v float64, opts ...metric.RecordOption) {
	e := h.bound.Load()
	if len(opts) > 0 || typeWord(ctx) != h.quiet || e.Value.histogram.Record(v) < 0 {
		h.record(ctx, math.Float64bits(v), opts)
	}
}
