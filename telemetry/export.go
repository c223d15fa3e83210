package telemetry

import (
	"math"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/onemeter/onemeter/telemetry/internal/rule"
)

// This file passes the sheets through OpenTelemetry's exporter.

// lay appends the metrics of all sheets, for the exporter.
func (x *fold) lay(to []metricdata.Metrics) []metricdata.Metrics {
	x.describe()
	for _, p := range x.sheets {
		to = p.metrics(x.now, to)
	}
	return to
}

// layOne appends the metrics of one family's sheet.
func (x *fold) layOne(f *family, help string, to []metricdata.Metrics) []metricdata.Metrics {
	p := x.byName[sheetKey{family: f}]
	if p == nil {
		return to
	}
	p.help = help
	return p.metrics(x.now, to)
}

// metrics appends the sheet's series in the form that the exporter wants: up to two metrics, because a family of
// histograms may hold classic and exponential ones.
func (p *sheet) metrics(now uint64, to []metricdata.Metrics) []metricdata.Metrics {
	live := p.live(now)
	p.order(now, live)
	if live == 0 {
		return to
	}
	m := metricdata.Metrics{Name: p.family.name, Description: p.help}
	if p.family.class == rule.Histogram {
		return p.histograms(now, m, to)
	}
	points := make([]metricdata.DataPoint[float64], 0, live)
	for _, s := range p.sorted {
		if s.seen == now {
			points = append(points, metricdata.DataPoint[float64]{
				Attributes: s.labels, StartTime: s.start, Time: s.time, Value: s.value, Exemplars: s.exemplars,
			})
		}
	}
	if p.family.class == rule.Gauge {
		m.Data = metricdata.Gauge[float64]{DataPoints: points}
	} else {
		m.Data = metricdata.Sum[float64]{
			DataPoints: points, Temporality: p.temporality, IsMonotonic: p.family.class == rule.Counter,
		}
	}
	return append(to, m)
}

// live returns the number of series in the current collection.
func (p *sheet) live(now uint64) int {
	n := 0
	for _, s := range p.sorted {
		if s.seen == now {
			n++
		}
	}
	return n
}

func (p *sheet) histograms(now uint64, m metricdata.Metrics, to []metricdata.Metrics) []metricdata.Metrics {
	var classic []metricdata.HistogramDataPoint[float64]
	var exponential []metricdata.ExponentialHistogramDataPoint[float64]
	for _, s := range p.sorted {
		switch {
		case s.seen != now:
		case s.exp != nil:
			s.exp.Exemplars, s.exp.Attributes = s.exemplars, s.labels
			exponential = append(exponential, *s.exp)
		default:
			s.histogram.Exemplars, s.histogram.Attributes = s.exemplars, s.labels
			classic = append(classic, s.histogram)
		}
	}
	if len(classic) > 0 {
		m.Data = metricdata.Histogram[float64]{DataPoints: classic, Temporality: p.temporality}
		to = append(to, m)
	}
	if len(exponential) > 0 {
		m.Data = metricdata.ExponentialHistogram[float64]{DataPoints: exponential, Temporality: p.temporality}
		to = append(to, m)
	}
	return to
}

// export passes x.ready through the exporter, which returns one metric for each point, in order.
func (x *exposition) export() []*dto.MetricFamily {
	total := 0
	for _, m := range x.ready {
		total += points(m.Data)
	}
	ch := make(chan prometheus.Metric, total) // room for all, so neither side waits for the other
	go func() {
		defer close(ch)
		x.collector.Collect(ch)
	}()
	slab := make([]dto.Metric, total)
	families := make([]*dto.MetricFamily, 0, len(x.ready))
	for _, m := range x.ready {
		f := familyFor(&families, m)
		for range points(m.Data) {
			metric, ok := <-ch
			if !ok {
				x.self.scrapeFailed(failExporter)
				break
			}
			if err := metric.Write(&slab[0]); err != nil {
				x.self.scrapeFailed(failExporter)
				continue
			}
			oneInfinity(slab[0].Histogram)
			sortExemplars(&slab[0])
			f.Metric = append(f.Metric, &slab[0])
			slab = slab[1:]
		}
	}
	for range ch {
		x.self.scrapeFailed(failExporter)
	}
	return families
}

// oneInfinity keeps one +Inf bucket: client_golang adds one for each exemplar beyond the last boundary.
func oneInfinity(h *dto.Histogram) {
	if h == nil {
		return
	}
	first := slices.IndexFunc(h.Bucket, func(b *dto.Bucket) bool { return math.IsInf(b.GetUpperBound(), +1) })
	if first >= 0 {
		h.Bucket = h.Bucket[:first+1]
	}
}

// sortExemplars sorts the labels of exemplars: client_golang leaves them in map order.
func sortExemplars(m *dto.Metric) {
	order := func(e *dto.Exemplar) {
		if e != nil {
			slices.SortFunc(e.Label, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) })
		}
	}
	order(m.GetCounter().GetExemplar())
	for _, b := range m.GetHistogram().GetBucket() {
		order(b.Exemplar)
	}
	for _, e := range m.GetHistogram().GetExemplars() {
		order(e)
	}
}

// familyFor returns the family for a metric: the last one if it has the metric's name, or else a new one.
func familyFor(families *[]*dto.MetricFamily, m metricdata.Metrics) *dto.MetricFamily {
	if n := len(*families); n > 0 && (*families)[n-1].GetName() == m.Name {
		return (*families)[n-1]
	}
	f := &dto.MetricFamily{
		Name: new(m.Name), Type: typeOf(m.Data).Enum(), Metric: make([]*dto.Metric, 0, points(m.Data)),
	}
	if m.Description != "" {
		f.Help = new(strings.ToValidUTF8(m.Description, "\uFFFD"))
	}
	*families = append(*families, f)
	return f
}

func typeOf(data metricdata.Aggregation) dto.MetricType {
	switch d := data.(type) {
	case metricdata.Sum[float64]:
		if d.IsMonotonic {
			return dto.MetricType_COUNTER
		}
		return dto.MetricType_GAUGE
	case metricdata.Gauge[float64]:
		return dto.MetricType_GAUGE
	}
	return dto.MetricType_HISTOGRAM
}

func points(data metricdata.Aggregation) int {
	switch d := data.(type) {
	case metricdata.Sum[float64]:
		return len(d.DataPoints)
	case metricdata.Gauge[float64]:
		return len(d.DataPoints)
	case metricdata.Histogram[float64]:
		return len(d.DataPoints)
	case metricdata.ExponentialHistogram[float64]:
		return len(d.DataPoints)
	}
	return 0
}
