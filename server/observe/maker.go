package observe

import (
	"slices"
	"strings"

	"go.opentelemetry.io/otel/metric"

	"github.com/onemeter/onemeter/telemetry"
)

// A label is an attribute of an instrument. Its values are listed, or from says where they come from.
type label struct {
	key    string
	values []string
	from   string
}

func oneOf[T ~string](key string, values ...T) label {
	l := label{key: key}
	for _, v := range values {
		l.values = append(l.values, string(v))
	}
	return l
}

// String describes the label for METRICS.md, under its name on /metrics.
func (l label) String() string {
	from := l.from
	if len(l.values) > 0 {
		from = "`" + strings.Join(l.values, "` `") + "`"
	}
	return "`" + strings.ReplaceAll(l.key, ".", "_") + "`: " + from
}

// A row has what METRICS.md needs beyond the instrument itself.
type row struct {
	labels []label
	bounds []float64
}

// A maker creates instruments. It collects errors, and the rows for METRICS.md.
type maker struct {
	meter    metric.Meter
	rows     map[string]row
	observed []metric.Observable // by Watch's callback
	tellers  []teller
	errs     []error
}

func made[T any](t *maker, name string, r row, inst T, err error) T {
	t.rows[name] = r
	if err != nil {
		t.errs = append(t.errs, err)
	}
	return inst
}

// plain binds an instrument without labels, because it has only one series.
func plain[I any](inst I, labels []label) I {
	if len(labels) > 0 {
		return inst
	}
	return telemetry.Bind(inst)
}

func (t *maker) counter(name, unit, desc string, labels ...label) metric.Int64Counter {
	c, err := t.meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(desc))
	return made(t, name, row{labels: labels}, plain(c, labels), err)
}

func (t *maker) histogram(name, unit, desc string, bounds []float64, labels ...label) metric.Float64Histogram {
	h, err := t.meter.Float64Histogram(name, metric.WithUnit(unit), metric.WithDescription(desc),
		metric.WithExplicitBucketBoundaries(bounds...))
	return made(t, name, row{labels, slices.Clone(bounds)}, plain(h, labels), err)
}

func (t *maker) intHistogram(name, unit, desc string, bounds []float64, labels ...label) metric.Int64Histogram {
	h, err := t.meter.Int64Histogram(name, metric.WithUnit(unit), metric.WithDescription(desc),
		metric.WithExplicitBucketBoundaries(bounds...))
	return made(t, name, row{labels, slices.Clone(bounds)}, plain(h, labels), err)
}

// Instruments that are read when metrics are collected. "counted" ones only grow.

func (t *maker) gauge(name, unit, desc string, read reading[int64], labels ...label) {
	g, err := t.meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(desc))
	t.watchInts(name, g, err, read, labels)
}

func (t *maker) upDown(name, unit, desc string, read reading[int64], labels ...label) {
	c, err := t.meter.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(desc))
	t.watchInts(name, c, err, read, labels)
}

func (t *maker) counted(name, unit, desc string, read reading[int64], labels ...label) {
	c, err := t.meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(desc))
	t.watchInts(name, c, err, read, labels)
}

func (t *maker) floatGauge(name, unit, desc string, read reading[float64], labels ...label) {
	g, err := t.meter.Float64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(desc))
	t.watchFloats(name, g, err, read, labels)
}

func (t *maker) floatCounted(name, unit, desc string, read reading[float64], labels ...label) {
	c, err := t.meter.Float64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(desc))
	t.watchFloats(name, c, err, read, labels)
}

func (t *maker) watchInts(name string, inst metric.Int64Observable, err error, read reading[int64], labels []label) {
	t.observed = append(t.observed, made(t, name, row{labels: labels}, inst, err))
	t.tellers = append(t.tellers, tellInts(inst, read, labels))
}

func (t *maker) watchFloats(name string, inst metric.Float64Observable, err error, read reading[float64], labels []label) {
	t.observed = append(t.observed, made(t, name, row{labels: labels}, inst, err))
	t.tellers = append(t.tellers, tellFloats(inst, read, labels))
}
