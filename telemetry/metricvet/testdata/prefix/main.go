package main

import (
	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

func main() {
	prometheus.WrapRegistererWithPrefix("im_", prometheus.DefaultRegisterer).MustRegister(
		prometheus.NewCounter(prometheus.CounterOpts{Name: "calls_total", Help: "Calls."}))
	promauto.With(prometheus.DefaultRegisterer).NewCounter(prometheus.CounterOpts{Name: "im_calls_total", Help: "All calls."}) // want `im_calls_total: help "Calls." at corpus.example/prefix/main.go:11, "All calls." here`
	page.Print()
}
