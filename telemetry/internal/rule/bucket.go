package rule

import (
	"math"
	"slices"
)

// Boundaries returns the boundaries that can make buckets: ascending, without NaN, and without +Inf, which is
// implied.
func Boundaries(bounds []float64) []float64 {
	out := make([]float64, 0, len(bounds))
	for _, b := range bounds {
		if !math.IsNaN(b) && !math.IsInf(b, +1) && (len(out) == 0 || b > out[len(out)-1]) {
			out = append(out, b)
		}
	}
	return out
}

// Rebucket moves counts to other boundaries. Each count goes to the first bucket that contains its whole old bucket;
// none is lost. If the boundaries are equal, it returns counts itself.
func Rebucket(counts []uint64, from, to []float64) []uint64 {
	if slices.Equal(from, to) {
		return counts
	}
	out := make([]uint64, len(to)+1)
	for i, n := range counts {
		j := len(to)
		if i < len(from) && !math.IsNaN(from[i]) {
			j, _ = slices.BinarySearch(to, from[i])
		}
		out[j] += n
	}
	return out
}

// BoundariesOrNil is [Boundaries], but returns nil for nil, which stands for the default boundaries.
func BoundariesOrNil(bounds []float64) []float64 {
	if bounds == nil {
		return nil
	}
	return Boundaries(bounds)
}
