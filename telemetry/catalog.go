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

// maxConflicts bounds what a flood of conflicts can take of memory. Beyond it they are counted, not kept.
const maxConflicts = 1000

// A catalog knows every instrument that was asked for and the family that each is exposed under. It is safe for
// concurrent use. No code of others, the SDK, a view or a logger, runs while its lock is held.
type catalog struct {
	log    voice
	policy ConflictPolicy
	views  []sdkmetric.View
	self   *selfMetrics
	shared bool // it knows of client_golang's default registry, and others do or did

	mu       sync.Mutex
	order    int                    // of the next instrument
	admitted map[identity]admission // every distinct definition, so that a repeated one is cheap
	rejected map[identity]*ConflictError
	names    map[string]*family      // every name on the page, in lower case, and who has it
	quantity map[string]*family      // OpenTelemetry name and class, to notice one quantity in two units
	streams  map[streamKey]*stream   // what the SDK will call it when it is collected
	origins  map[streamKey]*admitted // instruments whose streams a view renames
	lines    map[string]*admitted    // the first instrument that each line of code asked for
	created  map[string]struct{}     // names given to the SDK, in lower case
	told     map[conflictKey]struct{}
	list     []Conflict
	holding  bool // what there is to tell is held
	held     news
}

type identity struct {
	scope                   instrumentation.Scope
	name, unit, description string
	kind                    sdkmetric.InstrumentKind
	number, buckets         string
}

// An admission is the answer to a request for an instrument: what to create, and on whose behalf.
type admission struct {
	create definition
	as     *admitted
	family *family // nil where a view decides at collection
}

// admitted is one instrument in the order of creation.
type admitted struct {
	order int
	path  site.Path                  // the way to the code that asked
	depth int                        // how many steps of it are a helper's
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

// admit decides under which definition an instrument is created. site is asked only for a definition not seen
// before. The error is a *ConflictError, under Reject only.
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
	if a, ok := c.admitted[id]; ok { // another goroutine was faster
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

// publish makes an admission the answer for its definition, once the streams are known that the SDK will collect. Views
// are asked without the lock; whoever is faster meanwhile has published an admission to the same family.
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

// recall returns the answer that a definition got before.
func (c *catalog) recall(id identity) (a admission, known bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.rejected[id]; e != nil {
		return admission{}, true, e
	}
	a, known = c.admitted[id]
	return a, known, nil
}

// reject makes a conflict an error, which the definition gets again when it is asked for again.
func (c *catalog) reject(id identity, x *Conflict) error {
	x.Resolution = Rejected
	x.Second.Prometheus = ""
	err := &ConflictError{Conflict: *x}
	if len(c.rejected) < maxConflicts {
		c.rejected[id] = err
	}
	return err
}

// decide finds the family, or leaves an instrument whose streams a view renames for the time when they are
// collected: only then is known what is on the page. The catalog's lock is held.
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

// locate names the place in the code that asked for an instrument. A line that asks for several, called from
// several places, belongs to a helper: then the calls are named, of the first instrument too.
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

// helps returns the HELP of each stream's family as it is now.
func (c *catalog) helps(streams []*stream) []string {
	out := make([]string, len(streams))
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, s := range streams {
		out[i] = cmp.Or(s.help, s.family.help)
	}
	return out
}

// helpsOf returns the HELP of kept families as it is now.
func (c *catalog) helpsOf(kept []*kept) []string {
	out := make([]string, len(kept))
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, k := range kept {
		out[i] = k.family.help
	}
	return out
}

// family returns the family of a name, or nil.
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

// instruments returns what was admitted, sorted by family, then by order of creation.
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

// creates tells whether the SDK was asked for an instrument of this name on the catalog's word.
func (c *catalog) creates(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.created[strings.ToLower(name)]
	return ok
}
