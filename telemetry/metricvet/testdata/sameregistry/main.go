package main

import (
	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func users(r prometheus.Registerer) {
	promauto.With(r).NewGauge(prometheus.GaugeOpts{Name: "online", Help: "Users."})
}

func nodes(r prometheus.Registerer) {
	r.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "online", Help: "Nodes."})) // want `online: help "Users." at corpus.example/sameregistry/main.go:11, "Nodes." here`
}

func main() {
	reg := prometheus.NewRegistry()
	users(reg)
	nodes(reg)
	page.PrintOf(promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
}
