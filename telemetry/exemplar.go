package telemetry

import (
	"slices"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/onemeter/onemeter/telemetry/internal/rule"
)

// exemplarRunes is the length that the attributes of an exemplar may have beside trace_id and span_id. Attributes
// beyond it are left out, so that the exemplar itself is kept.
const exemplarRunes = rule.MaxExemplarRunes - len("trace_id") - 32 - len("span_id") - 16

// keepExemplars adds the exemplars of a point to its series.
func keepExemplars[N int64 | float64](x *fold, f *feed, s *folded, in []metricdata.Exemplar[N]) {
	for i := range in {
		e := &in[i]
		attrs := e.FilteredAttributes
		if !x.native {
			attrs = exemplarLabels(attrs, len(e.TraceID) > 0)
		} else if !slices.ContainsFunc(attrs, rule.Unsound) {
			attrs = slices.Clone(attrs)
		} else {
			attrs, f.sheet.changed = rule.SoundAttributes(attrs), true
		}
		s.exemplars = append(s.exemplars, metricdata.Exemplar[float64]{
			FilteredAttributes: attrs, Time: e.Time, Value: float64(e.Value), SpanID: e.SpanID, TraceID: e.TraceID,
		})
	}
}

// exemplarLabels returns attributes as labels, as many as fit. With span, there is room left for the ids of the span.
func exemplarLabels(attrs []attribute.KeyValue, span bool) []attribute.KeyValue {
	set, _ := rule.Labels(attribute.NewSet(attrs...), nil)
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
