package telemetry

import (
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/onemeter/onemeter/telemetry/internal/rule"
	"github.com/onemeter/onemeter/telemetry/internal/sparse"
)

// addExponential adds the points of exponential histograms. Points of one series are added at the coarser resolution.
// If a point meets a classic histogram, or is too coarse for Prometheus, the series becomes classic: its count and
// sum stay exact.
func addExponential[N int64 | float64](x *fold, f *feed, points []metricdata.ExponentialHistogramDataPoint[N]) {
	for i := range points {
		pt := float64Point(&points[i])
		s, done := x.at(f, pt.Attributes)
		x.repaired(f, points[i].Attributes, done)
		pt.Attributes = s.labels
		first := s.seen != x.now
		if first {
			s.seen, s.from, s.exemplars, s.exp = x.now, f.stream, nil, nil
			s.histogram = emptyHistogram(s, pt)
		}
		switch {
		case first && pt.Scale >= sparse.MinSchema:
			s.exp = pt
		case s.exp != nil && pt.Scale >= sparse.MinSchema:
			s.exp = plus(s.exp, pt)
			f.sheet.changed = true
		default:
			x.unequal(f)
			x.flatten(s, f.sheet)
			s.absorb(pt, f.sheet)
			f.sheet.changed = true
		}
		keepExemplars(x, f, s, points[i].Exemplars)
	}
	f.forget(len(points))
}

// plus returns the sum of two points. It changes neither.
func plus(a, b *metricdata.ExponentialHistogramDataPoint[float64]) *metricdata.ExponentialHistogramDataPoint[float64] {
	sum := *a
	sum.Count, sum.Sum = a.Count+b.Count, a.Sum+b.Sum
	sparse.OfPoint(a).Plus(sparse.OfPoint(b)).Within(sparse.MaxSpan).Point(&sum)
	sum.Min, sum.Max = metricdata.Extrema[float64]{}, metricdata.Extrema[float64]{} // Prometheus has none
	return &sum
}

// flatten turns an exponential series into a classic histogram.
func (x *fold) flatten(s *folded, p *sheet) {
	if s.exp == nil {
		return
	}
	pt := s.exp
	s.exp = nil
	s.histogram = emptyHistogram(s, pt)
	s.absorb(pt, p)
}

func emptyHistogram(
	s *folded, pt *metricdata.ExponentialHistogramDataPoint[float64],
) metricdata.HistogramDataPoint[float64] {
	return metricdata.HistogramDataPoint[float64]{Attributes: s.labels, StartTime: pt.StartTime, Time: pt.Time}
}

// absorb adds an exponential point to a classic series.
func (s *folded) absorb(pt *metricdata.ExponentialHistogramDataPoint[float64], p *sheet) {
	if p.bounds == nil {
		p.bounds = []float64{}
	}
	h := &s.histogram
	counts := make([]uint64, len(p.bounds)+1)
	copy(counts, h.BucketCounts)
	own, from := sparse.OfPoint(pt).Counts()
	for i, n := range rule.Rebucket(own, from, p.bounds) {
		counts[i] += n
	}
	h.Bounds, h.BucketCounts = p.bounds, counts
	h.Count, h.Sum = h.Count+pt.Count, h.Sum+pt.Sum
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
