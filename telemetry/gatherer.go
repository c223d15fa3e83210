package telemetry

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// A gatherer is a source of client_golang metrics. It may fail, panic or hang: that costs the page its families,
// and nothing else.
type gatherer struct {
	from     prometheus.Gatherer
	name     string
	fallback bool // its families give way to those of the same name

	mu        sync.Mutex
	abandoned int // runs that a scrape gave up waiting for, and that have not returned
}

// sameGatherer keeps a registry that was given twice from being counted twice.
func sameGatherer(a, b prometheus.Gatherer) bool {
	return reflect.TypeOf(a).Comparable() && reflect.TypeOf(b).Comparable() && a == b
}

// A gathering is one run of a gatherer.
type gathering struct {
	of        *gatherer
	done      chan struct{}
	families  []*dto.MetricFamily
	err       error
	abandoned bool // guarded by of.mu
}

// start begins to gather. It returns nil for a gatherer that still hangs since an earlier scrape.
func (g *gatherer) start(s *scraper) *gathering {
	g.mu.Lock()
	hanging := g.abandoned > 0
	g.mu.Unlock()
	if hanging {
		s.fail(failGatherer, g.name+" has not answered an earlier scrape", nil)
		return nil
	}
	r := &gathering{of: g, done: make(chan struct{})}
	go r.run()
	return r
}

func (r *gathering) run() {
	defer func() {
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
	r.families, r.err = r.of.from.Gather()
}

// wait returns what was gathered, even if an error came with it, or nothing when ctx ends.
func (r *gathering) wait(ctx context.Context, s *scraper) []*dto.MetricFamily {
	if r == nil {
		return nil
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		if r.abandon() {
			s.fail(failGatherer, r.of.name+" did not answer in time", ctx.Err())
			return nil
		}
	}
	if r.err != nil {
		s.fail(failGatherer, r.of.name+" failed", r.err)
	}
	return r.families
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

// A merge puts the families of several sources on one page. Ours come first and keep their names.
type merge struct {
	s         *scraper
	byName    map[string]*placed
	taken     map[string]*placed // by every name that a family occupies
	conflicts []Conflict
}

// A placed family is one on the page. Metrics of other sources are never changed in place.
type placed struct {
	*dto.MetricFamily
	source  *gatherer // nil for ours
	first   Instrument
	joined  Instrument     // the last of another source
	byLabel map[string]int // index of the metric for its labels; made when first needed
}

func (s *scraper) newMerge(own []*dto.MetricFamily) *merge {
	m := &merge{s: s, byName: make(map[string]*placed, len(own)), taken: make(map[string]*placed, 4*len(own))}
	for _, f := range own {
		m.place(&placed{MetricFamily: f})
	}
	if s.catalog != nil {
		for _, f := range s.catalog.all() {
			m.claim(f)
		}
	}
	return m
}

// claim reserves the names of an instrument that has not recorded yet, and tells of whom the others are.
func (m *merge) claim(f claimed) {
	p := m.byName[f.name]
	if p == nil {
		p = &placed{MetricFamily: &dto.MetricFamily{
			Name: new(f.name), Help: new(f.help), Type: f.class.dto().Enum(),
		}}
		m.place(p)
	}
	p.first = f.first
}

func (m *merge) place(p *placed) {
	m.byName[p.GetName()] = p
	for _, n := range occupied(p.MetricFamily) {
		if m.taken[n] == nil {
			m.taken[n] = p
		}
	}
}

// occupied lists the names of a family: its own, those of its samples, and, last, that of OpenMetrics.
func occupied(f *dto.MetricFamily) []string {
	n := f.GetName()
	switch f.GetType() {
	case dto.MetricType_HISTOGRAM, dto.MetricType_GAUGE_HISTOGRAM:
		return []string{n, n + "_bucket", n + "_count", n + "_sum"}
	case dto.MetricType_SUMMARY:
		return []string{n, n + "_count", n + "_sum"}
	case dto.MetricType_COUNTER:
		return []string{n, base(n, classCounter)}
	}
	return []string{n}
}

// add merges the families of a source into the page.
func (m *merge) add(src *gatherer, families []*dto.MetricFamily) {
	defer func() {
		if p := recover(); p != nil {
			m.s.fail(failPanic, "a fault in package telemetry, over "+src.name, fmt.Errorf("panic: %v", p))
		}
	}()
	for _, f := range families {
		f, dropped := cleaned(f)
		if dropped > 0 {
			m.s.fail(failInvalid, fmt.Sprintf("%s has metrics that cannot be exposed in %s", src.name, f.GetName()), nil)
		}
		if f != nil && len(f.Metric) > 0 {
			m.addFamily(src, f)
		}
	}
}

func (m *merge) addFamily(src *gatherer, f *dto.MetricFamily) {
	there, reason := m.meets(f, src)
	switch {
	case there != nil && reason != "":
		m.rename(there, f, src, reason)
	case there != nil && src.fallback:
	case there != nil:
		m.join(there, f, src)
	default:
		m.put(src, f, src.instrument(f))
	}
}

// put places a family under a name that is free.
func (m *merge) put(src *gatherer, f *dto.MetricFamily, i Instrument) {
	p := &placed{MetricFamily: f, source: src, first: i}
	m.place(p)
	if src.checked() {
		return
	}
	p.MetricFamily = shallow(f) // series may be there twice: join adds them up
	p.Metric = nil
	m.join(p, f, src)
}

// checked tells whether the source has made sure that its families hold no series twice.
func (g *gatherer) checked() bool {
	_, ok := g.from.(*prometheus.Registry)
	return ok
}

// meets returns the family that f collides with. An empty reason means that the two are one. A source is trusted
// with its own OpenMetrics names: client_golang's Go collector has a gauge x beside a counter x_total.
func (m *merge) meets(f *dto.MetricFamily, src *gatherer) (*placed, Reason) {
	if f.GetName() == otlptranslator.TargetInfoMetricName {
		return &placed{MetricFamily: f, first: src.instrument(f)}, ReasonReserved
	}
	if p := m.byName[f.GetName()]; p != nil {
		if p.GetType() == f.GetType() {
			return p, ""
		}
		return p, ReasonKind
	}
	for _, n := range occupied(f) {
		p := m.taken[n]
		if p == nil || p.source == src && (n == base(f.GetName(), classCounter) || n == base(p.GetName(), classCounter)) {
			continue
		}
		if strings.EqualFold(strings.TrimSuffix(p.GetName(), totalSuffix), strings.TrimSuffix(f.GetName(), totalSuffix)) {
			return p, ReasonKind
		}
		return p, ReasonName
	}
	return nil, ""
}

// instrument describes a family of the source for a conflict.
func (g *gatherer) instrument(f *dto.MetricFamily) Instrument {
	i := Instrument{
		Scope: instrumentation.Scope{Name: g.name}, Name: f.GetName(), Prometheus: f.GetName(),
		Description: f.GetHelp(), Number: float64Number,
	}
	switch f.GetType() {
	case dto.MetricType_COUNTER:
		i.Kind = sdkmetric.InstrumentKindCounter
	case dto.MetricType_GAUGE:
		i.Kind = sdkmetric.InstrumentKindGauge
	case dto.MetricType_HISTOGRAM:
		i.Kind = sdkmetric.InstrumentKindHistogram
	}
	return i
}

func (m *merge) rename(there *placed, f *dto.MetricFamily, src *gatherer, reason Reason) {
	second := src.instrument(f)
	suffix := strings.ToLower(f.GetType().String())
	var name string
	for n := 1; name == ""; n++ {
		try := renamedTo(f, suffix, n)
		g := &dto.MetricFamily{Name: &try, Type: f.Type}
		if other, _ := m.meets(g, src); other == nil {
			name = try
		}
	}
	second.Prometheus = name
	first := there.first
	if reason == ReasonReserved {
		first = second
	}
	m.conflicts = append(m.conflicts, Conflict{
		Family: there.GetName(), Reason: reason, Resolution: Renamed, First: first, Second: second,
	})
	f = shallow(f)
	f.Name = &name
	m.put(src, f, second)
}

func renamedTo(f *dto.MetricFamily, suffix string, n int) string {
	if n > 1 {
		suffix = fmt.Sprintf("%s_%d", suffix, n)
	}
	if f.GetType() == dto.MetricType_COUNTER {
		return base(f.GetName(), classCounter) + "_" + suffix + totalSuffix
	}
	return f.GetName() + "_" + suffix
}

// join adds the metrics of f to a family of its name and type.
func (m *merge) join(there *placed, f *dto.MetricFamily, src *gatherer) {
	second := src.instrument(f)
	there.joined = second
	there.own()
	if there.GetHelp() == "" {
		there.Help = f.Help
	} else if f.GetHelp() != "" && f.GetHelp() != there.GetHelp() {
		m.conflicts = append(m.conflicts, Conflict{
			Family: f.GetName(), Reason: ReasonDescription, Resolution: Merged, First: there.first, Second: second,
		})
	}
	for _, metric := range f.Metric {
		key := labelKey(metric)
		i, ok := there.byLabel[key]
		if !ok {
			there.byLabel[key] = len(there.Metric)
			there.Metric = append(there.Metric, metric)
			continue
		}
		sum, lost := addMetric(there.Metric[i], metric)
		there.Metric[i] = sum
		if lost && there.first != second {
			d := duplicate(there.first, second)
			d.Family = f.GetName()
			m.conflicts = append(m.conflicts, d)
		}
	}
	slices.SortFunc(there.Metric, compareMetrics)
	for i, metric := range there.Metric {
		there.byLabel[labelKey(metric)] = i
	}
}

// own makes the family's list of metrics ours to change, and indexes it.
func (p *placed) own() {
	if p.byLabel != nil {
		return
	}
	p.MetricFamily = &dto.MetricFamily{
		Name: p.Name, Help: p.Help, Type: p.Type, Unit: p.Unit, Metric: slices.Clone(p.Metric),
	}
	p.byLabel = make(map[string]int, len(p.Metric))
	for i, metric := range p.Metric {
		p.byLabel[labelKey(metric)] = i
	}
}

func labelKey(m *dto.Metric) string {
	var b strings.Builder
	for _, l := range m.Label {
		fmt.Fprintf(&b, "%q=%q,", l.GetName(), l.GetValue())
	}
	return b.String()
}

func compareMetrics(a, b *dto.Metric) int {
	if len(a.Label) != len(b.Label) {
		return cmp.Compare(len(a.Label), len(b.Label))
	}
	for i := range a.Label {
		if c := strings.Compare(a.Label[i].GetValue(), b.Label[i].GetValue()); c != 0 {
			return c
		}
	}
	return 0
}

// families returns the page, sorted by name, without the names that were only claimed.
func (m *merge) families() []*dto.MetricFamily {
	out := make([]*dto.MetricFamily, 0, len(m.byName))
	for _, p := range m.byName {
		if len(p.Metric) > 0 {
			out = append(out, p.MetricFamily)
		}
	}
	slices.SortFunc(out, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	return out
}
