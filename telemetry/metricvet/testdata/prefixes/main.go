package main

import (
	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

func main() {
	inner := prometheus.WrapRegistererWithPrefix("b_", prometheus.DefaultRegisterer)
	prometheus.WrapRegistererWithPrefix("a_", inner).MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "x_total", Help: "X."}))
	promauto.NewCounter(prometheus.CounterOpts{Name: "a_b_x_total", Help: "Another."})
	promauto.NewCounterVec(prometheus.CounterOpts{Name: "b_a_x_total", Help: "X."}, []string{"a"}) // want `b_a_x_total: labels [] at corpus.example/prefixes/main.go:11, ["a"] here`
	page.Print()
}
