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

// A Registration is a registered collector, and who registered it. client_golang's registries hold it instead of the
// caller's collector: it returns the descriptors that it was registered with, and protects the registry from a
// collector that panics or hangs.
type Registration struct {
	given   prometheus.Collector // as passed: the caller's own, or wrapped by client_golang
	inner   prometheus.Collector // the caller's own
	safe    prometheus.Collector // given, protected from panics in client_golang's goroutines
	wrapped bool                 // by client_golang
	descs   []*prometheus.Desc
	stack   site.Stack // nil if it is not known who registered it
	invalid error      // of a descriptor, or from a Describe that panicked
	bounds  []float64  // of a histogram's classic buckets, if known

	level   *level       // nil for an unchecked collector
	alone   atomic.Bool  // whether it is gathered individually: see Registry
	running atomic.Int32 // calls of Collect in progress
	hanging atomic.Bool  // whether a call did not end in time; the collector is not called again until it does
	fault   atomic.Pointer[error]

	resolve sync.Once
	path    site.Path // of stack; set by resolve

	definitions []Definition // of descs; created when first needed, with the Registry's lock held
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

// describe gets the descriptors of the collector, once, in a goroutine whose panics are caught.
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

// Collect collects for the registry of a level, unless the collector is gathered individually.
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

// maxRunning is how many gatherings may run a collector concurrently.
const maxRunning = 64

// enter reports whether the collector may run: it may not while an earlier call still hangs.
func (e *Registration) enter() bool {
	if e.hanging.Load() {
		return false
	}
	if e.running.Add(1) > maxRunning {
		e.running.Add(-1)
		err := fmt.Errorf("the collector is being gathered %d times at once: does it gather itself?", maxRunning)
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

// A shield is a collector that catches panics and keeps them as the registration's fault.
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

// bare is a registration without descriptors: a registry accepts everything it sends, unchecked.
type bare struct{ *Registration }

func (bare) Describe(chan<- *prometheus.Desc) {}

func (b bare) Collect(ch chan<- prometheus.Metric) { b.collect(ch) }

// Site returns the call path to the code that registered the collector. It is empty if that happened before the guard
// was installed.
func (e *Registration) Site() site.Path {
	e.resolve.Do(func() { e.path = e.stack.Path() })
	return e.path
}

// Early reports whether the collector was registered before the guard was installed, so that its place is not known.
func (e *Registration) Early() bool { return e.stack == nil }

// Reported reports whether the collector's values come from elsewhere: it is not a counter, gauge, histogram or
// summary of client_golang, but a function or a custom collector. Two of these may report the same values, so they
// are never added.
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

// Type returns the type of the collector's metrics, or nil if it is known only once they are collected.
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

// same reports whether two registrations have the same collector.
func (e *Registration) same(other *Registration) bool {
	a, b := reflect.ValueOf(e.inner), reflect.ValueOf(other.inner)
	return a.IsValid() && b.IsValid() && a.Type() == b.Type() && a.Comparable() && b.Comparable() &&
		e.inner == other.inner && alike(e.descs, other.descs)
}

// sameType reports whether the collectors have the same Go type and, if they are functions, the same kind: a
// CounterFunc and a GaugeFunc have the same Go type.
func (e *Registration) sameType(other *Registration) bool {
	return reflect.TypeOf(e.inner) == reflect.TypeOf(other.inner) && functionKind(e.inner) == functionKind(other.inner)
}

var functionType = reflect.TypeOf(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "x"}, func() float64 { return 0 }))

// functionKind distinguishes a CounterFunc, a GaugeFunc and an UntypedFunc. client_golang has no method for that. If
// a later version stores the kind elsewhere, all are treated as alike.
func functionKind(c prometheus.Collector) int64 {
	if reflect.TypeOf(c) != functionType {
		return 0
	}
	if kind := reflect.ValueOf(c).Elem().FieldByName("valType"); kind.CanInt() {
		return kind.Int()
	}
	return 0
}

// viaMust reports whether client_golang will panic if Register returns an error, because Register was called by
// WrapRegistererWith(…).MustRegister.
func (e *Registration) viaMust() bool {
	return e.wrapped && e.stack.Through("github.com/prometheus/client_golang/prometheus.(*wrappingRegisterer).MustRegister")
}
