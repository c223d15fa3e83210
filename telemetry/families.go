package telemetry

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onemeter/onemeter/telemetry/internal/rule"
)

// A family is one name on the page.
type family struct {
	name   string
	class  rule.Class
	origin string     // the family that its instruments asked for, in lower case; it differs from name after a rename
	def    definition // the definition with which every instrument of the family is created
	first  *admitted
	help   string // the first non-empty description; guarded by catalog.mu
}

// place finds or establishes the family for a definition, and returns the conflicts that it found. If dry, a definition
// with conflicts changes nothing.
func (c *catalog) place(as *admitted, d definition, dry bool) (*family, []Conflict) {
	want, cl := rule.FamilyName(d.name, d.unit, d.class()), d.class()
	if rule.Reserved(want, cl) {
		return c.rename(as, d, want, ReasonReserved, &family{name: rule.Base(want, cl), first: as}, dry)
	}
	there := c.holder(want, cl)
	if there == nil {
		return c.establish(as, d, want, want, dry)
	}
	if there.class != cl || !strings.EqualFold(there.name, want) {
		reason := ReasonName // the samples collide, as those of histogram lat and gauge lat.count do
		if strings.EqualFold(rule.Base(there.name, there.class), rule.Base(want, cl)) || strings.EqualFold(there.name, want) {
			reason = ReasonKind
		}
		return c.rename(as, d, want, reason, there, dry)
	}
	if there.origin != strings.ToLower(want) {
		return c.rename(as, d, want, ReasonName, there, dry) // the name belongs to a renamed instrument
	}
	reason, resolution := compare(there.definitionOfFirst(), d)
	if resolution == Renamed {
		return c.rename(as, d, want, reason, there, dry)
	}
	return there, c.join(there, as, d, reason)
}

// definitionOfFirst returns the first author's definition, with the boundaries in force.
func (f *family) definitionOfFirst() definition {
	first := f.first.instrument()
	return definition{
		name: first.Name, unit: first.Unit, description: f.help, kind: first.Kind, number: first.Number,
		buckets: f.def.buckets,
	}
}

// holder returns a family that has one of the names that the new family would have, or nil.
func (c *catalog) holder(name string, cl rule.Class) *family {
	for _, n := range rule.SampleNames(name, cl) {
		if f := c.names[n]; f != nil {
			return f
		}
	}
	return nil
}

func (c *catalog) establish(as *admitted, d definition, name, origin string, dry bool) (*family, []Conflict) {
	as.edit(func(i *Instrument) { i.Prometheus = name })
	f := &family{name: name, class: d.class(), origin: strings.ToLower(origin), def: d, first: as, help: d.description}
	var conflicts []Conflict
	quantity := strings.ToLower(d.name) + " " + f.class.Suffix()
	if other := c.quantity[quantity]; other != nil && name == origin && other.first.instrument().Unit != d.unit {
		conflicts = append(conflicts, Conflict{
			Family: name, Reason: ReasonUnit, Resolution: Kept, First: other.first.instrument(), Second: as.instrument(),
		})
	}
	if dry && len(conflicts) > 0 {
		return f, conflicts
	}
	if c.quantity[quantity] == nil {
		c.quantity[quantity] = f
	}
	for _, n := range rule.SampleNames(name, f.class) {
		if c.names[n] == nil {
			c.names[n] = f
		}
	}
	return f, conflicts
}

func (c *catalog) join(f *family, as *admitted, d definition, reason Reason) []Conflict {
	as.edit(func(i *Instrument) { i.Prometheus = f.name })
	if f.help == "" {
		f.help = d.description
	}
	if reason == "" {
		return nil
	}
	x := Conflict{
		Family: f.name, Reason: reason, Resolution: Merged, First: f.first.instrument(), Second: as.instrument(),
	}
	if f.class == rule.Histogram && !slices.Equal(f.def.buckets, d.buckets) {
		x.Detail = fmt.Sprintf("boundaries %v, then %v", f.def.buckets, d.buckets)
	}
	return []Conflict{x}
}

// rename gives a definition the first name, derived from want, that is free or that an equal instrument was renamed
// to before.
func (c *catalog) rename(
	as *admitted, d definition, want string, reason Reason, there *family, dry bool,
) (*family, []Conflict) {
	conflict := Conflict{
		Family: there.name, Reason: reason, Resolution: Renamed, First: there.first.instrument(), Second: as.instrument(),
	}
	if dry {
		return nil, []Conflict{conflict}
	}
	f, more := c.alternative(as, d, want)
	conflict.Second = as.instrument()
	if reason == ReasonReserved {
		conflict.First = conflict.Second
	}
	return f, append([]Conflict{conflict}, more...)
}

func (c *catalog) alternative(as *admitted, d definition, want string) (*family, []Conflict) {
	cl := d.class()
	for n := 1; ; n++ {
		name := rule.Renamed(want, cl, n)
		other := c.holder(name, cl)
		if other == nil {
			d.name, d.unit = rule.InstrumentFor(name, d.unit, cl)
			return c.establish(as, d, name, want, false)
		}
		if other.class != cl || other.origin != strings.ToLower(want) || !strings.EqualFold(other.name, name) {
			continue
		}
		if reason, resolution := compare(other.definitionOfFirst(), d); resolution == Merged {
			return other, c.join(other, as, d, reason)
		}
	}
}

// claimed is a copy of a family's public part.
type claimed struct {
	name, help string
	class      rule.Class
	first      Instrument
	bounds     []float64 // of histograms with explicit boundaries
}

// all returns every family that has an instrument, even if nothing was recorded.
func (c *catalog) all() []claimed {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]claimed, 0, len(c.names))
	for n, f := range c.names {
		if n == strings.ToLower(f.name) {
			out = append(out, claimed{f.name, f.help, f.class, f.first.instrument(), rule.BoundariesOrNil(f.def.buckets)})
		}
	}
	return out
}
