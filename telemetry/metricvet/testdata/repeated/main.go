package main

import (
	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

const workers = 3

func newWorker() {
	promauto.NewCounter(prometheus.CounterOpts{Name: "jobs_total", Help: "Jobs."})
}

func main() {
	defer page.Print()
	for range workers {
		newWorker() // want `jobs_total: registered here in each round of a loop; the program panics at start. Make it once, and share it`
	}
}
