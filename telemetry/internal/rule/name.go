// Package rule translates OpenTelemetry's names, kinds, attributes and boundaries to Prometheus. It is pure: no
// state, no locks. Names are translated by otlptranslator, the library that the exporter uses.
package rule

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/otlptranslator"
)

// Prefixes, suffixes and limits of names.
const (
	TotalSuffix      = "_total"
	MaxNameLength    = 255 // the SDK refuses longer instrument names
	unnamed          = "unnamed"
	ScopeLabelPrefix = "otel_scope_"
	ExportedPrefix   = "exported_" // Prometheus's own prefix for a label whose name it needs
)

// FamilyName returns the Prometheus family of an instrument. If the translator leaves nothing of the name, as of "" or
// "!!!", the name is "unnamed", so that the measurements are kept.
func FamilyName(name, unit string, c Class) string {
	namer := otlptranslator.NewMetricNamer("", otlptranslator.UnderscoreEscapingWithSuffixes)
	m := otlptranslator.Metric{Name: name, Unit: unit, Type: c.translatorType()}
	if f, err := namer.Build(m); err == nil {
		return f
	}
	m.Name = unnamed
	f, _ := namer.Build(m)
	return f
}

// Becomes reports whether OpenTelemetry's translator alone, without our "unnamed", translates a name and a unit to this
// family.
func Becomes(family, name, unit string, c Class) bool {
	namer := otlptranslator.NewMetricNamer("", otlptranslator.UnderscoreEscapingWithSuffixes)
	f, err := namer.Build(otlptranslator.Metric{Name: name, Unit: unit, Type: c.translatorType()})
	return err == nil && f == family && utf8.ValidString(name)
}

// Base returns the family's name in OpenMetrics, where a counter's family does not have its sample's suffix.
func Base(family string, c Class) string {
	if c == Counter {
		return strings.TrimSuffix(family, TotalSuffix)
	}
	return family
}

// SampleNames returns every name that a family occupies: its own, its OpenMetrics name, and those of its samples. If
// two families share one, some reader would see only one of them. Names are in lower case, because OpenTelemetry
// ignores case.
func SampleNames(family string, c Class) []string {
	f := strings.ToLower(family)
	switch c {
	case Counter:
		return []string{f, Base(f, c)}
	case Histogram:
		return []string{f, f + "_bucket", f + "_count", f + "_sum"}
	}
	return []string{f}
}

// Reserved reports whether the exposition formats define the family's name themselves.
func Reserved(family string, c Class) bool {
	b := strings.ToLower(Base(family, c))
	return b == otlptranslator.TargetInfoMetricName || b == "otel_scope_info"
}

// Renamed returns the n-th name to try, from 1, for an instrument whose family is taken: http_requests_total becomes
// http_requests_total_gauge, then http_requests_total_gauge_2; a counter x_total becomes x_counter_total.
func Renamed(family string, c Class, n int) string {
	tail := "_" + c.Suffix()
	if n > 1 {
		tail += "_" + strconv.Itoa(n)
	}
	b := Base(family, c)
	if room := MaxNameLength - len(tail) - len(TotalSuffix); len(b) > room {
		b = b[:room]
	}
	b = stem(b, c)
	if c == Counter {
		tail += TotalSuffix
	}
	return b + tail
}

// stem returns what the translator keeps of a name: it merges adjacent underscores, and removes every "total" from the name
// of a counter.
func stem(name string, c Class) string {
	tokens := strings.FieldsFunc(name, func(r rune) bool { return r == '_' })
	if c == Counter {
		tokens = slices.DeleteFunc(tokens, func(t string) bool { return t == "total" })
	}
	if len(tokens) == 0 {
		return unnamed
	}
	s := strings.Join(tokens, "_")
	if '0' <= s[0] && s[0] <= '9' {
		return "_" + s
	}
	return s
}

// InstrumentFor returns a name and a unit that OpenTelemetry translates to exactly this family, so that every reader,
// pull or push, shows a renamed instrument under one name. If the translator would append the unit, InstrumentFor puts it
// into braces: that makes it an annotation, which is not part of the name.
func InstrumentFor(family, unit string, c Class) (name, newUnit string) {
	name = Base(family, c)
	if FamilyName(name, unit, c) == family {
		return name, unit
	}
	return name, "{" + strings.NewReplacer("{", "", "}", "").Replace(unit) + "}"
}
