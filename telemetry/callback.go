package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/embedded"
)

// callbacks holds every observable callback of a Provider and runs them outside the SDK's locks, where one that
// panics, hangs or creates instruments cannot take the process, the scrape or the SDK along. What they observe is
// kept in a cycle; the SDK's own instruments replay it.
type callbacks struct {
	timeout time.Duration
	failed  func()                // feeds telemetry_callback_errors_total
	tell    func(...Conflict)     // for gauges observed twice
	latest  atomic.Pointer[cycle] // for readers that are not ours
	turn    chan struct{}         // holds one token: collections take turns

	mu   sync.Mutex
	list []*callback // replaced, never changed in place
}

func newCallbacks(timeout time.Duration, tell func(...Conflict)) *callbacks {
	c := &callbacks{timeout: timeout, failed: func() {}, tell: tell, turn: make(chan struct{}, 1)}
	c.latest.Store(newCycle())
	return c
}

// patience is the share of the timeout after which the next callback is started beside a slow one. Until then they
// run one after another, as in the SDK.
const patience = 10

// A source is what one instrument of the SDK replays.
type source[N int64 | float64] struct {
	gauge bool
	err   error // what creating the SDK's instrument returned
}

// An observable is a handle on a source: one for each request, so that a conflict can name the code.
type observable[N int64 | float64] struct {
	source *source[N]
	meter  *meter
	as     *admitted
}

// int64Observable is any of the three observable instruments with int64 values. The embedded interface only lends
// its unexported method.
type int64Observable struct {
	metric.Int64Observable
	embedded.Int64ObservableCounter
	embedded.Int64ObservableUpDownCounter
	embedded.Int64ObservableGauge
	*observable[int64]
}

type float64Observable struct {
	metric.Float64Observable
	embedded.Float64ObservableCounter
	embedded.Float64ObservableUpDownCounter
	embedded.Float64ObservableGauge
	*observable[float64]
}

type observation[N int64 | float64] struct {
	from  *observable[N]
	value N
	set   attribute.Set
}

// A callback is one function of somebody else.
type callback struct {
	run  func(context.Context, *recording) error
	site string
	last *run // the latest run, perhaps unfinished; these two belong to the collection whose turn it is
	told bool // its present trouble was logged
}

// A recording is what one run of one callback observed. It belongs to that run alone.
type recording struct {
	mu       sync.Mutex // a callback may observe from goroutines of its own
	int64s   []observation[int64]
	float64s []observation[float64]
}

// A cycle is what all callbacks observed in one collection.
type cycle struct {
	int64s   map[*source[int64]][]observation[int64]
	float64s map[*source[float64]][]observation[float64]
}

type cycleKey struct{}

func newCycle() *cycle {
	return &cycle{
		int64s:   map[*source[int64]][]observation[int64]{},
		float64s: map[*source[float64]][]observation[float64]{},
	}
}

func (c *callbacks) addInt64(o *observable[int64], fns []metric.Int64Callback) *int64Observable {
	inst := &int64Observable{observable: o}
	for _, fn := range fns {
		c.add(&callback{site: o.as.instrument().Site, run: func(ctx context.Context, r *recording) error {
			return fn(ctx, int64Observer{r: r, o: o})
		}})
	}
	return inst
}

func (c *callbacks) addFloat64(o *observable[float64], fns []metric.Float64Callback) *float64Observable {
	inst := &float64Observable{observable: o}
	for _, fn := range fns {
		c.add(&callback{site: o.as.instrument().Site, run: func(ctx context.Context, r *recording) error {
			return fn(ctx, float64Observer{r: r, o: o})
		}})
	}
	return inst
}

func (c *callbacks) add(cb *callback) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(slices.Clip(c.list), cb)
}

func (c *callbacks) register(f metric.Callback, insts []metric.Observable, site string) metric.Registration {
	may := make(map[metric.Observable]bool, len(insts))
	for _, i := range insts {
		may[i] = true
	}
	cb := &callback{site: site, run: func(ctx context.Context, r *recording) error {
		return f(ctx, multiObserver{r: r, may: may})
	}}
	c.add(cb)
	return &registration{callbacks: c, callback: cb}
}

type registration struct {
	embedded.Registration
	callbacks *callbacks
	callback  *callback
}

// Unregister takes effect with the next collection. It is idempotent.
func (r *registration) Unregister() error {
	c := r.callbacks
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = slices.DeleteFunc(slices.Clone(c.list), func(cb *callback) bool { return cb == r.callback })
	return nil
}

// collect runs every callback once and returns what they observed in time. It takes at most a little more than the
// timeout, however many hang, and ends earlier when ctx does.
func (c *callbacks) collect(ctx context.Context) *cycle {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return c.latest.Load()
	}
	c.mu.Lock()
	list := c.list
	c.mu.Unlock()

	runs := make([]*run, 0, len(list))
	for _, cb := range list {
		if ctx.Err() != nil {
			break
		}
		if cb.last != nil && !cb.last.wait(ctx, c.timeout/patience) {
			c.trouble(cb, "has not returned since an earlier collection", nil)
			continue
		}
		cb.last = c.start(ctx, cb)
		runs = append(runs, cb.last)
		cb.last.wait(ctx, c.timeout/patience)
	}
	out := newCycle()
	var conflicts []Conflict
	for _, r := range runs {
		returned := r.wait(ctx, time.Until(r.deadline))
		switch {
		case returned && r.err == nil:
			r.callback.told = false
		case ctx.Err() != nil && time.Now().Before(r.deadline):
			continue // the collection was given up: not the callback's fault
		case !returned:
			c.trouble(r.callback, "did not return in time", nil)
			continue
		default:
			c.trouble(r.callback, "failed", r.err)
		}
		r.recording.mu.Lock()
		conflicts = append(conflicts, gather(out.int64s, r.recording.int64s)...)
		conflicts = append(conflicts, gather(out.float64s, r.recording.float64s)...)
		r.recording.mu.Unlock()
	}
	c.latest.Store(out)
	if len(conflicts) > 0 {
		c.tell(conflicts...)
	}
	return out
}

// A run is one call of one callback.
type run struct {
	callback  *callback
	recording recording
	err       error
	deadline  time.Time
	done      chan struct{}
}

func (c *callbacks) start(ctx context.Context, cb *callback) *run {
	r := &run{callback: cb, deadline: time.Now().Add(c.timeout), done: make(chan struct{})}
	go func() {
		ctx, cancel := context.WithDeadline(ctx, r.deadline)
		defer cancel()
		defer close(r.done)
		defer func() {
			if p := recover(); p != nil {
				r.err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		r.err = cb.run(ctx, &r.recording)
	}()
	return r
}

// wait waits for the end of the run and tells whether it came.
func (r *run) wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-r.done:
		return true
	default:
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-r.done:
		return true
	case <-t.C:
		return false
	case <-ctx.Done():
		return false
	}
}

// trouble counts a callback's failure, and logs it once until the callback is well again.
func (c *callbacks) trouble(cb *callback, what string, err error) {
	c.failed()
	if cb.told {
		return
	}
	cb.told = true
	slog.Warn("telemetry: observable callback "+what+"; its instruments have no new values",
		"site", cb.site, "error", err)
}

// gather adds observations to those of a cycle. For a counter equal attributes add up when they are replayed, as
// the SDK does within one callback. Of two callbacks that observe one gauge with equal attributes, the first wins.
func gather[N int64 | float64](all map[*source[N]][]observation[N], more []observation[N]) []Conflict {
	var conflicts []Conflict
	var earlier map[*source[N]]map[attribute.Distinct]*observable[N]
	for _, o := range more {
		src := o.from.source
		if src.gauge {
			if earlier == nil {
				earlier = index(all, more)
			}
			if first := earlier[src][o.set.Equivalent()]; first != nil {
				conflicts = append(conflicts, duplicate(first.as.instrument(), o.from.as.instrument()))
				continue
			}
		}
		all[src] = append(all[src], o)
	}
	return conflicts
}

// index maps what other callbacks observed of the gauges in more.
func index[N int64 | float64](
	all map[*source[N]][]observation[N], more []observation[N],
) map[*source[N]]map[attribute.Distinct]*observable[N] {
	out := map[*source[N]]map[attribute.Distinct]*observable[N]{}
	for _, m := range more {
		src := m.from.source
		if _, ok := out[src]; ok || !src.gauge {
			continue
		}
		seen := make(map[attribute.Distinct]*observable[N], len(all[src]))
		for _, o := range all[src] {
			seen[o.set.Equivalent()] = o.from
		}
		out[src] = seen
	}
	return out
}

func duplicate(first, second Instrument) Conflict {
	return Conflict{Family: first.Prometheus, Reason: ReasonDuplicate, Resolution: Merged, First: first, Second: second}
}

// lead returns the callback that the SDK runs before all others in every collection: for a reader that is not ours
// it runs the callbacks, as nobody else has.
func (c *callbacks) lead() metric.Int64Callback {
	return func(ctx context.Context, _ metric.Int64Observer) error {
		if ctx.Value(cycleKey{}) == nil {
			c.collect(ctx)
		}
		return nil
	}
}

func (c *callbacks) current(ctx context.Context) *cycle {
	if own, ok := ctx.Value(cycleKey{}).(*cycle); ok {
		return own
	}
	return c.latest.Load()
}

func (c *callbacks) replayInt64(s *source[int64]) metric.Int64Callback {
	return func(ctx context.Context, to metric.Int64Observer) error {
		for _, o := range c.current(ctx).int64s[s] {
			to.Observe(o.value, metric.WithAttributeSet(o.set))
		}
		return nil
	}
}

func (c *callbacks) replayFloat64(s *source[float64]) metric.Float64Callback {
	return func(ctx context.Context, to metric.Float64Observer) error {
		for _, o := range c.current(ctx).float64s[s] {
			to.Observe(o.value, metric.WithAttributeSet(o.set))
		}
		return nil
	}
}

// attributes resolves the options of an observation, unsafe attributes included, as the SDK does.
func attributes(opts []metric.ObserveOption) attribute.Set {
	set := metric.NewObserveConfig(opts).Attributes()
	var raw []attribute.KeyValue
	for _, o := range opts {
		if r, ok := any(o).(interface{ RawAttributes() []attribute.KeyValue }); ok {
			raw = append(raw, r.RawAttributes()...)
		}
	}
	if len(raw) == 0 {
		return set
	}
	return attribute.NewSet(append(set.ToSlice(), raw...)...)
}

type int64Observer struct {
	embedded.Int64Observer
	r *recording
	o *observable[int64]
}

func (x int64Observer) Observe(v int64, opts ...metric.ObserveOption) {
	set := attributes(opts)
	x.r.mu.Lock()
	defer x.r.mu.Unlock()
	x.r.int64s = append(x.r.int64s, observation[int64]{x.o, v, set})
}

type float64Observer struct {
	embedded.Float64Observer
	r *recording
	o *observable[float64]
}

func (x float64Observer) Observe(v float64, opts ...metric.ObserveOption) {
	set := attributes(opts)
	x.r.mu.Lock()
	defer x.r.mu.Unlock()
	x.r.float64s = append(x.r.float64s, observation[float64]{x.o, v, set})
}

// A multiObserver takes observations for the instruments that the callback was registered with, and no others.
type multiObserver struct {
	embedded.Observer
	r   *recording
	may map[metric.Observable]bool
}

func (x multiObserver) ObserveInt64(o metric.Int64Observable, v int64, opts ...metric.ObserveOption) {
	if inst, ok := settled(o).(*int64Observable); ok && x.may[inst] {
		int64Observer{r: x.r, o: inst.observable}.Observe(v, opts...)
	}
}

func (x multiObserver) ObserveFloat64(o metric.Float64Observable, v float64, opts ...metric.ObserveOption) {
	if inst, ok := settled(o).(*float64Observable); ok && x.may[inst] {
		float64Observer{r: x.r, o: inst.observable}.Observe(v, opts...)
	}
}
