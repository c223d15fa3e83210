// Package sparse adds histograms with exponential buckets, those of Prometheus and of OpenTelemetry.
package sparse

import (
	"cmp"
	"maps"
	"math"
	"slices"

	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// A Histogram has buckets whose boundaries are powers of 2^(2^-schema): it is a native histogram of Prometheus, or an
// exponential one of OpenTelemetry. OpenTelemetry's bucket i is Prometheus's bucket i+1.
type Histogram struct {
	schema             int32
	zeroThreshold      float64
	zeros              uint64
	positive, negative map[int32]uint64 // by index: bucket i ends at 2^(i * 2^-schema)
}

// The schemas of exponential buckets. Others, such as -53 for custom boundaries, cannot be added.
const (
	MinSchema = -4
	MaxSchema = 8
)

// Of returns the native buckets of a histogram. It returns false if the histogram has none, or none that can be added.
func Of(h *dto.Histogram) (Histogram, bool) {
	if h.GetSchema() < MinSchema || h.GetSchema() > MaxSchema || !IsNative(h) ||
		h.GetZeroCountFloat() > 0 || len(h.GetPositiveCount())+len(h.GetNegativeCount()) > 0 {
		return Histogram{}, false
	}
	return Histogram{
		schema: h.GetSchema(), zeroThreshold: h.GetZeroThreshold(), zeros: h.GetZeroCount(),
		positive: unpack(h.GetPositiveSpan(), h.GetPositiveDelta()),
		negative: unpack(h.GetNegativeSpan(), h.GetNegativeDelta()),
	}, true
}

// IsNative reports whether Prometheus considers a histogram native.
func IsNative(h *dto.Histogram) bool {
	return h.Schema != nil && (len(h.GetPositiveSpan()) > 0 || len(h.GetNegativeSpan()) > 0 ||
		h.GetZeroCount() > 0 || h.GetZeroThreshold() > 0)
}

func unpack(spans []*dto.BucketSpan, deltas []int64) map[int32]uint64 {
	out := map[int32]uint64{}
	index, count, d := int32(0), int64(0), 0
	for i, s := range spans {
		if i == 0 {
			index = s.GetOffset()
		} else {
			index += s.GetOffset()
		}
		for range s.GetLength() {
			if d == len(deltas) {
				return out
			}
			count += deltas[d]
			d++
			if count > 0 {
				out[index] = uint64(count)
			}
			index++
		}
	}
	return out
}

// maxGap is the number of empty buckets up to which a span goes on, as in client_golang.
const maxGap = 2

func pack(buckets map[int32]uint64) (spans []*dto.BucketSpan, deltas []int64) {
	last, next := int64(0), int32(0)
	add := func(n int64) {
		*spans[len(spans)-1].Length++
		deltas = append(deltas, n-last)
		last = n
		next++
	}
	for _, i := range slices.Sorted(maps.Keys(buckets)) {
		if gap := i - next; len(spans) == 0 || gap > maxGap {
			spans = append(spans, &dto.BucketSpan{Offset: new(gap), Length: new(uint32(0))})
			next = i
		}
		for next < i {
			add(0)
		}
		add(int64(buckets[i]))
	}
	return spans, deltas
}

// Into sets the native buckets of a histogram.
func (s Histogram) Into(h *dto.Histogram) {
	h.Schema, h.ZeroThreshold, h.ZeroCount = new(s.schema), new(s.zeroThreshold), new(s.zeros)
	h.PositiveSpan, h.PositiveDelta = pack(s.positive)
	h.NegativeSpan, h.NegativeDelta = pack(s.negative)
	if len(h.PositiveSpan) == 0 && len(h.NegativeSpan) == 0 && s.zeros == 0 && s.zeroThreshold == 0 {
		h.PositiveSpan = []*dto.BucketSpan{{Offset: new(int32(0)), Length: new(uint32(0))}} // as client_golang marks an empty one
	}
}

// Plus returns the exact sum of two histograms, with the coarser resolution and the wider zero bucket of the two.
func (s Histogram) Plus(o Histogram) Histogram {
	schema := min(s.schema, o.schema)
	s, o = s.coarser(schema), o.coarser(schema)
	// If the wider zero bucket cuts a bucket, it takes in the whole bucket, and grows to that bucket's end.
	for threshold := max(s.zeroThreshold, o.zeroThreshold); ; {
		s, o = s.wider(threshold), o.wider(threshold)
		if s.zeroThreshold == o.zeroThreshold {
			break
		}
		threshold = max(s.zeroThreshold, o.zeroThreshold)
	}
	out := Histogram{schema: schema, zeroThreshold: s.zeroThreshold, zeros: s.zeros + o.zeros,
		positive: maps.Clone(s.positive), negative: maps.Clone(s.negative)}
	for i, n := range o.positive {
		out.positive[i] += n
	}
	for i, n := range o.negative {
		out.negative[i] += n
	}
	return out
}

func (s Histogram) coarser(schema int32) Histogram {
	shift := s.schema - schema
	if shift == 0 {
		return s
	}
	s.schema, s.positive, s.negative = schema, coarser(s.positive, shift), coarser(s.negative, shift)
	return s
}

// coarser joins each 2^shift buckets: a bucket that ends at index i then ends at i/2^shift, rounded up.
func coarser(buckets map[int32]uint64, shift int32) map[int32]uint64 {
	out := make(map[int32]uint64, len(buckets))
	for i, n := range buckets {
		out[(i-1)>>shift+1] += n
	}
	return out
}

func (s Histogram) wider(threshold float64) Histogram {
	if threshold <= s.zeroThreshold {
		return s
	}
	s.positive, s.negative = maps.Clone(s.positive), maps.Clone(s.negative)
	s.zeroThreshold = threshold
	for _, buckets := range []map[int32]uint64{s.positive, s.negative} {
		for _, i := range slices.Sorted(maps.Keys(buckets)) {
			if s.end(i-1) < threshold {
				s.zeros += buckets[i]
				s.zeroThreshold = max(s.zeroThreshold, s.end(i))
				delete(buckets, i)
			}
		}
	}
	return s
}

// MaxSpan is the maximum number of buckets of an exponential point, from the first to the last: the SDK's default.
const MaxSpan = 160

// Within makes the histogram coarser until its buckets span at most this many.
func (s Histogram) Within(most int32) Histogram {
	for s.schema > MinSchema && (span(s.positive) > most || span(s.negative) > most) {
		s = s.coarser(s.schema - 1)
	}
	return s
}

func span(buckets map[int32]uint64) int32 {
	if len(buckets) == 0 {
		return 0
	}
	lo, hi := int32(math.MaxInt32), int32(math.MinInt32)
	for i := range buckets {
		lo, hi = min(lo, i), max(hi, i)
	}
	if int64(hi)-int64(lo) >= math.MaxInt32 {
		return math.MaxInt32
	}
	return hi - lo + 1
}

// end returns the upper boundary of a positive bucket.
func (s Histogram) end(i int32) float64 { return math.Exp2(math.Ldexp(float64(i), -int(s.schema))) }

// Counts returns the buckets from the most negative to the most positive, each with its upper boundary, in the form
// that Rebucket accepts.
func (s Histogram) Counts() (counts []uint64, bounds []float64) {
	add := func(n uint64, upper float64) { counts, bounds = append(counts, n), append(bounds, upper) }
	for _, i := range slices.SortedFunc(maps.Keys(s.negative), func(a, b int32) int { return cmp.Compare(b, a) }) {
		add(s.negative[i], -s.end(i-1))
	}
	if s.zeros > 0 {
		add(s.zeros, s.zeroThreshold)
	}
	for _, i := range slices.Sorted(maps.Keys(s.positive)) {
		add(s.positive[i], s.end(i))
	}
	return append(counts, 0), bounds
}

// OfPoint converts an exponential point of OpenTelemetry.
func OfPoint(p *metricdata.ExponentialHistogramDataPoint[float64]) Histogram {
	take := func(b metricdata.ExponentialBucket) map[int32]uint64 {
		out := make(map[int32]uint64, len(b.Counts))
		for i, n := range b.Counts {
			if n > 0 {
				out[b.Offset+int32(i)+1] = n
			}
		}
		return out
	}
	return Histogram{
		schema: p.Scale, zeroThreshold: p.ZeroThreshold, zeros: p.ZeroCount,
		positive: take(p.PositiveBucket), negative: take(p.NegativeBucket),
	}
}

// Point sets the buckets of an exponential point.
func (s Histogram) Point(p *metricdata.ExponentialHistogramDataPoint[float64]) {
	give := func(buckets map[int32]uint64) metricdata.ExponentialBucket {
		if len(buckets) == 0 {
			return metricdata.ExponentialBucket{}
		}
		keys := slices.Sorted(maps.Keys(buckets))
		counts := make([]uint64, keys[len(keys)-1]-keys[0]+1)
		for i, n := range buckets {
			counts[i-keys[0]] = n
		}
		return metricdata.ExponentialBucket{Offset: keys[0] - 1, Counts: counts}
	}
	p.Scale, p.ZeroThreshold, p.ZeroCount = s.schema, s.zeroThreshold, s.zeros
	p.PositiveBucket, p.NegativeBucket = give(s.positive), give(s.negative)
}
