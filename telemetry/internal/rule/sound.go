package rule

import (
	"slices"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
)

// Sound returns attributes that OTLP can encode and Prometheus can distinguish. It repairs them as on the page. Attributes
// whose keys become one label become one attribute with that label's name. All others stay unchanged.
func Sound(set attribute.Set) attribute.Set {
	byLabel := make(map[string][]attribute.KeyValue, set.Len())
	whole := true
	for it := set.Iter(); it.Next(); {
		kv := it.Attribute()
		name, done := LabelName(string(kv.Key))
		if name == "" {
			whole = false
			continue
		}
		if done != 0 || !utf8.ValidString(string(kv.Key)) {
			kv.Key, whole = attribute.Key(name), false
		}
		if !soundValue(kv.Value) {
			kv.Value, whole = attribute.StringValue(SoundText(kv.Value.String())), false
		}
		whole = whole && byLabel[name] == nil
		byLabel[name] = append(byLabel[name], kv)
	}
	if whole {
		return set
	}
	kvs := make([]attribute.KeyValue, 0, len(byLabel))
	for name, same := range byLabel {
		if len(same) == 1 {
			kvs = append(kvs, same[0])
			continue
		}
		values := make([]string, len(same))
		for i, kv := range same {
			values[i] = kv.Value.String()
		}
		slices.Sort(values)
		kvs = append(kvs, attribute.String(name, strings.Join(values, ";")))
	}
	return attribute.NewSet(kvs...)
}

// Unsound reports whether OTLP cannot encode an attribute, because its text is not UTF-8.
func Unsound(kv attribute.KeyValue) bool {
	if !utf8.ValidString(string(kv.Key)) {
		return true
	}
	return !soundValue(kv.Value)
}

func soundValue(v attribute.Value) bool {
	switch v.Type() {
	case attribute.STRING:
		return utf8.ValidString(v.AsString())
	case attribute.STRINGSLICE:
		return !slices.ContainsFunc(v.AsStringSlice(), func(s string) bool { return !utf8.ValidString(s) })
	case attribute.SLICE:
		return !slices.ContainsFunc(v.AsSlice(), func(v attribute.Value) bool { return !soundValue(v) })
	case attribute.MAP:
		return !slices.ContainsFunc(v.AsMap(), Unsound)
	}
	return true
}

// SoundAttributes replaces invalid UTF-8 by U+FFFD.
func SoundAttributes(in []attribute.KeyValue) []attribute.KeyValue {
	out := slices.Clone(in)
	for i, kv := range out {
		if Unsound(kv) {
			out[i].Key = attribute.Key(SoundText(string(kv.Key)))
			out[i].Value = attribute.StringValue(SoundText(kv.Value.String()))
		}
	}
	return out
}

// SoundText replaces invalid UTF-8 by U+FFFD, because OTLP would refuse the text and everything that is sent with it.
func SoundText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
