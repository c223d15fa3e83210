package telemetry

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/otlptranslator"
)

// A merge puts the families of several suppliers on one page. Ours come first and keep their names. Names are compared
// as the text format has them, where every character but letters, digits, "_" and ":" is "_".
type merge struct {
	s         *scraper
	byName    map[string]*placed
	taken     map[string]*placed // by every name that a family occupies
	conflicts []Conflict
}

// A placed family is one on the page. Metrics of other suppliers are never changed in place.
type placed struct {
	*dto.MetricFamily
	from     *gathered // nil for ours
	first    Instrument
	joined   Instrument     // the last of another source
	byLabel  map[string]int // index of the metric for its labels; made when first needed
	reported []bool         // of each metric: see gathered.reported
	labelKey []byte         // scratch
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
	m.byName[legacy(p.GetName())] = p
	for _, n := range occupied(p.MetricFamily) {
		if m.taken[n] == nil {
			m.taken[n] = p
		}
	}
}

// legacy returns a name as the text format has it.
func legacy(name string) string {
	if model.LegacyValidation.IsValidMetricName(name) {
		return name
	}
	return model.EscapeName(name, model.UnderscoreEscaping)
}

// occupied lists the names of a family: its own, those of its samples, and, last, that of OpenMetrics.
func occupied(f *dto.MetricFamily) []string {
	n := legacy(f.GetName())
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

// add merges what a supplier gave into the page.
func (m *merge) add(g *gathered) {
	defer func() {
		if p := recover(); p != nil {
			m.s.fail(failPanic, "a fault in package telemetry, over "+g.supplier.name, fmt.Errorf("panic: %v", p))
		}
	}()
	for _, f := range g.families {
		f, dropped := cleaned(f)
		if dropped > 0 {
			m.s.fail(failInvalid, fmt.Sprintf("%s has metrics that cannot be exposed in %s", g.supplier.name, f.GetName()), nil)
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
		m.put(g, f, g.instrument(f))
	}
}

// put places a family under a name that is free.
func (m *merge) put(g *gathered, f *dto.MetricFamily, i Instrument) {
	p := &placed{MetricFamily: f, from: g, first: i}
	m.place(p)
	if g.checked && plainLabels(f) {
		return
	}
	p.MetricFamily = shallow(f) // series may be there twice: join adds them up
	p.Metric = nil
	m.join(p, f, g)
}

// meets returns the family that f collides with. An empty reason means that the two are one. What was gathered at
// once is trusted with its own OpenMetrics names: client_golang's Go collector has a gauge x beside a counter x_total.
func (m *merge) meets(f *dto.MetricFamily, g *gathered) (*placed, Reason) {
	name := legacy(f.GetName())
	if name == otlptranslator.TargetInfoMetricName {
		return &placed{MetricFamily: f, first: g.instrument(f)}, ReasonReserved
	}
	if p := m.byName[name]; p != nil {
		if p.GetType() == f.GetType() {
			return p, ""
		}
		return p, ReasonKind
	}
	for _, n := range occupied(f) {
		p := m.taken[n]
		if p == nil || p.from == g && (n == base(name, classCounter) || n == base(legacy(p.GetName()), classCounter)) {
			continue
		}
		if strings.EqualFold(strings.TrimSuffix(legacy(p.GetName()), totalSuffix), strings.TrimSuffix(name, totalSuffix)) {
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
		if other == nil || why == "" && other.first.Name == f.GetName() { // renamed the same way before
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
	if same := m.byName[legacy(name)]; same != nil {
		m.join(same, f, g)
		return
	}
	m.put(g, f, second)
}

func kindSuffix(t dto.MetricType) string { return strings.ToLower(t.String()) }

func renamedTo(name string, t dto.MetricType, suffix string, n int) string {
	if n > 1 {
		suffix = fmt.Sprintf("%s_%d", suffix, n)
	}
	if t == dto.MetricType_COUNTER {
		return base(name, classCounter) + "_" + suffix + totalSuffix
	}
	return name + "_" + suffix
}

// join adds the metrics of f to a family of its name and type.
func (m *merge) join(there *placed, f *dto.MetricFamily, g *gathered) {
	second := g.instrument(f)
	second.Prometheus = there.GetName()
	there.joined = second
	there.index()
	d := differences{}
	if there.GetHelp() == "" {
		there.Help = f.Help
	} else if f.GetHelp() != "" && f.GetHelp() != there.GetHelp() {
		d.add(ReasonDescription, "")
	}
	if f.GetName() != there.GetName() {
		d.add(ReasonName, "")
	}
	reported := g.reported(f.GetName())
	doubled := false
	for _, metric := range f.Metric {
		i, ok := there.at(metric)
		if !ok {
			there.Metric = append(there.Metric, metric)
			there.reported = append(there.reported, reported)
			continue
		}
		if reported && there.reported[i] {
			doubled = true
			continue
		}
		sum, lost := addMetric(there.Metric[i], metric)
		there.Metric[i] = sum
		doubled = doubled || lost == lostAll
		if lost != "" && lost != lostAll {
			d.add(ReasonBuckets, lost)
		}
	}
	if there.from == g && there.first == second {
		return // one collector, or Gatherer, has the family twice
	}
	d.between(there.from, there.first.Name, g, f.GetName())
	if len(d.reasons) > 0 {
		c := Conflict{Family: there.GetName(), Resolution: Merged, First: there.first, Second: second}
		d.describe(&c)
		m.conflicts = append(m.conflicts, c)
	}
	if doubled {
		c := duplicate(there.first, second)
		c.Family = there.GetName()
		m.conflicts = append(m.conflicts, c)
	}
}

// index makes the family's list of metrics ours to change, and indexes it.
func (p *placed) index() {
	if p.byLabel != nil {
		return
	}
	p.MetricFamily = shallow(p.MetricFamily)
	p.byLabel = make(map[string]int, len(p.Metric))
	reported := p.from.reported(p.GetName())
	p.reported = make([]bool, len(p.Metric))
	for i, metric := range p.Metric {
		p.reported[i] = reported
		p.labelKey = appendLabels(p.labelKey[:0], metric)
		p.byLabel[string(p.labelKey)] = i
	}
}

// at returns the index of the series with the metric's labels. A new one gets the next index.
func (p *placed) at(metric *dto.Metric) (int, bool) {
	p.labelKey = appendLabels(p.labelKey[:0], metric)
	i, ok := p.byLabel[string(p.labelKey)]
	if !ok {
		p.byLabel[string(p.labelKey)] = len(p.Metric)
	}
	return i, ok
}

// appendLabels appends what makes two series one. Names are those of the text format, where two may become one.
func appendLabels(b []byte, m *dto.Metric) []byte {
	for _, l := range m.Label {
		b = append(b, legacyLabel(l.GetName())...)
		b = append(b, 0xff)
		b = append(b, l.GetValue()...)
		b = append(b, 0xff)
	}
	if m.TimestampMs != nil {
		b = fmt.Appendf(b, "%d", m.GetTimestampMs())
	}
	return b
}

func legacyLabel(name string) string {
	if model.LegacyValidation.IsValidLabelName(name) {
		return name
	}
	return model.EscapeName(name, model.UnderscoreEscaping)
}

// plainLabels tells whether no label changes its name in the text format, so that series that differ stay so.
func plainLabels(f *dto.MetricFamily) bool {
	var last []*dto.LabelPair
	for _, m := range f.Metric {
		for i, l := range m.Label {
			if i < len(last) && last[i].GetName() == l.GetName() {
				continue // as in the series before: the rule
			}
			if !model.LegacyValidation.IsValidLabelName(l.GetName()) {
				return false
			}
		}
		last = m.Label
	}
	return true
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
	return cmp.Compare(a.GetTimestampMs(), b.GetTimestampMs())
}

// families returns the page, sorted by name, without the names that were only claimed.
func (m *merge) families() []*dto.MetricFamily {
	out := make([]*dto.MetricFamily, 0, len(m.byName))
	for _, p := range m.byName {
		if len(p.Metric) == 0 {
			continue
		}
		if p.byLabel != nil {
			slices.SortFunc(p.Metric, compareMetrics)
		}
		out = append(out, p.MetricFamily)
	}
	slices.SortFunc(out, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	return out
}
