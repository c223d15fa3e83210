package guard

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

var installed atomic.Pointer[Registry]

// Default returns the Registry that replaced client_golang's default registry, or nil if [Install] was not called.
func Default() *Registry { return installed.Load() }

// Install replaces client_golang's default registry with a Registry whose first level is the old one. Call it once, before
// other packages register.
func Install() {
	var base registry = overlay{prometheus.DefaultRegisterer, prometheus.DefaultGatherer} // other code may have set its own before
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

// ServeDefault is [Registry.Serve] for the default Registry, which may also be installed later.
func ServeDefault(gather func() ([]*dto.MetricFamily, error), heard func()) {
	served.Store(&service{gather, heard})
	if r := Default(); r != nil {
		r.Serve(gather, heard)
	}
}

// An overlay combines a Registerer and a Gatherer.
type overlay struct {
	prometheus.Registerer
	prometheus.Gatherer
}
