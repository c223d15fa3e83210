package telemetry

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/embedded"
)

// callbacks holds the observable callbacks of a Provider and runs them outside the SDK's locks. So a callback that
// panics, hangs or creates instruments cannot stop the process, the scrape or the SDK. What callbacks observe is kept in a
// cycle, and the SDK's own instruments replay it.
type callbacks struct {
	log     voice
	timeout time.Duration
	self    *selfMetrics
	tell    func(...Conflict)     // for two observations of one gauge series
	latest  atomic.Pointer[cycle] // for readers that the caller added
	turn    chan struct{}         // holds one token: collections take turns

	mu   sync.Mutex
	list []*callback // replaced, never changed in place
}

func newCallbacks(cfg config, self *selfMetrics, tell func(...Conflict)) *callbacks {
	c := &callbacks{log: cfg.log, timeout: cfg.callbackTimeout, self: self, tell: tell, turn: make(chan struct{}, 1)}
	c.latest.Store(newCycle())
	return c
}

// A callback is one function registered by other code.
type callback struct {
	run  func(context.Context, *recording) error
	site string
	last *run // the latest run, perhaps unfinished; only the collection that holds the turn uses last and told
	told bool // the current failure was logged
}

// A recording holds what one run of one callback observed. It belongs to that run alone.
type recording struct {
	mu       sync.Mutex // a callback may observe from several goroutines
	int64s   []observation[int64]
	float64s []observation[float64]
}

// A cycle holds what all callbacks observed in one collection.
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

// collect runs every callback once, all concurrently, and returns what they observed in time. It takes little more
// than the timeout, however many callbacks hang, and ends earlier if ctx does. It reports failures after its turn, because
// a logger may collect.
func (c *callbacks) collect(ctx context.Context) *cycle {
	out, conflicts, troubles := c.takeTurn(ctx)
	c.report(conflicts, troubles)
	return out
}

// collectWithinSDK is collect for a reader that the caller added. The SDK then holds a lock that creating an
// instrument needs, so failures are reported from another goroutine.
func (c *callbacks) collectWithinSDK(ctx context.Context) {
	if _, conflicts, troubles := c.takeTurn(ctx); len(conflicts)+len(troubles) > 0 {
		mailbox.do(func() { c.report(conflicts, troubles) })
	}
}

func (c *callbacks) report(conflicts []Conflict, troubles []trouble) {
	for _, t := range troubles {
		c.log.warn("an observable callback "+t.what, "site", t.site, "error", t.err)
	}
	if len(conflicts) > 0 {
		c.tell(conflicts...)
	}
}

// A trouble is a failure of a callback that is to be logged.
type trouble struct {
	site, what string
	err        error
}

func (c *callbacks) takeTurn(ctx context.Context) (out *cycle, conflicts []Conflict, troubles []trouble) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return c.latest.Load(), nil, nil
	}
	c.mu.Lock()
	list := c.list
	c.mu.Unlock()

	runs := make([]*run, 0, len(list))
	for _, cb := range list {
		if ctx.Err() != nil {
			break
		}
		if cb.last != nil && !cb.last.ended() {
			troubles = c.trouble(troubles, cb, "has not returned since an earlier collection; its instruments have no values", nil)
			continue
		}
		cb.last = c.start(ctx, cb)
		runs = append(runs, cb.last)
	}
	out = newCycle()
	for _, r := range runs {
		returned := r.wait(ctx, time.Until(r.deadline))
		switch {
		case returned && r.err == nil:
			r.callback.told = false
		case ctx.Err() != nil && time.Now().Before(r.deadline):
			continue // the collection was canceled, which is no failure of the callback
		case !returned:
			troubles = c.trouble(troubles, r.callback, "did not return in time; its instruments have no values", nil)
			continue
		default:
			troubles = c.trouble(troubles, r.callback, "failed; its instruments have only what it observed before", r.err)
		}
		r.recording.mu.Lock()
		conflicts = append(conflicts, gather(out.int64s, r.recording.int64s)...)
		conflicts = append(conflicts, gather(out.float64s, r.recording.float64s)...)
		r.recording.mu.Unlock()
	}
	c.latest.Store(out)
	return out, conflicts, troubles
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

func (r *run) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// wait waits until the run ends and reports whether it did within d.
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

// trouble counts a callback's failure. It is logged once, until the callback succeeds again.
func (c *callbacks) trouble(to []trouble, cb *callback, what string, err error) []trouble {
	c.self.callbackFailed()
	if cb.told {
		return to
	}
	cb.told = true
	return append(to, trouble{cb.site, what, err})
}
