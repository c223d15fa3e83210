package guard

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

var installed atomic.Pointer[Registry]

// Default returns the Registry that stands in for client_golang's default registry, or nil where none does.
func Default() *Registry { return installed.Load() }

// Install puts a Registry in the place of client_golang's default registry, which becomes its first level.
func Install() {
	var base registry = overlay{prometheus.DefaultRegisterer, prometheus.DefaultGatherer} // somebody may have put his own in place
	stock, ok := prometheus.DefaultRegisterer.(*prometheus.Registry)
	if g, same := prometheus.DefaultGatherer.(*prometheus.Registry); ok && same && g == stock {
		base = stock
	}
	r := over(base)
	prometheus.DefaultRegisterer, prometheus.DefaultGatherer = r, r
	installed.Store(r)
	if f := served.Load(); f != nil {
		r.Serve(f.gather, f.heard)
	}
}

var served atomic.Pointer[service]

type service struct {
	gather func() ([]*dto.MetricFamily, error)
	heard  func()
}

// ServeDefault is Serve for the default Registry, whether it is there already or will be.
func ServeDefault(gather func() ([]*dto.MetricFamily, error), heard func()) {
	served.Store(&service{gather, heard})
	if r := Default(); r != nil {
		r.Serve(gather, heard)
	}
}

// An overlay is a registry made of two halves.
type overlay struct {
	prometheus.Registerer
	prometheus.Gatherer
}
