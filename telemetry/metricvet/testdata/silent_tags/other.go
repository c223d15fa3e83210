//go:build other

package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var _ = promauto.NewCounter(prometheus.CounterOpts{Name: "x_total", Help: "Of another build."})
