package main

import (
	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
)

func main() {
	for _, name := range []string{"a_total", "b_total"} {
		prometheus.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: "By a loop."}))
	}
	for _, c := range []prometheus.Collector{
		prometheus.NewCounter(prometheus.CounterOpts{Name: "c_total", Help: "First."}),
		prometheus.NewCounter(prometheus.CounterOpts{Name: "c_total", Help: "Second."}),
	} {
		prometheus.MustRegister(c)
		break
	}
	page.Print()
}
