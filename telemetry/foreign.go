package telemetry

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"

	"github.com/onemeter/onemeter/telemetry/internal/rule"
)

// This file makes metrics of other sources fit for a page, and adds them up. A prometheus.Registry gives nothing
// that would need it; any other Gatherer may.

// cleaned returns the family with distinct labels and valid text, and how many of its metrics could not be saved. What
// is in order is returned as it is; nothing is changed in place. A registry has checked much of it, or has not.
func cleaned(f *dto.MetricFamily, checked bool) (*dto.MetricFamily, int) {
	if f == nil || f.GetName() == "" {
		return nil, 0
	}
	if !utf8.ValidString(f.GetName()) {
		f = shallow(f)
		f.Name = new(model.EscapeName(f.GetName(), model.UnderscoreEscaping))
	}
	if !utf8.ValidString(f.GetHelp()) || !utf8.ValidString(f.GetUnit()) {
		f = shallow(f)
		f.Help, f.Unit = new(rule.SoundText(f.GetHelp())), nil
	}
	if checked && checkedFit(f) {
		return f, 0
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

// checkedFit tells whether all metrics of a family that a prometheus.Registry has checked fit, and have labels of
// legacy names. It is quicker than fit: labels are looked at where their names differ from those of the series before.
func checkedFit(f *dto.MetricFamily) bool {
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
		if a[i].Name != b[i].Name && *a[i].Name != *b[i].Name { // a registry leaves no name out
			return false
		}
	}
	return true
}

// fit tells whether a metric can be on a page of any format as it is.
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
		h := m.Histogram // OpenMetrics has no histograms of floats
		return h != nil && h.GetSampleCountFloat() == 0 &&
			!slices.ContainsFunc(h.Bucket, func(b *dto.Bucket) bool { return b == nil || b.GetCumulativeCountFloat() > 0 })
	}
	return false
}

// meetInText tells whether two labels have one name in the text format.
func meetInText(labels []*dto.LabelPair) bool {
	seen := make(map[string]bool, len(labels))
	for _, l := range labels {
		name := legacyLabel(l.GetName())
		if seen[name] {
			return true
		}
		seen[name] = true
	}
	return false
}

// foreignLabel returns the label name to expose: only what would break the page is changed.
func foreignLabel(t dto.MetricType, name string) string {
	if name == "le" && t == dto.MetricType_HISTOGRAM || name == "quantile" && t == dto.MetricType_SUMMARY ||
		strings.HasPrefix(name, "__") {
		return rule.ExportedPrefix + strings.Trim(name, "_")
	}
	if name == "" || !utf8.ValidString(name) {
		return legacyLabel(name)
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
	return runes <= maxExemplarRunes && (e.Timestamp == nil || e.Timestamp.IsValid())
}

// repairMetric returns a copy that fits, or nil.
func repairMetric(t dto.MetricType, m *dto.Metric) *dto.Metric {
	if m == nil || !hasValue(t, m) {
		return nil
	}
	values := map[string][]string{}
	textual := meetInText(m.Label)
	for _, l := range m.Label {
		name := foreignLabel(t, l.GetName())
		if textual {
			name = legacyLabel(name)
		}
		if name != "" {
			values[name] = append(values[name], rule.SoundText(l.GetValue()))
		}
	}
	out := relabelled(m, nil)
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

// relabelled returns the metric with other labels.
func relabelled(m *dto.Metric, labels []*dto.LabelPair) *dto.Metric {
	return &dto.Metric{
		Label: labels, Gauge: m.Gauge, Counter: m.Counter, Summary: m.Summary, Untyped: m.Untyped, Histogram: m.Histogram,
		TimestampMs: m.TimestampMs,
	}
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

// What addMetric can lose: nothing, all of the second, or what the text says.
const (
	lostAll       = "all"
	quantilesLost = "quantiles cannot be added: where their labels are equal, the first one's are shown"
)

// addMetric returns the sum of two metrics with equal labels, and what of the second could not be added.
//
//   - Counters add up.
//   - Classic histograms add up, in the first one's buckets.
//   - Native histograms add up, at the coarser resolution of the two.
//   - Where only one of the two is native, the sum is classic, with the boundaries of the one that has some.
//   - Summaries have the sum of counts and sums. Quantiles cannot be added: the first one's are shown.
//   - Gauges and untyped metrics cannot be added: the first one's value is shown.
func addMetric(a, b *dto.Metric) (sum *dto.Metric, lost string) {
	sum = &dto.Metric{Label: a.Label, TimestampMs: a.TimestampMs}
	switch {
	case a.Counter != nil:
		v := a.Counter.GetValue() + b.GetCounter().GetValue()
		sum.Counter = &dto.Counter{
			Value: &v, Exemplar: cmp.Or(a.Counter.Exemplar, b.GetCounter().GetExemplar()), CreatedTimestamp: a.Counter.CreatedTimestamp,
		}
	case a.Histogram != nil:
		sum.Histogram, lost = addHistogram(a.Histogram, b.GetHistogram())
	case a.Summary != nil:
		n := a.Summary.GetSampleCount() + b.GetSummary().GetSampleCount()
		v := a.Summary.GetSampleSum() + b.GetSummary().GetSampleSum()
		sum.Summary = &dto.Summary{
			SampleCount: &n, SampleSum: &v, Quantile: a.Summary.Quantile, CreatedTimestamp: a.Summary.CreatedTimestamp,
		}
		if len(a.Summary.Quantile)+len(b.GetSummary().GetQuantile()) > 0 {
			lost = quantilesLost
		}
	default:
		return a, lostAll
	}
	return sum, lost
}

func addHistogram(a, b *dto.Histogram) (sum *dto.Histogram, lost string) {
	n := a.GetSampleCount() + b.GetSampleCount()
	v := a.GetSampleSum() + b.GetSampleSum()
	sum = &dto.Histogram{SampleCount: &n, SampleSum: &v, CreatedTimestamp: a.CreatedTimestamp, Exemplars: a.Exemplars}
	nativeA, addsA := sparseOf(a)
	nativeB, addsB := sparseOf(b)
	switch {
	case addsA && addsB:
		nativeA.plus(nativeB).into(sum)
	case isNative(a) || isNative(b):
		lost = "native buckets are left out where the other has classic ones only"
	}
	main := a
	if !isClassic(a) && isClassic(b) {
		main = b
	}
	if !isClassic(main) {
		return sum, lost
	}
	bounds, _ := classic(main)
	counts := slices.Clone(inBuckets(a, bounds))
	for i, n := range inBuckets(b, bounds) {
		counts[i] += n
	}
	sum.Bucket = bucketsOf(counts, bounds, main.Bucket)
	if other, _ := classic(b); slices.Equal(bounds, other) {
		for i, bucket := range b.Bucket {
			if i < len(sum.Bucket) && sum.Bucket[i].Exemplar == nil {
				sum.Bucket[i].Exemplar = bucket.GetExemplar()
			}
		}
	}
	if last := len(bounds); last < len(main.Bucket) && main.Bucket[last].GetExemplar() != nil { // that of +Inf has one
		sum.Bucket = append(sum.Bucket, &dto.Bucket{
			UpperBound: new(math.Inf(+1)), CumulativeCount: &n, Exemplar: main.Bucket[last].Exemplar,
		})
	}
	if other, _ := classic(b); isClassic(a) && isClassic(b) && !slices.Equal(bounds, other) {
		lost = fmt.Sprintf("boundaries %v, then %v", bounds, other)
	}
	return sum, lost
}

// bucketsOf makes buckets of counts, with the exemplars of others of these boundaries.
func bucketsOf(counts []uint64, bounds []float64, exemplars []*dto.Bucket) []*dto.Bucket {
	out := make([]*dto.Bucket, len(bounds))
	cumulated := uint64(0)
	for i, bound := range bounds {
		cumulated += counts[i]
		out[i] = &dto.Bucket{UpperBound: new(bound), CumulativeCount: new(cumulated)}
		if i < len(exemplars) {
			out[i].Exemplar = exemplars[i].GetExemplar()
		}
	}
	return out
}

// isClassic tells whether a histogram has the buckets that every format shows.
func isClassic(h *dto.Histogram) bool { return len(h.GetBucket()) > 0 || !isNative(h) }

// inBuckets counts a histogram's values in buckets with these boundaries.
func inBuckets(h *dto.Histogram, bounds []float64) []uint64 {
	if s, ok := sparseOf(h); ok && !isClassic(h) {
		counts, from := s.counts()
		return rule.Rebucket(counts, from, bounds)
	}
	from, counts := classic(h)
	return rule.Rebucket(counts, from, bounds)
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
