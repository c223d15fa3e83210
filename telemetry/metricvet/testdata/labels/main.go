package main

import (
	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var (
	_ = promauto.NewGaugeVec(prometheus.GaugeOpts{Name: "depth", Help: "Depth."}, []string{"queue"})
	_ = promauto.NewGaugeVec(prometheus.GaugeOpts{Name: "depth", Help: "Depth."}, []string{"queue", "node"}) // want `depth: labels ["queue"] at corpus.example/labels/main.go:10, ["node" "queue"] here`
)

func main() { page.Print() }
