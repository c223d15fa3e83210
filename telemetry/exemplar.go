package telemetry

import (
	"slices"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// maxExemplarRunes is what OpenMetrics allows for the names and values of an exemplar's labels together.
const maxExemplarRunes = 128

// exemplarRunes is what attributes may take of it, beside trace_id and span_id. What is beyond is left out, rather
// than the exemplar.
const exemplarRunes = maxExemplarRunes - len("trace_id") - 32 - len("span_id") - 16

// keepExemplars adds the exemplars of a point to its series.
func keepExemplars[N int64 | float64](x *fold, f *feed, s *series, in []metricdata.Exemplar[N]) {
	for i := range in {
		e := &in[i]
		attrs := e.FilteredAttributes
		if !x.native {
			attrs = exemplarLabels(attrs, len(e.TraceID) > 0)
		} else if !slices.ContainsFunc(attrs, unsound) {
			attrs = slices.Clone(attrs)
		} else {
			attrs, f.page.changed = soundAttributes(attrs), true
		}
		s.exemplars = append(s.exemplars, metricdata.Exemplar[float64]{
			FilteredAttributes: attrs, Time: e.Time, Value: float64(e.Value), SpanID: e.SpanID, TraceID: e.TraceID,
		})
	}
}

// exemplarLabels makes labels of attributes, as many as fit beside those of a span.
func exemplarLabels(attrs []attribute.KeyValue, span bool) []attribute.KeyValue {
	set, _ := translate(attribute.NewSet(attrs...), nil)
	room := exemplarRunes
	return slices.DeleteFunc(set.ToSlice(), func(kv attribute.KeyValue) bool {
		if span && (kv.Key == "trace_id" || kv.Key == "span_id") {
			return true
		}
		n := utf8.RuneCountInString(string(kv.Key)) + utf8.RuneCountInString(kv.Value.AsString())
		if n > room {
			return true
		}
		room -= n
		return false
	})
}

// sound returns the attributes as OTLP can carry them and Prometheus can tell them apart: what the page repairs is
// repaired, keys that become one label are that label, and all else stays as it is.
func sound(set attribute.Set) attribute.Set {
	byLabel := make(map[string][]attribute.KeyValue, set.Len())
	whole := true
	for it := set.Iter(); it.Next(); {
		kv := it.Attribute()
		name, done := labelName(string(kv.Key))
		if name == "" {
			whole = false
			continue
		}
		if done != 0 || !utf8.ValidString(string(kv.Key)) {
			kv.Key, whole = attribute.Key(name), false
		}
		if !soundValue(kv.Value) {
			kv.Value, whole = attribute.StringValue(soundText(kv.Value.String())), false
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

// unsound tells whether OTLP cannot carry an attribute: its text is UTF-8.
func unsound(kv attribute.KeyValue) bool {
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
		return !slices.ContainsFunc(v.AsMap(), unsound)
	}
	return true
}

// soundAttributes puts U+FFFD in place of what is not UTF-8.
func soundAttributes(in []attribute.KeyValue) []attribute.KeyValue {
	out := slices.Clone(in)
	for i, kv := range out {
		if unsound(kv) {
			out[i].Key = attribute.Key(soundText(string(kv.Key)))
			out[i].Value = attribute.StringValue(soundText(kv.Value.String()))
		}
	}
	return out
}

// soundText makes text valid that OTLP would refuse, and with it all else that is sent.
func soundText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
