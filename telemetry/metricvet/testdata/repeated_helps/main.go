package main

import (
	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

func main() {
	for _, m := range []struct{ name, help string }{{"hits_total", "Hits."}, {"misses_total", "Misses."}, {"hits_total", "Hits, again."}} {
		promauto.NewCounter(prometheus.CounterOpts{Name: m.name, Help: m.help}) // want `hits_total: help "Hits." here, "Hits, again." here; the program panics`
	}
	page.Print()
}
