package agent

import (
	"corpus.example/names/labels"
	"github.com/prometheus/client_golang/prometheus"
)

func New(service string) {
	prometheus.MustRegister(prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: labels.Namespace(service), Name: "published_total", Help: "One.",
	}, []string{"type"}))
}
