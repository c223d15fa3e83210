package main

import (
	"errors"
	"os"

	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var shared prometheus.Counter

func once() prometheus.Counter {
	if shared != nil {
		return shared
	}
	shared = promauto.NewCounter(prometheus.CounterOpts{Name: "once_total", Help: "Once."})
	return shared
}

func byCase(kind string) {
	switch kind {
	case "none":
		return
	}
	promauto.NewCounter(prometheus.CounterOpts{Name: "case_total", Help: "By case."})
}

func unlessBroken(err error) {
	if err != nil {
		return
	}
	promauto.NewCounter(prometheus.CounterOpts{Name: "broken_total", Help: "Unless it is broken."})
}

func tried() {
	defer func() { _ = recover() }()
	promauto.NewCounter(prometheus.CounterOpts{Name: "tried_total", Help: "Tried."})
}

func registerer(on bool) prometheus.Registerer {
	if !on {
		return nil
	}
	return prometheus.DefaultRegisterer
}

func main() {
	once()
	once()
	byCase("none")
	byCase("")
	unlessBroken(errors.New("broken"))
	unlessBroken(nil)
	tried()
	tried()
	promauto.With(registerer(true)).NewCounter(prometheus.CounterOpts{Name: "on_total", Help: "On."})
	promauto.With(registerer(false)).NewCounter(prometheus.CounterOpts{Name: "on_total", Help: "Off."})
	promauto.NewCounter(prometheus.CounterOpts{Name: "end_total", Help: "Before the end."})
	page.Print()
	os.Exit(0)
	promauto.NewCounter(prometheus.CounterOpts{Name: "end_total", Help: "After it."})
}
