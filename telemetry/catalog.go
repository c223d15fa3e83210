package telemetry

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/onemeter/onemeter/telemetry/internal/rule"
	"github.com/onemeter/onemeter/telemetry/internal/site"
)

// maxConflicts bounds the memory that conflicts can take. Further ones are counted, not kept.
const maxConflicts = 1000

// A catalog knows every instrument that was requested and the family that each is exposed under. It is safe for
// concurrent use. It calls no foreign code (the SDK, a view, a logger) while it holds its lock.
type catalog struct {
	log    voice
	policy ConflictPolicy
	views  []sdkmetric.View
	self   *selfMetrics
	shared bool // whether the catalog includes client_golang's default registry, as other catalogs do

	mu       sync.Mutex
	order    int                    // of the next instrument
	admitted map[identity]admission // every distinct definition, so that a repeated one is cheap
	rejected map[identity]*ConflictError
	names    map[string]*family      // the family of every name on the page, in lower case
	quantity map[string]*family      // OpenTelemetry name and class, to notice one quantity in two units
	streams  map[streamKey]*stream   // by how the SDK identifies them at collection
	origins  map[streamKey]*admitted // instruments whose streams a view renames
	lines    map[string]*admitted    // the first instrument that each line of code requested
	created  map[string]struct{}     // names given to the SDK, in lower case
	told     map[conflictKey]struct{}
	list     []Conflict
	holding  bool // whether reports are delayed, in held
	held     news
}

type identity struct {
	scope                   instrumentation.Scope
	name, unit, description string
	kind                    sdkmetric.InstrumentKind
	number, buckets         string
}

// An admission is the answer to a request for an instrument: what to create, and for which instrument.
type admission struct {
	create definition
	as     *admitted
	family *family // nil if a view decides at collection
}

// admitted is one instrument that was requested.
type admitted struct {
	order int
	path  site.Path                  // the call path to the code that requested it
	depth int                        // how many steps of the path belong to a helper
	info  atomic.Pointer[Instrument] // replaced with the catalog's lock held, read without it
}

func newAdmitted(order int, path site.Path, i Instrument) *admitted {
	a := &admitted{order: order, path: path}
	a.info.Store(&i)
	return a
}

func (a *admitted) instrument() Instrument { return *a.info.Load() }

func (a *admitted) edit(change func(*Instrument)) {
	i := a.instrument()
	change(&i)
	a.info.Store(&i)
}

type conflictKey struct {
	family        string
	reason        Reason
	first, second string
}

func newCatalog(cfg config, self *selfMetrics, shared bool) *catalog {
	return &catalog{
		log:      cfg.log,
		policy:   cfg.policy,
		views:    cfg.views,
		self:     self,
		shared:   shared,
		admitted: map[identity]admission{},
		rejected: map[identity]*ConflictError{},
		names:    map[string]*family{},
		quantity: map[string]*family{},
		streams:  map[streamKey]*stream{},
		origins:  map[streamKey]*admitted{},
		lines:    map[string]*admitted{},
		created:  map[string]struct{}{},
		told:     map[conflictKey]struct{}{},
	}
}

// admit decides under which definition an instrument is created. It calls where only for a new definition. The error
// is a *ConflictError, and non-nil only under Reject.
func (c *catalog) admit(scope instrumentation.Scope, d definition, where func() site.Path) (admission, error) {
	id := identity{scope, d.name, d.unit, d.description, d.kind, d.number, fmt.Sprint(d.buckets)}
	if a, known, err := c.recall(id); known {
		return a, err
	}
	as := newAdmitted(0, where(), Instrument{
		Scope: scope, Name: d.name, Kind: d.kind, Number: d.number, Unit: d.unit, Description: d.description,
	})
	viewed := c.applyViews(scope, d)
	d.buckets = bucketsAfter(viewed, d.buckets)

	c.mu.Lock()
	if a, ok := c.admitted[id]; ok { // another goroutine was first
		c.mu.Unlock()
		return a, nil
	}
	c.locate(as)
	a, conflicts := c.decide(as, d, viewed)
	var err error
	if c.policy == Reject && len(conflicts) > 0 {
		conflicts = conflicts[:1]
		err = c.reject(id, &conflicts[0])
	} else {
		a = c.publish(id, a)
	}
	n := c.remember(conflicts)
	c.mu.Unlock()
	c.announce(n)
	return a, err
}

// publish stores an admission as the answer for its definition, and the streams that the SDK will collect. The caller
// holds the lock, which publish releases while it calls the views. If another goroutine publishes meanwhile, its admission
// has the same family and is returned.
func (c *catalog) publish(id identity, a admission) admission {
	var viewed []sdkmetric.Stream
	if len(c.views) > 0 {
		c.mu.Unlock()
		viewed = c.applyViews(id.scope, a.create)
		c.mu.Lock()
		if other, ok := c.admitted[id]; ok {
			return other
		}
	}
	c.expect(a, viewed)
	c.admitted[id] = a
	c.created[strings.ToLower(a.create.name)] = struct{}{}
	return a
}

// recall returns the earlier answer for a definition, if there is one.
func (c *catalog) recall(id identity) (a admission, known bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.rejected[id]; e != nil {
		return admission{}, true, e
	}
	a, known = c.admitted[id]
	return a, known, nil
}

// reject turns a conflict into an error, which later requests for the same definition get too.
func (c *catalog) reject(id identity, x *Conflict) error {
	x.Resolution = Rejected
	x.Second.Prometheus = ""
	err := &ConflictError{Conflict: *x}
	if len(c.rejected) < maxConflicts {
		c.rejected[id] = err
	}
	return err
}

// decide finds the family of an instrument. If a view renames its streams, the family is decided at collection,
// because only then the names on the page are known. The caller holds the lock.
func (c *catalog) decide(as *admitted, d definition, viewed []sdkmetric.Stream) (admission, []Conflict) {
	as.order = c.order
	if reshaped(d, viewed) {
		c.order++
		for _, s := range viewed {
			k := streamKey{as.instrument().Scope, s.Name, s.Unit, s.Description, classAfter(s.Aggregation, d.kind), d.number}
			if _, ok := c.origins[k]; !ok {
				c.origins[k] = as
			}
		}
		as.edit(func(i *Instrument) { i.Prometheus = rule.FamilyName(d.name, d.unit, d.class()) })
		return admission{create: d, as: as}, nil
	}
	dry := c.policy == Reject
	f, conflicts := c.place(as, d, dry)
	if dry && len(conflicts) > 0 {
		return admission{}, conflicts
	}
	c.order++
	create := d
	create.name, create.unit, create.description, create.buckets = f.def.name, f.def.unit, f.def.description, f.def.buckets
	return admission{create: create, as: as, family: f}, conflicts
}

// locate sets the place in the code that requested an instrument. If several callers reach one line that requests
// instruments, the line belongs to a helper. Then the place is the helper's caller, also for the first instrument.
func (c *catalog) locate(as *admitted) {
	if len(as.path) == 0 {
		return
	}
	first := c.lines[as.path[0]]
	if first == nil {
		first = as
		c.lines[as.path[0]] = as
	}
	for i := range min(len(as.path), len(first.path)) {
		if as.path[i] != first.path[i] {
			as.depth = i
			break
		}
	}
	if first.depth == 0 {
		first.depth = as.depth
		first.edit(func(i *Instrument) { i.Site = first.path[first.depth] })
	}
	as.depth = min(max(as.depth, first.depth), len(as.path)-1)
	as.edit(func(i *Instrument) { i.Site = as.path[as.depth] })
}

// streamHelp returns the current HELP of each stream's family.
func (c *catalog) streamHelp(streams []*stream) []string {
	out := make([]string, len(streams))
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, s := range streams {
		out[i] = cmp.Or(s.help, s.family.help)
	}
	return out
}

// keptHelp returns the current HELP of kept families.
func (c *catalog) keptHelp(kept []*kept) []string {
	out := make([]string, len(kept))
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, k := range kept {
		out[i] = k.family.help
	}
	return out
}

// family returns the family with this name, or nil.
func (c *catalog) family(name string) *family {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.names[strings.ToLower(name)]; f != nil && strings.EqualFold(f.name, name) {
		return f
	}
	return nil
}

func (c *catalog) conflicts() []Conflict {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.list)
}

// instruments returns the admitted instruments, sorted by family, then by order of creation.
func (c *catalog) instruments() []Instrument {
	c.mu.Lock()
	all := make([]*admitted, 0, len(c.admitted))
	for _, a := range c.admitted {
		all = append(all, a.as)
	}
	out := make([]Instrument, len(all))
	slices.SortFunc(all, func(a, b *admitted) int {
		return cmp.Or(strings.Compare(a.instrument().Prometheus, b.instrument().Prometheus), cmp.Compare(a.order, b.order))
	})
	for i, a := range all {
		out[i] = a.instrument()
	}
	c.mu.Unlock()
	return out
}

// creates reports whether the catalog let the SDK create an instrument of this name.
func (c *catalog) creates(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.created[strings.ToLower(name)]
	return ok
}
