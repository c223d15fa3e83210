package main

import (
	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var _ = promauto.NewCounter(prometheus.CounterOpts{Name: "x_total", Help: "X."})

func main() {
	prometheus.DefaultRegisterer = prometheus.NewRegistry()
	promauto.NewCounter(prometheus.CounterOpts{Name: "x_total", Help: "Of another registry."})
	page.Print()
}
