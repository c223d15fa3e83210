package main

import (
	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
)

var size = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "size_bytes", Help: "Sizes."})

func main() {
	for i := 0; i < 2; i++ {
		prometheus.MustRegister(size) // want `size_bytes: registered here in each round`
	}
	page.Print()
}
