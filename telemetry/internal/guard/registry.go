// Package guard provides a client_golang registry that accepts every valid collector, even if its name is taken.
// Start reading at [Registry].
//
// It replaces client_golang's default registry before other packages register with that (see package install). Go
// initializes packages whose imports are ready in the order of their import paths. So this package may import only
// what client_golang's package prometheus imports; a test checks that.
package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/onemeter/onemeter/telemetry/internal/site"
)

// A Registry is a chain of client_golang's registries. It registers a collector with the first one that accepts it,
// so code without conflicts behaves as without a guard. If that has another definition of a name, the collector goes to
// the next one. Two kinds of collectors are gathered individually: those without descriptors, which may send anything, and
// those whose metrics contradict others. A Registry is safe for concurrent use.
type Registry struct {
	serve func() ([]*dto.MetricFamily, error) // what Gather returns
	heard func()                              // called, without a lock, after News were added

	base  registry // of the first level
	fresh bool     // whether no other code registers with base

	mu      sync.Mutex
	levels  []*level
	all     []*Registration                          // in order of registration
	byInner map[prometheus.Collector][]*Registration // of comparable collectors
	news    []News
	told    map[newsKey]struct{} // news reported so far
}

// A level is one registry of the chain.
type level struct {
	reg     registry
	entries []*Registration
	indexed int // how many of the entries are in byName
	byName  map[string][]*Registration
	hangs   atomic.Pointer[run] // a run that has not returned
}

type registry interface {
	prometheus.Registerer
	prometheus.Gatherer
}

// maxLevels bounds the definitions of one name: code that registers a new collector for each request must not fill
// the memory.
const maxLevels = 100

// New returns an empty Registry.
func New() *Registry {
	r := over(prometheus.NewRegistry())
	r.fresh = true
	return r
}

// over returns a Registry whose first level is a registry that other code may have used.
func over(base registry) *Registry {
	return &Registry{
		base:    base,
		levels:  []*level{{reg: base, byName: map[string][]*Registration{}}},
		byInner: map[prometheus.Collector][]*Registration{},
		told:    map[newsKey]struct{}{},
	}
}

// Serve sets the function whose result Gather returns, and a function that is called, without a lock, after News were
// added.
func (r *Registry) Serve(gather func() ([]*dto.MetricFamily, error), heard func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.serve, r.heard = gather, heard
}

// Gather implements prometheus.Gatherer. It returns the page of the function set by Serve; before Serve, that of the first
// level only.
func (r *Registry) Gather() ([]*dto.MetricFamily, error) {
	r.mu.Lock()
	serve := r.serve
	r.mu.Unlock()
	if serve == nil { // the program is still initializing
		return r.base.Gather()
	}
	return serve()
}

// Is reports whether g is this Registry, or client_golang's registry that it replaced.
func (r *Registry) Is(g prometheus.Gatherer) bool {
	switch g := g.(type) {
	case *Registry:
		return g == r
	case *prometheus.Registry:
		base, _ := r.base.(*prometheus.Registry)
		return g == base
	}
	return false
}

// Register implements prometheus.Registerer. Like client_golang, it returns an AlreadyRegisteredError if a collector
// of the same Go type with equal descriptors is registered, and an error for an invalid descriptor. It returns nil
// where client_golang would refuse the collector because another one defines its name differently.
func (r *Registry) Register(c prometheus.Collector) error {
	e := r.newRegistration(c, site.Here(1))
	must := e.viaMust()
	if err := r.admit(e, must); !must {
		return err
	}
	return nil
}

// MustRegister implements prometheus.Registerer. It does not panic: an error that Register would return becomes News.
func (r *Registry) MustRegister(cs ...prometheus.Collector) {
	stack := site.Here(1)
	for _, c := range cs {
		_ = r.admit(r.newRegistration(c, stack), true)
	}
}

// newRegistration returns a registration, and learns the boundaries of a collector that is not registered yet. It does not
// collect from one that is, because the collector's owner could notice.
func (r *Registry) newRegistration(c prometheus.Collector, stack site.Stack) *Registration {
	e := newRegistration(c, stack)
	r.mu.Lock()
	old := r.find(e)
	r.mu.Unlock()
	if old == nil {
		e.learnBounds()
	}
	return e
}

func (r *Registry) admit(e *Registration, must bool) error {
	r.mu.Lock()
	before := len(r.news)
	err := r.place(e, must)
	fresh, heard := len(r.news) > before, r.heard
	r.mu.Unlock()
	if fresh && heard != nil {
		heard()
	}
	return err
}

// place finds the level for a registration. The caller holds the lock.
func (r *Registry) place(e *Registration, must bool) error {
	if e.invalid != nil {
		r.tell(News{Second: e, Err: e.invalid})
		return e.invalid
	}
	if old := r.find(e); old != nil && len(e.descs) > 0 {
		return prometheus.AlreadyRegisteredError{ExistingCollector: old.inner, NewCollector: e.given}
	} else if old != nil {
		return nil
	}
	if len(e.descs) == 0 {
		e.alone.Store(true)
		r.keep(e, nil)
		return nil
	}
	var first *Registration // the registration in conflict
	var refusal error
	for i := 0; ; i++ {
		if i == len(r.levels) {
			return r.addLevel(e, first, refusal, must)
		}
		err := r.levels[i].reg.Register(e)
		if err == nil {
			r.keep(e, r.levels[i])
			if i > 0 {
				r.conflict(first, e, false)
			}
			return nil
		}
		if refusal == nil {
			refusal = err
		}
		var already prometheus.AlreadyRegisteredError
		if !errors.As(err, &already) {
			continue
		}
		other := holder(already.ExistingCollector, e)
		if i == 0 {
			first = other
		}
		if !e.sameType(other) {
			continue
		}
		if !must {
			if !slices.Equal(other.bounds, e.bounds) {
				r.conflict(other, e, true)
			}
			return prometheus.AlreadyRegisteredError{ExistingCollector: other.inner, NewCollector: e.given}
		}
	}
}

// addLevel adds a level for a registration that every existing one refused.
func (r *Registry) addLevel(e, first *Registration, refusal error, must bool) error {
	if len(r.levels) == maxLevels {
		err := fmt.Errorf("telemetry: %s has %d definitions, the maximum; this one is left out", e.define()[0].Name, maxLevels)
		r.tell(News{Second: e, Err: err})
		return err
	}
	fresh := &level{reg: prometheus.NewRegistry(), byName: map[string][]*Registration{}}
	if fresh.reg.Register(e) == nil {
		r.levels = append(r.levels, fresh)
		r.keep(e, fresh)
		r.conflict(first, e, false)
		return nil
	}
	// Its descriptors contradict each other. MustRegister accepts it anyway: its metrics are checked when they are
	// gathered.
	r.tell(News{Second: e, Err: refusal, Kept: must})
	if !must {
		return refusal
	}
	e.alone.Store(true)
	r.keep(e, nil)
	return nil
}

func (r *Registry) keep(e *Registration, l *level) {
	e.level = l
	if l != nil {
		l.entries = append(l.entries, e)
	}
	r.all = append(r.all, e)
	if comparable(e.inner) {
		r.byInner[e.inner] = append(r.byInner[e.inner], e)
	}
}

// holder returns the registration of a collector that a registry holds. If there is none, the collector was
// registered before the guard was installed; it has the same descriptors.
func holder(c prometheus.Collector, likeness *Registration) *Registration {
	if e, ok := c.(*Registration); ok {
		return e
	}
	early := &Registration{given: c, inner: c, safe: c, descs: likeness.descs}
	if early.sameType(likeness) && early.inner != nil {
		early.bounds, _ = firstBoundsOf(early)
	}
	return early
}

// find returns the registration of the same collector, or nil.
func (r *Registry) find(e *Registration) *Registration {
	if !comparable(e.inner) {
		return nil
	}
	for _, other := range r.byInner[e.inner] {
		if other.same(e) {
			return other
		}
	}
	return nil
}

// Unregister implements prometheus.Registerer. Of several collectors with equal descriptors it removes the given one,
// or else the first. As in client_golang, a collector without descriptors stays.
func (r *Registry) Unregister(c prometheus.Collector) bool {
	e := newRegistration(c, nil)
	if e.invalid != nil || len(e.descs) == 0 {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.remove(e)
}

func (r *Registry) remove(e *Registration) bool {
	if old := r.find(e); old != nil {
		r.drop(old)
		return old.level == nil || old.level.reg.Unregister(described(old.descs))
	}
	name := e.define()[0].Name
	for _, l := range r.levels {
		l.owner(name)
		for _, old := range l.byName[name] {
			if old.inner != nil && alike(old.descs, e.descs) {
				r.drop(old)
				return l.reg.Unregister(described(old.descs))
			}
		}
	}
	// client_golang compares only names and constant labels. After a conflict that is ambiguous, so help and labels
	// must match too.
	base := r.levels[0]
	if len(r.levels) > 1 {
		err := base.reg.Register(e)
		if err == nil {
			base.reg.Unregister(e)
		}
		if !errors.As(err, &prometheus.AlreadyRegisteredError{}) {
			return false
		}
	}
	if !base.reg.Unregister(e) {
		return false
	}
	if old := base.owner(name); old != nil {
		r.drop(old)
	}
	return true
}

// drop removes a registration from the Registry's lists. The caller holds the lock.
func (r *Registry) drop(e *Registration) {
	r.all = without(r.all, e)
	if e.level != nil {
		l := e.level
		if slices.Index(l.entries, e) < l.indexed {
			l.indexed--
			for _, d := range e.define() {
				l.byName[d.Name] = without(l.byName[d.Name], e)
			}
		}
		l.entries = without(l.entries, e)
	}
	if comparable(e.inner) {
		if rest := without(r.byInner[e.inner], e); len(rest) > 0 {
			r.byInner[e.inner] = rest
		} else {
			delete(r.byInner, e.inner)
		}
	}
}

// owner returns the first registration of a level that defines a family, or nil.
func (l *level) owner(name string) *Registration {
	for ; l.indexed < len(l.entries); l.indexed++ {
		l.index(l.entries[l.indexed])
	}
	if all := l.byName[name]; len(all) > 0 {
		return all[0]
	}
	return nil
}

// indexOthers adds the descriptors of collectors not registered through the guard.
func (l *level) indexOthers() {
	if c, ok := l.reg.(prometheus.Collector); ok {
		e := newRegistration(c, nil)
		e.inner = nil
		l.index(e)
	}
}

func (l *level) index(e *Registration) {
	for _, d := range e.define() {
		if all := l.byName[d.Name]; e.inner != nil || len(all) == 0 { // of unknown collectors one is enough
			l.byName[d.Name] = append(all, e)
		}
	}
}

// Empty reports whether it is certain that nothing is registered, so that there is nothing to gather.
func (r *Registry) Empty() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fresh && len(r.all) == 0
}

// Families returns the definitions of all registrations, in order of registration, without those made before the
// guard was installed.
func (r *Registry) Families() []Family {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Family
	for _, e := range r.all {
		for _, d := range e.define() {
			out = append(out, Family{Definition: d, By: e})
		}
	}
	return out
}

// A Family is a definition and its registration.
type Family struct {
	Definition
	By *Registration
}

// Definition returns the definition of a family in a registration, and whether there is one.
func (r *Registry) Definition(e *Registration, name string) (Definition, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range e.define() {
		if d.Name == name {
			return d, true
		}
	}
	return Definition{}, false
}

var _ interface {
	registry
	Parts(context.Context) ([]Part, []News)
} = (*Registry)(nil)
