package telemetry

import (
	"cmp"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/onemeter/onemeter/telemetry/internal/rule"
)

// A streamKey identifies a metric that the SDK collects.
type streamKey struct {
	scope                   instrumentation.Scope
	name, unit, description string
	class                   rule.Class
	number                  string
}

// A stream connects a metric that the SDK collects to its family.
type stream struct {
	family *family
	from   *admitted
	help   string // a view's own description, which wins over the family's
}

// expect stores under which keys the SDK will collect an instrument that is about to be created. The caller holds the
// lock.
func (c *catalog) expect(a admission, viewed []sdkmetric.Stream) {
	scope, d := a.as.instrument().Scope, a.create
	if a.family == nil || reshaped(d, viewed) {
		return // views change the instrument, perhaps only under its new name, so resolve finds the family
	}
	if len(viewed) == 0 {
		viewed = []sdkmetric.Stream{{Name: d.name, Unit: d.unit, Description: d.description}}
	}
	for _, s := range viewed {
		k := streamKey{scope, s.Name, s.Unit, s.Description, d.class(), d.number}
		if _, ok := c.streams[k]; ok {
			continue
		}
		st := &stream{family: a.family, from: a.as}
		if s.Description != d.description {
			st.help = s.Description
		}
		c.streams[k] = st
	}
}

// resolve returns the streams of collected metrics. Metrics that expect did not store, because views change them, are
// placed now, in the order in which their instruments were created.
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
	n := c.remember(conflicts)
	c.mu.Unlock()
	c.announce(n)
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
	return newAdmitted(c.order, nil, Instrument{
		Scope: k.scope, Name: k.name, Kind: k.class.Kind(), Number: k.number, Unit: k.unit, Description: k.description,
	})
}

func (c *catalog) placeStream(k streamKey) (*stream, []Conflict) {
	as := c.originOf(k)
	d := definition{name: k.name, unit: k.unit, description: k.description, kind: k.class.Kind(), number: k.number}
	i := as.instrument()
	i.Name, i.Unit, i.Description, i.Kind = k.name, k.unit, k.description, d.kind
	viewed := newAdmitted(as.order, as.path, i)
	f, conflicts := c.place(viewed, d, false)
	as.edit(func(i *Instrument) { i.Prometheus = f.name })
	if as.order == c.order {
		c.order++
	}
	st := &stream{family: f, from: viewed}
	c.streams[k] = st
	return st, conflicts
}

// viewed reports whether a view matches an instrument.
func (c *catalog) viewed(scope instrumentation.Scope, d definition) bool {
	return len(c.applyViews(scope, d)) > 0
}

// applyViews returns what the views make of an instrument, as the SDK will.
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

// reshaped reports whether views change the instrument's name, unit or class.
func reshaped(d definition, viewed []sdkmetric.Stream) bool {
	return slices.ContainsFunc(viewed, func(s sdkmetric.Stream) bool {
		return s.Name != d.name || s.Unit != d.unit || classAfter(s.Aggregation, d.kind) != d.class()
	})
}

// bucketsAfter returns the boundaries that a view sets, or else the author's. Exponential histograms have none.
func bucketsAfter(viewed []sdkmetric.Stream, buckets []float64) []float64 {
	for _, s := range viewed {
		switch a := s.Aggregation.(type) {
		case sdkmetric.AggregationExplicitBucketHistogram:
			return a.Boundaries
		case sdkmetric.AggregationBase2ExponentialHistogram:
			return nil
		}
	}
	return buckets
}

// classAfter returns the class of a kind's data after an aggregation.
func classAfter(a sdkmetric.Aggregation, k sdkmetric.InstrumentKind) rule.Class {
	switch a.(type) {
	case sdkmetric.AggregationExplicitBucketHistogram, sdkmetric.AggregationBase2ExponentialHistogram:
		return rule.Histogram
	case sdkmetric.AggregationDrop:
		return rule.Unknown
	case sdkmetric.AggregationSum:
		if rule.ClassOf(k) == rule.Histogram {
			return rule.Counter
		}
	}
	return rule.ClassOf(k)
}
