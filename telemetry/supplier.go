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

// A supplier is where metrics of client_golang come from: a registry of ours, which knows who registered what, or a
// Gatherer of somebody else. It may fail, panic or hang: that costs the page its families, and nothing else.
type supplier struct {
	name     string
	site     string          // of the code that gave us the Gatherer
	registry *guard.Registry // or
	from     prometheus.Gatherer
	fallback bool // its families give way to those of the same name

	mu        sync.Mutex
	heard     int // news of the registry
	abandoned int // runs that a scrape gave up waiting for, and that have not returned
}

// The scopes of instruments that client_golang made.
const (
	clientScope   = "client_golang"
	earlierScope  = "client_golang, registered before promguard was there"
	gathererScope = "client_golang gatherer"
)

// suppliersOf returns a supplier for each gatherer that is given, each once. The members of prometheus.Gatherers count by
// themselves; what stands in for client_golang's default registry is asked as the registry that it is.
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

// sameGatherer keeps a registry that was given twice from being counted twice.
func sameGatherer(a, b prometheus.Gatherer) bool {
	return a != nil && b != nil && reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}

// A gathered is what a supplier gave at once. Its families do not contradict each other if it is checked.
type gathered struct {
	supplier *supplier
	families []*dto.MetricFamily
	part     *guard.Part // of a registry of ours
	checked  bool        // by a prometheus.Registry
}

// owner returns the registration behind a family, or nil where it is not known.
func (g *gathered) owner(family string) *guard.Registration {
	if g == nil || g.part == nil {
		return nil
	}
	return g.part.Owner(family)
}

// reported tells that a family's values are not counted by client_golang's own instruments, so that two of them may
// be of one thing.
func (g *gathered) reported(family string) bool {
	if g == nil {
		return false
	}
	if g.part == nil { // the process is one, whoever reports on it
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

// scopeOfEarlier tells who made what was registered before promguard was there, as far as that is known.
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
	asked     []*scraper // for whose pages, from the outermost on
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
		to.fail(failGatherer, s.name+" has not answered an earlier scrape", nil)
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
	if end, ok := ctx.Deadline(); ok { // it answers a little earlier, with what it has
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

// asking is for whose pages a goroutine gathers: a Gatherer that asks for one of them would never end.
var asking sync.Map // of the goroutine to []*scraper

func askedBy() []*scraper {
	if v, ok := asking.Load(goroutine()); ok {
		return v.([]*scraper)
	}
	return nil
}

// goroutine identifies the one that calls, by the first line of its stack: a Gatherer has no context to carry this.
func goroutine() string {
	var b [32]byte
	line := string(b[:runtime.Stack(b[:], false)])
	id, _, _ := strings.Cut(strings.TrimPrefix(line, "goroutine "), " ")
	return id
}

// wait returns what was gathered, even if an error came with it, or nothing when ctx ends.
func (r *gathering) wait(ctx context.Context, to *scraper) []*gathered {
	if r == nil {
		return nil
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		if r.abandon() {
			to.fail(failGatherer, r.of.name+" did not answer in time", ctx.Err())
			return nil
		}
	}
	if r.err != nil {
		to.fail(failGatherer, r.of.name+" failed", r.err)
	}
	for _, n := range r.news {
		to.failOf(n)
	}
	return r.results
}

// abandon tells whether the run is still going, and if so marks it.
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

// failOf counts and logs what is wrong with a collector.
func (s *scraper) failOf(n guard.News) {
	if n.Err == nil {
		return
	}
	what := clientScope
	if n.Second != nil {
		what = "the collector registered at " + cmp.Or(n.Second.Site().String(), "an unknown place")
	}
	if errors.Is(n.Err, guard.ErrHangs) {
		s.fail(failGatherer, what+" does not answer", nil)
		return
	}
	s.fail(failGatherer, what+" failed", n.Err)
}

// plain tells whether what was gathered can be on the page as it is: nothing of it meets, in any format.
func (g *gathered) plain() bool {
	return g.checked && !slices.ContainsFunc(g.families, func(f *dto.MetricFamily) bool { return !foreign.Fit(f) })
}

// news returns what the registry has to tell, once.
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
