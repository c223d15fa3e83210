package main

import (
	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
)

func main() {
	reg := prometheus.NewRegistry()
	for _, queue := range []string{"mail", "push"} {
		depth := prometheus.NewGauge(prometheus.GaugeOpts{Name: "queue_depth", Help: "Waiting jobs."})
		reg.MustRegister(depth) // want `queue_depth: registered here in each round`
		_ = queue
	}
	page.Print()
}
