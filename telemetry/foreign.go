package telemetry

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
)

// This file makes metrics of other sources fit for a page, and adds them up. A prometheus.Registry gives nothing
// that would need it; any other Gatherer may.

// cleaned returns the family with legacy names, distinct labels and valid text, and how many of its metrics could
// not be saved. What is in order is returned as it is; nothing is changed in place.
func cleaned(f *dto.MetricFamily) (*dto.MetricFamily, int) {
	if f == nil || f.GetName() == "" {
		return nil, 0
	}
	if name := model.EscapeName(f.GetName(), model.UnderscoreEscaping); name != f.GetName() {
		f = shallow(f)
		f.Name = &name
	}
	if f.Help != nil && !utf8.ValidString(f.GetHelp()) {
		f = shallow(f)
		f.Help = new(strings.ToValidUTF8(f.GetHelp(), "\uFFFD"))
	}
	if f.Unit != nil { // OpenMetrics wants the name to end in it; nothing here can promise that
		f = shallow(f)
		f.Unit = nil
	}
	dropped, copied := 0, false
	for i, m := range f.Metric {
		if fit(f.GetType(), m) {
			continue
		}
		if !copied {
			f, copied = shallow(f), true
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

func shallow(f *dto.MetricFamily) *dto.MetricFamily {
	return &dto.MetricFamily{Name: f.Name, Help: f.Help, Type: f.Type, Unit: f.Unit, Metric: slices.Clone(f.Metric)}
}

// fit tells whether a metric can be on a page of any format as it is.
func fit(t dto.MetricType, m *dto.Metric) bool {
	if m == nil || !hasValue(t, m) {
		return false
	}
	for i, l := range m.Label {
		if l == nil || !utf8.ValidString(l.GetValue()) || foreignLabel(t, l.GetName()) != l.GetName() {
			return false
		}
		if i > 0 && m.Label[i-1].GetName() >= l.GetName() {
			return false
		}
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
		h := m.Histogram // OpenMetrics has no histograms of floats
		return h != nil && h.GetSampleCountFloat() == 0 &&
			!slices.ContainsFunc(h.Bucket, func(b *dto.Bucket) bool { return b == nil || b.GetCumulativeCountFloat() > 0 })
	}
	return false
}

// foreignLabel returns the label name to expose: only what would break the page is changed.
func foreignLabel(t dto.MetricType, name string) string {
	if name == "le" && t == dto.MetricType_HISTOGRAM || name == "quantile" && t == dto.MetricType_SUMMARY ||
		strings.HasPrefix(name, "__") {
		return exportedPrefix + strings.Trim(name, "_")
	}
	return model.EscapeName(name, model.UnderscoreEscaping)
}

func exemplarsFit(m *dto.Metric) bool {
	ok := func(e *dto.Exemplar) bool {
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
		return runes <= maxExemplarRunes && (e.Timestamp == nil || e.Timestamp.IsValid())
	}
	if !ok(m.GetCounter().GetExemplar()) {
		return false
	}
	for _, b := range m.GetHistogram().GetBucket() {
		if !ok(b.GetExemplar()) {
			return false
		}
	}
	return true
}

// repairMetric returns a copy that fits, or nil.
func repairMetric(t dto.MetricType, m *dto.Metric) *dto.Metric {
	if m == nil || !hasValue(t, m) {
		return nil
	}
	values := map[string][]string{}
	for _, l := range m.Label {
		if name := foreignLabel(t, l.GetName()); name != "" {
			values[name] = append(values[name], strings.ToValidUTF8(l.GetValue(), "\uFFFD"))
		}
	}
	out := &dto.Metric{
		Gauge: m.Gauge, Counter: m.Counter, Summary: m.Summary, Untyped: m.Untyped, Histogram: m.Histogram,
		TimestampMs: m.TimestampMs,
	}
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

func withoutExemplars(m *dto.Metric) (*dto.Counter, *dto.Histogram) {
	if c := m.Counter; c != nil {
		return &dto.Counter{Value: c.Value, CreatedTimestamp: c.CreatedTimestamp}, m.Histogram
	}
	h := copyHistogram(m.Histogram)
	for i, b := range h.Bucket {
		h.Bucket[i] = &dto.Bucket{CumulativeCount: b.CumulativeCount, UpperBound: b.UpperBound}
	}
	return nil, h
}

// addMetric returns the sum of two metrics with equal labels, and whether the second was lost, as that of a gauge is.
func addMetric(a, b *dto.Metric) (*dto.Metric, bool) {
	sum := &dto.Metric{Label: a.Label, TimestampMs: a.TimestampMs}
	switch {
	case a.Counter != nil:
		v := a.Counter.GetValue() + b.GetCounter().GetValue()
		sum.Counter = &dto.Counter{Value: &v, Exemplar: cmp.Or(a.Counter.Exemplar, b.GetCounter().GetExemplar())}
	case a.Histogram != nil:
		sum.Histogram = addHistogram(a.Histogram, b.GetHistogram())
	case a.Summary != nil:
		n := a.Summary.GetSampleCount() + b.GetSummary().GetSampleCount()
		v := a.Summary.GetSampleSum() + b.GetSummary().GetSampleSum()
		sum.Summary = &dto.Summary{SampleCount: &n, SampleSum: &v, Quantile: a.Summary.Quantile}
	default:
		return a, true
	}
	return sum, false
}

// addHistogram adds b to the classic buckets of a. The native buckets of a histogram cannot hold what another
// counted by other boundaries, so the sum has none.
func addHistogram(a, b *dto.Histogram) *dto.Histogram {
	n := a.GetSampleCount() + b.GetSampleCount()
	v := a.GetSampleSum() + b.GetSampleSum()
	sum := &dto.Histogram{SampleCount: &n, SampleSum: &v}
	from, counts := classic(b)
	to, _ := classic(a)
	moved := rebucket(counts, from, to)
	cumulated := uint64(0)
	for i, bound := range to {
		cumulated += moved[i]
		c := a.Bucket[i].GetCumulativeCount() + cumulated
		sum.Bucket = append(sum.Bucket, &dto.Bucket{
			UpperBound: new(bound), CumulativeCount: &c, Exemplar: a.Bucket[i].Exemplar,
		})
	}
	return sum
}

// classic returns the finite boundaries of a histogram and the count of each bucket, the last one unbounded.
func classic(h *dto.Histogram) (bounds []float64, counts []uint64) {
	before := uint64(0)
	for _, b := range h.GetBucket() {
		if math.IsInf(b.GetUpperBound(), +1) {
			break
		}
		bounds = append(bounds, b.GetUpperBound())
		counts = append(counts, b.GetCumulativeCount()-before)
		before = b.GetCumulativeCount()
	}
	return bounds, append(counts, h.GetSampleCount()-before)
}

func copyHistogram(h *dto.Histogram) *dto.Histogram {
	if h == nil {
		return nil
	}
	return &dto.Histogram{
		SampleCount: h.SampleCount, SampleSum: h.SampleSum, Bucket: slices.Clone(h.Bucket),
		CreatedTimestamp: h.CreatedTimestamp, Schema: h.Schema, ZeroThreshold: h.ZeroThreshold, ZeroCount: h.ZeroCount,
		NegativeSpan: h.NegativeSpan, NegativeDelta: h.NegativeDelta, PositiveSpan: h.PositiveSpan,
		PositiveDelta: h.PositiveDelta,
	}
}
