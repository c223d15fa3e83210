package guard

import (
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/onemeter/onemeter/telemetry/internal/site"
)

// A Registration is a collector that was registered, and by whom. It is the collector that client_golang's registries
// hold in place of the caller's own: it answers with the descriptors it was registered with, and neither a panic nor
// a collector that hangs gets past it.
type Registration struct {
	given   prometheus.Collector // as it came: the caller's own, or one that client_golang wrapped
	inner   prometheus.Collector // the caller's own
	safe    prometheus.Collector // given, and safe from panics in goroutines of client_golang
	wrapped bool                 // by client_golang
	descs   []*prometheus.Desc
	stack   site.Stack // nil where it is not known who registered it
	invalid error      // of a descriptor, or of a Describe that panicked
	bounds  []float64  // of a histogram's classic buckets, as far as they are known

	level   *level       // nil for an unchecked collector
	alone   atomic.Bool  // it is gathered by itself: see Registry
	running atomic.Int32 // calls of Collect under way
	hanging atomic.Bool  // a call did not end in time; it is not called again until it does
	fault   atomic.Pointer[error]

	resolve sync.Once
	path    site.Path

	definitions []Definition // of descs; made when first asked for, with the Registry's lock held
}

func newRegistration(c prometheus.Collector, stack site.Stack) *Registration {
	e := &Registration{given: c, inner: c, safe: c, stack: stack}
	if isNil(c) {
		e.invalid = errors.New("telemetry: the collector to register is nil")
		return e
	}
	if inner, rewrap := unwrap(c); inner != nil {
		e.inner, e.safe, e.wrapped = inner, rewrap(&shield{of: e, collector: inner}), true
	}
	e.describe()
	return e
}

func isNil(c prometheus.Collector) bool {
	if c == nil {
		return true
	}
	v := reflect.ValueOf(c)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// describe asks the collector for its descriptors, once, in a goroutine that may panic.
func (e *Registration) describe() {
	ch := make(chan *prometheus.Desc, 16)
	s := shield{of: e, collector: e.safe}
	go func() {
		defer close(ch)
		s.Describe(ch)
	}()
	for d := range ch {
		if d == nil {
			d = prometheus.NewInvalidDesc(errors.New("a descriptor is nil"))
		}
		e.descs = append(e.descs, d)
		if err := d.Err(); err != nil && e.invalid == nil {
			e.invalid = fmt.Errorf("descriptor %s is invalid: %w", d, err)
		}
	}
	if fault := e.fault.Swap(nil); fault != nil {
		e.invalid = *fault
	}
}

// Describe sends the descriptors that the collector was registered with.
func (e *Registration) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range e.descs {
		ch <- d
	}
}

// Collect collects for the registry of a level, unless the collector is gathered alone.
func (e *Registration) Collect(ch chan<- prometheus.Metric) {
	if !e.alone.Load() {
		e.collect(ch)
	}
}

func (e *Registration) collect(ch chan<- prometheus.Metric) {
	if !e.enter() {
		return
	}
	defer e.leave()
	shield{of: e, collector: e.safe}.Collect(ch)
}

// maxRunning is how many gatherings may ask a collector at the same time.
const maxRunning = 64

// enter tells whether the collector may be asked: it does not hang since an earlier time.
func (e *Registration) enter() bool {
	if e.hanging.Load() {
		return false
	}
	if e.running.Add(1) > maxRunning {
		e.running.Add(-1)
		err := errors.New("it is gathered while it is being gathered, again and again: does it gather itself?")
		e.fault.Store(&err)
		return false
	}
	return true
}

func (e *Registration) leave() {
	if e.running.Add(-1) == 0 {
		e.hanging.Store(false)
	}
}

// A shield is a collector whose panics are kept, to be told.
type shield struct {
	of        *Registration
	collector prometheus.Collector
}

func (s shield) Describe(ch chan<- *prometheus.Desc) {
	defer s.keep("Describe")
	s.collector.Describe(ch)
}

func (s shield) Collect(ch chan<- prometheus.Metric) {
	defer s.keep("Collect")
	s.collector.Collect(ch)
}

func (s shield) keep(method string) {
	if p := recover(); p != nil {
		err := fmt.Errorf("panic in %s of %T: %v\n%s", method, s.collector, p, debug.Stack())
		s.of.fault.Store(&err)
	}
}

// bare is a registration without descriptors: a registry checks nothing of it, and takes what it sends.
type bare struct{ *Registration }

func (bare) Describe(chan<- *prometheus.Desc) {}

func (b bare) Collect(ch chan<- prometheus.Metric) { b.collect(ch) }

// Site is the way to the code that registered the collector. It is empty for what was registered before the guard
// was there.
func (e *Registration) Site() site.Path {
	e.resolve.Do(func() { e.path = e.stack.Path() })
	return e.path
}

// Early tells that the collector was registered before the guard was there, so that its place is not known.
func (e *Registration) Early() bool { return e.stack == nil }

// Reported tells that the collector's values are not its own: it is no counter, gauge, histogram or summary of
// client_golang that somebody counts with, but a function or a custom collector that reports what is counted
// elsewhere. Two of these may report the same thing, so their values are never added up.
func (e *Registration) Reported() bool {
	if e.inner == nil {
		return true
	}
	switch e.inner.(type) {
	case *prometheus.CounterVec, *prometheus.GaugeVec, *prometheus.HistogramVec, *prometheus.SummaryVec,
		prometheus.Counter, prometheus.Gauge, prometheus.Observer:
		return false
	}
	return true
}

// Type is what the collector's metrics are, or nil where only its metrics tell.
func (e *Registration) Type() *dto.MetricType {
	switch e.inner.(type) {
	case *prometheus.CounterVec:
		return dto.MetricType_COUNTER.Enum()
	case *prometheus.GaugeVec, prometheus.Gauge: // a Gauge is a Counter too
		return dto.MetricType_GAUGE.Enum()
	case prometheus.Counter:
		return dto.MetricType_COUNTER.Enum()
	case *prometheus.HistogramVec:
		return dto.MetricType_HISTOGRAM.Enum()
	case *prometheus.SummaryVec:
		return dto.MetricType_SUMMARY.Enum()
	case prometheus.Histogram: // a Summary has the same methods
		if reflect.TypeOf(e.inner) == summaryType || reflect.TypeOf(e.inner) == summaryWithoutObjectives {
			return dto.MetricType_SUMMARY.Enum()
		}
		if reflect.TypeOf(e.inner) == histogramType {
			return dto.MetricType_HISTOGRAM.Enum()
		}
	}
	return nil
}

var (
	histogramType            = reflect.TypeOf(prometheus.NewHistogram(prometheus.HistogramOpts{Name: "x"}))
	summaryWithoutObjectives = reflect.TypeOf(prometheus.NewSummary(prometheus.SummaryOpts{Name: "x"}))
	summaryType              = reflect.TypeOf(prometheus.NewSummary(prometheus.SummaryOpts{
		Name: "x", Objectives: map[float64]float64{.5: .1},
	}))
)

// same tells whether two registrations are of one collector.
func (e *Registration) same(other *Registration) bool {
	a, b := reflect.ValueOf(e.inner), reflect.ValueOf(other.inner)
	return a.IsValid() && b.IsValid() && a.Type() == b.Type() && a.Comparable() && b.Comparable() &&
		e.inner == other.inner && alike(e.descs, other.descs)
}

// sameType tells whether the collectors are of one Go type, and, of functions, report one kind of value: those of
// counters and gauges are of one Go type too.
func (e *Registration) sameType(other *Registration) bool {
	return reflect.TypeOf(e.inner) == reflect.TypeOf(other.inner) && functionKind(e.inner) == functionKind(other.inner)
}

var functionType = reflect.TypeOf(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "x"}, func() float64 { return 0 }))

// functionKind tells a CounterFunc, a GaugeFunc and an UntypedFunc apart. client_golang tells only by calling them; where
// a later version keeps the kind elsewhere, they are alike, as they are there.
func functionKind(c prometheus.Collector) int64 {
	if reflect.TypeOf(c) != functionType {
		return 0
	}
	if kind := reflect.ValueOf(c).Elem().FieldByName("valType"); kind.CanInt() {
		return kind.Int()
	}
	return 0
}

// viaMust tells whether client_golang will panic if registering fails: WrapRegistererWith(…).MustRegister calls
// Register.
func (e *Registration) viaMust() bool {
	return e.wrapped && e.stack.Through("github.com/prometheus/client_golang/prometheus.(*wrappingRegisterer).MustRegister")
}
