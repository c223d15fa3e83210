// Package maker makes metrics of a namespace.
package maker

import "github.com/prometheus/client_golang/prometheus"

// A Maker has a namespace.
type Maker struct{ Namespace, Subsystem string }

// Counter makes and registers one.
func (m Maker) Counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: m.Namespace, Subsystem: m.Subsystem, Name: name, Help: help})
	prometheus.MustRegister(c)
	return c
}

// Opts makes a counter of options.
func Opts(opts prometheus.CounterOpts) prometheus.Counter {
	c := prometheus.NewCounter(opts)
	prometheus.MustRegister(c)
	return c
}
