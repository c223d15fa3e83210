package guard

import (
	"math"
	"reflect"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// learnBounds finds the classic boundaries of a client_golang histogram before it is registered. To learn those of a vector
// without series, it creates a series and deletes it again. The vector's labels may have constraints, which are functions
// of other code: if one panics, the boundaries stay unknown.
func (e *Registration) learnBounds() {
	defer func() { _ = recover() }()
	vec, isVec := e.inner.(*prometheus.HistogramVec)
	if !isVec && reflect.TypeOf(e.inner) != histogramType || len(e.descs) != 1 || e.invalid != nil {
		return
	}
	out, found := firstBounds(e.inner)
	if e.bounds = out; found || !isVec {
		return
	}
	values := slices.Repeat([]string{"asked for its boundaries"}, define(e.descs[0]).variable)
	one, err := vec.GetMetricWithLabelValues(values...)
	if err != nil {
		return
	}
	defer vec.DeleteLabelValues(values...)
	c, _ := one.(prometheus.Collector)
	e.bounds, _ = firstBounds(c)
}

// firstBounds returns the boundaries of the first series that a histogram collects, and whether there is one.
func firstBounds(c prometheus.Collector) (bounds []float64, found bool) {
	if c == nil {
		return nil, false
	}
	ch := make(chan prometheus.Metric, 16)
	go func() {
		defer close(ch)
		c.Collect(ch)
	}()
	for m := range ch { // to the end, because the collector holds a lock while it sends
		if found {
			continue
		}
		found = true
		var out dto.Metric
		if m.Write(&out) == nil {
			bounds = classic(out.GetHistogram())
		}
	}
	return bounds, found
}

func classic(h *dto.Histogram) []float64 {
	var out []float64
	for _, b := range h.GetBucket() {
		if !math.IsInf(b.GetUpperBound(), +1) {
			out = append(out, b.GetUpperBound())
		}
	}
	return out
}

// firstBoundsOf is firstBounds for a histogram, and returns nothing for other collectors.
func firstBoundsOf(e *Registration) ([]float64, bool) {
	if _, isVec := e.inner.(*prometheus.HistogramVec); !isVec && reflect.TypeOf(e.inner) != histogramType {
		return nil, false
	}
	return firstBounds(e.inner)
}
