package main

import (
	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
)

func main() {
	var opts prometheus.HistogramOpts
	opts.Name = "took_seconds"
	opts.Help = "Time."
	prometheus.MustRegister(prometheus.NewHistogram(opts))
	if err := prometheus.Register(prometheus.NewGauge(prometheus.GaugeOpts{Name: "other"})); err != nil {
		panic(err)
	}
	all := []prometheus.Collector{prometheus.NewSummary(prometheus.SummaryOpts{Name: "took_seconds", Help: "Time it took."})} // want `took_seconds: help "Time." at corpus.example/options/main.go:12, "Time it took." here`
	prometheus.MustRegister(all...)
	page.Print()
}
