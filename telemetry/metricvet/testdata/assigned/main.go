package main

import (
	_ "corpus.example/assigned/a"
	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
)

var (
	published = prometheus.NewCounter(prometheus.CounterOpts{Name: "published_total", Help: "Two."}) // want `published_total: help "One." at corpus.example/assigned/a/a.go:8, "Two." here`
)

func init() { prometheus.MustRegister(published) }

func main() { page.Print() }
