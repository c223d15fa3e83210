package telemetry

import (
	"math"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// minScale is the coarsest scale that a native histogram of Prometheus can have.
const minScale = -4

// addExponential takes the points of exponential histograms. One that meets another series with its labels, or
// that is too coarse for Prometheus, becomes a classic histogram: its count and sum stay exact.
func addExponential[N int64 | float64](x *fold, f *feed, points []metricdata.ExponentialHistogramDataPoint[N]) {
	for i := range points {
		pt := float64Point(&points[i])
		s, done := x.at(f, pt.Attributes)
		x.repaired(f, done)
		pt.Attributes = s.labels
		first := s.seen != x.now
		if first {
			s.seen, s.from, s.exemplars, s.exp = x.now, f.stream, nil, nil
			s.histogram = emptyHistogram(s, pt)
		}
		if first && pt.Scale >= minScale {
			s.exp = pt
		} else {
			x.flatten(s, f.page)
			s.absorb(pt, f.page)
			f.page.changed = true
		}
		keepExemplars(x, f, s, points[i].Exemplars)
	}
	f.forget(len(points))
}

// flatten makes a classic histogram of a series that is an exponential one so far.
func (x *fold) flatten(s *series, p *page) {
	if s.exp == nil {
		return
	}
	pt := s.exp
	s.exp = nil
	s.histogram = emptyHistogram(s, pt)
	s.absorb(pt, p)
}

func emptyHistogram(
	s *series, pt *metricdata.ExponentialHistogramDataPoint[float64],
) metricdata.HistogramDataPoint[float64] {
	return metricdata.HistogramDataPoint[float64]{Attributes: s.labels, StartTime: pt.StartTime, Time: pt.Time}
}

// absorb adds an exponential point to a classic one.
func (s *series) absorb(pt *metricdata.ExponentialHistogramDataPoint[float64], p *page) {
	if p.bounds == nil {
		p.bounds = []float64{}
	}
	h := &s.histogram
	counts := make([]uint64, len(p.bounds)+1)
	copy(counts, h.BucketCounts)
	for i, n := range rebucket(exponentialCounts(pt, p.bounds)) {
		counts[i] += n
	}
	h.Bounds, h.BucketCounts = p.bounds, counts
	h.Count, h.Sum = h.Count+pt.Count, h.Sum+pt.Sum
}

// exponentialCounts returns the buckets of an exponential point, each with its upper boundary, from the most
// negative to the most positive, and the boundaries to move them to.
func exponentialCounts(
	pt *metricdata.ExponentialHistogramDataPoint[float64], to []float64,
) (counts []uint64, from, _ []float64) {
	bound := func(index int) float64 { return math.Exp2(math.Ldexp(float64(index), -int(pt.Scale))) }
	add := func(upper float64, n uint64) {
		if n > 0 {
			counts, from = append(counts, n), append(from, upper)
		}
	}
	neg := pt.NegativeBucket
	for i := len(neg.Counts) - 1; i >= 0; i-- {
		add(-bound(int(neg.Offset)+i), neg.Counts[i])
	}
	add(pt.ZeroThreshold, pt.ZeroCount)
	for i, n := range pt.PositiveBucket.Counts {
		add(bound(int(pt.PositiveBucket.Offset)+i+1), n)
	}
	return append(counts, 0), from, to
}

func float64Point[N int64 | float64](
	p *metricdata.ExponentialHistogramDataPoint[N],
) *metricdata.ExponentialHistogramDataPoint[float64] {
	return &metricdata.ExponentialHistogramDataPoint[float64]{
		Attributes: p.Attributes, StartTime: p.StartTime, Time: p.Time, Count: p.Count, Sum: float64(p.Sum),
		Scale: p.Scale, ZeroCount: p.ZeroCount, PositiveBucket: p.PositiveBucket, NegativeBucket: p.NegativeBucket,
		ZeroThreshold: p.ZeroThreshold,
	}
}
