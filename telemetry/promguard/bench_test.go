package promguard_test

import (
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/onemeter/onemeter/telemetry/internal/ratio"
)

const benchSeries = 10_000

// register fills a registry with vectors of 100 series each, or with counters of one series. If there are to be
// conflicts, every second family is defined again with another help, for half of the series.
func register(b *testing.B, reg prometheus.Registerer, prefix string, each int, conflicts bool) {
	for i := range benchSeries / each {
		help, name := "Requests.", fmt.Sprintf("%s_%d_total", prefix, i)
		if conflicts && i%2 == 1 {
			help, name = "Other words.", fmt.Sprintf("%s_%d_total", prefix, i-1)
		}
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"route", "method", "status"})
		for j := range each {
			c.WithLabelValues(fmt.Sprintf("/api/v1/things/%d", j+i%2*each/2), "GET", "200").Add(float64(j))
		}
		reg.MustRegister(c)
		b.Cleanup(func() { reg.Unregister(c) })
	}
}

func gather(b *testing.B, g prometheus.Gatherer, least int) func() {
	return func() {
		families, err := g.Gather()
		series := 0
		for _, f := range families {
			series += len(f.Metric)
		}
		if err != nil || series < least {
			b.Fatalf("%d series, %v", series, err)
		}
	}
}

func stock() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}

// The cost of gathering 10,000 series through the default registry, compared with client_golang's own. With conflicts
// it has the same number of series, half of them in second definitions; client_golang's own has them under other
// names.
func BenchmarkGather(b *testing.B) {
	for _, each := range []int{100, 1} {
		for _, conflicts := range []bool{false, true} {
			b.Run(fmt.Sprintf("series=%d/conflicts=%v", each, conflicts), func(b *testing.B) {
				reg, prefix := stock(), fmt.Sprintf("b%d%v", each, conflicts)
				register(b, reg, prefix, each, false)
				register(b, prometheus.DefaultRegisterer, prefix, each, conflicts)
				least := benchSeries
				if conflicts {
					least = benchSeries / 2
				}
				ratio.Report(b, 10, gather(b, prometheus.DefaultGatherer, least), gather(b, reg, benchSeries))
			})
		}
	}
}

// The cost of one registration, compared with client_golang's.
func BenchmarkRegister(b *testing.B) {
	var cs []prometheus.Collector
	for i := range 20_000 {
		cs = append(cs, prometheus.NewCounter(prometheus.CounterOpts{Name: fmt.Sprintf("r%d_total", i), Help: "R."}))
	}
	work := func(reg prometheus.Registerer, which []prometheus.Collector) func() {
		i := 0
		return func() {
			reg.MustRegister(which[i])
			i++
		}
	}
	ratio.Report(b, 2000, work(prometheus.DefaultRegisterer, cs[:10_000]), work(prometheus.NewRegistry(), cs[10_000:]))
	for _, c := range cs[:10_000] {
		prometheus.Unregister(c)
	}
}
