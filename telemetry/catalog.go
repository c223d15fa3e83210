package telemetry

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// maxConflicts bounds what a flood of conflicts can take of memory. Beyond it they are counted, not kept.
const maxConflicts = 1000

// A catalog knows every instrument that was asked for and the family that each is exposed under. It is safe for
// concurrent use. No code of others (the SDK, a logger) runs while its lock is held.
type catalog struct {
	policy ConflictPolicy
	views  []sdkmetric.View
	count  func(Reason) // feeds telemetry_conflicts_total

	mu       sync.Mutex
	order    int                     // of the next instrument
	admitted map[identity]admission  // every distinct definition, so that a repeated one is cheap
	names    map[string]*family      // every name on the page, in lower case, and who has it
	quantity map[string]*family      // OpenTelemetry name and class, to notice one quantity in two units
	streams  map[streamKey]*stream   // what the SDK will call it when it is collected
	origins  map[streamKey]*admitted // instruments whose streams a view renames
	created  map[string]struct{}     // names given to the SDK, in lower case
	told     map[conflictKey]struct{}
	list     []Conflict
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
}

// admitted is one instrument in the order of creation.
type admitted struct {
	Instrument
	order int
}

// A family is one name on the page.
type family struct {
	name   string
	class  class
	origin string     // the family that its instruments asked for, in lower case; another than name after a rename
	def    definition // what every instrument of the family is created with
	first  Instrument
	help   string // the first description that is not empty; guarded by catalog.mu
}

// A streamKey is how the SDK identifies what it collects.
type streamKey struct {
	scope                   instrumentation.Scope
	name, unit, description string
	class                   class
	number                  string
}

// A stream connects what the SDK collects to the family it belongs to.
type stream struct {
	family *family
	from   *admitted
	help   string // a view's own description, which is the operator's word
}

type conflictKey struct {
	family        string
	reason        Reason
	first, second string
}

func newCatalog(policy ConflictPolicy, views []sdkmetric.View) *catalog {
	return &catalog{
		policy:   policy,
		views:    views,
		count:    func(Reason) {},
		admitted: map[identity]admission{},
		names:    map[string]*family{},
		quantity: map[string]*family{},
		streams:  map[streamKey]*stream{},
		origins:  map[streamKey]*admitted{},
		created:  map[string]struct{}{},
		told:     map[conflictKey]struct{}{},
	}
}

// admit decides under which definition an instrument is created. site is asked only for a definition not seen
// before. The error is a *ConflictError, under Reject only.
func (c *catalog) admit(scope instrumentation.Scope, d definition, site func() string) (admission, error) {
	id := identity{scope, d.name, d.unit, d.description, d.kind, d.number, fmt.Sprint(d.buckets)}
	c.mu.Lock()
	a, ok := c.admitted[id]
	c.mu.Unlock()
	if ok {
		return a, nil
	}
	info := Instrument{
		Scope: scope, Name: d.name, Kind: d.kind, Number: d.number, Unit: d.unit, Description: d.description,
		Site: site(),
	}
	viewed := c.applyViews(scope, d)

	c.mu.Lock()
	if a, ok := c.admitted[id]; ok { // another goroutine was faster
		c.mu.Unlock()
		return a, nil
	}
	a, conflicts := c.decide(info, d, viewed)
	if c.policy == Reject && len(conflicts) > 0 {
		conflicts = conflicts[:1]
		conflicts[0].Resolution = Rejected
		conflicts[0].Second.Prometheus = ""
	} else {
		c.admitted[id] = a
		c.created[strings.ToLower(a.create.name)] = struct{}{}
	}
	conflicts, first := c.remember(conflicts), conflicts
	c.mu.Unlock()

	c.announce(conflicts)
	if c.policy == Reject && len(first) > 0 {
		return admission{}, &ConflictError{Conflict: first[0]}
	}
	return a, nil
}

// decide finds the family, or leaves an instrument whose streams a view renames for the time when they are
// collected: only then is known what is on the page. The catalog's lock is held.
func (c *catalog) decide(info Instrument, d definition, viewed []sdkmetric.Stream) (admission, []Conflict) {
	as := &admitted{Instrument: info, order: c.order}
	if reshaped(d, viewed) {
		c.order++
		for _, s := range viewed {
			k := streamKey{info.Scope, s.Name, s.Unit, s.Description, classAfter(s.Aggregation, d.kind), d.number}
			if _, ok := c.origins[k]; !ok {
				c.origins[k] = as
			}
		}
		as.Prometheus = familyName(d.name, d.unit, d.class())
		return admission{create: d, as: as}, nil
	}
	dry := c.policy == Reject
	f, conflicts := c.place(info, d, dry)
	if dry && len(conflicts) > 0 {
		return admission{}, conflicts
	}
	c.order++
	as.Prometheus = f.name
	create := d
	create.name, create.unit, create.description, create.buckets = f.def.name, f.def.unit, f.def.description, f.def.buckets
	c.expect(info.Scope, create, as, f)
	return admission{create: create, as: as}, conflicts
}

// expect records under which keys the SDK will collect the instrument.
func (c *catalog) expect(scope instrumentation.Scope, d definition, as *admitted, f *family) {
	viewed := c.applyViews(scope, d)
	if reshaped(d, viewed) {
		return // a view that matches the new name only; collection will see
	}
	if len(viewed) == 0 {
		viewed = []sdkmetric.Stream{{Name: d.name, Unit: d.unit, Description: d.description}}
	}
	for _, s := range viewed {
		k := streamKey{scope, s.Name, s.Unit, s.Description, d.class(), d.number}
		if _, ok := c.streams[k]; ok {
			continue
		}
		st := &stream{family: f, from: as}
		if s.Description != d.description {
			st.help = s.Description
		}
		c.streams[k] = st
	}
}

// place finds or founds the family for a definition, and says what that collided with. With dry, a definition
// that collides leaves no trace.
func (c *catalog) place(info Instrument, d definition, dry bool) (*family, []Conflict) {
	want, cl := familyName(d.name, d.unit, d.class()), d.class()
	if reservedFamily(want, cl) {
		taken := &family{name: base(want, cl), first: info}
		return c.rename(info, d, want, ReasonReserved, taken, dry)
	}
	there := c.holder(want, cl)
	if there == nil {
		return c.found(info, d, want, want, dry)
	}
	if there.class != cl || !strings.EqualFold(there.name, want) {
		reason := ReasonName // the samples meet, as those of histogram lat and gauge lat.count
		if strings.EqualFold(base(there.name, there.class), base(want, cl)) || strings.EqualFold(there.name, want) {
			reason = ReasonKind
		}
		return c.rename(info, d, want, reason, there, dry)
	}
	if there.origin != strings.ToLower(want) {
		return c.rename(info, d, want, ReasonName, there, dry) // the name was given to a renamed instrument
	}
	reason, resolution := compare(there.definitionOfFirst(), d)
	if resolution == Renamed {
		return c.rename(info, d, want, reason, there, dry)
	}
	return there, c.join(there, info, d, reason)
}

// definitionOfFirst is what the author of the first instrument said, with the boundaries in force.
func (f *family) definitionOfFirst() definition {
	return definition{
		name: f.first.Name, unit: f.first.Unit, description: f.help, kind: f.first.Kind, number: f.first.Number,
		buckets: f.def.buckets,
	}
}

// holder returns the family that has one of the names that a family would occupy.
func (c *catalog) holder(name string, cl class) *family {
	for _, n := range sampleNames(name, cl) {
		if f := c.names[n]; f != nil {
			return f
		}
	}
	return nil
}

func (c *catalog) found(info Instrument, d definition, name, origin string, dry bool) (*family, []Conflict) {
	info.Prometheus = name
	f := &family{name: name, class: d.class(), origin: strings.ToLower(origin), def: d, first: info, help: d.description}
	var conflicts []Conflict
	quantity := strings.ToLower(d.name) + " " + f.class.suffix()
	if other := c.quantity[quantity]; other != nil && name == origin && other.first.Unit != d.unit {
		conflicts = append(conflicts, Conflict{
			Family: name, Reason: ReasonUnit, Resolution: Kept, First: other.first, Second: info,
		})
	}
	if dry && len(conflicts) > 0 {
		return f, conflicts
	}
	if c.quantity[quantity] == nil {
		c.quantity[quantity] = f
	}
	for _, n := range sampleNames(name, f.class) {
		if c.names[n] == nil {
			c.names[n] = f
		}
	}
	return f, conflicts
}

func (c *catalog) join(f *family, info Instrument, d definition, reason Reason) []Conflict {
	if f.help == "" {
		f.help = d.description
	}
	if reason == "" {
		return nil
	}
	info.Prometheus = f.name
	return []Conflict{{Family: f.name, Reason: reason, Resolution: Merged, First: f.first, Second: info}}
}

// rename gives a definition the first name behind the wanted one that is free, or that an equal instrument was
// renamed to before.
func (c *catalog) rename(
	info Instrument, d definition, want string, reason Reason, there *family, dry bool,
) (*family, []Conflict) {
	conflict := Conflict{Family: there.name, Reason: reason, Resolution: Renamed, First: there.first, Second: info}
	if dry {
		return nil, []Conflict{conflict}
	}
	var f *family
	var more []Conflict
	cl := d.class()
	for n := 1; f == nil; n++ {
		name := renamed(want, cl, n)
		other := c.holder(name, cl)
		if other == nil {
			d.name, d.unit = instrumentFor(name, d.unit, cl)
			f, _ = c.found(info, d, name, want, false)
			break
		}
		if other.class != cl || other.origin != strings.ToLower(want) || !strings.EqualFold(other.name, name) {
			continue
		}
		if r, resolution := compare(other.definitionOfFirst(), d); resolution == Merged {
			f, more = other, c.join(other, info, d, r)
		}
	}
	conflict.Second.Prometheus = f.name
	if reason == ReasonReserved {
		conflict.First = conflict.Second
	}
	return f, append([]Conflict{conflict}, more...)
}

// resolve finds the families of what was collected. Streams that creation did not foresee, which is to say those
// that views reshape, are placed now, in the order in which their instruments were created.
func (c *catalog) resolve(keys []streamKey) []*stream {
	out := make([]*stream, len(keys))
	var conflicts []Conflict
	c.mu.Lock()
	var unforeseen []int
	for i, k := range keys {
		if out[i] = c.streams[k]; out[i] == nil {
			unforeseen = append(unforeseen, i)
		}
	}
	slices.SortFunc(unforeseen, func(a, b int) int { return c.compareOrigins(keys[a], keys[b]) })
	for _, i := range unforeseen {
		var more []Conflict
		out[i], more = c.placeStream(keys[i])
		conflicts = append(conflicts, more...)
	}
	conflicts = c.remember(conflicts)
	c.mu.Unlock()
	c.announce(conflicts)
	return out
}

func (c *catalog) compareOrigins(a, b streamKey) int {
	return cmp.Or(
		cmp.Compare(c.originOf(a).order, c.originOf(b).order),
		strings.Compare(a.scope.Name, b.scope.Name), strings.Compare(a.scope.Version, b.scope.Version),
		strings.Compare(a.name, b.name), strings.Compare(a.unit, b.unit),
		strings.Compare(a.description, b.description), cmp.Compare(a.class, b.class),
		strings.Compare(a.number, b.number),
	)
}

func (c *catalog) originOf(k streamKey) *admitted {
	if as := c.origins[k]; as != nil {
		return as
	}
	return &admitted{order: c.order, Instrument: Instrument{
		Scope: k.scope, Name: k.name, Kind: k.class.kind(), Number: k.number, Unit: k.unit, Description: k.description,
	}}
}

func (c *catalog) placeStream(k streamKey) (*stream, []Conflict) {
	as := c.originOf(k)
	d := definition{name: k.name, unit: k.unit, description: k.description, kind: k.class.kind(), number: k.number}
	info := as.Instrument
	info.Name, info.Unit, info.Description, info.Kind = k.name, k.unit, k.description, d.kind
	f, conflicts := c.place(info, d, false)
	as.Prometheus = f.name
	if as.order == c.order {
		c.order++
	}
	st := &stream{family: f, from: as}
	c.streams[k] = st
	return st, conflicts
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

// holds returns the family of the catalog that has one of the names, or nil.
func (c *catalog) holds(names []string) *family {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range names {
		if f := c.names[n]; f != nil {
			return f
		}
	}
	return nil
}

// tell keeps, logs and counts conflicts that were found after creation.
func (c *catalog) tell(conflicts ...Conflict) {
	c.mu.Lock()
	conflicts = c.remember(conflicts)
	c.mu.Unlock()
	c.announce(conflicts)
}

// remember keeps the conflicts that were not told before and returns them. The catalog's lock is held.
func (c *catalog) remember(conflicts []Conflict) []Conflict {
	var fresh []Conflict
	for _, x := range conflicts {
		k := conflictKey{x.Family, x.Reason, x.First.key(), x.Second.key()}
		if _, ok := c.told[k]; ok || len(c.told) >= maxConflicts {
			continue
		}
		c.told[k] = struct{}{}
		c.list = append(c.list, x)
		fresh = append(fresh, x)
	}
	return fresh
}

// key identifies an instrument among those that were told of: by its definition and the place in the code, or the
// scope where the place is unknown.
func (i Instrument) key() string {
	where := i.Site
	if where == "" {
		where = i.Scope.Name
	}
	return fmt.Sprintf("%q %d %s %q %q %s", i.Name, i.Kind, i.Number, i.Unit, i.Description, where)
}

func (c *catalog) announce(conflicts []Conflict) {
	for _, x := range conflicts {
		c.count(x.Reason)
		slog.LogAttrs(context.Background(), slog.LevelWarn, "telemetry: conflict", x.attrs()...)
	}
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
		return cmp.Or(strings.Compare(a.Prometheus, b.Prometheus), cmp.Compare(a.order, b.order))
	})
	for i, a := range all {
		out[i] = a.Instrument
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

// applyViews asks the views what they will make of an instrument, as the SDK will.
func (c *catalog) applyViews(scope instrumentation.Scope, d definition) []sdkmetric.Stream {
	var out []sdkmetric.Stream
	inst := sdkmetric.Instrument{Name: d.name, Description: d.description, Unit: d.unit, Kind: d.kind, Scope: scope}
	for _, v := range c.views {
		if s, ok := v(inst); ok {
			out = append(out, s)
		}
	}
	return out
}

// reshaped tells whether views give the instrument another name, unit or class.
func reshaped(d definition, viewed []sdkmetric.Stream) bool {
	return slices.ContainsFunc(viewed, func(s sdkmetric.Stream) bool {
		return s.Name != d.name || s.Unit != d.unit || classAfter(s.Aggregation, d.kind) != d.class()
	})
}

// classAfter is the class of what an aggregation makes of a kind.
func classAfter(a sdkmetric.Aggregation, k sdkmetric.InstrumentKind) class {
	switch a.(type) {
	case sdkmetric.AggregationExplicitBucketHistogram, sdkmetric.AggregationBase2ExponentialHistogram:
		return classHistogram
	case sdkmetric.AggregationDrop:
		return classUnknown
	case sdkmetric.AggregationSum:
		if classOf(k) == classHistogram {
			return classCounter
		}
	}
	return classOf(k)
}

// kind is a kind of the class, for what is known by its data only.
func (c class) kind() sdkmetric.InstrumentKind {
	switch c {
	case classCounter:
		return sdkmetric.InstrumentKindCounter
	case classUpDown:
		return sdkmetric.InstrumentKindUpDownCounter
	case classGauge:
		return sdkmetric.InstrumentKindGauge
	}
	return sdkmetric.InstrumentKindHistogram
}

// A claimed family is a copy of what others need to know of one.
type claimed struct {
	name, help string
	class      class
	first      Instrument
}

// all returns every family that instruments have, whether they recorded or not.
func (c *catalog) all() []claimed {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]claimed, 0, len(c.names))
	for n, f := range c.names {
		if n == strings.ToLower(f.name) {
			out = append(out, claimed{f.name, f.help, f.class, f.first})
		}
	}
	return out
}

// dto is the TYPE that the class has on the page.
func (c class) dto() dto.MetricType {
	switch c {
	case classCounter:
		return dto.MetricType_COUNTER
	case classHistogram:
		return dto.MetricType_HISTOGRAM
	}
	return dto.MetricType_GAUGE
}
