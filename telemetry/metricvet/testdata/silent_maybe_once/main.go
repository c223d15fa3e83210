package main

import (
	"corpus.example/page"
	"corpus.example/silent_maybe_once/a"
	"corpus.example/silent_maybe_once/b"
	"github.com/prometheus/client_golang/prometheus"
)

func main() {
	a.New(prometheus.DefaultRegisterer)
	b.Start()
	page.Print()
}
