package metricvet

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/onemeter/onemeter/telemetry/internal/rule"
)

// A definition is a registered metric whose name is fully known.
type definition struct {
	Name     string // on the page
	Source   string // client_golang or OpenTelemetry
	Type     string
	Help     *string // nil if unknown
	Labels   []string
	Const    []string // names and values, as name=value, sorted
	Known    bool     // whether labels and constant labels are known
	Unit     string   // of OpenTelemetry
	Number   string
	Scope    *string
	Buckets  []string // nil if unknown
	Registry string   // "" if unknown
	Auto     bool     // whether promauto registers it
	Part     string   // the custom collector that describes it, if any
	Start    bool     // whether it is registered at program start, perhaps under a condition
	Definite bool     // whether every start registers it, and the program panics if that fails
	Site     string   // the place that defines it
	Via      string   // the place that registers it, or calls the function that does
	Turn     string   // the rounds of the loops around it
	Mute     bool     // whether a comment mutes it
}

// defined returns the definition in an effect, if its name is known.
func defined(f effect, atStart bool) (definition, bool) {
	m := f.Metric
	name, ok := m.Fields["name"].known()
	if m.Kind != metric || !ok || name == "" {
		return definition{}, false
	}
	textOf := func(field string) string { s, _ := m.Fields[field].known(); return s }
	pointer := func(field string) *string {
		if s, ok := m.Fields[field].known(); ok {
			return &s
		}
		return nil
	}
	d := definition{
		Name: name, Source: textOf("source"), Type: textOf("type"), Help: pointer("help"), Unit: textOf("unit"), Number: textOf("number"),
		Part: textOf("collector"), Scope: pointer("scope"), Site: textOf("site"), Via: f.Via, Turn: f.Turn, Start: atStart, Definite: atStart && !f.Maybe && m.Fields["partly"].Kind != text, Mute: m.Fields["mute"].Kind == text,
	}
	if d.Source == openTelemetry {
		d.Buckets, _ = m.Fields["buckets"].texts()
		if m.Fields["unit"].Kind == unknown {
			return definition{}, false // it is part of the name
		}
		d.Registry, _ = f.To.Fields["provider"].known()
		kind, _ := strconv.Atoi(d.Type)
		class := rule.ClassOf(sdkmetric.InstrumentKind(kind))
		d.Type = strings.ToLower(class.Type().String())
		d.Name = rule.FamilyName(name, d.Unit, class)
		d.Definite = d.Definite && d.Registry != ""
		return d, true
	}
	prefix, known := f.To.Fields["prefix"].known()
	if d.Registry, ok = f.To.Fields["registry"].known(); !ok || !known || f.To.Kind != registerer {
		d.Registry = ""
	}
	d.Name = prefix + d.Name
	d.Definite = d.Definite && f.Must && d.Registry != ""
	d.Auto = d.Via == d.Site
	d.labels(m)
	return d, true
}

func (d *definition) labels(m value) {
	var ok bool
	if d.Labels, ok = m.Fields["labels"].texts(); !ok {
		return
	}
	consts := m.Fields["const"]
	if consts.Kind != zero && consts.Kind != object || consts.Partly {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(consts.Fields)) {
		s, ok := consts.Fields[name].known()
		if !ok {
			return
		}
		d.Const = append(d.Const, name+"="+s)
	}
	d.Known = true
}

// names returns the names of all labels as client_golang compares them. Constant ones end in = and differ from
// others.
func (d definition) names() []string {
	out := slices.Sorted(slices.Values(d.Labels))
	for _, c := range d.Const {
		name, _, _ := strings.Cut(c, "=")
		out = append(out, name+"=")
	}
	return out
}

// again reports whether b is d itself, in another round of a loop.
func (d definition) again(b definition) bool { return d.Site == b.Site && d.Via == b.Via }

// A verdict describes a conflict of two definitions.
type verdict struct {
	definite bool
	what     func(a, b string) string // given the two places
	follows  string                   // the consequence
}

// judged compares two definitions in one binary. ok reports whether they conflict.
func judged(a, b definition) (v verdict, ok bool) {
	if a.Name != b.Name || a.Mute || b.Mute {
		return verdict{}, false
	}
	same := a.Registry != "" && a.Registry == b.Registry
	switch {
	case a.again(b) && !(same && a.Known && b.Known): // each round may have its own
		return verdict{}, false
	case a.Source != b.Source:
		return verdict{what: across(a, b), follows: "if both are on one page, its scrape fails"}, a.Help != nil && b.Help != nil && (*a.Help != *b.Help || a.Type != b.Type)
	case a.Source == openTelemetry:
		return judgedInstruments(a, b, same)
	case !same && a.Registry != "" && b.Registry != "":
		return verdict{}, false // two registries
	}
	v = verdict{definite: same && a.Definite && b.Definite, follows: "the program panics at start"}
	if !v.definite {
		v.follows = "the program panics if both are registered on one registry"
	}
	switch {
	case a.Help != nil && b.Help != nil && *a.Help != *b.Help:
		v.what = func(x, y string) string { return fmt.Sprintf("help %q %s, %q %s", *a.Help, x, *b.Help, y) }
	case a.Known && b.Known && !slices.Equal(a.names(), b.names()):
		v.what = func(x, y string) string { return fmt.Sprintf("labels %q %s, %q %s", a.names(), x, b.names(), y) }
	case a.Known && b.Known && !slices.Equal(a.Const, b.Const) && a.Help != nil && b.Help != nil:
		return verdict{}, false // two series of one family
	case a.Part != "" && a.Part == b.Part && a.Via == b.Via:
		return verdict{}, false // a collector may describe one metric twice
	case a.Help == nil || b.Help == nil || !a.Known || !b.Known: // they may be equal or not
		v.definite = false
		fallthrough
	case a.again(b):
		v.what = func(x, _ string) string { return fmt.Sprintf("registered %s in each round of a loop", x) }
	case a.Type == b.Type || a.Type == "" || b.Type == "":
		v.what = func(x, y string) string { return fmt.Sprintf("registered %s and %s", x, y) }
	default: // client_golang does not compare types
		v.what = func(x, y string) string { return fmt.Sprintf("a %s %s, a %s %s", a.Type, x, b.Type, y) }
	}
	return v, true
}

func across(a, b definition) func(x, y string) string {
	return func(x, y string) string {
		return fmt.Sprintf("%s of %s, help %q, %s, %s of %s, help %q, %s", a.Type, a.Source, *a.Help, x, b.Type, b.Source, *b.Help, y)
	}
}

// judgedInstruments compares two instruments as OpenTelemetry's exporter exposes them.
func judgedInstruments(a, b definition, same bool) (v verdict, ok bool) {
	oneScope := same && a.Scope != nil && b.Scope != nil && *a.Scope == *b.Scope
	v = verdict{definite: oneScope && a.Definite && b.Definite, follows: "OpenTelemetry's Prometheus exporter answers every scrape with 500 once both record the same attributes"}
	switch {
	case a.Type != b.Type:
		v.definite, v.follows = false, "OpenTelemetry's Prometheus exporter drops one of them"
		v.what = func(x, y string) string { return fmt.Sprintf("a %s %s, a %s %s", a.Type, x, b.Type, y) }
	case a.Help != nil && b.Help != nil && *a.Help != *b.Help:
		v.what = func(x, y string) string { return fmt.Sprintf("description %q %s, %q %s", *a.Help, x, *b.Help, y) }
	case a.Number != b.Number:
		v.what = func(x, y string) string { return fmt.Sprintf("%s %s, %s %s", a.Number, x, b.Number, y) }
	case a.Unit != b.Unit:
		v.what = func(x, y string) string { return fmt.Sprintf("unit %q %s, %q %s", a.Unit, x, b.Unit, y) }
	case oneScope && a.Buckets != nil && b.Buckets != nil && !slices.Equal(a.Buckets, b.Buckets):
		v.definite, v.follows = false, "OpenTelemetry's SDK uses the first one's for both"
		v.what = func(x, y string) string { return fmt.Sprintf("buckets %v %s, %v %s", a.Buckets, x, b.Buckets, y) }
	default:
		return verdict{}, false
	}
	if !oneScope && v.follows[0] == 'O' && a.Type == b.Type {
		v.follows = "the exporter shows the first one's description, and two series"
	}
	return v, true
}
