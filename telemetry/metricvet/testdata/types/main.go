package main

import (
	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

func main() {
	promauto.NewCounter(prometheus.CounterOpts{Name: "offset_commit", Help: "Offset."})
	promauto.NewGauge(prometheus.GaugeOpts{Name: "offset_commit", Help: "Offset."}) // want `offset_commit: a counter at corpus.example/types/main.go:10, a gauge here; the program panics at start`
	page.Print()
}
