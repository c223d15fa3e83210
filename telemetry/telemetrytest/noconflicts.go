package telemetrytest

import (
	"testing"

	dto "github.com/prometheus/client_model/go"

	"github.com/onemeter/onemeter/telemetry"
)

// NoConflicts fails the test, with tb.Error, for each conflict of a Provider, with a line that names both places in the
// code. It scrapes first, because some conflicts show only then: those of views, of attributes and of client_golang's
// collectors. Call it after the code under test has recorded.
func NoConflicts(tb testing.TB, p *telemetry.Provider) {
	tb.Helper()
	scrape(tb, p)
	for _, c := range p.Conflicts() {
		tb.Error(c)
	}
}

// scrape returns the page.
func scrape(tb testing.TB, p *telemetry.Provider) []*dto.MetricFamily {
	tb.Helper()
	page, err := p.Gatherer().Gather()
	if err != nil {
		tb.Errorf("telemetrytest: scrape: %v", err)
	}
	return page
}
