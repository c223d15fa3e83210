package a

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

func New(reg prometheus.Registerer) {
	promauto.With(reg).NewCounter(prometheus.CounterOpts{Name: "x_total", Help: "X."})
	sub(reg)
}

func sub(reg prometheus.Registerer) {
	promauto.With(reg).NewCounter(prometheus.CounterOpts{Name: "y_total", Help: "Y."})
}

func Default() {
	promauto.NewCounter(prometheus.CounterOpts{Name: "z_total", Help: "Z."})
}
