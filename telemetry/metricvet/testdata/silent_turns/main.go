package main

import (
	"os"

	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
)

type shard struct{ reg *prometheus.Registry }

func newShard() shard {
	s := shard{reg: prometheus.NewRegistry()}
	s.reg.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "made_total", Help: "In each one."}))
	return s
}

func try(name string) bool {
	prometheus.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: "Tried."}))
	return true
}

func instrument(names ...string) {
	for _, name := range names {
		try(name)
	}
}

func main() {
	instrument("p_total", "q_total")
	for range 3 { // each with a registry of its own
		reg := prometheus.NewRegistry()
		reg.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "rows_total", Help: "Rows."}))
		s := newShard()
		s.reg.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "keys", Help: "Keys."}))
	}
	for _, shard := range []string{"a", "b"} { // series of one family
		prometheus.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "shard_keys", Help: "Keys.", ConstLabels: prometheus.Labels{"shard": shard}}))
		prometheus.WrapRegistererWith(prometheus.Labels{"shard": shard}, prometheus.DefaultRegisterer).
			MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "shard_rows", Help: "Rows."}))
	}
	for range 2 { // once
		if try("once_total") {
			break
		}
	}
	for i := 0; i < 1; i++ {
		try("one_turn_total")
	}
	for i := range 2 {
		if i == 0 {
			try("first_turn_total")
		}
	}
	for range len(os.Args) {
		try("arguments_total") // possible `arguments_total: registered here in each round of a loop; the program panics`
	}
	for i := 0; i < 2; i++ {
		i++
		try("skips_total")
	}
	done := map[string]bool{}
	for _, name := range []string{"seen_total", "seen_total"} {
		if !done[name] {
			done[name] = true
			try(name)
		}
	}
	for i, name := range []string{"x_total", "y_total", ""} {
		if name == "" {
			continue
		}
		_ = i
		try(name)
	}
	page.Print()
}
