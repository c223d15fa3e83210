package main

import (
	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

func main() {
	prometheus.MustRegister(collectors.NewGoCollector()) // want `go_info: registered at github.com/prometheus/client_golang/prometheus/registry.go and here; the program panics at start. Leave it out: the default registry has it`
	page.Print()
}
