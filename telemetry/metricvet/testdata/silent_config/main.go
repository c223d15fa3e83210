package main

import (
	"encoding/json"
	"flag"
	"maps"

	"corpus.example/page"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type config struct{ Namespace string }

func load(text string) (config, error) {
	var c config
	err := json.Unmarshal([]byte(text), &c)
	return c, err
}

func (c *config) set(namespace string) { c.Namespace = namespace }

func counter(namespace string) {
	promauto.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "x_total", Help: "X."})
}

func sharded(id string) {
	labels, all := prometheus.Labels{}, prometheus.Labels{}
	labels["shard"] = id
	maps.Copy(all, labels)
	promauto.NewGauge(prometheus.GaugeOpts{Name: "shard", Help: "Shard.", ConstLabels: labels})
	promauto.NewGauge(prometheus.GaugeOpts{Name: "shards", Help: "Shards.", ConstLabels: all})
}

// A prefixed is a type that says itself how it is printed.
type prefixed int

func (p prefixed) String() string { return string(rune('p' + int(p))) }

func main() {
	a, _ := load(`{"Namespace": "a"}`)
	counter(a.Namespace)
	var b struct{ config }
	b.set("b")
	counter(b.Namespace)
	var c config
	flag.StringVar(&c.Namespace, "namespace", "c", "the namespace")
	flag.Parse()
	counter(c.Namespace)
	d := &config{}
	e := d
	e.Namespace = "d"
	counter(d.Namespace)
	var f string
	if len(flag.Args()) == 0 {
		f = "f"
	}
	counter(f)
	counter(prefixed(0).String())
	counter(prefixed(1).String())
	sharded("1")
	sharded("2")
	page.Print()
}
