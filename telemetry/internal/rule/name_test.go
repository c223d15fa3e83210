package rule

import (
	"strings"
	"testing"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
)

func TestRenamed(t *testing.T) {
	for _, c := range []struct {
		family string
		class  Class
		n      int
		want   string
	}{
		{"http_requests_total", Gauge, 1, "http_requests_total_gauge"},
		{"x_total", Counter, 1, "x_counter_total"},
		{"x_total", Counter, 3, "x_counter_3_total"},
		{"x", UpDown, 1, "x_updowncounter"},
		{"x", Histogram, 2, "x_histogram_2"},
	} {
		if got := Renamed(c.family, c.class, c.n); got != c.want {
			t.Errorf("Renamed(%q, %v, %d) = %q, want %q", c.family, c.class.Suffix(), c.n, got, c.want)
		}
	}
	if got := Renamed(strings.Repeat("x", 400), Counter, 12); len(got) > MaxNameLength {
		t.Errorf("a renamed instrument has %d characters", len(got))
	}
}

// For every name, unit and class: the name that a rename gives to OpenTelemetry is translated back to the wanted
// family.
func FuzzInstrumentFor(f *testing.F) {
	for _, s := range []struct{ name, unit string }{
		{"http.requests", ""}, {"mem", "By"}, {"flow", "By/s"}, {"load", "1"}, {"x", "{thing}/s"}, {"ratio", "%"},
		{"", ""}, {"!!!", "///"}, {"total", "total"}, {"a:b", "s"}, {"9lives", "ms"}, {strings.Repeat("x", 300), "s"},
	} {
		f.Add(s.name, s.unit, uint8(0))
	}
	f.Fuzz(func(t *testing.T, name, unit string, c uint8) {
		for cl := Counter; cl <= Histogram; cl++ {
			family := FamilyName(name, unit, cl)
			if family == "" || !utf8.ValidString(family) {
				t.Fatalf("FamilyName(%q, %q) = %q", name, unit, family)
			}
			want := Renamed(family, cl, 1+int(c%4))
			n, u := InstrumentFor(want, unit, cl)
			if got := FamilyName(n, u, cl); got != want {
				t.Errorf("%q in %q Becomes %q, given to OpenTelemetry as %q in %q, which is %q", name, unit, want, n, u, got)
			}
		}
	})
}

func FuzzLabels(f *testing.F) {
	for _, k := range []string{"", "le", "__name__", "a.b", "日本", "__", "_", "9", "otel.scope.name", "\xff", "quantile", "____"} {
		f.Add(k, "v")
	}
	f.Fuzz(func(t *testing.T, key, v string) {
		name, _ := LabelName(key)
		if (name == "") != (key == "") {
			t.Errorf("LabelName(%q) = %q", key, name)
		}
		if name != "" && (ReservedLabel(name) || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" ||
			name[0] >= '0' && name[0] <= '9') {
			t.Errorf("LabelName(%q) = %q", key, name)
		}
		if value, _ := LabelValue(attribute.StringValue(v)); !utf8.ValidString(value) {
			t.Errorf("LabelValue(%q) = %q", v, value)
		}
	})
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
		got := Rebucket(c.counts, c.from, c.to)
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
