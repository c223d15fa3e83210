package main

import (
	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

func main() {
	for range 1 {
	}
	promauto.NewGauge(prometheus.GaugeOpts{Name: "shard", Help: "Shard.", ConstLabels: prometheus.Labels{"id": "1"}})
	promauto.NewGauge(prometheus.GaugeOpts{Name: "shard", Help: "Shard.", ConstLabels: prometheus.Labels{"id": "1"}}) // want `shard: registered at corpus.example/sameconst/main.go:12 and here`
	page.Print()
}
