package main

import (
	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
)

type pool struct{ open, idle *prometheus.Desc }

func newPool() *pool {
	return &pool{
		open: prometheus.NewDesc("pool_open", "Open connections.", nil, nil),
		idle: prometheus.NewDesc("pool_idle", "Idle connections.", nil, nil), // want `pool_idle: help "Idle." at corpus.example/custom/main.go:25, "Idle connections." here`
	}
}

func (p *pool) Describe(ch chan<- *prometheus.Desc) {
	ch <- p.open
	ch <- p.idle
}

func (p *pool) Collect(ch chan<- prometheus.Metric) {}

func main() {
	prometheus.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "pool_idle", Help: "Idle."}))
	prometheus.MustRegister(newPool())
	page.Print()
}
