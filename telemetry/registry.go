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

// Registerer is for code on client_golang that takes a registry, and for promauto.With. What is registered is on the
// page and pushed. Unlike a registry of client_golang it never panics, and refuses nothing for what another collector
// defines: metrics of one name are one family, as those of OpenTelemetry are, and conflicts are told with the places
// of both. Register returns an AlreadyRegisteredError for a collector that is there already or that equals one of the
// same type, as client_golang does, and the error of an invalid descriptor.
//
// It is a prometheus.Gatherer too, and gathers what [Provider.Gatherer] does.
func (p *Provider) Registerer() prometheus.Registerer { return p.registry }

// Gatherer returns the whole page, for a pushgateway or a handler of one's own: OpenTelemetry's instruments, and all
// of client_golang's that the Provider knows of. Under WithoutPrometheus it has only the latter. Gathering takes ten
// seconds at most and returns no error: what cannot be had is told, and counted in telemetry_scrape_errors_total.
func (p *Provider) Gatherer() prometheus.Gatherer { return pageOf{p.scraper} }

// A pageOf is a Gatherer that can be compared, so that one that is given twice counts once.
type pageOf struct{ s *scraper }

// Gather implements prometheus.Gatherer.
func (p pageOf) Gather() ([]*dto.MetricFamily, error) { return p.s.gatherPage() }

// gatherPage is gather for those who cannot say how long they wait.
func (s *scraper) gatherPage() ([]*dto.MetricFamily, error) {
	if slices.Contains(askedBy(), s) {
		return nil, nil // a supplier asks for the page that it is about to be on
	}
	ctx, cancel := context.WithTimeout(context.Background(), defaultScrapeTimeout)
	defer cancel()
	return metricsOf(s.gather(ctx, true)), nil
}

// alone is the page of client_golang's default registry while no Provider of Setup is there.
var alone = sync.OnceValue(func() *scraper {
	self := newSelfMetrics()
	c := newCatalog(config{}, self, true)
	return newScraper(nil, c, suppliersOf([]*guard.Registry{guard.Default()}, nil), self, func() {})
})

// serving is the Provider whose page the default registry shows.
var serving atomic.Pointer[Provider]

// listening is set once somebody gathers, or by Setup. What is found before is told then, when main has had the time
// to set up slog.
var listening atomic.Bool

// init makes the whole page of what stands in for client_golang's default registry, if package promguard is linked.
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

// serveDefault makes the Provider's page that of the default registry.
func (p *Provider) serveDefault() {
	if guard.Default() == nil {
		return
	}
	listening.Store(true)
	serving.Store(p)
	p.scraper.hear()
}

// hear tells what was found when collectors were registered.
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

// refused tells of a collector that client_golang would refuse for its own sake.
func (s *scraper) refused(n guard.News) {
	what := "a collector was refused"
	if n.Kept {
		what = "a collector contradicts itself"
	}
	what += ", registered at " + cmp.Or(n.Second.Site().String(), "an unknown place")
	if _, told := logged.LoadOrStore(what, true); told && s.catalog.shared {
		s.self.scrapeFailed(failInvalid)
		return
	}
	s.fail(failInvalid, what, n.Err)
}

// conflictOf describes two registrations of one family.
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
		d.note("both report what is counted elsewhere: where their labels are equal, the first one's value is shown")
	case c.Resolution == Merged && a != nil && *a == dto.MetricType_GAUGE:
		d.note("where their labels are equal, the first one's value is shown")
	case c.Resolution == Merged && a != nil && *a == dto.MetricType_SUMMARY:
		d.note(foreign.QuantilesLost)
	}
	if len(n.Names) > 1 {
		d.note(fmt.Sprintf("%d more families of the two meet", len(n.Names)-1))
	}
	d.describe(&c)
	if n.Refused {
		c.Resolution = Rejected
		c.Detail += "; Register returned an AlreadyRegisteredError, and only the first is shown"
	}
	distinguish(&c, n.First, n.Second)
	return c
}

// distinguish names the places that the two came from, where one helper registered both.
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

// differences gathers in what two claims to a family differ.
type differences struct {
	reasons []Reason
	notes   []string
}

// add takes a difference, and what cannot be seen of it in the two instruments.
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

// describe gives the conflict its gravest reason and the notes. A conflict without a difference keeps its reason.
func (d *differences) describe(c *Conflict) {
	if len(d.reasons) > 0 {
		c.Reason = slices.MinFunc(d.reasons, func(a, b Reason) int {
			return cmp.Compare(slices.Index(reasons, a), slices.Index(reasons, b))
		})
	}
	c.Detail = strings.Join(d.notes, "; ")
}
