package promguard_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	dto "github.com/prometheus/client_model/go"

	"github.com/onemeter/onemeter/telemetry"
	_ "github.com/onemeter/onemeter/telemetry/promguard"
)

// A diary is what code without conflicts sees of a registry: errors, values, pages. The guard's diary equals that of
// a stock registry, line for line.
type diary struct {
	t      *testing.T
	reg    prometheus.Registerer
	g      prometheus.Gatherer
	prefix string // of the names of all families, another in each diary: the default registry is that of other tests too
	lines  []string
}

var diaries atomic.Int64

// name returns a name for the diary's registry.
func (d *diary) name(s string) string { return d.prefix + s }

// note writes down what was seen, with the prefix of all diaries.
func (d *diary) note(format string, args ...any) {
	d.lines = append(d.lines, strings.ReplaceAll(fmt.Sprintf(format, args...), d.prefix, "eq_"))
}

// register notes the error of Register.
func (d *diary) register(c prometheus.Collector) {
	err := d.reg.Register(c)
	d.note("Register: %T %v", err, err)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		d.note("existing %T, new %T", already.ExistingCollector, already.NewCollector)
		if reflect.TypeOf(c).Comparable() {
			d.note("new is the caller's: %v", already.NewCollector == c)
		}
	}
}

// gather notes the families of the diary.
func (d *diary) gather() {
	all, err := d.g.Gather()
	d.note("Gather: %v", err)
	d.families(all)
}

func (d *diary) families(all []*dto.MetricFamily) {
	for _, f := range all {
		if !strings.HasPrefix(f.GetName(), d.prefix) {
			continue
		}
		d.note("%s: %v %q %q", f.GetName(), f.GetType(), f.GetHelp(), f.GetUnit())
		for _, m := range f.Metric {
			created := m.GetCounter().GetCreatedTimestamp() != nil || m.GetSummary().GetCreatedTimestamp() != nil || m.GetHistogram().GetCreatedTimestamp() != nil
			d.note("  %s, has a time of creation: %v", withoutTimes(m), created)
		}
	}
}

// withoutTimes returns a metric without what differs from run to run.
func withoutTimes(m *dto.Metric) *dto.Metric {
	out := &dto.Metric{
		Label: m.Label, Gauge: m.Gauge, Counter: m.Counter, Summary: m.Summary, Untyped: m.Untyped, TimestampMs: m.TimestampMs,
	}
	if c := m.Counter; c != nil {
		out.Counter = &dto.Counter{Value: c.Value, Exemplar: withoutTime(c.Exemplar)}
	}
	if s := m.Summary; s != nil {
		out.Summary = &dto.Summary{SampleCount: s.SampleCount, SampleSum: s.SampleSum, Quantile: s.Quantile}
	}
	if h := m.Histogram; h != nil {
		out.Histogram = &dto.Histogram{
			SampleCount: h.SampleCount, SampleSum: h.SampleSum, Schema: h.Schema, ZeroThreshold: h.ZeroThreshold, ZeroCount: h.ZeroCount,
			NegativeSpan: h.NegativeSpan, NegativeDelta: h.NegativeDelta, PositiveSpan: h.PositiveSpan, PositiveDelta: h.PositiveDelta,
		}
		for _, b := range h.Bucket {
			out.Histogram.Bucket = append(out.Histogram.Bucket, &dto.Bucket{
				CumulativeCount: b.CumulativeCount, UpperBound: b.UpperBound, Exemplar: withoutTime(b.Exemplar),
			})
		}
		for _, e := range h.Exemplars {
			out.Histogram.Exemplars = append(out.Histogram.Exemplars, withoutTime(e))
		}
	}
	return out
}

func withoutTime(e *dto.Exemplar) *dto.Exemplar {
	if e == nil {
		return nil
	}
	return &dto.Exemplar{Label: e.Label, Value: e.Value}
}

// text notes the lines of a page in the text format for the diary's families.
func (d *diary) text(page string) {
	for line := range strings.Lines(page) {
		if strings.Contains(line, d.prefix) {
			d.note("%s", strings.TrimSuffix(line, "\n"))
		}
	}
}

// guards are the registries of this project, as code gets them.
var guards = map[string]func(*testing.T) (prometheus.Registerer, prometheus.Gatherer){
	"the default registry": func(*testing.T) (prometheus.Registerer, prometheus.Gatherer) {
		return prometheus.DefaultRegisterer, prometheus.DefaultGatherer
	},
	"the default registry after Setup": func(t *testing.T) (prometheus.Registerer, prometheus.Gatherer) {
		provider(t, telemetry.Setup)
		return prometheus.DefaultRegisterer, prometheus.DefaultGatherer
	},
	"that of a Provider": func(t *testing.T) (prometheus.Registerer, prometheus.Gatherer) {
		p := provider(t, telemetry.New)
		return p.Registerer(), p.Gatherer()
	},
	"one that has a conflict": func(t *testing.T) (prometheus.Registerer, prometheus.Gatherer) {
		p := provider(t, telemetry.New)
		for _, help := range []string{"One.", "Other."} {
			promauto.With(p.Registerer()).NewCounter(prometheus.CounterOpts{Name: "conflict_total", Help: help})
		}
		if _, err := p.Gatherer().Gather(); err != nil || len(p.Conflicts()) != 1 {
			t.Errorf("%v, conflicts %v", err, p.Conflicts())
		}
		return p.Registerer(), p.Gatherer()
	},
}

func provider(t *testing.T, start func(context.Context, ...telemetry.Option) (*telemetry.Provider, error)) *telemetry.Provider {
	t.Helper()
	p, err := start(t.Context(), telemetry.WithoutPush(), telemetry.WithoutRuntime())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Shutdown(context.Background()) })
	return p
}

// see returns what an exercise sees, including a panic.
func see(t *testing.T, exercise func(*diary), reg prometheus.Registerer, g prometheus.Gatherer) []string {
	d := &diary{t: t, reg: reg, g: g, prefix: fmt.Sprintf("d%06d_", diaries.Add(1))}
	func() {
		defer func() {
			if p := recover(); p != nil {
				d.note("panic: %v", p)
			}
		}()
		exercise(d)
	}()
	return d.lines
}

func TestEqualsStock(t *testing.T) {
	log := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	t.Cleanup(func() { slog.SetDefault(log) })
	for name, exercise := range members {
		stock := prometheus.NewRegistry()
		want := see(t, exercise, stock, stock)
		if len(want) == 0 {
			t.Errorf("%s: nothing is noted", name)
		}
		for guard, open := range guards {
			t.Run(name+"/"+guard, func(t *testing.T) {
				reg, g := open(t)
				if d := cmp.Diff(want, see(t, exercise, reg, g)); d != "" {
					t.Errorf("it differs from a stock registry (-stock +guard):\n%s", d)
				}
			})
		}
	}
}
