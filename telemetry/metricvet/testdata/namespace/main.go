package main

import (
	"corpus.example/namespace/maker"
	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
)

var (
	http = maker.Maker{Namespace: "im", Subsystem: "http"}
	_    = http.Counter("errors_total", "Errors.")
	_    = maker.Maker{Namespace: "im"}.Counter("http_errors_total", "Errors of HTTP.")                          // want `im_http_errors_total: help "Errors." at corpus.example/namespace/main.go:11, "Errors of HTTP." here`
	_    = maker.Opts(prometheus.CounterOpts{Subsystem: "im_http", Name: "errors_total", Help: "Other errors."}) // want `im_http_errors_total: help "Errors." at corpus.example/namespace/main.go:11, "Other errors." here`
)

func main() { page.Print() }
