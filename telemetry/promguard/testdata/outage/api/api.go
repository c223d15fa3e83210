// Package api answers requests, and counts them.
package api

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var requests = promauto.NewCounterVec(prometheus.CounterOpts{
	Name: "http_requests_total",
	Help: "Total number of HTTP requests",
}, []string{"path"})

// Serve answers a request.
func Serve(path string) { requests.WithLabelValues(path).Inc() }
