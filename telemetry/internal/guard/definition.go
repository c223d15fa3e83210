package guard

import (
	"errors"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// A Definition is the content of a descriptor.
type Definition struct {
	Name, Help, Unit string
	Labels           []string // sorted, including those with constant values
	variable         int      // number of labels with a value for each series
}

// maxLabels is the largest number of variable labels that define tries.
const maxLabels = 64

// define returns the content of a descriptor. A descriptor has no method for that, and its text changes from version
// to version, so a registry gathers a metric made for the descriptor.
func define(d *prometheus.Desc) Definition {
	var probe prometheus.Metric
	n := 0
	for ; probe == nil && n <= maxLabels; n++ {
		if m, err := prometheus.NewConstMetric(d, prometheus.GaugeValue, 0, make([]string, n)...); err == nil {
			probe = m
		}
	}
	if probe == nil {
		return Definition{}
	}
	families, _ := gatherOne(probe)
	if len(families) != 1 {
		return Definition{}
	}
	f := families[0]
	out := Definition{Name: f.GetName(), Help: f.GetHelp(), Unit: f.GetUnit(), variable: n - 1}
	for _, l := range f.Metric[0].Label {
		out.Labels = append(out.Labels, l.GetName())
	}
	slices.Sort(out.Labels)
	return out
}

// define returns the content of the registration's descriptors.
func (e *Registration) define() []Definition {
	if e.definitions == nil {
		e.definitions = make([]Definition, 0, len(e.descs))
		for _, d := range e.descs {
			e.definitions = append(e.definitions, define(d))
		}
	}
	return e.definitions
}

// single is a collector of one metric.
type single struct{ prometheus.Metric }

func (single) Describe(chan<- *prometheus.Desc) {}

func (s single) Collect(ch chan<- prometheus.Metric) { ch <- s.Metric }

// gatherOne returns the family of one metric.
func gatherOne(m prometheus.Metric) ([]*dto.MetricFamily, error) {
	return gatherFrom(single{m})
}

// gatherFrom gathers a collector that has no descriptors.
func gatherFrom(c prometheus.Collector) ([]*dto.MetricFamily, error) {
	reg := prometheus.NewRegistry()
	if err := reg.Register(c); err != nil {
		return nil, err
	}
	return safely(reg)
}

// described is a collector with descriptors and no metrics.
type described []*prometheus.Desc

func (d described) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range d {
		ch <- desc
	}
}

func (described) Collect(chan<- prometheus.Metric) {}

// alike reports whether client_golang considers collectors with these descriptors equal.
func alike(a, b []*prometheus.Desc) bool {
	if len(a) != len(b) || len(a) == 0 {
		return len(a) == len(b)
	}
	reg := prometheus.NewRegistry()
	if reg.Register(described(a)) != nil {
		return false
	}
	already := prometheus.AlreadyRegisteredError{}
	return errors.As(reg.Register(described(b)), &already)
}
