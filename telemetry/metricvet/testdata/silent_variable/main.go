package main

import (
	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var name = "a_total"

func main() {
	promauto.NewCounter(prometheus.CounterOpts{Name: name, Help: "A."})
	name = "b_total"
	promauto.NewCounter(prometheus.CounterOpts{Name: name, Help: "B."})
	for _, name := range []string{"c_total", "d_total"} {
		promauto.NewCounter(prometheus.CounterOpts{Name: name, Help: "C."})
	}
	opts := prometheus.CounterOpts{Name: "e_total", Help: "E."}
	promauto.NewCounter(opts)
	opts.Name = "f_total"
	promauto.NewCounter(opts)
	page.Print()
}
