package telemetry

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/sdk/instrumentation"

	"github.com/onemeter/onemeter/telemetry/internal/foreign"
	"github.com/onemeter/onemeter/telemetry/internal/guard"
)

// Registerer returns the Provider's registry for code that uses client_golang, and for promauto.With. What is registered
// there is on the page and pushed. It is safe for concurrent use.
//
// Unlike a registry of client_golang, it never panics, and it accepts a collector that defines a metric differently from
// another one: metrics of one name are one family, as with OpenTelemetry's instruments, and conflicts name both places in
// the code. As in client_golang, Register returns an AlreadyRegisteredError if the collector is registered already or
// equals one of the same type, and an error for an invalid descriptor. It also returns an error if a name has a hundred
// definitions. MustRegister ignores a collector that is registered already, and logs the other errors.
//
// The registry is a prometheus.Gatherer too, and gathers what [Provider.Gatherer] does.
func (p *Provider) Registerer() prometheus.Registerer { return p.registry }

// Gatherer returns a gatherer of the whole page, for a pushgateway or your own handler: OpenTelemetry's instruments, and
// all client_golang metrics that the Provider knows. Under WithoutPrometheus it has only the latter. Gathering takes about
// ten seconds at most and returns no error: a failure is logged, and counted in telemetry_scrape_errors_total. The gatherer
// is safe for concurrent use.
func (p *Provider) Gatherer() prometheus.Gatherer { return pageOf{p.scraper} }

// pageOf is a comparable Gatherer, so that a Gatherer passed twice is gathered once.
type pageOf struct{ s *scraper }

// Gather implements prometheus.Gatherer.
func (p pageOf) Gather() ([]*dto.MetricFamily, error) { return p.s.gatherPage() }

// gatherPage is gather with the default timeout, because a prometheus.Gatherer has no context.
func (s *scraper) gatherPage() ([]*dto.MetricFamily, error) {
	if slices.Contains(askedBy(), s) {
		return nil, nil // a supplier asks for the page that it is gathered for
	}
	ctx, cancel := context.WithTimeout(context.Background(), defaultScrapeTimeout)
	defer cancel()
	return metricsOf(s.gather(ctx, true)), nil
}

// alone is the page of client_golang's default registry while no Provider of Setup is in use.
var alone = sync.OnceValue(func() *scraper {
	self := newSelfMetrics()
	c := newCatalog(config{}, self, true)
	return newScraper(nil, c, suppliersOf([]*guard.Registry{guard.Default()}, nil), self, func() {})
})

// serving is the Provider whose page the default registry shows.
var serving atomic.Pointer[Provider]

// listening is set at the first Gather, or by Setup. Conflicts found before are reported then, so that main has time to
// configure slog.
var listening atomic.Bool

// init makes client_golang's default registry gather the whole page, if package promguard is linked.
func init() {
	guard.ServeDefault(
		func() ([]*dto.MetricFamily, error) {
			listening.Store(true)
			return current().gatherPage()
		},
		func() {
			if listening.Load() {
				current().hear()
			}
		})
}

func current() *scraper {
	if p := serving.Load(); p != nil && !p.stopped.Load() {
		return p.scraper
	}
	return alone()
}

// serveDefault makes client_golang's default registry gather the Provider's page.
func (p *Provider) serveDefault() {
	if guard.Default() == nil {
		return
	}
	listening.Store(true)
	serving.Store(p)
	p.scraper.hear()
}

// hear reports what the registries found when collectors were registered.
func (s *scraper) hear() {
	for _, src := range s.suppliers {
		for _, n := range src.news() {
			if n.Err != nil {
				s.refused(n)
				continue
			}
			for _, name := range n.Names {
				s.meet(meeting{family: name, second: src.name + " " + placeOf(n.Second)})
			}
			s.catalog.tell(conflictOf(n))
		}
	}
}

// refused reports a collector that client_golang refuses because of the collector's own descriptors.
func (s *scraper) refused(n guard.News) {
	what := collectorAt(n.Second) + " was refused"
	if n.Kept {
		what = collectorAt(n.Second) + " contradicts itself; its metrics are checked one by one"
	}
	if _, told := logged.LoadOrStore(what, true); told && s.catalog.shared {
		s.self.scrapeFailed(failInvalid)
		return
	}
	s.fail(failInvalid, what, n.Err)
}

// conflictOf returns the conflict between two registrations of one family.
func conflictOf(n guard.News) Conflict {
	first, second := registered(n.First, n.Before), registered(n.Second, n.After)
	d := differences{}
	c := Conflict{Family: n.After.Name, Reason: ReasonDuplicate, Resolution: Merged, First: first, Second: second}
	a, b := n.First.Type(), n.Second.Type()
	if a != nil && b != nil && *a != *b {
		d.add(ReasonKind, "")
		c.Resolution = Renamed
	}
	d.definitions(n.Before, n.After)
	if n.Bounds[0] != nil || n.Bounds[1] != nil {
		d.add(ReasonBuckets, fmt.Sprintf("boundaries %v, then %v", n.Bounds[0], n.Bounds[1]))
	}
	switch {
	case n.First.Reported() && n.Second.Reported():
		d.note("both report values counted elsewhere: if labels are equal, the first one's value is shown")
	case c.Resolution == Merged && a != nil && *a == dto.MetricType_GAUGE:
		d.note("if labels are equal, the first one's value is shown")
	case c.Resolution == Merged && a != nil && *a == dto.MetricType_SUMMARY:
		d.note(foreign.QuantilesLost)
	}
	if len(n.Names) > 1 {
		d.note(fmt.Sprintf("they share %d more families", len(n.Names)-1))
	}
	d.describe(&c)
	if n.Refused {
		c.Resolution = Rejected
		c.Detail += "; Register returned an AlreadyRegisteredError, and only the first is shown"
	}
	distinguish(&c, n.First, n.Second)
	return c
}

// distinguish sets the first places where the call paths differ, if one helper registered both.
func distinguish(c *Conflict, first, second *guard.Registration) {
	if first == nil || second == nil || c.First.Site != c.Second.Site {
		return
	}
	a, b := first.Site(), second.Site()
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			c.First.Site, c.Second.Site = a[i], b[i]
			return
		}
	}
}

// registered describes a registration.
func registered(e *guard.Registration, d guard.Definition) Instrument {
	i := Instrument{
		Scope: instrumentation.Scope{Name: clientScope}, Name: d.Name, Prometheus: d.Name, Number: float64Number,
		Unit: d.Unit, Description: d.Help,
	}
	if e == nil || e.Early() {
		i.Scope.Name = scopeOfEarlier(d.Name)
		return i
	}
	i.Site = e.Site().String()
	if t := e.Type(); t != nil {
		i.Kind = kindOf(*t)
	}
	return i
}

// differences collects how two definitions of a family differ.
type differences struct {
	reasons []Reason
	notes   []string
}

// add adds a difference, with a note on what the two Instruments do not show of it.
func (d *differences) add(r Reason, note string) {
	if !slices.Contains(d.reasons, r) {
		d.reasons = append(d.reasons, r)
	}
	d.note(note)
}

func (d *differences) note(text string) {
	if text != "" && !slices.Contains(d.notes, text) {
		d.notes = append(d.notes, text)
	}
}

func (d *differences) definitions(a, b guard.Definition) {
	if a.Unit != b.Unit {
		d.add(ReasonUnit, "")
	}
	if a.Help != "" && b.Help != "" && a.Help != b.Help { // an empty one never wins
		d.add(ReasonDescription, "")
	}
	if !slices.Equal(a.Labels, b.Labels) {
		d.add(ReasonLabels, fmt.Sprintf("labels %v, then %v", a.Labels, b.Labels))
	}
}

func (g *gathered) definition(family string) (guard.Definition, bool) {
	o := g.owner(family)
	if o == nil {
		return guard.Definition{}, false
	}
	return g.supplier.registry.Definition(o, family)
}

// describe sets the conflict's reason to the most serious difference, and its detail to the notes. Without a
// difference the reason stays.
func (d *differences) describe(c *Conflict) {
	if len(d.reasons) > 0 {
		c.Reason = slices.MinFunc(d.reasons, func(a, b Reason) int {
			return cmp.Compare(slices.Index(reasons, a), slices.Index(reasons, b))
		})
	}
	c.Detail = strings.Join(d.notes, "; ")
}
