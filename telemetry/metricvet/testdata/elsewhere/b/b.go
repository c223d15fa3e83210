package b

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var lines = promauto.NewCounter(prometheus.CounterOpts{Name: "lines_total", Help: "Lines of b."})

func Log() { lines.Inc() }
