package main

import (
	"corpus.example/names/agent"
	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
)

var total = prometheus.NewCounter(prometheus.CounterOpts{Namespace: "agent_manager", Name: "published_total", Help: "Two."})

func init() { prometheus.MustRegister(total) }

func main() {
	agent.New("agent-manager") // want `agent_manager_published_total: help "Two." at corpus.example/names/main.go:9, "One." `
	page.Print()
}
