package telemetry

import (
	"fmt"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/otlptranslator"

	"github.com/onemeter/onemeter/telemetry/internal/foreign"
	"github.com/onemeter/onemeter/telemetry/internal/guard"
	"github.com/onemeter/onemeter/telemetry/internal/rule"
)

// A merge puts the families of several suppliers on one page. Families of instruments come first and keep their
// names. Names are compared in the form of the text format, where every character except letters, digits, "_" and ":"
// is "_".
type merge struct {
	s         *scraper
	byName    map[string]*placed
	taken     map[string]*placed // by every name that a family occupies
	conflicts []Conflict
}

// placed is a family on the page. Metrics of suppliers are copied before they are changed.
type placed struct {
	shown
	first    party
	helped   party          // the party whose HELP the family has
	joined   []party        // all parties but the first
	byLabel  map[string]int // index of the metric with these labels; created when needed
	origins  []origin       // of each metric; created with byLabel
	labelKey []byte         // scratch
	bounds   []float64      // of classic buckets; set when needed
}

// An origin says where a series comes from.
type origin struct {
	by       *gathered // nil for instruments
	reported bool      // see gathered.reported
}

// A party is one source of a family's metrics: an instrument, or a gathered family.
type party struct {
	own    Instrument
	from   *gathered // nil for an instrument
	family *dto.MetricFamily
}

// instrument describes the party. It is slow.
func (p party) instrument() Instrument {
	if p.from == nil {
		return p.own
	}
	return p.from.instrument(p.family)
}

// who identifies the party across scrapes, by the place that registered it if that is known.
func (p party) who() string {
	if p.from == nil {
		return ""
	}
	return p.from.supplier.name + " " + placeOf(p.registration())
}

// placeOf returns the call path to the code that registered something.
func placeOf(e *guard.Registration) string {
	if e == nil || e.Early() {
		return "early"
	}
	return strings.Join(e.Site(), " ")
}

// registration returns the party's registration, or nil if it is not known.
func (p party) registration() *guard.Registration {
	if p.from == nil || p.from.part == nil {
		return nil
	}
	if o := p.from.owner(p.family.GetName()); o != nil && !o.Early() {
		return o
	}
	return nil
}

func (s *scraper) newMerge(own []shown) *merge {
	m := &merge{s: s, byName: make(map[string]*placed, len(own)), taken: make(map[string]*placed, 4*len(own))}
	for _, f := range own {
		m.place(&placed{shown: f})
	}
	for _, f := range s.catalog.all() {
		m.claim(f)
	}
	return m
}

// claim reserves the names of a family that may have no values yet, and sets its first instrument.
func (m *merge) claim(f claimed) {
	p := m.byName[f.name]
	if p == nil {
		p = &placed{shown: shown{MetricFamily: &dto.MetricFamily{
			Name: new(f.name), Help: new(f.help), Type: f.class.Type().Enum(),
		}}}
		m.place(p)
	}
	p.first = party{own: f.first}
	p.helped, p.bounds = p.first, f.bounds
}

func (m *merge) place(p *placed) {
	m.byName[p.GetName()] = p
	for _, n := range occupied(p.MetricFamily) {
		if m.taken[n] == nil {
			m.taken[n] = p
		}
	}
}

// occupied returns all names of a family: its own, those of its samples, and, last, that in OpenMetrics.
func occupied(f *dto.MetricFamily) []string {
	n := f.GetName()
	switch f.GetType() {
	case dto.MetricType_HISTOGRAM, dto.MetricType_GAUGE_HISTOGRAM:
		return []string{n, n + "_bucket", n + "_count", n + "_sum"}
	case dto.MetricType_SUMMARY:
		return []string{n, n + "_count", n + "_sum"}
	case dto.MetricType_COUNTER:
		return []string{n, rule.Base(n, rule.Counter)}
	}
	return []string{n}
}

// add merges the families of one supplier into the page.
func (m *merge) add(g *gathered) {
	defer func() {
		if p := recover(); p != nil {
			m.s.fail(failPanic, "a bug in package telemetry cost the page metrics of "+g.supplier.name, fmt.Errorf("panic: %v", p))
		}
	}()
	for _, f := range g.families {
		f, dropped := foreign.Cleaned(f, g.checked)
		if dropped > 0 {
			m.s.fail(failInvalid, fmt.Sprintf("%s has metrics in %s that cannot be exposed", g.supplier.name, f.GetName())+restServed, nil)
		}
		if f != nil && len(f.Metric) > 0 {
			m.addFamily(g, f)
		}
	}
}

func (m *merge) addFamily(g *gathered, f *dto.MetricFamily) {
	there, reason := m.meets(f, g)
	switch {
	case there != nil && reason != "":
		m.rename(there, f, g, reason)
	case there != nil && g.supplier.fallback:
	case there != nil:
		m.join(there, f, g)
	default:
		m.put(g, f, f)
	}
}

// put places a family under a name that is free. The parameter as is the family as it was gathered.
func (m *merge) put(g *gathered, f, as *dto.MetricFamily) {
	by := party{from: g, family: as}
	p := &placed{shown: shown{MetricFamily: f}, first: by, helped: by}
	m.place(p)
	if g.checked && foreign.Fit(f) {
		return
	}
	p.MetricFamily = foreign.Shallow(f) // series may appear twice: join adds them up
	p.Metric = nil
	m.join(p, f, g)
}

// meets returns the family that f collides with. An empty reason means that the two are one family. Families of one
// supplier may share an OpenMetrics name: client_golang's Go collector has a gauge x beside a counter x_total.
func (m *merge) meets(f *dto.MetricFamily, g *gathered) (*placed, Reason) {
	name := f.GetName()
	if name == otlptranslator.TargetInfoMetricName && m.s.exposition != nil {
		return &placed{shown: shown{MetricFamily: f}, first: party{from: g, family: f}}, ReasonReserved
	}
	if p := m.byName[name]; p != nil {
		if p.GetType() == f.GetType() {
			return p, ""
		}
		return p, ReasonKind
	}
	for _, n := range occupied(f) {
		p := m.taken[n]
		if p == nil || p.first.from == g && (n == rule.Base(name, rule.Counter) || n == rule.Base(p.GetName(), rule.Counter)) {
			continue
		}
		if p.GetType() == dto.MetricType_COUNTER && f.GetType() == dto.MetricType_COUNTER {
			continue // x and x_total collide in OpenMetrics only: see distinctInOpenMetrics
		}
		if strings.EqualFold(strings.TrimSuffix(p.GetName(), rule.TotalSuffix), strings.TrimSuffix(name, rule.TotalSuffix)) {
			return p, ReasonKind
		}
		return p, ReasonName
	}
	return nil, ""
}

func (m *merge) rename(there *placed, f *dto.MetricFamily, g *gathered, reason Reason) {
	second := g.instrument(f)
	suffix := kindSuffix(f.GetType())
	var name string
	for n := 1; name == ""; n++ {
		try := renamedTo(f.GetName(), f.GetType(), suffix, n)
		other, why := m.meets(&dto.MetricFamily{Name: &try, Type: f.Type}, g)
		if other == nil || why == "" && other.first.instrument().Name == f.GetName() { // renamed the same way before
			name = try
		}
	}
	second.Prometheus = name
	first := there.first.instrument()
	if reason == ReasonReserved {
		first = second
	}
	m.conflicts = append(m.conflicts, Conflict{
		Family: there.GetName(), Reason: reason, Resolution: Renamed, First: first, Second: second,
	})
	as := f
	f = foreign.Shallow(f)
	f.Name, f.Unit = &name, nil // the name no longer ends in the unit
	if same := m.byName[name]; same != nil {
		m.join(same, f, g)
		return
	}
	m.put(g, f, as)
}

func kindSuffix(t dto.MetricType) string { return strings.ToLower(t.String()) }

func renamedTo(name string, t dto.MetricType, suffix string, n int) string {
	if n > 1 {
		suffix = fmt.Sprintf("%s_%d", suffix, n)
	}
	if t == dto.MetricType_COUNTER {
		return rule.Base(name, rule.Counter) + "_" + suffix + rule.TotalSuffix
	}
	return name + "_" + suffix
}

// join adds the metrics of f to a family of the same name and type.
func (m *merge) join(there *placed, f *dto.MetricFamily, g *gathered) {
	by := party{from: g, family: f}
	if len(there.Metric) > 0 || there.first.from != g {
		there.joined = append(there.joined, by)
	}
	if k := there.kept; k != nil {
		there.kept = nil
		if f := m.s.exposition.whole(k); f != nil {
			there.MetricFamily = f
		}
	}
	there.index()
	d := differences{}
	if there.GetHelp() == "" {
		there.Help, there.helped = f.Help, by
	} else if f.GetHelp() != "" && f.GetHelp() != there.GetHelp() {
		d.add(ReasonDescription, "")
	}
	from := origin{g, g.reported(f.GetName())}
	doubled := false
	for _, metric := range f.Metric {
		i, ok := there.at(metric)
		if !ok {
			if other := there.unequal(metric); other != "" {
				metric = there.inItsBuckets(metric)
				d.add(ReasonBuckets, other)
			}
			there.Metric = append(there.Metric, metric)
			there.origins = append(there.origins, from)
			continue
		}
		if o := there.origins[i]; o.reported && from.reported && o.by != g {
			doubled = true
			continue
		}
		sum, lost := foreign.Add(there.Metric[i], metric)
		if len(sum.Label) != len(metric.Label) { // one of them has labels with empty values, which do not count
			sum = foreign.Relabelled(sum, slices.DeleteFunc(slices.Clone(sum.Label), func(l *dto.LabelPair) bool { return l.GetValue() == "" }))
		}
		there.Metric[i] = sum
		doubled = doubled || lost == foreign.LostAll
		if lost != "" && lost != foreign.LostAll {
			d.add(ReasonBuckets, lost)
		}
	}
	if doubled {
		m.tell(there, there.first, by, differences{
			reasons: []Reason{ReasonDuplicate}, notes: []string{"if labels are equal, the first one's value is shown"},
		})
	}
	switch {
	case len(d.reasons) == 0:
	case slices.Equal(d.reasons, []Reason{ReasonDescription}):
		m.tell(there, there.helped, by, d)
	default:
		m.tell(there, there.first, by, d)
	}
}

// unequal describes how the classic buckets of a metric differ from those of the family. It returns "" if they do
// not.
func (p *placed) unequal(m *dto.Metric) string {
	if p.GetType() != dto.MetricType_HISTOGRAM || len(m.GetHistogram().GetBucket()) == 0 {
		return ""
	}
	if p.bounds == nil {
		if i := slices.IndexFunc(p.Metric, func(m *dto.Metric) bool { return len(m.GetHistogram().GetBucket()) > 0 }); i >= 0 {
			p.bounds, _ = foreign.Classic(p.Metric[i].GetHistogram())
		} else {
			p.bounds, _ = foreign.Classic(m.GetHistogram())
		}
	}
	if own, _ := foreign.Classic(m.GetHistogram()); !slices.Equal(own, p.bounds) {
		return fmt.Sprintf("boundaries %v, then %v", p.bounds, own)
	}
	return ""
}

// inItsBuckets returns the metric with the family's boundaries.
func (p *placed) inItsBuckets(m *dto.Metric) *dto.Metric {
	out := foreign.Relabelled(m, m.Label)
	out.Histogram = foreign.CopyHistogram(m.Histogram)
	out.Histogram.Bucket = foreign.BucketsOf(foreign.InBuckets(m.Histogram, p.bounds), p.bounds, nil)
	return out
}

// tell reports once that two different parties share a family.
func (m *merge) tell(there *placed, first, second party, d differences) {
	if first.from == second.from && first.registration() == second.registration() {
		return // both are the same collector or Gatherer
	}
	k := meeting{family: there.GetName(), second: second.who()}
	if first.from != nil && first.from.part != nil && m.s.hasMet(k) { // reported at registration
		return
	}
	k.first, k.reasons = first.who(), fmt.Sprint(d.reasons)
	if !m.s.meet(k) {
		return
	}
	if first.from != nil && first.from.part != nil && second.from.part != nil {
		before, ok1 := first.from.definition(first.family.GetName())
		after, ok2 := second.from.definition(second.family.GetName())
		if ok1 && ok2 {
			d.definitions(before, after)
		}
	}
	c := Conflict{Family: there.GetName(), Resolution: Merged, First: first.instrument(), Second: second.instrument()}
	c.Second.Prometheus = there.GetName()
	distinguish(&c, first.registration(), second.registration())
	d.describe(&c)
	m.conflicts = append(m.conflicts, c)
}

// A meeting identifies two parties in one family and their differences. If it was reported at registration, it has
// the second party only, and stands for all differences.
type meeting struct {
	family, first, second, reasons string
}

func (s *scraper) hasMet(k meeting) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.met[k]
	return ok
}

// meet remembers a meeting and reports whether it is new. If the map is full, every meeting counts as new; the
// catalog still drops repeated conflicts.
func (s *scraper) meet(k meeting) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.met[k]; ok {
		return false
	}
	if len(s.met) < maxMeetings {
		s.met[k] = struct{}{}
	}
	return true
}

const maxMeetings = 100_000

// index copies the family's list of metrics, so that it can be changed, and indexes it.
func (p *placed) index() {
	if p.byLabel != nil {
		return
	}
	p.MetricFamily = foreign.Shallow(p.MetricFamily)
	p.byLabel = make(map[string]int, len(p.Metric))
	from := origin{p.first.from, p.first.from.reported(p.GetName())}
	p.origins = make([]origin, len(p.Metric))
	for i, metric := range p.Metric {
		p.origins[i] = from
		p.labelKey = foreign.AppendLabels(p.labelKey[:0], metric)
		p.byLabel[string(p.labelKey)] = i
	}
}

// at returns the index of the series with the metric's labels. If there is none, it reserves the next index.
func (p *placed) at(metric *dto.Metric) (int, bool) {
	p.labelKey = foreign.AppendLabels(p.labelKey[:0], metric)
	i, ok := p.byLabel[string(p.labelKey)]
	if !ok {
		p.byLabel[string(p.labelKey)] = len(p.Metric)
	}
	return i, ok
}

// page returns the families, sorted by name, without those that have no metrics.
func (m *merge) page() []shown {
	out := make([]shown, 0, len(m.byName))
	for _, p := range m.byName {
		if len(p.Metric) == 0 && p.kept == nil {
			continue
		}
		if p.byLabel != nil {
			slices.SortFunc(p.Metric, foreign.Compare)
		}
		out = append(out, p.shown)
	}
	slices.SortFunc(out, byName)
	return out
}
