package main

import (
	"os"
	"sync"

	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var (
	x    = prometheus.NewCounter(prometheus.CounterOpts{Name: "x_total", Help: "X."})
	once sync.Once
	done bool
)

func register() {
	if done {
		return
	}
	done = true
	promauto.NewCounter(prometheus.CounterOpts{Name: "y_total", Help: "Y."})
}

func main() {
	if os.Getenv("METRICS_NOWHERE") != "" {
		prometheus.MustRegister(x)
	}
	prometheus.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "x_total", Help: "Another."}))
	for range 2 {
		once.Do(func() { promauto.NewCounter(prometheus.CounterOpts{Name: "z_total", Help: "Z."}) })
	}
	register()
	register()
	page.Print()
}
