package api

import "github.com/prometheus/client_golang/prometheus"

func init() {
	prometheus.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "early_total", Help: "Of the API."}))
}
