package telemetry

// runtimeScope is the scope of OpenTelemetry's metrics of the Go runtime.
const runtimeScope = "go.opentelemetry.io/contrib/instrumentation/runtime"

// goCollectorFamily is a family that only client_golang's Go collector has.
const goCollectorFamily = "go_memstats_heap_alloc_bytes"

// goCollector returns client_golang's Go collector, if it is on the page.
func (m *merge) goCollector() *placed {
	if p := m.byName[goCollectorFamily]; p != nil && p.first.from != nil {
		return p
	}
	return nil
}

// oneRuntime removes our metrics of the Go runtime if client_golang's Go collector is on the page: whoever registered
// that has dashboards for it.
func (m *merge) oneRuntime() {
	theirs := m.goCollector()
	if theirs == nil {
		return
	}
	left := false
	for _, p := range m.byName {
		if p.first.from == nil && p.first.own.Scope.Name == runtimeScope && len(p.joined) == 0 {
			left = left || len(p.Metric) > 0 || p.kept != nil
			p.Metric, p.kept = nil, nil
		}
	}
	if left && m.s.meet(meeting{family: runtimeScope}) {
		m.s.catalog.log.info("client_golang's Go collector measures the Go runtime, so OpenTelemetry's metrics of it are left out",
			"registered", theirs.first.instrument().whereabouts())
	}
}

// left reports whether oneRuntime removes a family.
func (m *merge) left(f *family) bool {
	return f.first.instrument().Scope.Name == runtimeScope && m.goCollector() != nil
}

// tellRuntimeTwice logs a second runtime.Start.
func (p *Provider) tellRuntimeTwice(site string) {
	p.log.warn("a second runtime.Start adds nothing: the Provider measures the Go runtime itself, unless it has WithoutRuntime",
		"site", site)
}
