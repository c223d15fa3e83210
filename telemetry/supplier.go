package telemetry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/onemeter/onemeter/telemetry/internal/foreign"
	"github.com/onemeter/onemeter/telemetry/internal/guard"
)

// A supplier is a source of client_golang metrics: a registry of this package, which knows who registered what, or
// another Gatherer. If it fails, panics or hangs, the page lacks its families, and nothing else.
type supplier struct {
	name     string
	site     string              // the code that passed the Gatherer
	registry *guard.Registry     // if nil, from is set
	from     prometheus.Gatherer // if nil, registry is set
	fallback bool                // its families are left out if others have their name

	mu        sync.Mutex
	heard     int // number of news entries read from the registry
	abandoned int // runs that did not return before their scrape ended, and still have not
}

// The scopes of client_golang's metrics.
const (
	clientScope   = "client_golang"
	earlierScope  = "client_golang, registered before promguard was there"
	gathererScope = "client_golang gatherer"
	processScope  = "the process collector"
)

// suppliersOf returns one supplier for each distinct gatherer. The members of prometheus.Gatherers count separately.
// client_golang's default registry under promguard is read through the guard's Registry, which knows the places.
func suppliersOf(registries []*guard.Registry, gatherers []given) []*supplier {
	var out []*supplier
	known := func(g prometheus.Gatherer) bool {
		return slices.ContainsFunc(out, func(s *supplier) bool {
			return s.registry != nil && s.registry.Is(g) || sameGatherer(s.from, g)
		})
	}
	for _, r := range registries {
		out = append(out, &supplier{name: clientScope, registry: r})
	}
	var add func(g prometheus.Gatherer, site string)
	add = func(g prometheus.Gatherer, site string) {
		if several, ok := g.(prometheus.Gatherers); ok {
			for _, one := range several {
				add(one, site)
			}
			return
		}
		if g == nil || known(g) {
			return
		}
		s := &supplier{name: fmt.Sprintf("%s %d", gathererScope, len(out)-len(registries)+1), site: site, from: g}
		if r := guard.Default(); r != nil && r.Is(g) {
			s = &supplier{name: clientScope, registry: r}
		} else if r, ok := g.(*guard.Registry); ok {
			s = &supplier{name: clientScope, registry: r}
		}
		out = append(out, s)
	}
	for _, g := range gatherers {
		add(g.gatherer, g.site)
	}
	return out
}

// sameGatherer reports whether two gatherers are the same one, whose metrics must not be counted twice.
func sameGatherer(a, b prometheus.Gatherer) bool {
	return a != nil && b != nil && reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}

// gathered holds what a supplier returned in one run. If it is checked, its families do not contradict each other.
type gathered struct {
	supplier *supplier
	families []*dto.MetricFamily
	part     *guard.Part // of a registry of ours
	checked  bool        // by a prometheus.Registry
}

// owner returns the registration of a family, or nil if it is not known.
func (g *gathered) owner(family string) *guard.Registration {
	if g == nil || g.part == nil {
		return nil
	}
	return g.part.Owner(family)
}

// reported reports whether a family's values come from outside client_golang's own instruments. Two such families may
// be one measurement.
func (g *gathered) reported(family string) bool {
	if g == nil {
		return false
	}
	if g.part == nil { // several collectors of process metrics report on one process
		return scopeOfEarlier(family) != earlierScope
	}
	o := g.owner(family)
	return o == nil || o.Reported()
}

// instrument describes a family for a conflict.
func (g *gathered) instrument(f *dto.MetricFamily) Instrument {
	i := Instrument{
		Scope: instrumentation.Scope{Name: g.supplier.name}, Name: f.GetName(), Prometheus: f.GetName(),
		Description: f.GetHelp(), Unit: f.GetUnit(), Number: float64Number, Kind: kindOf(f.GetType()), Site: g.supplier.site,
	}
	if g.part == nil {
		return i
	}
	if o := g.owner(f.GetName()); o != nil && !o.Early() {
		i.Site = o.Site().String()
	} else {
		i.Scope.Name = scopeOfEarlier(f.GetName())
	}
	return i
}

// scopeOfEarlier returns the scope of a metric registered before promguard was linked in: client_golang's own or
// other.
func scopeOfEarlier(name string) string {
	own := []string{"go_gc_", "go_goroutines", "go_info", "go_memstats_", "go_sched_", "go_threads", "process_"}
	if slices.ContainsFunc(own, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
		return clientScope + " itself"
	}
	return earlierScope
}

func kindOf(t dto.MetricType) sdkmetric.InstrumentKind {
	switch t {
	case dto.MetricType_COUNTER:
		return sdkmetric.InstrumentKindCounter
	case dto.MetricType_GAUGE:
		return sdkmetric.InstrumentKindGauge
	case dto.MetricType_HISTOGRAM:
		return sdkmetric.InstrumentKindHistogram
	}
	return 0
}

// A gathering is one run of a supplier.
type gathering struct {
	of        *supplier
	asked     []*scraper // the scrapers it gathers for, the outermost first
	done      chan struct{}
	results   []*gathered
	news      []guard.News
	err       error
	abandoned bool // guarded by of.mu
}

// start begins to gather. It returns nil for a supplier that still hangs since an earlier scrape.
func (s *supplier) start(ctx context.Context, to *scraper) *gathering {
	s.mu.Lock()
	hanging := s.abandoned > 0
	s.mu.Unlock()
	if hanging {
		to.fail(failGatherer, s.name+" has not answered an earlier scrape"+restServed, nil)
		return nil
	}
	r := &gathering{of: s, asked: append(slices.Clip(askedBy()), to), done: make(chan struct{})}
	go r.run(ctx)
	return r
}

func (r *gathering) run(ctx context.Context) {
	id := goroutine()
	asking.Store(id, r.asked)
	defer func() {
		asking.Delete(id)
		if p := recover(); p != nil {
			r.err = fmt.Errorf("panic: %v", p)
		}
		r.of.mu.Lock()
		defer r.of.mu.Unlock()
		if r.abandoned {
			r.of.abandoned--
		}
		close(r.done)
	}()
	if r.of.registry == nil {
		one := &gathered{supplier: r.of}
		one.families, r.err = r.of.from.Gather()
		_, one.checked = r.of.from.(*prometheus.Registry)
		r.results = []*gathered{one}
		return
	}
	if end, ok := ctx.Deadline(); ok { // the registry answers a little earlier, with what it has
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)*9/10)
		defer cancel()
	}
	parts, news := r.of.registry.Parts(ctx)
	r.news = news
	for _, p := range parts {
		r.results = append(r.results, &gathered{supplier: r.of, families: p.Families, part: &p, checked: !p.Alone()})
	}
}

// asking maps a goroutine to the scrapers that it gathers for. A Gatherer that gathers one of their pages would
// recurse for ever.
var asking sync.Map // goroutine id to []*scraper

func askedBy() []*scraper {
	if v, ok := asking.Load(goroutine()); ok {
		return v.([]*scraper)
	}
	return nil
}

// goroutine returns the id of the calling goroutine, from its stack: Gather has no context that could carry the
// scrapers.
func goroutine() string {
	var b [32]byte
	line := string(b[:runtime.Stack(b[:], false)])
	id, _, _ := strings.Cut(strings.TrimPrefix(line, "goroutine "), " ")
	return id
}

// wait returns what was gathered, even if an error came with it. It returns nothing if ctx ends first.
func (r *gathering) wait(ctx context.Context, to *scraper) []*gathered {
	if r == nil {
		return nil
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		if r.abandon() {
			to.fail(failGatherer, r.of.name+" did not answer in time"+restServed, ctx.Err())
			return nil
		}
	}
	if r.err != nil {
		to.fail(failGatherer, r.of.name+" failed"+restServed, r.err)
	}
	for _, n := range r.news {
		to.failOf(n)
	}
	return r.results
}

// abandon reports whether the run is still going, and if so marks it as abandoned.
func (r *gathering) abandon() bool {
	r.of.mu.Lock()
	defer r.of.mu.Unlock()
	select {
	case <-r.done:
		return false
	default:
		r.abandoned = true
		r.of.abandoned++
		return true
	}
}

// failOf counts and logs the failure of a collector.
func (s *scraper) failOf(n guard.News) {
	if n.Err == nil {
		return
	}
	what := clientScope
	if n.Second != nil {
		what = collectorAt(n.Second)
	}
	if errors.Is(n.Err, guard.ErrHangs) {
		s.fail(failGatherer, what+" does not answer"+restServed, nil)
		return
	}
	s.fail(failGatherer, what+" failed"+restServed, n.Err)
}

// collectorAt names a collector in a log message by the place that registered it.
func collectorAt(e *guard.Registration) string {
	return "the collector registered at " + cmp.Or(e.Site().String(), "an unknown place")
}

// plain reports whether the families can be on the page unchanged: none collide, in any format.
func (g *gathered) plain() bool {
	return g.checked && !slices.ContainsFunc(g.families, func(f *dto.MetricFamily) bool { return !foreign.Fit(f) })
}

// news returns the registry's news since the last call.
func (s *supplier) news() []guard.News {
	if s.registry == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.registry.News(s.heard)
	s.heard += len(out)
	return out
}
