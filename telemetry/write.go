package telemetry

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/onemeter/onemeter/telemetry/internal/foreign"
	"github.com/onemeter/onemeter/telemetry/internal/rule"
	"github.com/onemeter/onemeter/telemetry/internal/text"
)

// A page is what a scrape is answered with. It is used again for another.
type page struct{ bytes []byte }

var (
	pages    sync.Pool
	pageSize atomic.Int64 // of the last one, so that a new one need not grow
)

func newPage() *page {
	if p, ok := pages.Get().(*page); ok {
		p.bytes = p.bytes[:0]
		return p
	}
	return &page{make([]byte, 0, pageSize.Load())}
}

func (p *page) free() {
	pageSize.Store(int64(len(p.bytes)) * 9 / 8)
	pages.Put(p)
}

// Write appends to the page.
func (p *page) Write(b []byte) (int, error) { p.bytes = append(p.bytes, b...); return len(b), nil }

// WriteString appends to the page.
func (p *page) WriteString(s string) (int, error) {
	p.bytes = append(p.bytes, s...)
	return len(s), nil
}

// WriteByte appends to the page. Expfmt wants all three, or buffers by itself.
func (p *page) WriteByte(c byte) error { p.bytes = append(p.bytes, c); return nil }

// write makes a page of families. What cannot be written is left out, and counted.
func (s *scraper) write(families []shown, format expfmt.Format) *page {
	to := text.Prometheus
	families = distinct(families, format.ToEscapingScheme())
	if format.FormatType() == expfmt.TypeOpenMetrics {
		to = text.OpenMetrics
		families = s.distinctInOpenMetrics(families)
	}
	p := newPage()
	enc := expfmt.NewEncoder(p, format)
	for _, f := range families {
		before := len(p.bytes)
		if err := s.writeFamily(p, f, to, enc); err != nil {
			p.bytes = p.bytes[:before]
			s.fail(failEncoding, "a family could not be written", err)
		}
	}
	if c, ok := enc.(expfmt.Closer); ok {
		_ = c.Close() // it appends to the page
	}
	return p
}

func (s *scraper) writeFamily(p *page, f shown, to text.Format, enc expfmt.Encoder) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic: %v", fault)
		}
	}()
	if f.kept != nil {
		p.bytes = f.kept.append(p.bytes, to, f.GetHelp(), s.catalog)
		return nil
	}
	if f.GetHelp() == "" && f.Help != nil { // it would be a comment that ends in a blank
		f.MetricFamily = &dto.MetricFamily{Name: f.Name, Type: f.Type, Unit: f.Unit, Metric: f.Metric}
	}
	return enc.Encode(f.MetricFamily)
}

// distinct keeps apart what a reader that takes no UTF-8 names would have under one: 请求 and 错误 are both "__" where
// every other character is "_". Of those that meet, names with other characters are written as their code points.
func distinct(families []shown, scheme model.EscapingScheme) []shown {
	if scheme == model.NoEscaping || !slices.ContainsFunc(families, func(f shown) bool { return !isLegacy(f) }) {
		return families
	}
	names := map[string]int{}
	for _, f := range families {
		names[model.EscapeName(f.GetName(), scheme)]++
	}
	out := slices.Clone(families)
	for i, f := range families {
		if !isLegacy(f) && names[model.EscapeName(f.GetName(), scheme)] > 1 {
			out[i].MetricFamily = foreign.Shallow(f.MetricFamily)
			out[i].Name = new(model.EscapeName(f.GetName(), model.ValueEncodingEscaping))
		}
	}
	return out
}

func isLegacy(f shown) bool { return model.LegacyValidation.IsValidMetricName(f.GetName()) }

// distinctInOpenMetrics keeps apart what has one name there: the family of a counter x_total is x, which may be a
// gauge's too, as in client_golang's Go collector, or a counter's that does not end in _total. Such counters are of
// unknown type, and their samples are as they were.
func (s *scraper) distinctInOpenMetrics(families []shown) []shown {
	openMetrics := func(f shown) string {
		if f.GetType() == dto.MetricType_COUNTER {
			return rule.Base(f.GetName(), rule.Counter)
		}
		return f.GetName()
	}
	names := make(map[string]int, len(families))
	for _, f := range families {
		names[openMetrics(f)]++
	}
	if len(names) == len(families) {
		return families
	}
	out := slices.Clone(families)
	for i, f := range families {
		if f.GetType() != dto.MetricType_COUNTER || names[openMetrics(f)] == 1 {
			continue
		}
		if f.kept != nil {
			f = shown{MetricFamily: s.exposition.whole(f.kept)}
		}
		if f.MetricFamily == nil { // its last series has ended
			f.MetricFamily = &dto.MetricFamily{Name: out[i].Name, Type: out[i].Type}
		}
		out[i] = shown{MetricFamily: untyped(f.MetricFamily)}
	}
	return slices.DeleteFunc(out, func(f shown) bool { return f.kept == nil && len(f.Metric) == 0 })
}

// untyped returns a family of counters as one of unknown type.
func untyped(f *dto.MetricFamily) *dto.MetricFamily {
	out := foreign.Shallow(f)
	out.Type, out.Unit = dto.MetricType_UNTYPED.Enum(), nil
	for i, m := range f.Metric {
		out.Metric[i] = &dto.Metric{
			Label: m.Label, TimestampMs: m.TimestampMs, Untyped: &dto.Untyped{Value: new(m.GetCounter().GetValue())},
		}
	}
	return out
}
