package main

import (
	"fmt"

	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

func named[T any](name string) prometheus.Counter {
	return promauto.NewCounter(prometheus.CounterOpts{Name: fmt.Sprintf("%s_%d_total", name, 2), Help: "A " + name})
}

var (
	_ = named[int]("jobs")
	_ = named[string]("jobs") // want `jobs_2_total: registered at corpus.example/generic/main.go:16 and here`
)

func main() { page.Print() }
