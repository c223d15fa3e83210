package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	runtimemetrics "go.opentelemetry.io/contrib/instrumentation/runtime"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/onemeter/onemeter/telemetry"
)

// hits returns a counter vector with v counted at the path "/a".
func hits(help string, v float64) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hits_total", Help: help}, []string{"path"})
	c.WithLabelValues("/a").Add(v)
	return c
}

// logs returns what is logged from now on. It is for tests that are not parallel.
func logs(t *testing.T) *lockedBuffer {
	out := &lockedBuffer{}
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(out, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return out
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// told returns how many lines of the log have all these words.
func (l *lockedBuffer) told(words ...string) int {
	n := 0
	for line := range strings.Lines(l.String()) {
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			n++
		}
	}
	return n
}

// Cases that client_golang refuses, and what this library does: on the page, in the log and in Conflicts.
func TestRegisteredConflicts(t *testing.T) {
	counter := func(help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "x_total", Help: help}, labels)
	}
	histogram := func(bounds ...float64) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "lat", Help: "H", Buckets: bounds})
		h.Observe(3)
		return h
	}
	one := func(c *prometheus.CounterVec, values ...string) *prometheus.CounterVec {
		c.WithLabelValues(values...).Inc()
		return c
	}
	gauge := func(name, help string, v float64) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		g.Set(v)
		return g
	}
	function := func(v float64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "x_total", Help: "A"}, func() float64 { return v })
	}
	custom := func(help, path string, v float64) prometheus.Collector {
		d := descriptor("x_total", help, "path")
		return &collecting{describes(d), sends(constant(d, v, path))}
	}
	summary := func(help string) prometheus.Summary {
		s := prometheus.NewSummary(prometheus.SummaryOpts{Name: "s", Help: help, Objectives: map[float64]float64{.5: .05}})
		s.Observe(2)
		return s
	}
	for _, c := range []struct {
		name          string
		first, second prometheus.Collector
		family        string
		want          float64
		reason        telemetry.Reason
		resolution    telemetry.Resolution
		detail        string
	}{
		{"other help", one(counter("A")), one(counter("B")), "x_total", 2, "Description", "Merged", ""},
		{"other labels", one(counter("A", "a"), "1"), one(counter("A", "b"), "1"), "x_total", 2, "Labels", "Merged", "labels [a], then [b]"},
		{"other labels and help", one(counter("A", "a"), "1"), one(counter("B", "b"), "1"), "x_total", 2, "Description", "Merged", "labels [a], then [b]"},
		{"equal", one(counter("A")), one(counter("A")), "x_total", 2, "Duplicate", "Merged", ""},
		{"other type", one(counter("A")), gauge("x_total", "A", 7), "x_total", 1, "Kind", "Renamed", ""},
		{"other type and help", one(counter("A")), gauge("x_total", "B", 7), "x_total", 1, "Kind", "Renamed", ""},
		{"other buckets", histogram(1, 5), histogram(2, 5), "lat", 6, "Buckets", "Merged", "boundaries [1 5], then [2 5]"},
		{"two gauges", gauge("g", "A", 4), gauge("g", "A", 5), "g", 4, "Duplicate", "Merged", ""},
		{"two gauges of other help", gauge("g", "A", 4), gauge("g", "B", 5), "g", 4, "Description", "Merged", ""},
		{"two functions", function(4), function(5), "x_total", 4, "Duplicate", "Merged", "both report values counted elsewhere: if labels are equal, the first one's value is shown"},
		{"a counter and a function", one(counter("A")), function(5), "x_total", 6, "Duplicate", "Merged", ""},
		{"summaries", summary("A"), summary("A"), "s", 4, "Duplicate", "Merged", "quantiles cannot be added"},
		{"summaries of other help", summary("A"), summary("B"), "s", 4, "Description", "Merged", "quantiles cannot be added"},
		{"no help, then one", one(counter("")), one(counter("B")), "x_total", 2, "Duplicate", "Merged", ""},
		{"collectors with other series", custom("A", "/a", 1), custom("A", "/b", 2), "x_total", 3, "Duplicate", "Merged", ""},
		{"collectors with a series each", custom("A", "/a", 1), custom("B", "/a", 2), "x_total", 1, "Description", "Merged", "the first one's value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			log := logs(t)
			p := newProvider(t)
			p.Registerer().MustRegister(c.first)
			p.Registerer().MustRegister(c.second)
			page := scrape(t, p)
			if got := total(page, c.family); got != c.want {
				t.Errorf("%s = %v, want %v", c.family, got, c.want)
			}
			if c.reason == "Kind" && page.sum("x_total_gauge") != 7 {
				t.Errorf("the gauge is not on the page: %v", page)
			}
			all := p.Conflicts()
			if len(all) != 1 {
				t.Fatalf("told: %v", all)
			}
			for _, x := range all {
				if line(t, x.First.Site)+1 != line(t, x.Second.Site) || !strings.Contains(x.String(), "telemetry_test/registry_test.go:") {
					t.Errorf("the places are not named: %v", x)
				}
				if log.told("telemetry: conflict", x.First.Site, x.Second.Site, string(x.Reason)) == 0 {
					t.Errorf("the log does not tell %v: %s", x, log)
				}
			}
			found := false
			for _, x := range all {
				found = found || x.Reason == c.reason && x.Resolution == c.resolution && strings.Contains(x.Detail, c.detail)
			}
			if !found {
				t.Errorf("told: %v", all)
			}
			before := len(p.Conflicts())
			scrape(t, p)
			if len(p.Conflicts()) != before {
				t.Errorf("told again: %v", p.Conflicts()[before:])
			}
			if strings.Contains(c.name, "and help") && !strings.Contains(all[0].String(), "description") {
				t.Errorf("a difference is hidden: %v", all[0])
			}
		})
	}
}

// total returns the sum of a family of any type: for histograms and summaries, of their sums.
func total(p page, family string) float64 {
	out := p.sum(family)
	for _, m := range p[family].GetMetric() {
		out += m.GetHistogram().GetSampleSum() + m.GetSummary().GetSampleSum()
	}
	return out
}

// A conflict between a client_golang metric and an OpenTelemetry one names both places, and the counts are added.
func TestRegisteredBesideInstruments(t *testing.T) {
	p := newProvider(t)
	p.Registerer().MustRegister(hits("B", 2))
	if err := count(p.Meter("one"), "hits", metric.WithDescription("A")); err != nil {
		t.Fatal(err)
	}
	page := scrape(t, p)
	if got := page.sum("hits_total"); got != 3 || page["hits_total"].GetHelp() != "A" {
		t.Errorf("%v", page["hits_total"])
	}
	c := p.Conflicts()
	if len(c) != 1 || c[0].Reason != telemetry.ReasonDescription ||
		!strings.Contains(c[0].First.Site, "rows_test.go:") || !strings.Contains(c[0].Second.Site, "registry_test.go:") {
		t.Errorf("told: %v", c)
	}
}

// Code that relies on errors of client_golang's Register works as before.
func TestRegisterReturnsWhatClientGolangReturns(t *testing.T) {
	p := newProvider(t)
	for name, reg := range map[string]prometheus.Registerer{"client_golang": prometheus.NewRegistry(), "telemetry": p.Registerer()} {
		first, equal := hits("A", 1), hits("A", 2)
		if err := reg.Register(first); err != nil {
			t.Fatal(name, err)
		}
		for _, again := range []prometheus.Collector{first, equal} {
			var already prometheus.AlreadyRegisteredError
			if err := reg.Register(again); !errors.As(err, &already) || already.ExistingCollector != first || already.NewCollector != again {
				t.Errorf("%s: registered again: %v", name, err)
			}
		}
		wrapped := prometheus.WrapRegistererWith(prometheus.Labels{"a": "b"}, prometheus.WrapRegistererWithPrefix("p_", reg))
		if err := wrapped.Register(first); err != nil {
			t.Errorf("%s: wrapped: %v", name, err)
		}
		var already prometheus.AlreadyRegisteredError
		if err := wrapped.Register(equal); !errors.As(err, &already) || already.ExistingCollector != first {
			t.Errorf("%s: wrapped again: %v", name, err)
		}
		for _, want := range []bool{true, false} {
			if got := wrapped.Unregister(equal); got != want {
				t.Errorf("%s: Unregister of the wrapped one: %v", name, got)
			}
		}
		invalid := prometheus.NewCounter(prometheus.CounterOpts{Name: "not valid\xff"})
		if err := reg.Register(invalid); err == nil || !strings.Contains(err.Error(), "is invalid") {
			t.Errorf("%s: an invalid descriptor: %v", name, err)
		}
		if reg.Unregister(hits("A", 0)) != true || reg.Unregister(first) != false {
			t.Errorf("%s: Unregister does not go by descriptors", name)
		}
		if err := reg.Register(equal); err != nil {
			t.Errorf("%s: registered in the place of another: %v", name, err)
		}
	}
	if got := scrape(t, p).sum("hits_total"); got != 2 {
		t.Errorf("hits_total = %v", got)
	}
}

// MustRegister never panics, whatever is registered.
func TestMustRegisterNeverPanics(t *testing.T) {
	p := newProvider(t)
	reg := p.Registerer()
	var none *collecting
	wrapped := prometheus.WrapRegistererWith(prometheus.Labels{"path": "x"}, reg)
	for range 2 {
		reg.MustRegister(nil, none, hits("A", 1), hits("B", 1), prometheus.NewCounter(prometheus.CounterOpts{Name: ""}))
		reg.MustRegister(collecting{describe: func(chan<- *prometheus.Desc) { panic("no") }})
		reg.MustRegister(collecting{describe: func(ch chan<- *prometheus.Desc) { ch <- nil }})
		wrapped.MustRegister(hits("A", 1)) // the label is there already
		prometheus.WrapRegistererWith(prometheus.Labels{"w": "x"}, reg).MustRegister(hits("A", 1), hits("A", 1))
		promauto.With(prometheus.WrapRegistererWithPrefix("w_", reg)).NewCounter(prometheus.CounterOpts{Name: "c"})
		promauto.With(reg).NewGaugeFunc(prometheus.GaugeOpts{Name: "f"}, func() float64 { return 1 })
		reg.MustRegister(collectors.NewGoCollector())
	}
	if got := scrape(t, p).sum("hits_total"); got != 8 {
		t.Errorf("hits_total = %v, want 8", got)
	}
}

// Finding out a vector's boundaries calls the functions that constrain its labels. One that panics does no harm.
func TestRegisterSurvivesConstraints(t *testing.T) {
	p := newProvider(t)
	p.Registerer().MustRegister(prometheus.V2.NewHistogramVec(prometheus.HistogramVecOpts{
		HistogramOpts: prometheus.HistogramOpts{Name: "lat"},
		VariableLabels: prometheus.ConstrainedLabels{{Name: "path", Constraint: func(v string) string {
			if v != "/a" {
				panic("ouch")
			}
			return v
		}}},
	}))
	scrape(t, p)
}

// collecting is a collector made of functions.
type collecting struct {
	describe func(chan<- *prometheus.Desc)
	collect  func(chan<- prometheus.Metric)
}

func (c collecting) Describe(ch chan<- *prometheus.Desc) {
	if c.describe != nil {
		c.describe(ch)
	}
}

func (c collecting) Collect(ch chan<- prometheus.Metric) {
	if c.collect != nil {
		c.collect(ch)
	}
}

func descriptor(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

func sends(metrics ...prometheus.Metric) func(chan<- prometheus.Metric) {
	return func(ch chan<- prometheus.Metric) {
		for _, m := range metrics {
			ch <- m
		}
	}
}

func describes(d ...*prometheus.Desc) func(chan<- *prometheus.Desc) {
	return func(ch chan<- *prometheus.Desc) {
		for _, desc := range d {
			ch <- desc
		}
	}
}

func constant(d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
}

// A collector that breaks the rules costs the page at most its own invalid metrics, and is reported once, with the
// place that registered it.
func TestCollectorsThatBreakTheRules(t *testing.T) {
	a, b := descriptor("hits_total", "A", "path"), descriptor("hits_total", "B", "path")
	dotted := prometheus.V2.NewDesc("hits_total", "A", prometheus.UnconstrainedLabels{"pa.th"}, nil)
	under := descriptor("hits_total", "A", "pa_th")
	gaugeOf := prometheus.MustNewConstMetric(a, prometheus.GaugeValue, 7, "/g")
	for _, c := range []struct {
		name      string
		collector prometheus.Collector
		want      float64 // of hits_total, with the 1 of a collector that keeps them
		told      string
	}{
		{"panics", collecting{describes(descriptor("p", "")), func(chan<- prometheus.Metric) { panic("ouch") }}, 1, "ouch"},
		{"panics in Write", collecting{describes(descriptor("p", "")), sends(panicking{descriptor("p", "")})}, 1, "ouch"},
		{"panics half way", collecting{describes(descriptor("p", "")), func(ch chan<- prometheus.Metric) {
			ch <- constant(a, 5, "/b")
			panic("ouch")
		}}, 6, "ouch"},
		{"sends what it did not describe", collecting{describes(descriptor("p", "")), sends(constant(b, 2, "/b"))}, 3, ""},
		{"sends a series of another", collecting{describes(descriptor("p", "")), sends(constant(b, 2, "/a"))}, 3, ""},
		{"describes nothing", collecting{nil, sends(constant(b, 2, "/a"), constant(a, 3, "/b"))}, 6, ""},
		{"sends a series twice", collecting{nil, sends(constant(a, 2, "/b"), constant(a, 3, "/b"))}, 3, "twice"},
		{"sends an invalid metric", collecting{describes(descriptor("p", "")), sends(prometheus.NewInvalidMetric(descriptor("p", ""), errors.New("ouch")), constant(a, 2, "/b"))}, 3, "ouch"},
		{"sends nil", collecting{describes(descriptor("p", "")), sends(nil)}, 1, "telemetry"},
		{"sends two spellings of a label", collecting{nil, sends(constant(dotted, 2, "x"), constant(under, 3, "x"))}, 6, ""},
		{"sends a gauge of the name", collecting{nil, sends(gaugeOf)}, 1, "gauge"},
		{"contradicts itself", collecting{describes(a, descriptor("hits_total", "A", "other")), sends(constant(a, 2, "/b"))}, 3, "telemetry"},
	} {
		for _, wrapped := range []bool{false, true} {
			t.Run(fmt.Sprint(c.name, " wrapped=", wrapped), func(t *testing.T) {
				log := logs(t)
				p := newProvider(t)
				p.Registerer().MustRegister(hits("A", 1))
				if wrapped {
					prometheus.WrapRegistererWith(nil, p.Registerer()).MustRegister(c.collector)
				} else {
					p.Registerer().MustRegister(c.collector)
				}
				scrape(t, p)
				page := scrape(t, p) // what was found at the first one has changed how it is gathered
				if got := page.sum("hits_total"); got != c.want {
					t.Errorf("hits_total = %v, want %v", got, c.want)
				}
				if c.told != "" && log.told(c.told, "registry_test.go:") != 1 {
					t.Errorf("it is not told once: %s", log)
				}
			})
		}
	}
}

type panicking struct{ desc *prometheus.Desc }

func (p panicking) Desc() *prometheus.Desc { return p.desc }

func (panicking) Write(*dto.Metric) error { panic("ouch") }

// Descriptors that differ only in the values of constant labels belong to one family, as in client_golang.
func TestConstLabelsAreNoConflict(t *testing.T) {
	p := newProvider(t)
	for _, shard := range []string{"1", "2", "3"} {
		promauto.With(p.Registerer()).NewCounter(prometheus.CounterOpts{
			Name: "hits_total", Help: "A", ConstLabels: prometheus.Labels{"shard": shard},
		}).Add(2)
	}
	if got := scrape(t, p); got.sum("hits_total") != 6 || len(got["hits_total"].Metric) != 3 || len(p.Conflicts()) > 0 {
		t.Errorf("%v, told %v", got["hits_total"], p.Conflicts())
	}
}

// A collector that hangs costs the first page half of its time, and later ones nothing.
func TestCollectorHangs(t *testing.T) {
	for name, register := range map[string]func(prometheus.Registerer, prometheus.Collector){
		"described": func(r prometheus.Registerer, c prometheus.Collector) { r.MustRegister(c) },
		"wrapped": func(r prometheus.Registerer, c prometheus.Collector) {
			prometheus.WrapRegistererWithPrefix("w_", r).MustRegister(c)
		},
		"function": func(r prometheus.Registerer, c prometheus.Collector) {
			r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "slow_total"}, func() float64 {
				ch := make(chan prometheus.Metric, 1)
				c.Collect(ch)
				return 1
			}))
		},
		"alone": func(r prometheus.Registerer, c prometheus.Collector) {
			r.MustRegister(collecting{nil, c.Collect})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := logs(t)
				release := make(chan struct{})
				var calls atomic.Int32
				p := newProvider(t)
				p.Registerer().MustRegister(hits("A", 1))
				d := descriptor("slow_total", "A")
				register(p.Registerer(), collecting{describes(d), func(ch chan<- prometheus.Metric) {
					calls.Add(1)
					<-release
					ch <- constant(d, 1)
				}})
				begin := time.Now()
				ask := func() string {
					r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
					r.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", "1")
					w := httptest.NewRecorder()
					p.Handler().ServeHTTP(w, r)
					if w.Code != 200 {
						t.Errorf("status %d", w.Code)
					}
					return w.Body.String()
				}
				for range 3 {
					if page := ask(); !strings.Contains(page, `hits_total{path="/a"} 1`) {
						t.Errorf("the healthy collector is not on the page: %s", page)
					}
				}
				asked := int32(2) // with others, and once more by itself
				if name == "alone" {
					asked = 1
				}
				if took := time.Since(begin); took > time.Second || calls.Load() != asked {
					t.Errorf("three pages took %v and asked %d times", took, calls.Load())
				}
				if log.told("does not answer", "registry_test.go:") != 1 {
					t.Errorf("it is not told once: %s", log)
				}
				close(release)
				synctest.Wait()
				if page := ask(); !strings.Contains(page, "slow_total 1") {
					t.Errorf("it answers again, and is not on the page: %s", page)
				}
			})
		})
	}
}

// A collector that needs more than half of the time is on the page nevertheless.
func TestSlowCollectorIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(t)
		d := descriptor("slow_total", "A")
		p.Registerer().MustRegister(hits("A", 1), collecting{describes(d), func(ch chan<- prometheus.Metric) {
			time.Sleep(700 * time.Millisecond)
			ch <- constant(d, 1)
		}})
		for i := range 4 {
			r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
			r.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", "1.25")
			w := httptest.NewRecorder()
			p.Handler().ServeHTTP(w, r)
			page := w.Body.String()
			if !strings.Contains(page, "hits_total") {
				t.Errorf("page %d: %s", i, page)
			}
			// The first page shows that it is slow. From then on it is gathered individually, with all the time there
			// is.
			if strings.Contains(page, "slow_total 1") != (i > 0) {
				t.Errorf("page %d: %s", i, page)
			}
			time.Sleep(time.Minute) // between scrapes it answers
		}
	})
}

// Of three equal collectors, the one that is unregistered goes, and the others stay.
func TestUnregisterOneOfThree(t *testing.T) {
	all := []*prometheus.CounterVec{hits("A", 1), hits("A", 10), hits("B", 100)}
	for i := range all {
		p := newProvider(t)
		for _, c := range all {
			p.Registerer().MustRegister(c)
		}
		if got := scrape(t, p).sum("hits_total"); got != 111 {
			t.Fatalf("hits_total = %v", got)
		}
		if !p.Registerer().Unregister(all[i]) {
			t.Fatal("not unregistered")
		}
		if got, want := scrape(t, p).sum("hits_total"), 111-math.Pow10(i); got != want {
			t.Errorf("without number %d, hits_total = %v, want %v", i, got, want)
		}
		if i == 2 && p.Registerer().Unregister(all[i]) { // of the others an equal one is there
			t.Error("unregistered twice")
		}
	}
	// If functions report the same thing, the next one replaces it.
	p := newProvider(t)
	var fs []prometheus.Collector
	for i := range 3 {
		fs = append(fs, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "f"}, func() float64 { return float64(i) }))
	}
	p.Registerer().MustRegister(fs...)
	for i, want := range []float64{0, 1, 2} {
		if got := scrape(t, p).sum("f"); got != want {
			t.Errorf("f = %v, want %v", got, want)
		}
		if !p.Registerer().Unregister(fs[i]) {
			t.Errorf("function %d is not unregistered", i)
		}
	}
	if got := scrape(t, p)["f"]; got != nil {
		t.Errorf("f is still there: %v", got)
	}
}

// Collectors may register and unregister others while they are gathered, from many goroutines.
func TestRegisterDuringGather(t *testing.T) {
	p := newProvider(t)
	reg := p.Registerer()
	d := descriptor("spawner_total", "A")
	var n atomic.Int64
	reg.MustRegister(collecting{describes(d), func(ch chan<- prometheus.Metric) {
		i := n.Add(1)
		c := hits(fmt.Sprint("help ", i%3), 1)
		reg.MustRegister(c)
		if i%2 == 0 {
			reg.Unregister(c)
		}
		ch <- constant(d, float64(i))
	}})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				scrape(t, p)
				promauto.With(reg).NewCounterVec(prometheus.CounterOpts{Name: "hits_total", Help: "mine"}, []string{"path"}).WithLabelValues("/a").Inc()
			}
		})
	}
	wg.Wait()
	if got := scrape(t, p).sum("hits_total"); got < 80 {
		t.Errorf("hits_total = %v", got)
	}
}

// Native histograms of one series are added bucket by bucket.
func TestNativeHistogramsAdd(t *testing.T) {
	native := func(help string, factor float64, classic []float64, vs ...float64) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "lat", Help: help, Buckets: classic, NativeHistogramBucketFactor: factor, NativeHistogramZeroThreshold: 1e-3,
		})
		for _, v := range vs {
			h.Observe(v)
		}
		return h
	}
	gather := func(h ...prometheus.Histogram) *dto.Histogram {
		p := newProvider(t)
		for _, c := range h {
			p.Registerer().MustRegister(c)
		}
		proto, err := parseProtobuf(get(t, p.Handler(), acceptProtobuf))
		if err != nil {
			t.Fatal(err)
		}
		scrape(t, p)
		return proto.series("lat").GetHistogram()
	}
	values := []float64{0, 1e-4, -3, -700, .25, 1, 2, 2, 3, 1000, 1e9}
	more := []float64{0, .3, -3.1, 5, 6, 7, 1e-9}
	equal := func(a, b *dto.Histogram) bool {
		return a.GetSchema() == b.GetSchema() && a.GetZeroCount() == b.GetZeroCount() &&
			fmt.Sprint(a.PositiveSpan, a.PositiveDelta, a.NegativeSpan, a.NegativeDelta, a.Bucket) ==
				fmt.Sprint(b.PositiveSpan, b.PositiveDelta, b.NegativeSpan, b.NegativeDelta, b.Bucket)
	}
	for _, classic := range [][]float64{nil, {1, 10}} {
		for _, factors := range [][2]float64{{1.1, 1.1}, {1.1, 2}, {4, 1.05}} {
			got := gather(native("A", factors[0], classic, values...), native("B", factors[1], classic, more...))
			want := gather(native("A", max(factors[0], factors[1]), classic, append(values, more...)...))
			if !equal(got, want) {
				t.Errorf("%v: got %v\nwant %v", factors, got, want)
			}
		}
	}
	// One native, one classic: the sum is classic, with the existing boundaries, and no count is lost.
	for _, pair := range [][2]prometheus.Histogram{
		{native("A", 1.1, nil, values...), native("B", 0, []float64{1, 10}, more...)},
		{native("A", 0, []float64{1, 10}, values...), native("B", 1.1, nil, more...)},
	} {
		got := gather(pair[0], pair[1])
		if got.GetSampleCount() != uint64(len(values)+len(more)) || len(got.Bucket) < 2 || got.Schema != nil {
			t.Errorf("%v", got)
		}
	}
}

// The page of one Provider may be gathered into that of another, once. A Provider that gathers itself gets nothing,
// and does not hang.
func TestGathererOfThePage(t *testing.T) {
	p := newProvider(t)
	p.Registerer().MustRegister(hits("A", 1))
	through := newProvider(t, telemetry.WithGatherer(prometheus.Gatherers{p.Gatherer(), p.Gatherer()}))
	if got := scrape(t, through).sum("hits_total"); got != 1 {
		t.Errorf("hits_total = %v", got)
	}
	var itself *telemetry.Provider
	itself = newProvider(t, telemetry.WithGatherer(prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		return itself.Gatherer().Gather()
	})))
	itself.Registerer().MustRegister(hits("A", 1))
	if got := scrape(t, itself).sum("hits_total"); got != 1 {
		t.Errorf("hits_total = %v", got)
	}
	w := httptest.NewRecorder()
	promhttp.HandlerFor(p.Gatherer(), promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != 200 || !strings.Contains(w.Body.String(), `hits_total{path="/a"} 1`) || !strings.Contains(w.Body.String(), "target_info") {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}

// Registered collectors are pushed, and agree with the page.
func TestRegisteredIsPushed(t *testing.T) {
	wire := newWire(t)
	exponential := sdkmetric.Stream{Aggregation: sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 160, MaxScale: 20}}
	p := newProvider(t, telemetry.WithMetricExporter(wire),
		telemetry.WithView(sdkmetric.NewView(sdkmetric.Instrument{Name: "exp*"}, exponential)))
	le := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hits_total", Help: "A"}, []string{"le"})
	le.WithLabelValues("x").Add(2)
	p.Registerer().MustRegister(le, hits("B", 1))
	m := p.Meter("one")
	if err := count(m, "hits"); err != nil {
		t.Fatal(err)
	}
	// All kinds of histograms are merged with all kinds.
	for _, name := range []string{"lat_classic", "lat_native", "lat_both", "exp_classic", "exp_native", "exp_both"} {
		opts := prometheus.HistogramOpts{Name: name}
		if !strings.HasSuffix(name, "native") {
			opts.Buckets = []float64{1, 5}
		}
		if !strings.HasSuffix(name, "classic") {
			opts.NativeHistogramBucketFactor = 1.1
		}
		h := prometheus.NewHistogram(opts)
		i := must(m.Float64Histogram(name, metric.WithExplicitBucketBoundaries(2, 10)))
		for _, v := range []float64{.5, 3, 30} {
			h.Observe(v)
			i.Record(ctx, v+1)
		}
		p.Registerer().MustRegister(h)
	}
	flush(t, p) // what is told is counted in the next one
	scrape(t, p)
	wire.agrees(t, p, otelprom.WithoutScopeInfo())
	reasons := map[string]int{}
	for _, c := range p.Conflicts() {
		reasons[c.Family+" "+string(c.Reason)]++
	}
	for _, name := range []string{"lat_classic", "lat_native", "lat_both", "exp_classic", "exp_both"} {
		if reasons[name+" Buckets"] != 1 {
			t.Errorf("of %s is told: %v", name, p.Conflicts())
		}
	}
}

// The Go runtime is measured once, whoever measures it.
func TestOneRuntime(t *testing.T) {
	push, log := newWire(t), logs(t)
	p := must(telemetry.New(context.Background(), telemetry.WithMetricExporter(push)))
	defer stop(p)
	if err := runtimemetrics.Start(runtimemetrics.WithMeterProvider(p)); err != nil || log.told("WARN", "second runtime.Start", "registry_test.go:") != 1 {
		t.Errorf("a second runtime.Start: %v: %s", err, log)
	}
	page := scrape(t, p)
	if n := page.sum("go_processor_limit"); n != float64(runtime.GOMAXPROCS(0)) {
		t.Errorf("%v processors", n)
	}
	if page["go_goroutine_count"] == nil || page["go_goroutines"] != nil {
		t.Fatalf("the runtime is not on the page")
	}
	p.Registerer().MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	page = scrape(t, p)
	if page["go_goroutine_count"] != nil || page["go_goroutines"] == nil || len(page["process_open_fds"].GetMetric()) != 1 {
		t.Errorf("the runtime is there twice")
	}
	if log.told("INFO", "Go collector measures the Go runtime", "registry_test.go:") != 1 || len(p.Conflicts()) > 0 {
		t.Errorf("told: %s", log)
	}
	flush(t, p)
	if push.find("go.goroutine.count") != nil && len(push.find("go.goroutine.count")) > 0 {
		t.Error("OpenTelemetry's metrics of the runtime are pushed")
	}
}

var _ sdkmetric.Exporter = (*wire)(nil)

// The debug page lists client_golang's metrics, each definition with the place that registered it.
func TestDebugPageListsClientGolang(t *testing.T) {
	given := prometheus.NewRegistry()
	given.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "given", Help: "G."}))
	p := newProvider(t, telemetry.WithGatherer(given))
	reg := p.Registerer()
	reg.MustRegister(hits("A", 1))
	reg.MustRegister(hits("B", 1))
	reg.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "hits_total", Help: "G."}))
	reg.MustRegister(prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nothing_yet_total"}, []string{"path"}))
	w := httptest.NewRecorder()
	p.DebugHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/debug/telemetry?format=json", nil))
	var report struct {
		Client []struct {
			Family, Name, Kind, Site string
			Series                   int
		} `json:"client_golang"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, f := range report.Client {
		if !strings.Contains(f.Site, "telemetry_test/registry_test.go:") {
			t.Errorf("no place: %+v", f)
		}
		got[fmt.Sprintf("%s %s %d", f.Family, f.Kind, f.Series)]++
	}
	for _, want := range []string{"hits_total counter 1", "hits_total_gauge gauge 1", "nothing_yet_total counter 0", "given gauge 1"} {
		if got[want] == 0 {
			t.Errorf("%s is not listed: %v", want, got)
		}
	}
	w = httptest.NewRecorder()
	p.DebugHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/debug/telemetry", nil))
	if !strings.Contains(w.Body.String(), "Metrics of client_golang") {
		t.Error("the page does not list them")
	}
}

// Histograms and summaries of several Gatherers are added like registered ones, and what cannot be added is reported.
func TestGatherersMeet(t *testing.T) {
	var opts []telemetry.Option
	for i := range 2 {
		reg := prometheus.NewRegistry()
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "lat", NativeHistogramBucketFactor: 1.1 + float64(i)})
		s := prometheus.NewSummary(prometheus.SummaryOpts{Name: "size", Objectives: map[float64]float64{.5: .05}})
		h.Observe(3)
		s.Observe(float64(10 * (i + 1)))
		reg.MustRegister(h, s)
		opts = append(opts, telemetry.WithGatherer(reg))
	}
	p := newProvider(t, opts...)
	proto := scrape(t, p)
	lat, err := parseProtobuf(get(t, p.Handler(), acceptProtobuf))
	if err != nil {
		t.Fatal(err)
	}
	if h := lat.series("lat").GetHistogram(); h.GetSampleCount() != 2 || len(h.PositiveDelta) != 1 || h.PositiveDelta[0] != 2 || h.GetSchema() != 0 {
		t.Errorf("lat: %v", h)
	}
	if s := proto.series("size").GetSummary(); s.GetSampleCount() != 2 || s.GetSampleSum() != 30 || s.Quantile[0].GetValue() != 10 {
		t.Errorf("size: %v", s)
	}
	c := p.Conflicts()
	if len(c) != 1 || c[0].Family != "size" || !strings.Contains(c[0].Detail, "quantiles cannot be added") ||
		!strings.Contains(c[0].First.Site, "registry_test.go:") || !strings.Contains(c[0].String(), "of client_golang gatherer 2, given at ") {
		t.Errorf("told: %v", c)
	}
}

// A view's boundaries apply, and two contradicting views are reported.
func TestViewsBoundaries(t *testing.T) {
	bounds := func(scope string, b ...float64) telemetry.Option {
		return telemetry.WithView(sdkmetric.NewView(sdkmetric.Instrument{Name: "lat", Scope: instrumentation.Scope{Name: scope}},
			sdkmetric.Stream{Aggregation: sdkmetric.AggregationExplicitBucketHistogram{Boundaries: b}}))
	}
	wire := newWire(t)
	p := newProvider(t, bounds("one", 10, 20, 30), bounds("two", 15, 30), telemetry.WithMetricExporter(wire))
	for _, scope := range []string{"one", "two"} {
		must(p.Meter(scope).Float64Histogram("lat", unit("s"), metric.WithExplicitBucketBoundaries(1, 2))).Record(ctx, 12)
	}
	flush(t, p)
	page := scrape(t, p)
	var got []float64
	for _, b := range page.series("lat_seconds").GetHistogram().GetBucket() {
		got = append(got, b.GetUpperBound(), float64(b.GetCumulativeCount()))
	}
	if want := []float64{10, 0, 20, 2, 30, 2, math.Inf(1), 2}; !slices.Equal(got, want) {
		t.Errorf("buckets %v, want %v", got, want)
	}
	wire.agrees(t, p, otelprom.WithoutScopeInfo())
	if c := p.Conflicts(); len(c) != 1 || c[0].Reason != telemetry.ReasonBuckets {
		t.Errorf("told: %v", c)
	}
	same := newProvider(t, bounds("one", 10), bounds("two", 10))
	for i, scope := range []string{"one", "two"} { // the authors differ, and the operator's views do not
		must(same.Meter(scope).Float64Histogram("lat", metric.WithExplicitBucketBoundaries(float64(i)))).Record(ctx, 12)
	}
	if scrape(t, same); len(same.Conflicts()) > 0 {
		t.Errorf("told: %v", same.Conflicts())
	}
}

// One line names everything that two instruments differ in.
func TestConflictTellsEveryDifference(t *testing.T) {
	p := newProvider(t)
	must(p.Meter("one").Int64Counter("http.requests", desc("A"), unit("{request}")))
	must(p.Meter("two").Float64Counter("http_requests", desc("B"), unit("{call}")))
	c := p.Conflicts()
	if len(c) != 1 || !strings.HasPrefix(c[0].String(), "http_requests_total: number, name, unit and description, merged: first ") {
		t.Errorf("told: %v", c)
	}
}

// Register compares the boundaries of histograms, without any page showing it.
func TestRegisterLeavesNoTrace(t *testing.T) {
	p := newProvider(t)
	vec := func(bounds ...float64) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "lat", Help: "L", Buckets: bounds}, []string{"a", "b"})
	}
	p.Registerer().MustRegister(vec(1, 2))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 300 {
			_ = p.Registerer().Register(vec(1, 3))
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		if page := get(t, p.Handler(), acceptText); bytes.Contains(page, []byte("lat_")) {
			t.Fatalf("%s", page)
		}
	}
	if c := p.Conflicts(); len(c) != 1 || c[0].Reason != telemetry.ReasonBuckets || c[0].Resolution != telemetry.Rejected {
		t.Errorf("told: %v", c)
	}
}

// Names that differ only in characters which some readers do not accept stay two families for all readers.
func TestUTF8NamesStayApart(t *testing.T) {
	p := newProvider(t)
	for i, name := range []string{"请求", "错误", "my-metric.total", "my_metric_total", "__"} {
		promauto.With(p.Registerer()).NewGauge(prometheus.GaugeOpts{Name: name}).Set(float64(i + 11))
	}
	page := scrape(t, p)
	got := map[float64]string{}
	for name, f := range page {
		for _, m := range f.Metric {
			got[value(m)] = name
		}
	}
	for v, want := range map[float64]string{11: "U___8bf7__6c42_", 12: "U___9519__8bef_", 13: "U__my_2d_metric_2e_total", 14: "my_metric_total", 15: "__"} {
		if got[v] != want {
			t.Errorf("%v is %q, want %q", v, got[v], want)
		}
	}
	_, body := fetch(p.Handler(), "text/plain;version=1.0.0;escaping=allow-utf-8")
	utf8 := string(body)
	for _, want := range []string{`{"请求"} 11`, `{"错误"} 12`, `{"my-metric.total"} 13`, "my_metric_total 14"} {
		if !strings.Contains(utf8, want) {
			t.Errorf("want %s:\n%s", want, utf8)
		}
	}
	if c := p.Conflicts(); len(c) > 0 {
		t.Errorf("told: %v", c)
	}
}

// After a collector is unregistered, its name can be registered with another help text, without a conflict.
func TestRegisteredAnewIsNoConflict(t *testing.T) {
	p := newProvider(t)
	for i, help := range []string{"A", "B", "C"} {
		c := hits(help, float64(i+1))
		p.Registerer().MustRegister(c)
		if got := scrape(t, p)["hits_total"]; got.GetHelp() != help || value(got.Metric[0]) != float64(i+1) {
			t.Errorf("%v", got)
		}
		p.Registerer().Unregister(c)
	}
	if c := p.Conflicts(); len(c) > 0 {
		t.Errorf("told: %v", c)
	}
}

// A family of histograms has one set of boundaries, whatever the labels.
func TestAFamilyHasOneSetOfBoundaries(t *testing.T) {
	vec := func(name, label string, bounds ...float64) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: "H", Buckets: bounds}, []string{"l"})
		h.WithLabelValues(label).Observe(4)
		return h
	}
	wire := newWire(t)
	p := newProvider(t, telemetry.WithMetricExporter(wire))
	p.Registerer().MustRegister(vec("theirs", "a", 1, 10))
	p.Registerer().MustRegister(vec("theirs", "b", 5, 20))
	p.Registerer().MustRegister(vec("ours", "b", 3, 30))
	must(p.Meter("one").Float64Histogram("ours", metric.WithExplicitBucketBoundaries(1, 10))).Record(ctx, 4)
	flush(t, p)
	page := scrape(t, p)
	for _, family := range []string{"theirs", "ours"} {
		if n := len(page[family].GetMetric()); n != 2 {
			t.Errorf("%d series of %s", n, family)
		}
		for _, m := range page[family].GetMetric() {
			if bounds := m.GetHistogram().Bucket; bounds[0].GetUpperBound() != 1 || bounds[1].GetUpperBound() != 10 || m.GetHistogram().GetSampleCount() != 1 {
				t.Errorf("%s: %v", family, m)
			}
		}
	}
	wire.agrees(t, p, otelprom.WithoutScopeInfo())
	for _, c := range p.Conflicts() {
		if c.Reason != telemetry.ReasonBuckets || !strings.Contains(c.Detail, "boundaries [1 10], then ") {
			t.Errorf("told: %v", c)
		}
	}
	if len(p.Conflicts()) != 2 {
		t.Errorf("told: %v", p.Conflicts())
	}
}

func helped(reg prometheus.Registerer, help string, v float64) {
	promauto.With(reg).NewCounter(prometheus.CounterOpts{Name: "hits_total", Help: help}).Add(v)
}

// A conflict names the callers of a helper.
func TestRegisteredThroughHelper(t *testing.T) {
	log := logs(t)
	p := newProvider(t)
	helped(p.Registerer(), "A", 1)
	helped(p.Registerer(), "B", 2)
	helped(p.Registerer(), "C", 4)
	if got := scrape(t, p).sum("hits_total"); got != 7 {
		t.Errorf("hits_total = %v", got)
	}
	c := p.Conflicts()
	if len(c) != 2 {
		t.Fatalf("told: %v", c)
	}
	first := line(t, c[0].First.Site)
	if line(t, c[0].Second.Site) != first+1 || line(t, c[1].First.Site) != first || line(t, c[1].Second.Site) != first+2 {
		t.Errorf("told: %v", c)
	}
	if log.told("telemetry: conflict") != 2 {
		t.Errorf("the log: %s", log)
	}
}

// Two collectors registered in one line, without descriptors, are distinguished.
func TestCollectorsOfOneLine(t *testing.T) {
	p := newProvider(t)
	d := descriptor("un_total", "U")
	for _, v := range []float64{5, 7} {
		p.Registerer().MustRegister(&collecting{nil, sends(constant(d, v))})
	}
	if got := scrape(t, p).sum("un_total"); got != 5 {
		t.Errorf("un_total = %v", got)
	}
	if c := p.Conflicts(); len(c) != 1 || !strings.Contains(c[0].String(), "the first one's value is shown") {
		t.Errorf("told: %v", c)
	}
}

// Two Go collectors are one conflict, not one for each of their families.
func TestTwoGoCollectors(t *testing.T) {
	p := newProvider(t)
	p.Registerer().MustRegister(collectors.NewGoCollector())
	p.Registerer().MustRegister(collectors.NewGoCollector())
	if n := len(scrape(t, p)["go_goroutines"].Metric); n != 1 {
		t.Errorf("%d series", n)
	}
	if c := p.Conflicts(); len(c) != 1 || !strings.Contains(c[0].Detail, "more families") {
		t.Errorf("told: %v", c)
	}
}

// A counter of client_golang that does not end in _total keeps its name beside one that does.
func TestCountersWithoutTotal(t *testing.T) {
	p := newProvider(t)
	promauto.With(p.Registerer()).NewCounter(prometheus.CounterOpts{Name: "hits"}).Add(2)
	must(p.Meter("one").Int64Counter("hits")).Add(ctx, 3)
	page := scrape(t, p) // OpenMetrics included, where both would be hits
	if page.sum("hits") != 2 || page.sum("hits_total") != 3 || len(p.Conflicts()) > 0 {
		t.Errorf("%v %v, told %v", page["hits"], page["hits_total"], p.Conflicts())
	}
	if om := string(get(t, p.Handler(), acceptOpenMetrics)); !strings.Contains(om, "\nhits 2") || !strings.Contains(om, "\nhits_total 3") {
		t.Errorf("%s", om)
	}
}

// A collector that gathers its own page does not hang, and is reported.
func TestCollectorThatGathersItself(t *testing.T) {
	log := logs(t)
	p := newProvider(t)
	var calls atomic.Int64
	p.Registerer().MustRegister(hits("A", 1), collecting{describes(descriptor("x", "")), func(chan<- prometheus.Metric) {
		calls.Add(1)
		_, _ = p.Gatherer().Gather()
	}})
	if got := scrape(t, p).sum("hits_total"); got != 1 || calls.Load() > 1000 {
		t.Errorf("hits_total = %v, %d calls", got, calls.Load())
	}
	if log.told("does it gather itself?", "registry_test.go:") == 0 {
		t.Errorf("the log: %s", log)
	}
}

// Unregistering a collector a second time does not remove another one with its name.
func TestUnregisterTwice(t *testing.T) {
	p := newProvider(t)
	a, b := hits("A", 5), hits("B", 2)
	p.Registerer().MustRegister(a, b)
	if first, again := p.Registerer().Unregister(b), p.Registerer().Unregister(b); !first || again {
		t.Errorf("unregistered: %v, %v", first, again)
	}
	if got := scrape(t, p).sum("hits_total"); got != 5 {
		t.Errorf("hits_total = %v", got)
	}
}

// The process is measured once, however many registries have a collector for it.
func TestTheProcessIsMeasuredOnce(t *testing.T) {
	one, two := prometheus.NewRegistry(), prometheus.NewRegistry()
	for _, reg := range []prometheus.Registerer{one, two} {
		reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	}
	single := newProvider(t, telemetry.WithGatherer(one))
	double := newProvider(t, telemetry.WithGatherer(one), telemetry.WithGatherer(two))
	for _, family := range []string{"go_memstats_mallocs_total", "process_cpu_seconds_total"} {
		a, b := scrape(t, single).sum(family), scrape(t, double).sum(family)
		if b > 1.5*a+1 {
			t.Errorf("%s: %v with one registry, %v with two", family, a, b)
		}
	}
}

// Collectors that come and go leave nothing behind.
func TestUnregisteredCollectorsAreForgotten(t *testing.T) {
	p := newProvider(t)
	p.Registerer().MustRegister(hits("A", 1))
	cycle := func(n int) uint64 {
		for range n {
			c := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hits_total", Help: "B"}, []string{"path"})
			for i := range 100 {
				c.WithLabelValues(fmt.Sprint(i)).Set(1)
			}
			p.Registerer().MustRegister(c)
			get(t, p.Handler(), acceptText)
			p.Registerer().Unregister(c)
		}
		return heap()
	}
	before := cycle(50)
	if after := cycle(300); after > before+2<<20 {
		t.Errorf("%d bytes are kept", after-before)
	}
	if c := p.Conflicts(); len(c) != 1 {
		t.Errorf("told: %v", c)
	}
}

// With constant labels, the one conflict names the right two collectors.
func TestConflictOfConstLabels(t *testing.T) {
	p := newProvider(t)
	depth := func(shard string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "depth", Help: "D", ConstLabels: prometheus.Labels{"shard": shard}})
	}
	p.Registerer().MustRegister(depth("1"))
	p.Registerer().MustRegister(depth("2"))
	p.Registerer().MustRegister(depth("2"))
	scrape(t, p)
	if c := p.Conflicts(); len(c) != 1 || line(t, c[0].First.Site)+1 != line(t, c[0].Second.Site) {
		t.Errorf("told: %v", c)
	}
}

// A family that is renamed, or of unknown type in OpenMetrics, has no unit that its name does not end in.
func TestUnitsOfRenamedFamilies(t *testing.T) {
	p := newProvider(t)
	opts := prometheus.Opts{Name: "x_seconds", Unit: "seconds"}
	p.Registerer().MustRegister(prometheus.NewHistogram(prometheus.HistogramOpts{Name: "x_seconds", Unit: "seconds"}))
	p.Registerer().MustRegister(prometheus.NewGauge(prometheus.GaugeOpts(opts)))
	for _, f := range must(p.Gatherer().Gather()) {
		if f.GetUnit() != "" && !strings.HasSuffix(f.GetName(), "_"+f.GetUnit()) {
			t.Errorf("%s is in %s", f.GetName(), f.GetUnit())
		}
	}
}

// Series whose labels become equal in the text format are one, in any order of the original names.
func TestUTF8LabelsThatMeet(t *testing.T) {
	p := newProvider(t)
	for _, labels := range []prometheus.Labels{{"a.b": "1", "a_a": "2"}, {"a_a": "2", "a_b": "1"}} {
		promauto.With(p.Registerer()).NewCounter(prometheus.CounterOpts{Name: "x_total", ConstLabels: labels}).Inc()
	}
	if got := scrape(t, p)["x_total"].GetMetric(); len(got) != 1 || value(got[0]) != 2 {
		t.Errorf("%v", got)
	}
}

// Exponential histograms with distant values are added in little memory.
func TestExponentialHistogramsFarApart(t *testing.T) {
	p := newProvider(t, telemetry.WithView(sdkmetric.NewView(sdkmetric.Instrument{Name: "lat"},
		sdkmetric.Stream{Aggregation: sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 160, MaxScale: 20}})))
	for scope, v := range map[string]float64{"one": 1e-100, "two": 1e100} {
		must(p.Meter(scope).Float64Histogram("lat")).Record(ctx, v)
	}
	if got := scrape(t, p).series("lat").GetHistogram(); got.GetSampleCount() != 2 {
		t.Errorf("%v", got)
	}
}

// Register distinguishes a GaugeFunc from a CounterFunc with an equal descriptor, which client_golang does not.
func TestFunctionsOfOtherKinds(t *testing.T) {
	p := newProvider(t)
	seven := func() float64 { return 7 }
	if err := p.Registerer().Register(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "f_total"}, seven)); err != nil {
		t.Fatal(err)
	}
	if err := p.Registerer().Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "f_total"}, seven)); err != nil {
		t.Error(err)
	}
	page := scrape(t, p)
	if page.sum("f_total") != 7 || page.sum("f_total_gauge") != 7 {
		t.Errorf("%v %v", page["f_total"], page["f_total_gauge"])
	}
}

// A family with some native histograms is pushed as the page has it.
func TestFamiliesOfBothHistogramsArePushed(t *testing.T) {
	for _, native := range []string{"1", "2"} { // which is the first series
		wire := newWire(t)
		p := newProvider(t, telemetry.WithMetricExporter(wire))
		for _, l := range []string{"1", "2"} {
			opts := prometheus.HistogramOpts{Name: "h", ConstLabels: prometheus.Labels{"l": l}, Buckets: []float64{1, 10}}
			if l == native {
				opts.Buckets, opts.NativeHistogramBucketFactor = nil, 1.1
			}
			h := prometheus.NewHistogram(opts)
			h.Observe(4)
			p.Registerer().MustRegister(h)
		}
		flush(t, p)
		wire.agrees(t, p, otelprom.WithoutScopeInfo())
	}
}
