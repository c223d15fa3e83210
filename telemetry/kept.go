package telemetry

import (
	"strings"

	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/onemeter/onemeter/telemetry/internal/rule"
	"github.com/onemeter/onemeter/telemetry/internal/series"
	"github.com/onemeter/onemeter/telemetry/internal/text"
)

// A shown family is on the page: it has its metrics, or it is kept, and has none.
type shown struct {
	*dto.MetricFamily
	kept *kept
}

// metricsOf returns a page without kept families.
func metricsOf(page []shown) []*dto.MetricFamily {
	out := make([]*dto.MetricFamily, len(page))
	for i, f := range page {
		out[i] = f.MetricFamily
	}
	return out
}

func byName(a, b shown) int { return strings.Compare(a.GetName(), b.GetName()) }

// A kept family is one of the ledger, whose text is kept from one scrape to the next.
type kept struct {
	family  *family
	lines   *series.Lines
	head    *dto.MetricFamily // as the page has it, without metrics; it is replaced, never changed
	streams map[*series.Account]*stream
}

// keeping is what an exposition knows of the ledger.
type keeping struct {
	kept     []*kept // in order of creation
	byFamily map[*family]*kept
	known    int // accounts of the ledger
}

// keep takes in accounts that are new, and what the families are called now.
func (x *keeping) keep(accounts []booked, c *catalog) {
	if x.byFamily == nil {
		x.byFamily = map[*family]*kept{}
	}
	for _, a := range accounts[x.known:] {
		k := x.byFamily[a.stream.family]
		if k == nil {
			f := a.stream.family
			k = &kept{family: f, lines: series.NewLines(f.name, f.class), streams: map[*series.Account]*stream{}}
			x.byFamily[f] = k
			x.kept = append(x.kept, k)
		}
		k.lines.Add(a.Account)
		k.streams[a.Account] = a.stream
	}
	x.known = len(accounts)
	for i, help := range c.helpsOf(x.kept) {
		if k := x.kept[i]; k.head == nil || k.head.GetHelp() != help {
			k.head = &dto.MetricFamily{Name: &k.family.name, Type: dtoType(k.family.class).Enum()}
			if help != "" {
				k.head.Help = &help
			}
		}
	}
}

// appendTo appends what the page collects of the family as the SDK has it.
func (k *kept) appendTo(sm []metricdata.ScopeMetrics) []metricdata.ScopeMetrics {
	for _, a := range k.lines.Accounts() {
		sm = appendMetric(sm, a, series.Page)
	}
	return sm
}

// append appends the text of the family to a page, and tells of what is found.
func (k *kept) append(page []byte, f text.Format, help string, c *catalog) []byte {
	page, found := k.lines.Append(page, f, help)
	for _, what := range found {
		c.tell(k.conflicts(what)...)
	}
	return page
}

// conflicts returns what there is to tell of a finding.
func (k *kept) conflicts(f series.Finding) []Conflict {
	of := k.streams[f.Of].from.instrument()
	if f.Other != nil {
		c := duplicate(of, k.streams[f.Other].from.instrument())
		c.Family = k.family.name
		return []Conflict{c}
	}
	var out []Conflict
	add := func(when bool, reason Reason, resolution Resolution) {
		if when {
			out = append(out, Conflict{Family: k.family.name, Reason: reason, Resolution: resolution, First: of, Second: of})
		}
	}
	add(f.Repair&rule.RepairReserved != 0, ReasonReserved, Repaired)
	add(f.Repair&rule.RepairEncoding != 0, ReasonEncoding, Repaired)
	add(f.Crowded, ReasonCardinality, Limited)
	return out
}
