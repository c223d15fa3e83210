package main

import (
	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
)

func instrument(names ...string) {
	for _, name := range names {
		prometheus.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: "Of a caller."}))
	}
}

func main() {
	instrument("a_total", "b_total", "a_total") // want `a_total: registered here`
	page.Print()
}
