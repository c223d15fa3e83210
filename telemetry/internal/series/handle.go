package series

import (
	"context"
	"math"
	"slices"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/onemeter/onemeter/telemetry/internal/cell"
)

// A Handle is what an instrument records through. It may be bound to attributes, and is safe for concurrent use.
type Handle struct {
	bound   atomic.Pointer[entry] // the series of a bound handle after its first measurement; otherwise unbound
	quiet   uintptr               // see Sampling.quiet
	next    atomic.Pointer[next]  // if not nil, measurements go there instead
	account *Account
	binds   bool          // whether it is bound
	set     attribute.Set // the attributes it is bound to
}

// Init opens the handle to an account. Call it once, before anything else.
func (h *Handle) Init(a *Account) {
	h.account = a
	h.quiet = a.rules.Samples.quiet()
	h.bound.Store(unbound)
}

// A next is an instrument that replaces another.
type next struct {
	add    func(ctx context.Context, raw uint64, opts []metric.AddOption)
	record func(ctx context.Context, raw uint64, opts []metric.RecordOption)
}

// PassOn makes the handle pass all later measurements to another instrument of the same kind, because a new Provider
// has replaced the account's.
func (h *Handle) PassOn(to any) {
	n := &next{}
	switch to := to.(type) {
	case interface {
		Add(context.Context, int64, ...metric.AddOption)
	}:
		n.add = func(ctx context.Context, raw uint64, opts []metric.AddOption) { to.Add(ctx, int64(raw), opts...) }
	case interface {
		Add(context.Context, float64, ...metric.AddOption)
	}:
		n.add = func(ctx context.Context, raw uint64, opts []metric.AddOption) {
			to.Add(ctx, math.Float64frombits(raw), opts...)
		}
	case interface {
		Record(context.Context, int64, ...metric.RecordOption)
	}:
		n.record = func(ctx context.Context, raw uint64, opts []metric.RecordOption) { to.Record(ctx, int64(raw), opts...) }
	case interface {
		Record(context.Context, float64, ...metric.RecordOption)
	}:
		n.record = func(ctx context.Context, raw uint64, opts []metric.RecordOption) {
			to.Record(ctx, math.Float64frombits(raw), opts...)
		}
	}
	h.next.Store(n)
	h.bound.Store(unbound)
}

// unbound is the entry of a handle that is bound to no series. It accepts no measurements.
var unbound = func() *entry {
	e := &entry{}
	e.Value.histogram = cell.NewHistogram(cell.NewBounds(nil), false)
	e.Value.close()
	return e
}()

// BindTo initializes to as a handle like h, bound to attrs in addition to h's attributes.
func (h *Handle) BindTo(to *Handle, attrs []attribute.KeyValue) {
	to.Init(h.account)
	set := attribute.NewSet(slices.Clone(attrs)...)
	to.binds, to.set = true, h.with(&set)
}

// sample stores a recorded measurement as an exemplar, if it is sampled.
func (h *Handle) sample(ctx context.Context, e *entry, bucket int, raw uint64) {
	if h.account.rules.Samples.takes(ctx) {
		e.Value.remember(ctx, bucket, raw)
	}
}

func (h *Handle) add(ctx context.Context, raw uint64, opts []metric.AddOption) {
	if n := h.next.Load(); n != nil {
		n.add(ctx, raw, opts)
		return
	}
	if len(opts) == 0 {
		h.measure(ctx, raw)
		return
	}
	set := addedSet(opts)
	if set == nil {
		all := addSet(opts)
		set = &all
	}
	h.measureWith(ctx, raw, set)
}

func (h *Handle) record(ctx context.Context, raw uint64, opts []metric.RecordOption) {
	if n := h.next.Load(); n != nil {
		n.record(ctx, raw, opts)
		return
	}
	if len(opts) == 0 {
		h.measure(ctx, raw)
		return
	}
	set := recordedSet(opts)
	if set == nil {
		all := recordSet(opts)
		set = &all
	}
	h.measureWith(ctx, raw, set)
}

// measure records a measurement without options. If the series has ended, it creates another.
func (h *Handle) measure(ctx context.Context, raw uint64) {
	for e := h.bound.Load(); e == unbound || !h.take(ctx, e, raw); {
		if e = h.account.at(&h.set); h.binds && (e.Set != overflow || h.set == overflow) {
			h.bound.Store(e)
			if h.next.Load() != nil { // set meanwhile
				h.bound.Store(unbound)
			}
		}
	}
}

// measureWith records a measurement with attributes.
func (h *Handle) measureWith(ctx context.Context, raw uint64, set *attribute.Set) {
	if h.binds {
		both := h.with(set)
		set = &both
	}
	for !h.take(ctx, h.account.at(set), raw) {
	}
}

// take records a measurement to a series. It returns false if the series has ended.
func (h *Handle) take(ctx context.Context, e *entry, raw uint64) bool {
	bucket, a, s := 0, h.account, &e.Value
	switch {
	case s.histogram != nil && a.Float:
		if bucket = s.histogram.Record(math.Float64frombits(raw)); bucket < 0 {
			return false
		}
	case s.histogram != nil:
		if bucket = s.histogram.RecordInt64(int64(raw)); bucket < 0 {
			return false
		}
	case a.gauge():
		if !s.value.SetInt64(int64(raw)) { // or the bits of a float64
			return false
		}
	case a.Float:
		if !s.value.AddFloat64(math.Float64frombits(raw)) {
			return false
		}
	default:
		if !s.value.AddInt64(int64(raw)) {
			return false
		}
	}
	if typeWord(ctx) != h.quiet {
		h.sample(ctx, e, bucket, raw)
	}
	return true
}

// with returns the bound attributes and those of a measurement, which win over bound ones with the same key.
func (h *Handle) with(set *attribute.Set) attribute.Set {
	switch {
	case h.set.Len() == 0:
		return *set
	case set.Len() == 0:
		return h.set
	}
	return attribute.NewSet(append(h.set.ToSlice(), set.ToSlice()...)...)
}

// Finish ends a series, as the Finisher of go.opentelemetry.io/otel/metric/x specifies.
func (h *Handle) Finish(_ context.Context, attrs ...attribute.KeyValue) {
	set := attribute.NewSet(slices.Clone(attrs)...)
	set = h.with(&set)
	h.account.finish(&set)
}

// Enabled is always true.
func (*Handle) Enabled(context.Context) bool { return true }
