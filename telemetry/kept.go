package telemetry

import (
	"strings"
	"sync/atomic"

	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/onemeter/onemeter/telemetry/internal/series"
	"github.com/onemeter/onemeter/telemetry/internal/text"
)

// shown is a family on the page. Either it has its metrics, or it is kept and writes its own lines.
type shown struct {
	*dto.MetricFamily
	kept *kept
}

// metricsOf returns the families of a page without kept families.
func metricsOf(page []shown) []*dto.MetricFamily {
	out := make([]*dto.MetricFamily, len(page))
	for i, f := range page {
		out[i] = f.MetricFamily
	}
	return out
}

func byName(a, b shown) int { return strings.Compare(a.GetName(), b.GetName()) }

// kept is a family of the ledger. Its text is kept from one scrape to the next.
type kept struct {
	family *family
	lines  *series.Lines
	head   atomic.Pointer[dto.MetricFamily] // the family without metrics; replaced when the help changes
}

// keep returns all families of the ledger, with new accounts added and the current help.
func (l *ledger) keep(c *catalog) []*kept {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.list[l.known:] {
		f := streamOf(a).family
		k := l.byFamily[f]
		if k == nil {
			k = &kept{family: f, lines: series.NewLines(f.name, f.class)}
			l.byFamily[f] = k
			l.kept = append(l.kept, k)
		}
		k.lines.Add(a)
	}
	l.known = len(l.list)
	for i, help := range c.keptHelp(l.kept) {
		if k := l.kept[i]; k.head.Load() == nil || k.head.Load().GetHelp() != help {
			head := &dto.MetricFamily{Name: &k.family.name, Type: k.family.class.Type().Enum()}
			if help != "" {
				head.Help = &help
			}
			k.head.Store(head)
		}
	}
	return l.kept
}

// appendTo appends what the reader collects of the family, in the SDK's form.
func (k *kept) appendTo(sm []metricdata.ScopeMetrics, reader uint64) []metricdata.ScopeMetrics {
	for _, a := range k.lines.Accounts() {
		sm = appendMetric(sm, a, reader)
	}
	return sm
}

// append appends the text of the family to a page, and reports conflicts found on the way.
func (k *kept) append(page []byte, f text.Format, help string, c *catalog) []byte {
	page, found := k.lines.Append(page, f, help)
	for _, what := range found {
		c.tell(k.conflicts(what)...)
	}
	return page
}

// conflicts returns the conflicts of a finding.
func (k *kept) conflicts(f series.Finding) []Conflict {
	of := streamOf(f.Of).from.instrument()
	if f.Other != nil {
		c := duplicate(of, streamOf(f.Other).from.instrument())
		c.Family = k.family.name
		return []Conflict{c}
	}
	var out []Conflict
	for _, c := range repairs(f.Set, f.Repair) {
		c.Family, c.First, c.Second = k.family.name, of, of
		out = append(out, c)
	}
	if f.Crowded {
		out = append(out, Conflict{Family: k.family.name, Reason: ReasonCardinality, Resolution: Limited, First: of, Second: of})
	}
	return out
}
