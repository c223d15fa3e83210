package telemetry

import (
	"context"
	"log/slog"
	"sync"

	"go.opentelemetry.io/otel/trace"
)

// maxEarly bounds the measurements that an instrument keeps until Setup. Further additions without attributes are added to
// the last one that is kept, if that has no attributes either. So a bound counter loses nothing.
const maxEarly = 1000

// early keeps the measurements made through an instrument before Setup; Setup records them. M is a measurement.
type early[M any] struct {
	mu    sync.Mutex
	kept  []M
	lost  int  // beyond maxEarly
	bound bool // whether Setup has run, so that nothing is kept any more
}

// keep keeps a measurement. It returns false if Setup has run: then the caller must record it.
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

// release records the kept measurements in their order, and calls store, which sets the instrument. Lost ones are
// logged after the lock is released, because a logger may record through the same instrument.
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
		slog.Warn("telemetry: measurements made before Setup were lost, because an instrument keeps only the first ones; call Setup earlier",
			"instrument", name, "lost", lost, "kept", maxEarly)
	}
}

// contextToKeep returns what a kept measurement needs of its context: the current span.
func contextToKeep(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		return trace.ContextWithSpanContext(context.Background(), span)
	}
	return context.Background()
}
