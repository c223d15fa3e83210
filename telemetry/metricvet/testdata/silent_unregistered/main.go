package main

import (
	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var unused = prometheus.NewCounter(prometheus.CounterOpts{Name: "x_total", Help: "Unused."})

var _ = promauto.NewCounter(prometheus.CounterOpts{Name: "x_total", Help: "Used."})

func main() { page.Print() }
