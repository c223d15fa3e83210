package telemetry

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// This file holds the pure rules of naming: no state, no locks. What Prometheus calls a thing is asked of
// otlptranslator, the library that the exporter itself uses, and never decided here.

// A class is what an instrument becomes on the page. Two instruments of one class can share a family; two of
// different classes cannot, even where Prometheus gives both the TYPE gauge: values that add up and values that
// replace each other have no common meaning.
type class int

const (
	classUnknown class = iota
	classCounter
	classUpDown
	classGauge
	classHistogram
)

func classOf(k sdkmetric.InstrumentKind) class {
	switch k {
	case sdkmetric.InstrumentKindCounter, sdkmetric.InstrumentKindObservableCounter:
		return classCounter
	case sdkmetric.InstrumentKindUpDownCounter, sdkmetric.InstrumentKindObservableUpDownCounter:
		return classUpDown
	case sdkmetric.InstrumentKindGauge, sdkmetric.InstrumentKindObservableGauge:
		return classGauge
	case sdkmetric.InstrumentKindHistogram:
		return classHistogram
	}
	return classUnknown
}

// suffix is what a renamed instrument of the class ends in.
func (c class) suffix() string {
	switch c {
	case classCounter:
		return "counter"
	case classUpDown:
		return "updowncounter"
	case classGauge:
		return "gauge"
	case classHistogram:
		return "histogram"
	}
	return "metric"
}

func (c class) translatorType() otlptranslator.MetricType {
	switch c {
	case classCounter:
		return otlptranslator.MetricTypeMonotonicCounter
	case classUpDown:
		return otlptranslator.MetricTypeNonMonotonicCounter
	case classGauge:
		return otlptranslator.MetricTypeGauge
	case classHistogram:
		return otlptranslator.MetricTypeHistogram
	}
	return otlptranslator.MetricTypeUnknown
}

const (
	totalSuffix      = "_total"
	maxNameLength    = 255 // the SDK refuses longer instrument names
	unnamed          = "unnamed"
	scopeLabelPrefix = "otel_scope_"
	exportedPrefix   = "exported_" // what Prometheus itself puts before a label that it needs for itself
)

// familyName returns the Prometheus family under which an instrument is exposed. A name from which the
// translator can make nothing, such as "" or "!!!", becomes "unnamed": its measurements are kept.
func familyName(name, unit string, c class) string {
	namer := otlptranslator.NewMetricNamer("", otlptranslator.UnderscoreEscapingWithSuffixes)
	m := otlptranslator.Metric{Name: name, Unit: unit, Type: c.translatorType()}
	if f, err := namer.Build(m); err == nil {
		return f
	}
	m.Name = unnamed
	f, _ := namer.Build(m)
	return f
}

// becomes tells whether any translator makes the family of a name and a unit, without our "unnamed".
func becomes(family, name, unit string, c class) bool {
	namer := otlptranslator.NewMetricNamer("", otlptranslator.UnderscoreEscapingWithSuffixes)
	f, err := namer.Build(otlptranslator.Metric{Name: name, Unit: unit, Type: c.translatorType()})
	return err == nil && f == family && utf8.ValidString(name)
}

// base is the family's name in OpenMetrics, where a counter's family does not carry the suffix of its sample.
func base(family string, c class) string {
	if c == classCounter {
		return strings.TrimSuffix(family, totalSuffix)
	}
	return family
}

// sampleNames returns every name that a family occupies: its own, its OpenMetrics name, and those of its samples.
// Two families whose names meet would hide each other in some reader. Names are compared without case, as
// OpenTelemetry does.
func sampleNames(family string, c class) []string {
	f := strings.ToLower(family)
	switch c {
	case classCounter:
		return []string{f, base(f, c)}
	case classHistogram:
		return []string{f, f + "_bucket", f + "_count", f + "_sum"}
	}
	return []string{f}
}

// reservedFamily tells whether the exposition formats give the family's name a meaning of their own.
func reservedFamily(family string, c class) bool {
	b := strings.ToLower(base(family, c))
	return b == otlptranslator.TargetInfoMetricName || b == "otel_scope_info"
}

// renamed returns the n-th name to try (from 1) for an instrument whose family is taken: http_requests_total
// becomes http_requests_total_gauge, then http_requests_total_gauge_2; a counter x_total becomes x_counter_total.
func renamed(family string, c class, n int) string {
	tail := "_" + c.suffix()
	if n > 1 {
		tail += "_" + strconv.Itoa(n)
	}
	b := base(family, c)
	if room := maxNameLength - len(tail) - len(totalSuffix); len(b) > room {
		b = b[:room]
	}
	b = stem(b, c)
	if c == classCounter {
		tail += totalSuffix
	}
	return b + tail
}

// stem leaves of a name what the translator keeps: it joins underscores, and takes every "total" out of a counter's.
func stem(name string, c class) string {
	tokens := strings.FieldsFunc(name, func(r rune) bool { return r == '_' })
	if c == classCounter {
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

// instrumentFor returns a name and a unit that OpenTelemetry translates to exactly this family, so that every
// reader, pull or push, shows the renamed instrument under one name. The unit goes into braces where the
// translator would append it behind the kind: there it is an annotation, kept for people.
func instrumentFor(family, unit string, c class) (name, newUnit string) {
	name = base(family, c)
	if familyName(name, unit, c) == family {
		return name, unit
	}
	return name, "{" + strings.NewReplacer("{", "", "}", "").Replace(unit) + "}"
}

// A repair says what had to be done to attributes so that they can be labels.
type repair uint8

const (
	repairReserved repair = 1 << iota // a name that Prometheus or this exporter needs for itself
	repairEncoding                    // a value that is not UTF-8, or a key that is empty
)

// labelName translates an attribute's key. It returns "" for an empty key, for which there is no label.
func labelName(key string) (string, repair) {
	if key == "" {
		return "", repairEncoding
	}
	namer := otlptranslator.LabelNamer{}
	name, err := namer.Build(key)
	if err != nil { // nothing but underscores is left: the namer's own prefix makes a label of it
		return "key_", repairEncoding
	}
	if reservedLabel(name) {
		return exportedPrefix + strings.Trim(name, "_"), repairReserved
	}
	return name, 0
}

func reservedLabel(name string) bool {
	switch name {
	case "le", "quantile":
		return true
	}
	return strings.HasPrefix(name, "__") || strings.HasPrefix(name, scopeLabelPrefix)
}

func labelValue(v attribute.Value) (string, repair) {
	s := v.String()
	if utf8.ValidString(s) {
		return s, 0
	}
	return strings.ToValidUTF8(s, string(utf8.RuneError)), repairEncoding
}
