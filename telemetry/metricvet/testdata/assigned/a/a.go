package a

import "github.com/prometheus/client_golang/prometheus"

var published *prometheus.CounterVec

func init() {
	published = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "published_total", Help: "One."}, []string{"type"})
	prometheus.MustRegister(published)
}
