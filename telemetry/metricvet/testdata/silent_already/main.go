package main

import (
	"errors"

	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
)

func counter() prometheus.Collector {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "x_total", Help: "X."})
	if err := prometheus.Register(c); err != nil {
		var already prometheus.AlreadyRegisteredError
		if errors.As(err, &already) {
			return already.ExistingCollector
		}
		panic(err)
	}
	return c
}

func main() {
	counter()
	counter()
	page.Print()
}
