// Package foreign makes client_golang's metrics valid for a page, and adds them. Metrics of a prometheus.Registry are
// mostly valid; those of any other Gatherer may not be. The package changes nothing in place: it returns copies.
package foreign

import (
	"slices"
	"strings"
	"unicode/utf8"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"

	"github.com/onemeter/onemeter/telemetry/internal/rule"
)

// Cleaned returns the family with distinct labels and valid text, and the number of metrics that it dropped because they
// cannot be repaired. It returns a valid family unchanged, and nil for a family without a name. If checked, a
// prometheus.Registry has checked the family.
func Cleaned(f *dto.MetricFamily, checked bool) (*dto.MetricFamily, int) {
	if f == nil || f.GetName() == "" {
		return nil, 0
	}
	if !utf8.ValidString(f.GetName()) {
		f = Shallow(f)
		f.Name = new(model.EscapeName(f.GetName(), model.UnderscoreEscaping))
	}
	if !utf8.ValidString(f.GetHelp()) || !utf8.ValidString(f.GetUnit()) {
		f = Shallow(f)
		f.Help, f.Unit = new(rule.SoundText(f.GetHelp())), nil
	}
	if checked && Fit(f) {
		return f, 0
	}
	dropped, copied := 0, false
	for i, m := range f.Metric {
		if fit(f.GetType(), m) {
			continue
		}
		if !copied {
			f, copied = Shallow(f), true
		}
		f.Metric[i] = repairMetric(f.GetType(), m)
		if f.Metric[i] == nil {
			dropped++
		}
	}
	if dropped > 0 {
		f.Metric = slices.DeleteFunc(f.Metric, func(m *dto.Metric) bool { return m == nil })
	}
	return f, dropped
}

// Shallow returns a copy of a family whose list of metrics can be changed.
func Shallow(f *dto.MetricFamily) *dto.MetricFamily {
	return &dto.MetricFamily{Name: f.Name, Help: f.Help, Type: f.Type, Unit: f.Unit, Metric: slices.Clone(f.Metric)}
}

// Fit reports whether all metrics of a family that a prometheus.Registry has checked are valid and have legacy label
// names. It is faster than fit: it checks labels only if their names differ from those of the series before.
func Fit(f *dto.MetricFamily) bool {
	t := f.GetType()
	var last []*dto.LabelPair
	for _, m := range f.Metric {
		if !sameNames(last, m.Label) {
			for _, l := range m.Label {
				if !model.LegacyValidation.IsValidLabelName(l.GetName()) || foreignLabel(t, l.GetName()) != l.GetName() {
					return false
				}
			}
		}
		if last = m.Label; !hasValue(t, m) || !exemplarsFit(m) {
			return false
		}
	}
	return true
}

func sameNames(a, b []*dto.LabelPair) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Name != b[i].Name && *a[i].Name != *b[i].Name { // a registry allows no nil name
			return false
		}
	}
	return true
}

// fit reports whether a metric can be on a page in any format, unchanged.
func fit(t dto.MetricType, m *dto.Metric) bool {
	if m == nil || !hasValue(t, m) {
		return false
	}
	legacy := true
	for i, l := range m.Label {
		if l == nil || !utf8.ValidString(l.GetValue()) || foreignLabel(t, l.GetName()) != l.GetName() {
			return false
		}
		if i > 0 && m.Label[i-1].GetName() >= l.GetName() {
			return false
		}
		legacy = legacy && model.LegacyValidation.IsValidLabelName(l.GetName())
	}
	if !legacy && meetInText(m.Label) {
		return false
	}
	return exemplarsFit(m)
}

func hasValue(t dto.MetricType, m *dto.Metric) bool {
	switch t {
	case dto.MetricType_COUNTER:
		return m.Counter != nil
	case dto.MetricType_GAUGE:
		return m.Gauge != nil
	case dto.MetricType_UNTYPED:
		return m.Untyped != nil
	case dto.MetricType_SUMMARY:
		return m.Summary != nil
	case dto.MetricType_HISTOGRAM:
		h := m.Histogram // whose counts must be integers: OpenMetrics has no float counts
		return h != nil && h.GetSampleCountFloat() == 0 &&
			!slices.ContainsFunc(h.Bucket, func(b *dto.Bucket) bool { return b == nil || b.GetCumulativeCountFloat() > 0 })
	}
	return false
}

// meetInText reports whether two labels have the same name in the text format.
func meetInText(labels []*dto.LabelPair) bool {
	seen := make(map[string]bool, len(labels))
	for _, l := range labels {
		name := LegacyLabel(l.GetName())
		if seen[name] {
			return true
		}
		seen[name] = true
	}
	return false
}

// foreignLabel returns the label name to expose: it changes only names that would break the page.
func foreignLabel(t dto.MetricType, name string) string {
	if name == "le" && t == dto.MetricType_HISTOGRAM || name == "quantile" && t == dto.MetricType_SUMMARY ||
		strings.HasPrefix(name, "__") {
		return rule.ExportedPrefix + strings.Trim(name, "_")
	}
	if name == "" || !utf8.ValidString(name) {
		return LegacyLabel(name)
	}
	return name
}

func exemplarsFit(m *dto.Metric) bool {
	if c := m.Counter; c != nil {
		return exemplarFits(c.Exemplar)
	}
	if h := m.Histogram; h != nil {
		for _, b := range h.Bucket {
			if !exemplarFits(b.GetExemplar()) {
				return false
			}
		}
	}
	return true
}

func exemplarFits(e *dto.Exemplar) bool {
	if e == nil {
		return true
	}
	runes := 0
	for _, l := range e.Label {
		if l == nil || !model.LegacyValidation.IsValidLabelName(l.GetName()) || !utf8.ValidString(l.GetValue()) {
			return false
		}
		runes += utf8.RuneCountInString(l.GetName()) + utf8.RuneCountInString(l.GetValue())
	}
	return runes <= rule.MaxExemplarRunes && (e.Timestamp == nil || e.Timestamp.IsValid())
}

// repairMetric returns a valid copy, or nil if that is impossible.
func repairMetric(t dto.MetricType, m *dto.Metric) *dto.Metric {
	if m == nil || !hasValue(t, m) {
		return nil
	}
	values := map[string][]string{}
	textual := meetInText(m.Label)
	for _, l := range m.Label {
		name := foreignLabel(t, l.GetName())
		if textual {
			name = LegacyLabel(name)
		}
		if name != "" {
			values[name] = append(values[name], rule.SoundText(l.GetValue()))
		}
	}
	out := Relabelled(m, nil)
	for name, vs := range values {
		slices.Sort(vs)
		out.Label = append(out.Label, &dto.LabelPair{Name: new(name), Value: new(strings.Join(vs, ";"))})
	}
	slices.SortFunc(out.Label, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) })
	if !exemplarsFit(m) {
		out.Counter, out.Histogram = withoutExemplars(m)
	}
	return out
}

// Relabelled returns the metric with other labels.
func Relabelled(m *dto.Metric, labels []*dto.LabelPair) *dto.Metric {
	return &dto.Metric{
		Label: labels, Gauge: m.Gauge, Counter: m.Counter, Summary: m.Summary, Untyped: m.Untyped, Histogram: m.Histogram,
		TimestampMs: m.TimestampMs,
	}
}

func withoutExemplars(m *dto.Metric) (*dto.Counter, *dto.Histogram) {
	if c := m.Counter; c != nil {
		return &dto.Counter{Value: c.Value, CreatedTimestamp: c.CreatedTimestamp}, m.Histogram
	}
	h := CopyHistogram(m.Histogram)
	for i, b := range h.Bucket {
		h.Bucket[i] = &dto.Bucket{CumulativeCount: b.CumulativeCount, UpperBound: b.UpperBound}
	}
	return nil, h
}
