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

// A page is the buffer for the answer to a scrape. Pages are reused.
type page struct{ bytes []byte }

var (
	pages    sync.Pool
	pageSize atomic.Int64 // size of the last page, the capacity for a new one
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

// WriteByte appends to the page. expfmt buffers by itself unless a writer has all three methods.
func (p *page) WriteByte(c byte) error { p.bytes = append(p.bytes, c); return nil }

// write writes families to a page. It leaves out and counts families that cannot be written.
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
			s.fail(failEncoding, "the family "+f.GetName()+" could not be written"+restServed, err)
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
	if f.GetHelp() == "" && f.Help != nil { // the HELP line would end in a blank
		f.MetricFamily = &dto.MetricFamily{Name: f.Name, Type: f.Type, Unit: f.Unit, Metric: f.Metric}
	}
	return enc.Encode(f.MetricFamily)
}

// distinct keeps families apart whose names become equal for a reader without UTF-8 names: 请求 and 错误 both become
// "__". Such names are written as code points instead.
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

// distinctInOpenMetrics keeps families apart whose names are equal in OpenMetrics: the counter x_total is family x
// there, which may also be a gauge, as in client_golang's Go collector, or a counter without _total. Such counters
// become type unknown, with unchanged samples.
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
