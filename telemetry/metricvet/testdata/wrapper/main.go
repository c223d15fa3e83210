package main

import (
	"strings"

	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

const namespace = "im"

func counter(name, help string) prometheus.Counter {
	return promauto.NewCounter(prometheus.CounterOpts{
		Name: namespace + "_" + strings.ReplaceAll(name, "-", "_"),
		Help: help,
	})
}

var (
	_ = counter("frames-sent", "Frames.")
	_ = counter("frames_sent", "Frames that were sent.") // want `im_frames_sent: help "Frames." at corpus.example/wrapper/main.go:21, "Frames that were sent." here`
)

func main() { page.Print() }
