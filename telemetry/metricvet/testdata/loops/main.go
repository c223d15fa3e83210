package main

import (
	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
)

type stat struct {
	desc *prometheus.Desc
	of   func() float64
}

type nodes struct{ stats []*stat }

func newNodes() *nodes {
	return &nodes{stats: []*stat{
		{desc: prometheus.NewDesc(prometheus.BuildFQName("es", "indices_indexing", "is_throttled"), "Of a node.", []string{"node"}, nil)}, // want `es_indices_indexing_is_throttled: help "Of an index." at corpus.example/loops/main.go:31, "Of a node." here`
		{desc: prometheus.NewDesc("es_nodes", "Nodes.", nil, nil)},
	}}
}

func (n *nodes) Describe(ch chan<- *prometheus.Desc) {
	for _, s := range n.stats {
		ch <- s.desc
	}
}

func (n *nodes) Collect(ch chan<- prometheus.Metric) {}

var all = []prometheus.Collector{
	prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "es", Name: "indices_indexing_is_throttled", Help: "Of an index."}, []string{"index"}),
	newNodes(),
}

func main() {
	for _, c := range all {
		prometheus.MustRegister(c)
	}
	page.Print()
}
