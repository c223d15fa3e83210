// Package text writes samples in the two text formats of Prometheus, as expfmt does: its own, and OpenMetrics.
package text

import (
	"bytes"
	"encoding/hex"
	"math"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"go.opentelemetry.io/otel/attribute"
)

// A Format is one of the two text formats.
type Format uint8

// The text formats.
const (
	Prometheus  Format = iota // text/plain
	OpenMetrics               // application/openmetrics-text, version 1.0.0
)

// AppendFloat appends a number. In OpenMetrics a finite number always has a point or an exponent.
func (f Format) AppendFloat(b []byte, v float64) []byte {
	if v == math.Trunc(v) && -1e6 < v && v < 1e6 { // as below, and faster
		b = strconv.AppendInt(b, int64(v), 10)
		if f == OpenMetrics {
			b = append(b, ".0"...)
		}
		return b
	}
	switch {
	case math.IsInf(v, +1):
		return append(b, "+Inf"...)
	case math.IsInf(v, -1):
		return append(b, "-Inf"...)
	case math.IsNaN(v):
		return append(b, "NaN"...)
	}
	from := len(b)
	b = strconv.AppendFloat(b, v, 'g', -1, 64)
	if f == OpenMetrics && !bytes.ContainsAny(b[from:], "e.") {
		b = append(b, ".0"...)
	}
	return b
}

// AppendCount appends the count of a bucket or a histogram.
func (f Format) AppendCount(b []byte, n uint64) []byte {
	if f == Prometheus {
		return f.AppendFloat(b, float64(n))
	}
	return strconv.AppendUint(b, n, 10)
}

// AppendExemplar appends the exemplar of an OpenMetrics sample: the span, the value and the time in ns since 1970.
// Without a span its ids are empty, as in OpenTelemetry's exporter.
func AppendExemplar(b []byte, trace [16]byte, span [8]byte, v float64, at int64) []byte {
	b = append(b, ` # {span_id="`...)
	if span != [8]byte{} {
		b = hex.AppendEncode(b, span[:])
	}
	b = append(b, `",trace_id="`...)
	if span != [8]byte{} {
		b = hex.AppendEncode(b, trace[:])
	}
	b = append(b, `"} `...)
	b = OpenMetrics.AppendFloat(b, v)
	b = append(b, ' ')
	return OpenMetrics.AppendFloat(b, float64(at)/1e9)
}

// Labels returns labels without braces, as expfmt writes them in both formats.
func Labels(labels attribute.Set) string {
	if labels.Len() == 0 {
		return ""
	}
	m := &dto.Metric{Untyped: &dto.Untyped{Value: new(0.0)}}
	for it := labels.Iter(); it.Next(); {
		kv := it.Attribute()
		m.Label = append(m.Label, &dto.LabelPair{Name: new(string(kv.Key)), Value: new(kv.Value.AsString())})
	}
	page := Prometheus.write(&dto.MetricFamily{Name: new("x"), Type: dto.MetricType_UNTYPED.Enum(), Metric: []*dto.Metric{m}})
	_, labeled, _ := strings.Cut(page, "\nx{")
	return strings.TrimSuffix(labeled, "} 0\n")
}

// Head returns the comments of a family, as expfmt writes them. Without help there is no HELP line.
func (f Format) Head(name, help string, t dto.MetricType) string {
	in := &dto.MetricFamily{Name: &name, Type: &t, Metric: []*dto.Metric{{
		Counter: &dto.Counter{}, Gauge: &dto.Gauge{}, Histogram: &dto.Histogram{},
	}}}
	if help != "" {
		in.Help = &help
	}
	page := f.write(in)
	_, samples, _ := strings.Cut(page[strings.LastIndex(page, "# TYPE "):], "\n")
	return strings.TrimSuffix(page, samples)
}

func (f Format) write(in *dto.MetricFamily) string {
	var b strings.Builder
	if f == OpenMetrics {
		_, _ = expfmt.MetricFamilyToOpenMetrics(&b, in) // a Builder does not fail, and the family is valid
	} else {
		_, _ = expfmt.MetricFamilyToText(&b, in)
	}
	return b.String()
}
