package main

import (
	"flag"

	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var indices = flag.Bool("indices", false, "with the metrics of indices")

// handlers are made by whoever serves.
func handlers(r prometheus.Registerer) {
	promauto.With(r).NewCounter(prometheus.CounterOpts{Name: "handled_total", Help: "Of some registry."}) // possible `handled_total: help "Handled." at corpus.example/silent_maybe/main.go:21, "Of some registry." here; the program panics if both are registered on one registry`
}

func main() {
	flag.Parse()
	prometheus.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "throttled", Help: "Of a node."}))
	promauto.NewCounter(prometheus.CounterOpts{Name: "handled_total", Help: "Handled."})
	if *indices {
		prometheus.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "throttled", Help: "Of an index."})) // possible `throttled: help "Of a node." at corpus.example/silent_maybe/main.go:20, "Of an index." here; the program panics if both are registered on one registry`
	}
	if len(flag.Args()) > 5 {
		if r, ok := prometheus.DefaultRegisterer.(*prometheus.Registry); ok {
			handlers(r)
		}
		handlers(prometheus.DefaultRegisterer.(*prometheus.Registry)) // possible `prometheus.DefaultRegisterer is not a *prometheus.Registry if promguard` `handled_total: registered at corpus.example/silent_maybe/main.go:27 and here`
	}
	page.Print()
}
