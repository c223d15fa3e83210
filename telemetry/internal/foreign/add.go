package foreign

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	dto "github.com/prometheus/client_model/go"

	"github.com/onemeter/onemeter/telemetry/internal/rule"
	"github.com/onemeter/onemeter/telemetry/internal/sparse"
)

// The results of Add that say what was lost. "" means nothing. Other texts describe what was lost.
const (
	LostAll       = "all" // the whole second metric
	QuantilesLost = "quantiles cannot be added: if labels are equal, the first one's are shown"
)

// Add returns the sum of two metrics with equal labels, and says what of the second was lost because it cannot be added.
// It changes neither.
//
//   - Counters are added.
//   - Classic histograms are added in the first one's buckets.
//   - Native histograms are added at the coarser resolution of the two.
//   - If only one of the two is native, the sum is classic, with the boundaries of the classic one.
//   - Counts and sums of summaries are added. Quantiles cannot be: the first one's are shown.
//   - Gauges and untyped metrics cannot be added: the first one's value is shown.
func Add(a, b *dto.Metric) (sum *dto.Metric, lost string) {
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
			lost = QuantilesLost
		}
	default:
		return a, LostAll
	}
	return sum, lost
}

func addHistogram(a, b *dto.Histogram) (sum *dto.Histogram, lost string) {
	n := a.GetSampleCount() + b.GetSampleCount()
	v := a.GetSampleSum() + b.GetSampleSum()
	sum = &dto.Histogram{SampleCount: &n, SampleSum: &v, CreatedTimestamp: a.CreatedTimestamp, Exemplars: a.Exemplars}
	nativeA, addsA := sparse.Of(a)
	nativeB, addsB := sparse.Of(b)
	switch {
	case addsA && addsB:
		nativeA.Plus(nativeB).Into(sum)
	case sparse.IsNative(a) || sparse.IsNative(b):
		lost = "native buckets are left out, because the other histogram has only classic ones"
	}
	main := a
	if !isClassic(a) && isClassic(b) {
		main = b
	}
	if !isClassic(main) {
		return sum, lost
	}
	bounds, _ := Classic(main)
	counts := slices.Clone(InBuckets(a, bounds))
	for i, n := range InBuckets(b, bounds) {
		counts[i] += n
	}
	sum.Bucket = BucketsOf(counts, bounds, main.Bucket)
	if other, _ := Classic(b); slices.Equal(bounds, other) {
		for i, bucket := range b.Bucket {
			if i < len(sum.Bucket) && sum.Bucket[i].Exemplar == nil {
				sum.Bucket[i].Exemplar = bucket.GetExemplar()
			}
		}
	}
	if last := len(bounds); last < len(main.Bucket) && main.Bucket[last].GetExemplar() != nil { // the +Inf bucket has an exemplar
		sum.Bucket = append(sum.Bucket, &dto.Bucket{
			UpperBound: new(math.Inf(+1)), CumulativeCount: &n, Exemplar: main.Bucket[last].Exemplar,
		})
	}
	if other, _ := Classic(b); isClassic(a) && isClassic(b) && !slices.Equal(bounds, other) {
		lost = fmt.Sprintf("boundaries %v, then %v", bounds, other)
	}
	return sum, lost
}

// BucketsOf builds buckets from counts, with the exemplars of buckets that have the same boundaries.
func BucketsOf(counts []uint64, bounds []float64, exemplars []*dto.Bucket) []*dto.Bucket {
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

// isClassic reports whether a histogram has the buckets that every format shows.
func isClassic(h *dto.Histogram) bool { return len(h.GetBucket()) > 0 || !sparse.IsNative(h) }

// InBuckets counts a histogram's values in buckets with these boundaries.
func InBuckets(h *dto.Histogram, bounds []float64) []uint64 {
	if s, ok := sparse.Of(h); ok && !isClassic(h) {
		counts, from := s.Counts()
		return rule.Rebucket(counts, from, bounds)
	}
	from, counts := Classic(h)
	return rule.Rebucket(counts, from, bounds)
}

// Classic returns the finite boundaries of a histogram and the count of each bucket, the last one unbounded.
func Classic(h *dto.Histogram) (bounds []float64, counts []uint64) {
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

// CopyHistogram returns a copy whose list of buckets can be changed.
func CopyHistogram(h *dto.Histogram) *dto.Histogram {
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
