package main

import (
	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type node struct{ reg *prometheus.Registry }

func newNode() *node {
	n := &node{reg: prometheus.NewRegistry()}
	promauto.With(n.reg).NewCounter(prometheus.CounterOpts{Name: "x_total", Help: "X."})
	return n
}

func fresh() *prometheus.Registry { return prometheus.NewRegistry() }

func main() {
	newNode()
	newNode()
	fresh().MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "y_total", Help: "Y."}))
	fresh().MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "y_total", Help: "Other."}))
	page.Print()
}
