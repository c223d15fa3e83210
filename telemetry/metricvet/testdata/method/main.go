package main

import (
	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	sent prometheus.Counter
	lost *prometheus.CounterVec
}

func newMetrics(prefix string) *metrics {
	return &metrics{
		sent: prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + "sent_total", Help: "Sent."}),
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + "lost_total", Help: "Lost."}, []string{"why"}),
	}
}

func (m *metrics) register(r prometheus.Registerer) {
	r.MustRegister(m.sent, m.lost)
}

func main() {
	newMetrics("a_").register(prometheus.DefaultRegisterer)
	newMetrics("b_").register(prometheus.DefaultRegisterer)
	m := newMetrics("a_") // want `a_lost_total: registered at` `a_sent_total: registered at`
	m.register(prometheus.DefaultRegisterer)
	page.Print()
}
