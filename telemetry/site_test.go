package telemetry_test

import (
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/metric"
)

// A builder is a helper as in many code bases: all instruments come from one line.
type builder struct{ m metric.Meter }

func (b builder) counter(name, help string) metric.Int64Counter {
	return must(b.m.Int64Counter(name, metric.WithDescription(help)))
}

// A conflict names the code that called the helper, not the helper.
func TestSiteThroughHelper(t *testing.T) {
	p := newProvider(t)
	b := builder{p.Meter("one")}
	b.counter("hits", "A")
	b.counter("hits", "B")
	c := p.Conflicts()[0]
	first, second := line(t, c.First.Site), line(t, c.Second.Site)
	if second != first+1 || !strings.Contains(c.First.Site, "/telemetry_test/site_test.go:") {
		t.Errorf("the sites are %s and %s", c.First.Site, c.Second.Site)
	}
	for _, i := range p.Instruments() {
		if i.Name == "hits" && i.Site != c.First.Site && i.Site != c.Second.Site {
			t.Errorf("the site of an instrument is %s", i.Site)
		}
	}
}

// A line that requests many instruments in a loop is itself the place.
func TestSiteInLoop(t *testing.T) {
	p := newProvider(t)
	m := p.Meter("one")
	for i := range 3 {
		must(m.Int64Counter(fmt.Sprintf("hits.%d", i)))
	}
	sites := map[string]bool{}
	for _, i := range p.Instruments() {
		if strings.HasPrefix(i.Name, "hits") {
			sites[i.Site] = true
		}
	}
	if len(sites) != 1 {
		t.Errorf("sites %v", sites)
	}
}

func line(t *testing.T, site string) (n int) {
	if _, err := fmt.Sscanf(site[strings.LastIndexByte(site, ':')+1:], "%d", &n); err != nil {
		t.Fatalf("site %q: %v", site, err)
	}
	return n
}
