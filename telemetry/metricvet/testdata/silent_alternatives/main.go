package main

import (
	"os"

	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

func newV1() { promauto.NewCounter(prometheus.CounterOpts{Name: "x_total", Help: "One."}) }
func newV2() { promauto.NewCounter(prometheus.CounterOpts{Name: "x_total", Help: "Two."}) }
func newV3() { promauto.NewCounter(prometheus.CounterOpts{Name: "x_total", Help: "Three."}) }

func main() {
	if len(os.Args) > 5 {
		newV1()
	} else {
		newV2()
	}
	page.Print()
}
