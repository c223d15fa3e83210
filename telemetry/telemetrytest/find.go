package telemetrytest

import (
	"context"
	"math"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// found is what a Recorder knows of a metric.
type found struct {
	family string
	held   metricdata.Metrics // the SDK's data; without Data if nothing was recorded
	shown  []*dto.Metric      // the series on the page
}

// find looks for a metric. If no metric has the name, it fails the test and returns an empty result.
func (r *Recorder) find(name string) found {
	r.tb.Helper()
	streams := r.streams()
	page := scrape(r.tb, r.Provider) // after the SDK, so that everything it held is on the page
	family, known := r.familyOf(name, streams)
	f := found{family: family}
	if i := slices.IndexFunc(streams, func(s stream) bool { return s.family == family }); i >= 0 {
		f.held = streams[i].Metrics
	}
	for _, mf := range page {
		if mf.GetName() == family {
			f.shown, known = mf.Metric, true
		}
	}
	if !known {
		r.tb.Errorf("telemetrytest: no metric is called %q", name)
	}
	return f
}

// familyOf returns the family of a name, and whether an instrument has the name. The name of a client_golang metric is that
// of its family.
func (r *Recorder) familyOf(name string, streams []stream) (family string, known bool) {
	for _, s := range streams { // by the names after views
		if strings.EqualFold(s.Name, name) {
			return s.family, true
		}
	}
	for _, i := range r.Instruments() {
		if strings.EqualFold(i.Name, name) || i.Prometheus == name {
			return i.Prometheus, true
		}
	}
	return name, false
}

// A stream is a metric of the SDK, and the family that it is exposed under.
type stream struct {
	metricdata.Metrics
	family string
}

// streams returns the SDK's metrics, ordered by scope.
func (r *Recorder) streams() []stream {
	r.tb.Helper()
	var rm metricdata.ResourceMetrics
	if err := r.reader.Collect(context.Background(), &rm); err != nil {
		r.tb.Errorf("telemetrytest: collect: %v", err)
	}
	slices.SortStableFunc(rm.ScopeMetrics, func(a, b metricdata.ScopeMetrics) int {
		return strings.Compare(a.Scope.Name, b.Scope.Name)
	})
	namer := otlptranslator.NewMetricNamer("", otlptranslator.UnderscoreEscapingWithSuffixes)
	var out []stream
	for _, sm := range rm.ScopeMetrics {
		for _, m := range sm.Metrics {
			family, err := namer.Build(otlptranslator.Metric{Name: m.Name, Unit: m.Unit, Type: typeOf(m.Data)})
			if err == nil { // a name without any valid character is found among the Instruments
				out = append(out, stream{m, family})
			}
		}
	}
	return out
}

func typeOf(data metricdata.Aggregation) otlptranslator.MetricType {
	switch d := data.(type) {
	case metricdata.Sum[int64]:
		return typeOfSum(d.IsMonotonic)
	case metricdata.Sum[float64]:
		return typeOfSum(d.IsMonotonic)
	case metricdata.Gauge[int64], metricdata.Gauge[float64]:
		return otlptranslator.MetricTypeGauge
	case metricdata.ExponentialHistogram[int64], metricdata.ExponentialHistogram[float64]:
		return otlptranslator.MetricTypeExponentialHistogram
	}
	return otlptranslator.MetricTypeHistogram
}

func typeOfSum(monotonic bool) otlptranslator.MetricType {
	if monotonic {
		return otlptranslator.MetricTypeMonotonicCounter
	}
	return otlptranslator.MetricTypeNonMonotonicCounter
}

// series has the numbers of one series of a metric, of any kind.
type series struct {
	sum    float64
	count  uint64
	bounds []float64
}

// series returns the series of a metric that have these attributes.
func (r *Recorder) series(name string, attrs []attribute.KeyValue) []series {
	r.tb.Helper()
	f := r.find(name)
	if f.held.Data != nil && f.shown == nil {
		r.tb.Errorf("telemetrytest: %q was recorded, but the page has no family %s", name, f.family)
	}
	var out []series
	for _, m := range f.shown {
		if has(m.Label, attrs) {
			out = append(out, seriesOf(m))
		}
	}
	return out
}

// has reports whether a series has these attributes. A label that does not exist counts as one with an empty value.
func has(labels []*dto.LabelPair, attrs []attribute.KeyValue) bool {
	for _, kv := range attrs {
		translated, _ := (&otlptranslator.LabelNamer{}).Build(string(kv.Key)) // "" means no label
		value := ""
		for _, l := range labels {
			if l.GetName() == translated || l.GetName() == string(kv.Key) {
				value = l.GetValue()
			}
		}
		if value != kv.Value.String() {
			return false
		}
	}
	return true
}

func seriesOf(m *dto.Metric) series {
	switch {
	case m.Histogram != nil:
		s := series{sum: m.Histogram.GetSampleSum(), count: m.Histogram.GetSampleCount()}
		for _, b := range m.Histogram.Bucket {
			if !math.IsInf(b.GetUpperBound(), +1) { // some histograms include it
				s.bounds = append(s.bounds, b.GetUpperBound())
			}
		}
		return s
	case m.Summary != nil:
		return series{sum: m.Summary.GetSampleSum(), count: m.Summary.GetSampleCount()}
	}
	return series{sum: m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue()}
}
