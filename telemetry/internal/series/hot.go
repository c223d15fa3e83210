package series

import (
	"context"
	"math"

	"go.opentelemetry.io/otel/metric"
)

// The hot path is written out for each kind: a bound handle, no options, and no sampling. So there are no function
// calls except those that record. Everything else is in add and record.
type (
	// Int64Adder is a handle of a counter.
	Int64Adder struct{ Handle }
	// Float64Adder is a handle of a counter.
	Float64Adder struct{ Handle }
	// Int64Setter is a handle of a gauge.
	Int64Setter struct{ Handle }
	// Float64Setter is a handle of a gauge.
	Float64Setter struct{ Handle }
	// Int64Recorder is a handle of a histogram.
	Int64Recorder struct{ Handle }
	// Float64Recorder is a handle of a histogram.
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
