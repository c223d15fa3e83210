package telemetry

import (
	"context"
	"log/slog"
	"sync"

	"go.opentelemetry.io/otel/trace"
)

// maxEarly bounds the measurements that an instrument keeps until Setup. Those that add to a bound counter or up-down
// counter are added up beyond that, so that none is lost.
const maxEarly = 1000

// early keeps what was recorded through an instrument before Setup, for Setup to record it. M is a measurement.
type early[M any] struct {
	mu    sync.Mutex
	kept  []M
	lost  int  // beyond maxEarly
	bound bool // there was a Setup: nothing is kept any more
}

// keep takes a measurement, or tells that it came too late to be kept.
func (e *early[M]) keep(m M) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.bound:
		return false
	case len(e.kept) < maxEarly:
		e.kept = append(e.kept, m)
	default:
		last := &e.kept[maxEarly-1]
		if a, ok := any(*last).(interface{ joined(M) (M, bool) }); ok {
			if sum, ok := a.joined(m); ok {
				*last = sum
				return true
			}
		}
		e.lost++
	}
	return true
}

// release ends the keeping. store puts the instrument in its place, and record gets what was kept, in its order. What
// was lost is told when the lock is free, as a logger may record through the very instrument.
func (e *early[M]) release(name string, store func(), record func(M)) {
	e.mu.Lock()
	for _, m := range e.kept {
		record(m)
	}
	lost := e.lost
	e.kept, e.lost, e.bound = nil, 0, true
	store()
	e.mu.Unlock()
	if lost > 0 {
		slog.Warn("telemetry: measurements before Setup were lost: an instrument keeps so many until then",
			"instrument", name, "lost", lost, "kept", maxEarly)
	}
}

// contextToKeep returns what a measurement that is kept needs of its context: the span that it was made in.
func contextToKeep(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		return trace.ContextWithSpanContext(context.Background(), span)
	}
	return context.Background()
}
