package rule

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
)

// A Repair says how attributes were changed to become valid labels.
type Repair uint8

// The repairs.
const (
	RepairReserved Repair = 1 << iota // the label got another name, because Prometheus or the exporter uses its name
	RepairEncoding                    // a value was not UTF-8, or a key cannot be the name of a label
)

// MaxExemplarRunes is the limit of OpenMetrics 1.0, section "Exemplars", for the names and values of an exemplar's labels
// together, in characters.
const MaxExemplarRunes = 128

// LabelName translates an attribute's key to the name of a label. It returns "" for an empty key, which gets no label.
func LabelName(key string) (string, Repair) {
	if key == "" {
		return "", RepairEncoding
	}
	namer := otlptranslator.LabelNamer{}
	name, err := namer.Build(key)
	if err != nil { // nothing but underscores is left of the key; the namer's own prefix makes them a valid name
		return "key_", RepairEncoding
	}
	if ReservedLabel(name) {
		return ExportedPrefix + strings.Trim(name, "_"), RepairReserved
	}
	return name, 0
}

// ReservedLabel reports whether Prometheus or the exporter uses the label itself.
func ReservedLabel(name string) bool {
	switch name {
	case "le", "quantile":
		return true
	}
	return strings.HasPrefix(name, "__") || strings.HasPrefix(name, ScopeLabelPrefix)
}

// LabelValue translates the value of an attribute to that of a label.
func LabelValue(v attribute.Value) (string, Repair) {
	s := v.String()
	if utf8.ValidString(s) {
		return s, 0
	}
	return strings.ToValidUTF8(s, string(utf8.RuneError)), RepairEncoding
}

// Labels translates attributes to labels. If several keys become one label, their values are sorted and joined by
// ";", as OpenTelemetry's specification "Prometheus and OpenMetrics Compatibility" demands and the exporter does. Labels
// with empty values are left out: in Prometheus's data model they do not exist, so series that differ only in them are
// one. The labels of a scope are added unchanged.
func Labels(set attribute.Set, scope []attribute.KeyValue) (attribute.Set, Repair) {
	var done Repair
	values := make(map[string][]string, set.Len())
	for it := set.Iter(); it.Next(); {
		kv := it.Attribute()
		name, r := LabelName(string(kv.Key))
		done |= r
		if name == "" {
			continue
		}
		value, r := LabelValue(kv.Value)
		done |= r
		values[name] = append(values[name], value)
	}
	kvs := make([]attribute.KeyValue, 0, len(values)+len(scope))
	for name, vs := range values {
		slices.Sort(vs)
		if value := strings.Join(vs, ";"); value != "" {
			kvs = append(kvs, attribute.String(name, value))
		}
	}
	return attribute.NewSet(append(kvs, scope...)...), done
}

// ScopeLabels returns the labels that the exporter adds to the points of a scope.
func ScopeLabels(s instrumentation.Scope) []attribute.KeyValue {
	set, _ := Labels(s.Attributes, nil)
	var out []attribute.KeyValue
	for _, kv := range set.ToSlice() {
		switch kv.Key {
		case "name", "version", "schema_url":
		default:
			out = append(out, attribute.String(ScopeLabelPrefix+string(kv.Key), kv.Value.AsString()))
		}
	}
	for k, v := range map[string]string{"name": s.Name, "version": s.Version, "schema_url": s.SchemaURL} {
		v, _ := LabelValue(attribute.StringValue(v))
		out = append(out, attribute.String(ScopeLabelPrefix+k, v))
	}
	return out
}

// Values returns the values of labels in the order of their names.
func Values(labels attribute.Set) []string {
	out := make([]string, 0, labels.Len())
	for it := labels.Iter(); it.Next(); {
		out = append(out, it.Attribute().Value.AsString())
	}
	return out
}

// WithoutEmpty leaves out labels with an empty value, which do not exist in Prometheus's data model.
func WithoutEmpty(labels attribute.Set) attribute.Set {
	full, _ := labels.Filter(func(kv attribute.KeyValue) bool {
		return kv.Value.Type() != attribute.STRING || kv.Value.AsString() != ""
	})
	return full
}

// Repairs describes what Labels and LabelValue repair in the attributes, for one kind of repair.
func Repairs(set attribute.Set, what Repair) string {
	var out []string
	for it := set.Iter(); it.Next(); {
		kv := it.Attribute()
		name, done := LabelName(string(kv.Key))
		value, more := LabelValue(kv.Value)
		switch {
		case done&what != 0 && name == "":
			out = append(out, "an attribute with an empty key is left out")
		case done&what != 0:
			out = append(out, fmt.Sprintf("attribute %q becomes label %s", kv.Key, name))
		case more&what != 0:
			out = append(out, fmt.Sprintf("a value of attribute %q is not UTF-8: %q", kv.Key, value))
		}
	}
	return strings.Join(out, ", ")
}
