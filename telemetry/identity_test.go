package telemetry

import (
	"strings"
	"testing"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

func TestRenamed(t *testing.T) {
	for _, c := range []struct {
		family string
		class  class
		n      int
		want   string
	}{
		{"http_requests_total", classGauge, 1, "http_requests_total_gauge"},
		{"x_total", classCounter, 1, "x_counter_total"},
		{"x_total", classCounter, 3, "x_counter_3_total"},
		{"x", classUpDown, 1, "x_updowncounter"},
		{"x", classHistogram, 2, "x_histogram_2"},
	} {
		if got := renamed(c.family, c.class, c.n); got != c.want {
			t.Errorf("renamed(%q, %v, %d) = %q, want %q", c.family, c.class.suffix(), c.n, got, c.want)
		}
	}
	if got := renamed(strings.Repeat("x", 400), classCounter, 12); len(got) > maxNameLength {
		t.Errorf("a renamed instrument has %d characters", len(got))
	}
}

// Whatever the name, the unit and the class: what a rename gives to OpenTelemetry comes back as the family wanted.
func FuzzInstrumentFor(f *testing.F) {
	for _, s := range []struct{ name, unit string }{
		{"http.requests", ""}, {"mem", "By"}, {"flow", "By/s"}, {"load", "1"}, {"x", "{thing}/s"}, {"ratio", "%"},
		{"", ""}, {"!!!", "///"}, {"total", "total"}, {"a:b", "s"}, {"9lives", "ms"}, {strings.Repeat("x", 300), "s"},
	} {
		f.Add(s.name, s.unit, uint8(0))
	}
	f.Fuzz(func(t *testing.T, name, unit string, c uint8) {
		for cl := classCounter; cl <= classHistogram; cl++ {
			family := familyName(name, unit, cl)
			if family == "" || !utf8.ValidString(family) {
				t.Fatalf("familyName(%q, %q) = %q", name, unit, family)
			}
			want := renamed(family, cl, 1+int(c%4))
			n, u := instrumentFor(want, unit, cl)
			if got := familyName(n, u, cl); got != want {
				t.Errorf("%q in %q becomes %q, given to OpenTelemetry as %q in %q, which is %q", name, unit, want, n, u, got)
			}
		}
	})
}

func FuzzLabels(f *testing.F) {
	for _, k := range []string{"", "le", "__name__", "a.b", "日本", "__", "_", "9", "otel.scope.name", "\xff", "quantile", "____"} {
		f.Add(k, "v")
	}
	f.Fuzz(func(t *testing.T, key, v string) {
		name, _ := labelName(key)
		if (name == "") != (key == "") {
			t.Errorf("labelName(%q) = %q", key, name)
		}
		if name != "" && (reservedLabel(name) || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" ||
			name[0] >= '0' && name[0] <= '9') {
			t.Errorf("labelName(%q) = %q", key, name)
		}
		if value, _ := labelValue(attribute.StringValue(v)); !utf8.ValidString(value) {
			t.Errorf("labelValue(%q) = %q", v, value)
		}
	})
}

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

func TestRebucket(t *testing.T) {
	for name, c := range map[string]struct {
		counts   []uint64
		from, to []float64
		want     []uint64
	}{
		"equal":   {[]uint64{1, 2, 3}, []float64{1, 2}, []float64{1, 2}, []uint64{1, 2, 3}},
		"coarser": {[]uint64{1, 2, 3}, []float64{1, 2}, []float64{5}, []uint64{3, 3}},
		"finer":   {[]uint64{3, 4}, []float64{5}, []float64{1, 2}, []uint64{0, 0, 7}},
		"none":    {[]uint64{1, 2}, []float64{5}, nil, []uint64{3}},
	} {
		got := rebucket(c.counts, c.from, c.to)
		if len(got) != len(c.want) {
			t.Fatalf("%s: %v", name, got)
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: %v, want %v", name, got, c.want)
			}
		}
	}
}

// A flood of conflicts is counted, but kept and logged only so far.
func TestConflictsAreBounded(t *testing.T) {
	c, counted := newCatalog(KeepFirst, nil), 0
	c.count = func(Reason) { counted++ }
	for i := range 3 * maxConflicts {
		c.tell(Conflict{Family: strings.Repeat("x", i), Reason: ReasonName})
	}
	if n := len(c.conflicts()); n != maxConflicts {
		t.Errorf("%d conflicts are kept", n)
	}
	if counted != 3*maxConflicts {
		t.Errorf("%d conflicts are counted", counted)
	}
}
