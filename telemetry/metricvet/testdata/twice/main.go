package main

import (
	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type server struct{ requests prometheus.Counter }

func newServer() *server {
	return &server{requests: promauto.NewCounter(prometheus.CounterOpts{Name: "requests_total", Help: "Requests."})}
}

func main() {
	newServer()
	newServer() // want `requests_total: registered at corpus.example/twice/main.go:16 and here; the program panics at start. Make it once, and share it`
	page.Print()
}
