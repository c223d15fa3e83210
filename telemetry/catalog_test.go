package telemetry

import (
	"strings"
	"testing"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

func TestCompare(t *testing.T) {
	const (
		counter  = sdkmetric.InstrumentKindCounter
		observed = sdkmetric.InstrumentKindObservableCounter
		gauge    = sdkmetric.InstrumentKindGauge
		watched  = sdkmetric.InstrumentKindObservableGauge
	)
	d := func(kind sdkmetric.InstrumentKind, change ...func(*definition)) definition {
		out := definition{name: "a.b", unit: "s", description: "A", kind: kind, number: int64Number}
		for _, c := range change {
			c(&out)
		}
		return out
	}
	floats := func(d *definition) { d.number = float64Number }
	for name, c := range map[string]struct {
		first, second definition
		reason        Reason
		resolution    Resolution
	}{
		"equal":                     {d(counter), d(counter), "", Merged},
		"case":                      {d(counter), d(counter, func(d *definition) { d.name = "A.B" }), "", Merged},
		"name":                      {d(counter), d(counter, func(d *definition) { d.name = "a_b" }), ReasonName, Merged},
		"unit":                      {d(counter), d(counter, func(d *definition) { d.unit = "{x}" }), ReasonUnit, Merged},
		"description":               {d(counter), d(counter, func(d *definition) { d.description = "B" }), ReasonDescription, Merged},
		"description, second empty": {d(counter), d(counter, func(d *definition) { d.description = "" }), "", Merged},
		"number of counters":        {d(counter), d(counter, floats), ReasonNumber, Merged},
		"number of gauges":          {d(gauge), d(gauge, floats), ReasonNumber, Renamed},
		"kind of counters":          {d(counter), d(observed), ReasonKind, Merged},
		"kind of gauges":            {d(gauge), d(watched), ReasonKind, Renamed},
		"the gravest of two":        {d(counter), d(observed, floats), ReasonKind, Merged},
		"buckets":                   {d(counter), d(counter, func(d *definition) { d.buckets = []float64{1} }), ReasonBuckets, Merged},
	} {
		if reason, resolution := compare(c.first, c.second); reason != c.reason || resolution != c.resolution {
			t.Errorf("%s: %q %s, want %q %s", name, reason, resolution, c.reason, c.resolution)
		}
	}
}

// All conflicts of a flood are counted, but only the first ones are kept and logged.
func TestConflictsAreBounded(t *testing.T) {
	self := newSelfMetrics()
	c := newCatalog(config{}, self, false)
	for i := range 3 * maxConflicts {
		c.tell(Conflict{Family: strings.Repeat("x", i), Reason: ReasonName})
	}
	if n := len(c.conflicts()); n != maxConflicts {
		t.Errorf("%d conflicts are kept", n)
	}
	early := &self.conflicts.(*lateInt64Counter).early
	if counted := len(early.kept) + early.lost; counted != 3*maxConflicts {
		t.Errorf("%d conflicts are counted", counted)
	}
}
