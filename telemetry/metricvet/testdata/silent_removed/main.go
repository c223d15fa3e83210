package main

import (
	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

func init() { prometheus.Unregister(collectors.NewGoCollector()) }

type pool struct {
	size     prometheus.Gauge
	detailed bool
	detail   *prometheus.Desc
}

func newPool(detailed bool) *pool {
	p := &pool{
		size:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "pool_size", Help: "Size."}),
		detailed: detailed,
		detail:   prometheus.NewDesc("pool_detail", "A detail.", nil, nil),
	}
	prometheus.MustRegister(p.size)
	prometheus.MustRegister(p)
	return p
}

func (p *pool) Describe(ch chan<- *prometheus.Desc) {
	if p.detailed {
		ch <- p.detail
	} else {
		ch <- prometheus.NewDesc("pool_coarse", "No detail.", nil, nil)
	}
}

func (p *pool) Collect(ch chan<- prometheus.Metric) {}

func (p *pool) close() {
	prometheus.Unregister(p.size)
	prometheus.Unregister(p)
}

func main() {
	newPool(true).close()
	newPool(false)
	prometheus.MustRegister(collectors.NewGoCollector())
	page.Print()
}
