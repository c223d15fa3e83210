package main

import (
	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var (
	_ = promauto.NewGauge(prometheus.GaugeOpts{Name: "shard", Help: "Shard.", ConstLabels: prometheus.Labels{"id": "1"}})
	_ = promauto.NewGauge(prometheus.GaugeOpts{Name: "shard", Help: "Shard.", ConstLabels: prometheus.Labels{"id": "2"}})
)

func main() { page.Print() }
