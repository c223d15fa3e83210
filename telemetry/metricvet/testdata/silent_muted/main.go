package main

import (
	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var _ = promauto.NewCounter(prometheus.CounterOpts{Name: "x_total", Help: "X."})

func never() bool { return false }

func init() {
	if never() {
		return
	}
}

func main() {
	page.Print()
	//metricvet:ignore the page is read before, and the panic is what this program is about
	defer func() { _ = recover() }()
	//metricvet:ignore it is meant to panic
	promauto.NewCounter(prometheus.CounterOpts{Name: "x_total", Help: "Of a second one."})
}
