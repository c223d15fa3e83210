package promguard_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"expvar"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/push"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// The members of client_golang that public code uses. Each has its own families.
var members = map[string]func(*diary){
	"vectors":         vectors,
	"curried":         curried,
	"deleted":         deleted,
	"summaries":       summaries,
	"native":          nativeHistograms,
	"exemplars":       exemplars,
	"timers":          timers,
	"functions":       functions,
	"const labels":    constLabels,
	"custom":          customCollectors,
	"const metrics":   constMetrics,
	"unchecked":       uncheckedCollector,
	"not comparable":  notComparable,
	"ready-made":      readyMadeCollectors,
	"go collector":    goCollector,
	"metric vector":   metricVector,
	"constrained":     constrainedLabels,
	"UTF-8":           utf8Names,
	"unregistered":    unregistered,
	"already there":   alreadyThere,
	"invalid":         invalid,
	"promauto":        promautoFactories,
	"wrapped":         wrapped,
	"grouped":         groupedRegistry,
	"pushed":          pushed,
	"in a file":       textfile,
	"handlers":        handlers,
	"instrumented":    instrumented,
	"round trips":     roundTrips,
	"testutil":        testHelpers,
	"many gatherers":  manyGatherers,
	"bare registerer": bareRegisterer,
}

func counterOpts(d *diary, name string) prometheus.CounterOpts {
	return prometheus.CounterOpts{Namespace: d.prefix[:len(d.prefix)-1], Name: name, Help: "Help of " + name + "."}
}

func gaugeOpts(d *diary, name string) prometheus.GaugeOpts {
	return prometheus.GaugeOpts(counterOpts(d, name))
}

func vectors(d *diary) {
	c := prometheus.NewCounterVec(counterOpts(d, "requests_total"), []string{"code", "method"})
	g := prometheus.NewGaugeVec(gaugeOpts(d, "queue"), []string{"name"})
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: d.name("latency"), Help: "L.", Buckets: []float64{.1, 1}}, []string{"code"})
	s := prometheus.NewSummaryVec(prometheus.SummaryOpts{Name: d.name("size"), Help: "S."}, []string{"code"})
	for _, x := range []prometheus.Collector{c, g, h, s} {
		d.register(x)
	}
	d.gather() // no series yet
	c.WithLabelValues("200", "GET").Inc()
	c.With(prometheus.Labels{"method": "POST", "code": "404"}).Add(2.5)
	_, err := c.GetMetricWithLabelValues("only one")
	d.note("%v", err)
	g.WithLabelValues("a").Set(5)
	g.WithLabelValues("a").Dec()
	g.WithLabelValues("b").Sub(3)
	h.WithLabelValues("200").Observe(.5)
	h.WithLabelValues("200").Observe(7)
	s.WithLabelValues("200").Observe(7)
	d.gather()
}

func curried(d *diary) {
	c := prometheus.NewCounterVec(counterOpts(d, "curried_total"), []string{"a", "b", "c"})
	d.reg.MustRegister(c)
	ab := c.MustCurryWith(prometheus.Labels{"a": "1"}).MustCurryWith(prometheus.Labels{"b": "2"})
	ab.WithLabelValues("3").Inc()
	_, err := c.CurryWith(prometheus.Labels{"d": "4"})
	d.note("%v", err)
	d.register(ab) // ab shares its series with c, and client_golang takes it for c
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: d.name("curried"), Buckets: []float64{1}}, []string{"a", "b"})
	d.reg.MustRegister(h)
	h.MustCurryWith(prometheus.Labels{"a": "1"}).WithLabelValues("2").Observe(3)
	d.gather()
}

func deleted(d *diary) {
	c := prometheus.NewGaugeVec(gaugeOpts(d, "deleted"), []string{"a", "b"})
	d.reg.MustRegister(c)
	for _, a := range []string{"1", "2", "3"} {
		for _, b := range []string{"1", "2", "3"} {
			c.WithLabelValues(a, b).Set(1)
		}
	}
	d.note("%v %v", c.DeleteLabelValues("1", "1"), c.DeleteLabelValues("9", "9"))
	d.note("%v", c.Delete(prometheus.Labels{"a": "1", "b": "2"}))
	d.note("%d", c.DeletePartialMatch(prometheus.Labels{"a": "2"}))
	d.gather()
	c.Reset()
	d.gather()
	c.WithLabelValues("1", "1").Set(4)
	d.gather()
}

func summaries(d *diary) {
	s := prometheus.NewSummary(prometheus.SummaryOpts{
		Name: d.name("summary"), Help: "S.", Objectives: map[float64]float64{.5: .05, .9: .01, .99: .001}, MaxAge: time.Hour,
		ConstLabels: prometheus.Labels{"zone": "z"},
	})
	plain := prometheus.NewSummaryVec(prometheus.SummaryOpts{Name: d.name("plain"), Help: "S."}, []string{"a"})
	d.reg.MustRegister(s, plain)
	d.gather() // quantiles of nothing are NaN
	for i := range 100 {
		s.Observe(float64(i))
		plain.WithLabelValues("x").Observe(float64(i))
	}
	d.gather()
}

func nativeHistograms(d *diary) {
	native := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: d.name("native"), NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100,
	}, []string{"a"})
	both := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: d.name("both"), Buckets: []float64{1, 10}, NativeHistogramBucketFactor: 2, NativeHistogramZeroThreshold: .01,
	})
	d.register(native)
	d.register(both)
	for _, v := range []float64{0, -3, .001, .5, 4, 4.2, 1e9} {
		native.WithLabelValues("x").Observe(v)
		both.Observe(v)
	}
	d.gather()
}

func exemplars(d *diary) {
	c := prometheus.NewCounter(counterOpts(d, "exemplar_total"))
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: d.name("exemplar"), Buckets: []float64{1, 2}})
	n := prometheus.NewHistogram(prometheus.HistogramOpts{Name: d.name("exemplar_native"), NativeHistogramBucketFactor: 1.1})
	d.reg.MustRegister(c, h, n)
	trace := prometheus.Labels{"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"}
	c.(prometheus.ExemplarAdder).AddWithExemplar(2, trace)
	h.(prometheus.ExemplarObserver).ObserveWithExemplar(1.5, trace)
	h.(prometheus.ExemplarObserver).ObserveWithExemplar(5, prometheus.Labels{"id": "7"})
	n.(prometheus.ExemplarObserver).ObserveWithExemplar(5, trace)
	d.gather()
}

func timers(d *diary) {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: d.name("took_seconds"), Buckets: []float64{60}})
	g := prometheus.NewGauge(gaugeOpts(d, "last_took_seconds"))
	d.reg.MustRegister(h, g)
	prometheus.NewTimer(h).ObserveDuration()
	d.note("%v", prometheus.NewTimer(prometheus.ObserverFunc(g.Set)).ObserveDuration() < time.Minute)
	d.note("%v", testutil.ToFloat64(g) > 0)
	all, err := d.g.Gather()
	if err != nil {
		d.t.Error(err)
	}
	for _, f := range all {
		if f.GetName() == d.name("took_seconds") {
			d.note("%d %d", f.Metric[0].Histogram.GetSampleCount(), f.Metric[0].Histogram.Bucket[0].GetCumulativeCount())
		}
	}
}

func functions(d *diary) {
	n := 0.
	d.register(prometheus.NewCounterFunc(counterOpts(d, "func_total"), func() float64 { n++; return n }))
	d.register(prometheus.NewGaugeFunc(gaugeOpts(d, "func"), func() float64 { return 7 }))
	d.register(prometheus.NewUntypedFunc(prometheus.UntypedOpts(gaugeOpts(d, "func_untyped")), func() float64 { return 8 }))
	d.gather()
	d.gather() // each one runs once for a page
}

// Collectors of one name may be registered together if their constant labels differ.
func constLabels(d *diary) {
	for _, zone := range []string{"b", "a", "c"} {
		opts := counterOpts(d, "zoned_total")
		opts.ConstLabels = prometheus.Labels{"zone": zone}
		c := prometheus.NewCounterVec(opts, []string{"code"})
		d.register(c)
		c.WithLabelValues("200").Inc()
		c.WithLabelValues("404").Add(2)
		f := gaugeOpts(d, "zoned")
		f.ConstLabels = prometheus.Labels{"zone": zone}
		d.register(prometheus.NewGaugeFunc(f, func() float64 { return float64(len(zone)) }))
	}
	d.gather()
}

// fixed is a collector that sends what it was given.
type fixed struct {
	descs   []*prometheus.Desc
	metrics func() []prometheus.Metric
}

func (f *fixed) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range f.descs {
		ch <- d
	}
}

func (f *fixed) Collect(ch chan<- prometheus.Metric) {
	for _, m := range f.metrics() {
		ch <- m
	}
}

// byCollect describes itself by what it collects.
type byCollect struct{ fixed }

func (c *byCollect) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

func customCollectors(d *diary) {
	up := prometheus.NewDesc(d.name("up"), "Whether it is up.", []string{"target"}, prometheus.Labels{"job": "x"})
	rate := prometheus.NewDesc(d.name("rate"), "Its rate.", nil, nil)
	n := 0.
	c := &fixed{[]*prometheus.Desc{up, rate, up}, func() []prometheus.Metric {
		n++
		return []prometheus.Metric{
			prometheus.MustNewConstMetric(up, prometheus.GaugeValue, n, "b"),
			prometheus.MustNewConstMetric(up, prometheus.GaugeValue, 0, "a"),
			prometheus.MustNewConstMetric(rate, prometheus.CounterValue, 3),
		}
	}}
	d.register(c)
	d.gather()
	d.gather()
	lazy := prometheus.NewDesc(d.name("lazy"), "Described by what it collects.", []string{"a"}, nil)
	d.register(&byCollect{fixed{nil, func() []prometheus.Metric {
		return []prometheus.Metric{prometheus.MustNewConstMetric(lazy, prometheus.UntypedValue, 1, "x")}
	}}})
	d.gather()
	d.note("%v", d.reg.Unregister(c))
	d.gather()
}

func constMetrics(d *diary) {
	desc := func(name string) *prometheus.Desc {
		return prometheus.NewDesc(d.name(name), "Help.", []string{"a"}, nil)
	}
	histogram, summary, native, created := desc("const_histogram"), desc("const_summary"), desc("const_native"), desc("const_created_total")
	stamped, exemplar := desc("const_stamped"), desc("const_exemplar")
	at := time.Unix(1700000000, 0)
	all := []prometheus.Metric{
		prometheus.MustNewConstHistogram(histogram, 10, 30, map[float64]uint64{1: 2, 5: 7}, "x"),
		prometheus.MustNewConstSummary(summary, 10, 30, map[float64]float64{.5: 2, .9: 7}, "x"),
		prometheus.MustNewConstNativeHistogram(native, 5, 12, map[int]int64{1: 2}, map[int]int64{2: 1}, 2, 1, .5, at, "x"),
		prometheus.MustNewConstMetricWithCreatedTimestamp(created, prometheus.CounterValue, 3, at, "x"),
		prometheus.NewMetricWithTimestamp(at, prometheus.MustNewConstMetric(stamped, prometheus.GaugeValue, 1, "x")),
		prometheus.MustNewMetricWithExemplars(prometheus.MustNewConstMetric(exemplar, prometheus.CounterValue, 1, "x"),
			prometheus.Exemplar{Value: 1, Labels: prometheus.Labels{"id": "1"}, Timestamp: at}),
	}
	d.register(&fixed{[]*prometheus.Desc{histogram, summary, native, created, stamped, exemplar}, func() []prometheus.Metric { return all }})
	d.gather()
	families, err := d.g.Gather()
	if err != nil {
		d.t.Error(err)
	}
	for _, f := range families {
		for _, m := range f.Metric { // fixed times are kept
			if strings.HasPrefix(f.GetName(), d.prefix+"const_") {
				d.note("%s %v", f.GetName(), m)
			}
		}
	}
}

func uncheckedCollector(d *diary) {
	a := prometheus.NewDesc(d.name("unchecked"), "Help.", []string{"a"}, nil)
	b := prometheus.NewDesc(d.name("unchecked"), "Help.", []string{"b"}, nil)
	d.register(&fixed{nil, func() []prometheus.Metric {
		return []prometheus.Metric{prometheus.MustNewConstMetric(a, prometheus.GaugeValue, 1, "x")}
	}})
	other := &fixed{nil, func() []prometheus.Metric {
		return []prometheus.Metric{prometheus.MustNewConstMetric(b, prometheus.GaugeValue, 2, "y")}
	}}
	d.register(other)
	d.gather()
	d.note("%v", d.reg.Unregister(other)) // a collector without descriptors cannot be unregistered
	d.gather()
}

// byValue is a collector that is not comparable, because it holds a slice.
type byValue []float64

var byValueDesc = prometheus.NewDesc("by_value", "Help.", []string{"n"}, nil)

func (v byValue) Describe(ch chan<- *prometheus.Desc) { ch <- byValueDesc }

func (v byValue) Collect(ch chan<- prometheus.Metric) {
	for i, x := range v {
		ch <- prometheus.MustNewConstMetric(byValueDesc, prometheus.GaugeValue, x, fmt.Sprint(i))
	}
}

func notComparable(d *diary) {
	d.register(prometheus.CollectorFunc(func(ch chan<- prometheus.Metric) {
		ch <- prometheus.MustNewConstMetric(prometheus.NewDesc(d.name("by_func"), "Help.", nil, nil), prometheus.GaugeValue, 3)
	}))
	prefixed := prometheus.WrapRegistererWithPrefix(d.prefix, d.reg)
	prefixed.MustRegister(byValue{1, 2})
	d.register(prometheus.WrapCollectorWithPrefix(d.prefix, byValue{3}))
	d.gather()
	d.note("%v", prefixed.Unregister(byValue{5}))
	d.gather()
	one := prometheus.WrapRegistererWith(prometheus.Labels{"a": d.prefix}, d.reg)
	d.note("%v", one.Register(byValue{6}))
	d.note("%v", one.Register(byValue{7}))
	d.note("%v", one.Unregister(byValue{8}))
}

// nowhere is a database without a connection.
type nowhere struct{}

func (nowhere) Connect(context.Context) (driver.Conn, error) { return nil, errors.New("nowhere") }
func (nowhere) Driver() driver.Driver                        { return nil }

func readyMadeCollectors(d *diary) {
	db := sql.OpenDB(nowhere{})
	defer db.Close()
	db.SetMaxOpenConns(7)
	stats := collectors.NewDBStatsCollector(db, d.name("db"))
	d.register(stats)
	d.register(collectors.NewDBStatsCollector(db, d.name("db")))
	d.note("%v", d.reg.Unregister(stats))
	d.note("%v", d.reg.Unregister(stats))
	wrapped := prometheus.WrapRegistererWithPrefix(d.prefix, d.reg)
	wrapped.MustRegister(collectors.NewBuildInfoCollector(), stats)
	expvar.NewInt(d.name("variable")).Set(42)
	d.register(collectors.NewExpvarCollector(map[string]*prometheus.Desc{
		d.name("variable"): prometheus.NewDesc(d.name("expvar"), "An expvar.", nil, nil),
	}))
	d.gather()
}

// client_golang's default registry has a Go collector from the start, and code that wants another unregisters it.
func goCollector(d *diary) {
	_ = d.reg.Register(collectors.NewGoCollector()) // the other registries have one now
	d.register(collectors.NewGoCollector())
	d.note("%v %v", d.reg.Unregister(collectors.NewGoCollector()), d.reg.Unregister(collectors.NewGoCollector()))
	n, err := testutil.GatherAndCount(d.g, "go_goroutines", "go_memstats_alloc_bytes")
	d.note("%d %v", n, err)
	d.register(collectors.NewGoCollector(collectors.WithGoCollectorMemStatsMetricsDisabled()))
	n, err = testutil.GatherAndCount(d.g, "go_goroutines", "go_memstats_alloc_bytes")
	d.note("%d %v", n, err)
	d.note("%v", d.reg.Unregister(collectors.NewGoCollector())) // this one has other descriptors
	d.note("%v", d.reg.Unregister(collectors.NewGoCollector(collectors.WithGoCollectorMemStatsMetricsDisabled())))
	d.register(collectors.NewGoCollector())
}

func metricVector(d *diary) {
	desc := prometheus.NewDesc(d.name("vector"), "Help.", []string{"a"}, nil)
	v := prometheus.NewMetricVec(desc, func(lvs ...string) prometheus.Metric {
		return prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(len(lvs[0])), lvs...)
	})
	d.register(v)
	for _, a := range []string{"1", "22"} {
		if _, err := v.GetMetricWithLabelValues(a); err != nil {
			d.t.Error(err)
		}
	}
	d.gather()
}

func constrainedLabels(d *diary) {
	c := prometheus.V2.NewCounterVec(prometheus.CounterVecOpts{
		CounterOpts:    counterOpts(d, "constrained_total"),
		VariableLabels: prometheus.ConstrainedLabels{{Name: "method", Constraint: strings.ToUpper}, {Name: "code"}},
	})
	d.register(c)
	c.WithLabelValues("get", "200").Inc()
	c.With(prometheus.Labels{"method": "Get", "code": "200"}).Inc()
	h := prometheus.V2.NewHistogramVec(prometheus.HistogramVecOpts{
		HistogramOpts:  prometheus.HistogramOpts{Name: d.name("constrained"), Buckets: []float64{1}},
		VariableLabels: prometheus.ConstrainedLabels{{Name: "method", Constraint: strings.ToUpper}},
	})
	d.register(h)
	d.register(h)
	d.gather()
	h.WithLabelValues("get").Observe(1)
	d.gather()
}

func utf8Names(d *diary) {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: d.prefix + "dots.in.name", Help: "计数"}, []string{"a.b", "类型"})
	d.register(c)
	c.WithLabelValues("x", "你好").Inc()
	c.WithLabelValues("x", "\n\"\\").Inc()
	d.gather()
	u := prometheus.NewGauge(prometheus.GaugeOpts{Name: d.name("unit_bytes"), Help: "Help.", Unit: "bytes"})
	d.register(u)
	u.Set(1)
	d.gather()
}

func unregistered(d *diary) {
	c := prometheus.NewCounter(counterOpts(d, "unregistered_total"))
	d.note("%v", d.reg.Unregister(c))
	d.register(c)
	c.Inc()
	d.note("%v %v", d.reg.Unregister(c), d.reg.Unregister(c))
	d.gather()
	again := prometheus.NewCounter(counterOpts(d, "unregistered_total"))
	d.register(again)
	d.gather()
	d.note("%v", d.reg.Unregister(c)) // Unregister compares descriptors, so it removes the collector again
	d.gather()
	one := prometheus.WrapRegistererWith(prometheus.Labels{"a": "1"}, d.reg)
	g := prometheus.NewGauge(gaugeOpts(d, "unregistered"))
	one.MustRegister(g)
	d.note("%v", d.reg.Unregister(g))
	d.note("%v", prometheus.WrapRegistererWith(prometheus.Labels{"a": "2"}, d.reg).Unregister(g))
	d.gather()
	d.note("%v", one.Unregister(prometheus.NewGauge(gaugeOpts(d, "unregistered"))))
	d.gather()
}

func alreadyThere(d *diary) {
	first := prometheus.NewCounterVec(counterOpts(d, "already_total"), []string{"a"})
	d.register(first)
	d.register(first)
	second := prometheus.NewCounterVec(counterOpts(d, "already_total"), []string{"a"})
	d.register(second)
	err := d.reg.Register(second)
	if are := (prometheus.AlreadyRegisteredError{}); errors.As(err, &are) {
		d.note("existing is the first: %v, new is the second: %v", are.ExistingCollector == prometheus.Collector(first), are.NewCollector == prometheus.Collector(second))
		are.ExistingCollector.(*prometheus.CounterVec).WithLabelValues("x").Inc()
	}
	if are, ok := err.(prometheus.AlreadyRegisteredError); ok { //nolint:errorlint // as much code does
		d.note("%v", are.ExistingCollector == prometheus.Collector(first))
	}
	wrap := prometheus.WrapRegistererWith(prometheus.Labels{"b": "1"}, prometheus.WrapRegistererWithPrefix(d.prefix, d.reg))
	inner := prometheus.NewGauge(prometheus.GaugeOpts{Name: "wrapped"})
	d.note("%v", wrap.Register(inner))
	err = wrap.Register(inner)
	if are := (prometheus.AlreadyRegisteredError{}); errors.As(err, &are) {
		d.note("%v: existing is the caller's: %v, new is %T", are, are.ExistingCollector == prometheus.Collector(inner), are.NewCollector)
	}
	err = wrap.Register(prometheus.NewGauge(prometheus.GaugeOpts{Name: "wrapped"}))
	if are := (prometheus.AlreadyRegisteredError{}); errors.As(err, &are) {
		d.note("%v: existing is the caller's: %v", are, are.ExistingCollector == prometheus.Collector(inner))
	}
	d.gather()
}

func invalid(d *diary) {
	d.register(prometheus.NewCounter(prometheus.CounterOpts{Name: "\xff"}))
	d.register(prometheus.NewCounter(prometheus.CounterOpts{Help: "It has no name."}))
	d.register(prometheus.NewCounterVec(counterOpts(d, "invalid_total"), []string{"__reserved"}))
	d.register(prometheus.NewCounterVec(counterOpts(d, "twice_total"), []string{"a", "a"}))
	opts := counterOpts(d, "value_total")
	opts.ConstLabels = prometheus.Labels{"a": "\xff"}
	d.register(prometheus.NewCounter(opts))
	d.register(&fixed{[]*prometheus.Desc{prometheus.NewInvalidDesc(errors.New("no idea"))}, nil})
	d.register(&fixed{[]*prometheus.Desc{
		prometheus.NewDesc(d.name("inconsistent"), "One.", nil, nil), prometheus.NewDesc(d.name("inconsistent"), "Two.", nil, prometheus.Labels{"a": "1"}),
	}, nil})
	wrap := prometheus.WrapRegistererWith(prometheus.Labels{"a": "1"}, d.reg)
	opts.ConstLabels = prometheus.Labels{"a": "2"}
	err := wrap.Register(prometheus.NewCounter(opts))
	d.note("%T %v", err, err)
	d.gather()
	d.note("%v", d.reg.Unregister(&fixed{[]*prometheus.Desc{prometheus.NewInvalidDesc(errors.New("no idea"))}, nil}))
}

func promautoFactories(d *diary) {
	f := promauto.With(prometheus.WrapRegistererWith(prometheus.Labels{"service": "x"}, d.reg))
	f.NewCounter(counterOpts(d, "auto_total")).Inc()
	f.NewCounterVec(counterOpts(d, "auto_vec_total"), []string{"a"}).WithLabelValues("x").Inc()
	f.NewGauge(gaugeOpts(d, "auto")).Set(3)
	f.NewGaugeFunc(gaugeOpts(d, "auto_func"), func() float64 { return 4 })
	g := promauto.With(d.reg)
	g.NewHistogram(prometheus.HistogramOpts{Name: d.name("auto_histogram"), Buckets: []float64{1}}).Observe(2)
	g.NewSummaryVec(prometheus.SummaryOpts{Name: d.name("auto_summary")}, []string{"a"}).WithLabelValues("x").Observe(2)
	promauto.With(nil).NewCounter(counterOpts(d, "auto_total")).Inc() // registers nothing
	d.gather()
}

func wrapped(d *diary) {
	prefixed := prometheus.WrapRegistererWithPrefix(d.prefix, d.reg)
	for _, shard := range []string{"1", "2"} {
		nested := prometheus.WrapRegistererWith(prometheus.Labels{"shard": shard},
			prometheus.WrapRegistererWith(prometheus.Labels{"zone": "z"}, prometheus.WrapRegistererWithPrefix("inner_", prefixed)))
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "wrapped_total", Help: "W."}, []string{"a"})
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "wrapped_native", NativeHistogramBucketFactor: 1.5})
		nested.MustRegister(c, h)
		c.WithLabelValues("x").Inc()
		h.Observe(2)
	}
	d.gather()
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "collector_total", Help: "C."})
	one := prometheus.WrapCollectorWith(prometheus.Labels{"n": "1"}, prometheus.WrapCollectorWithPrefix(d.prefix, c))
	d.register(one)
	d.register(prometheus.WrapCollectorWith(prometheus.Labels{"n": "2"}, prometheus.WrapCollectorWithPrefix(d.prefix, c)))
	c.Inc()
	d.gather()
	d.note("%v", d.reg.Unregister(one))
	d.gather()
	err := prometheus.WrapRegistererWith(prometheus.Labels{"a": "1"}, nil).Register(c)
	d.note("%v", err)
}

// A Registry is a collector too.
func groupedRegistry(d *diary) {
	group := prometheus.NewRegistry()
	a := prometheus.NewGauge(gaugeOpts(d, "group_a"))
	b := prometheus.NewGaugeVec(gaugeOpts(d, "group_b"), []string{"a"})
	group.MustRegister(a, b)
	b.WithLabelValues("x").Set(2)
	one := prometheus.WrapCollectorWith(prometheus.Labels{"group": "1"}, group)
	d.register(one)
	d.register(prometheus.WrapCollectorWith(prometheus.Labels{"group": "2"}, group))
	d.gather()
	d.note("%v", d.reg.Unregister(one))
	d.gather()
}

// A receiver is a Pushgateway.
func receiver(d *diary) (url string, received func() []*dto.MetricFamily) {
	var body []byte
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		d.note("%s %s %s", r.Method, r.URL.Path, r.Header.Get("Content-Type"))
		w.WriteHeader(http.StatusAccepted)
	}))
	d.t.Cleanup(srv.Close)
	return srv.URL, func() (out []*dto.MetricFamily) {
		all, err := parseProtobuf(body)
		if err != nil {
			d.t.Error(err)
		}
		for _, f := range all {
			out = append(out, f)
		}
		slices.SortFunc(out, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
		return out
	}
}

func pushed(d *diary) {
	c := prometheus.NewCounterVec(counterOpts(d, "pushed_total"), []string{"a"})
	d.reg.MustRegister(c)
	c.WithLabelValues("x").Add(3)
	url, received := receiver(d)
	d.note("%v", push.New(url, "job").Gatherer(d.g).Grouping("instance", "i").Push())
	d.families(received())
	d.note("%v", push.New(url, "job").Collector(c).Format(expfmt.NewFormat(expfmt.TypeProtoDelim)).Add())
	d.families(received())
}

func textfile(d *diary) {
	g := prometheus.NewGaugeVec(gaugeOpts(d, "textfile"), []string{"a"})
	d.reg.MustRegister(g)
	g.WithLabelValues("b\n").Set(1)
	g.WithLabelValues("a").Set(2)
	file := filepath.Join(d.t.TempDir(), "metrics.prom")
	d.note("%v", prometheus.WriteToTextfile(file, d.g))
	text, err := os.ReadFile(file)
	if err != nil {
		d.t.Error(err)
	}
	d.text(string(text))
}

func handlers(d *diary) {
	c := prometheus.NewCounterVec(counterOpts(d, "handled_total"), []string{"a"})
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: d.name("handled_seconds"), Buckets: []float64{1}})
	d.reg.MustRegister(c, h)
	c.WithLabelValues("x").(prometheus.ExemplarAdder).AddWithExemplar(1, nil)
	h.Observe(.5)
	for _, opts := range []promhttp.HandlerOpts{
		{}, {EnableOpenMetrics: true}, {Registry: d.reg, ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 3, Timeout: time.Minute, CoalesceGather: true},
	} {
		for _, accept := range []string{"", "application/openmetrics-text;version=1.0.0", string(expfmt.FmtProtoText)} {
			handler := promhttp.InstrumentMetricHandler(d.reg, promhttp.HandlerFor(d.g, opts))
			handler = promhttp.InstrumentMetricHandler(d.reg, handler) // again: its metrics are there already
			r := httptest.NewRequest(http.MethodGet, "/metrics?name[]="+d.name("handled_total")+"&name[]="+d.name("handled_seconds"), nil)
			r.Header.Set("Accept", accept)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			d.note("%d %s", w.Code, w.Header().Get("Content-Type"))
			if accept != string(expfmt.FmtProtoText) { // which differs in spaces
				d.text(w.Body.String())
			}
		}
	}
	n, err := testutil.GatherAndCount(d.g, "promhttp_metric_handler_requests_total", "promhttp_metric_handler_requests_in_flight", "promhttp_metric_handler_errors_total")
	d.note("%d %v", n, err)
}

func instrumented(d *diary) {
	labels := []string{"code", "method"}
	inFlight := prometheus.NewGauge(gaugeOpts(d, "in_flight"))
	total := prometheus.NewCounterVec(counterOpts(d, "served_total"), labels)
	observed := func(name string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: d.name(name), Buckets: []float64{1e9}}, labels)
	}
	request, response := observed("request_bytes"), observed("response_bytes")
	took := prometheus.NewSummaryVec(prometheus.SummaryOpts{Name: d.name("took")}, []string{"code"})
	d.reg.MustRegister(inFlight, total, request, response, took)
	serve := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.note("in flight %v", testutil.ToFloat64(inFlight))
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusTeapot)
		}
		_, _ = io.WriteString(w, "twelve bytes")
	})
	h := promhttp.InstrumentHandlerInFlight(inFlight,
		promhttp.InstrumentHandlerDuration(took,
			promhttp.InstrumentHandlerCounter(total,
				promhttp.InstrumentHandlerRequestSize(request,
					promhttp.InstrumentHandlerResponseSize(response, serve)))))
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodGet} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, "/", nil))
	}
	d.note("%d", testutil.CollectAndCount(took))
	d.note("%v", d.reg.Unregister(took)) // its values differ from run to run
	d.gather()
}

func roundTrips(d *diary) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	total := prometheus.NewCounterVec(counterOpts(d, "called_total"), []string{"code", "method"})
	inFlight := prometheus.NewGauge(gaugeOpts(d, "calls"))
	d.reg.MustRegister(total, inFlight)
	client := &http.Client{Transport: promhttp.InstrumentRoundTripperInFlight(inFlight, promhttp.InstrumentRoundTripperCounter(total, srv.Client().Transport))}
	resp, err := client.Get(srv.URL)
	if err != nil {
		d.t.Fatal(err)
	}
	resp.Body.Close()
	d.gather()
}

func testHelpers(d *diary) {
	c := prometheus.NewCounterVec(counterOpts(d, "tested_total"), []string{"a"})
	d.reg.MustRegister(c)
	c.WithLabelValues("x").Add(3)
	c.WithLabelValues("y").Inc()
	g := prometheus.NewGauge(gaugeOpts(d, "tested"))
	prometheus.WrapRegistererWith(prometheus.Labels{"a": "1"}, d.reg).MustRegister(g)
	g.Set(5)
	d.note("%v %v", testutil.ToFloat64(c.WithLabelValues("x")), testutil.ToFloat64(g))
	d.note("%d %d", testutil.CollectAndCount(c), testutil.CollectAndCount(c, "other"))
	n, err := testutil.GatherAndCount(d.g, d.name("tested_total"), d.name("tested"))
	d.note("%d %v", n, err)
	want := strings.ReplaceAll(`
# HELP eq_tested_total Help of tested_total.
# TYPE eq_tested_total counter
eq_tested_total{a="x"} 3
eq_tested_total{a="y"} 1
`, "eq_", d.prefix)
	d.note("%v", testutil.GatherAndCompare(d.g, strings.NewReader(want), d.name("tested_total")))
	d.note("%v", testutil.CollectAndCompare(c, strings.NewReader(want)))
	d.note("they differ: %v", testutil.GatherAndCompare(d.g, strings.NewReader(strings.ReplaceAll(want, " 3\n", " 4\n")), d.name("tested_total")) != nil)
	problems, err := testutil.CollectAndLint(c)
	d.note("%v %v", problems, err)
	problems, err = testutil.GatherAndLint(d.g, d.name("tested_total"), d.name("tested"))
	d.note("%v %v", problems, err)
	text, err := testutil.GatherAndFormat(d.g, expfmt.TypeOpenMetrics, d.name("tested"))
	d.note("%s %v", text, err)
	srv := httptest.NewServer(promhttp.HandlerFor(d.g, promhttp.HandlerOpts{}))
	defer srv.Close()
	d.note("%v", testutil.ScrapeAndCompare(srv.URL, strings.NewReader(want), d.name("tested_total")))
}

func manyGatherers(d *diary) {
	other := prometheus.NewRegistry()
	a, b := prometheus.NewCounter(counterOpts(d, "here_total")), prometheus.NewCounter(counterOpts(d, "there_total"))
	d.reg.MustRegister(a)
	other.MustRegister(b)
	all, err := prometheus.Gatherers{d.g, other}.Gather()
	d.note("%v", err)
	d.families(all)
	all, done, err := prometheus.ToTransactionalGatherer(d.g).Gather()
	d.note("%v", err)
	d.families(all)
	done()
}

// bareRegisterer is for code that checks whether a registry has another type too.
func bareRegisterer(d *diary) {
	g, ok := d.reg.(prometheus.Gatherer)
	d.note("a Gatherer: %v", ok)
	if !ok {
		return
	}
	d.reg.MustRegister(prometheus.NewGauge(gaugeOpts(d, "bare")))
	all, err := g.Gather()
	d.note("%v", err)
	d.families(all)
}
