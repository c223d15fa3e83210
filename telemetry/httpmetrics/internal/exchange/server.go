// Package exchange measures one HTTP request and its response. Packages httpmetrics and echometrics pass it the
// request and the route.
package exchange

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/onemeter/onemeter/telemetry"
)

// scope is the instrumentation scope of a server's and a client's instruments.
const scope = "github.com/onemeter/onemeter/telemetry/httpmetrics"

// maxRoutes bounds the routes. They come from the program; a program with more routes uses raw paths.
const maxRoutes = 1000

// Config configures a Server or a Client. The zero value measures everything with the default Provider.
type Config struct {
	Provider metric.MeterProvider
	Filter   func(*http.Request) bool
	Route    func(*http.Request) string
	Result   func(context.Context, Result)
}

// NewConfig returns the Config that options set.
func NewConfig[O ~func(*Config)](opts []O) (c Config) {
	for _, o := range opts {
		if o != nil {
			o(&c)
		}
	}
	return c
}

// meter returns the meter for the instruments.
func (c Config) meter() metric.Meter {
	if c.Provider == nil {
		return telemetry.Meter(scope)
	}
	return c.Provider.Meter(scope)
}

// A Result is the outcome of a request. httpmetrics.Result, which must have equal fields, documents them.
type Result struct {
	Method       string
	Route        string
	Status       int
	ErrorType    string
	Duration     time.Duration
	RequestSize  int64
	ResponseSize int64
	Upgraded     bool
}

// A Server has the instruments of one HTTP server. It is safe for concurrent use.
type Server struct {
	cfg                       Config
	duration                  metric.Float64Histogram
	requestSize, responseSize metric.Int64Histogram
	active                    metric.Int64UpDownCounter

	bound    *lookup[key, *series]
	activeBy [1 + maxMethods][2]atomic.Pointer[metric.Int64UpDownCounter] // by method and scheme
}

// A series has instruments bound to the attributes of one kind of request: route, status and so on.
type series struct {
	route                     string
	duration                  metric.Float64Histogram
	requestSize, responseSize metric.Int64Histogram
}

// durationBounds returns the boundaries that the semantic conventions recommend, in seconds.
func durationBounds() metric.HistogramOption {
	return metric.WithExplicitBucketBoundaries(.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10)
}

// sizeBounds returns boundaries from a small JSON response to a large upload, in bytes. The conventions recommend
// none.
func sizeBounds() metric.HistogramOption {
	return metric.WithExplicitBucketBoundaries(0, 256, 1<<10, 4<<10, 16<<10, 64<<10, 256<<10, 1<<20, 4<<20, 16<<20, 64<<20)
}

// NewServer returns a Server. If the Provider refuses an instrument, that records nothing, and otel.Handle gets the error.
func NewServer(cfg Config) *Server {
	s := &Server{cfg: cfg}
	m := cfg.meter()
	s.duration = made(m.Float64Histogram("http.server.request.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of HTTP server requests."), durationBounds()))
	s.requestSize = made(m.Int64Histogram("http.server.request.body.size", metric.WithUnit("By"),
		metric.WithDescription("Size of HTTP server request bodies."), sizeBounds()))
	s.responseSize = made(m.Int64Histogram("http.server.response.body.size", metric.WithUnit("By"),
		metric.WithDescription("Size of HTTP server response bodies."), sizeBounds()))
	s.active = made(m.Int64UpDownCounter("http.server.active_requests", metric.WithUnit("{request}"),
		metric.WithDescription("Number of active HTTP server requests.")))
	s.bound = newLookup(maxRoutes, s.bind)
	return s
}

func made[I any](instrument I, err error) I {
	if err != nil {
		otel.Handle(err)
	}
	return instrument
}

func (s *Server) bind(route string, k key) *series {
	attrs := append(active(k.method(), k.secure()), k.answer(k.serverError())...)
	if route != "" {
		attrs = append(attrs, attribute.String("http.route", route))
	}
	return &series{
		route: route, duration: telemetry.Bind(s.duration, attrs...),
		requestSize: telemetry.Bind(s.requestSize, attrs...), responseSize: telemetry.Bind(s.responseSize, attrs...),
	}
}

// active returns the attributes of active requests, which all other metrics have too.
func active(m method, secure bool) []attribute.KeyValue {
	scheme := "http"
	if secure {
		scheme = "https"
	}
	return []attribute.KeyValue{attribute.String("http.request.method", m.String()), attribute.String("url.scheme", scheme)}
}

// serverError returns the error.type for a server, where a client's mistake (4xx) is no error.
func (k key) serverError() string { return k.errorType(http.StatusInternalServerError) }

func (s *Server) activeOf(m method, secure bool) metric.Int64UpDownCounter {
	scheme := 0
	if secure {
		scheme = 1
	}
	p := &s.activeBy[m][scheme]
	if c := p.Load(); c != nil {
		return *c
	}
	c := telemetry.Bind(s.active, active(m, secure)...)
	p.Store(&c)
	return c
}

// Measures reports whether a request is measured.
func (s *Server) Measures(r *http.Request) bool { return s.cfg.measures(r) }

func (c Config) measures(r *http.Request) (yes bool) {
	if c.Filter == nil {
		return true
	}
	yes = true
	defer survive("WithFilter")
	return c.Filter(r)
}

func (s *Server) routeOf(r *http.Request) (route string) {
	defer survive("WithRoute")
	return s.cfg.Route(r)
}

// survive is deferred around the program's own functions: if one panics, the request is still answered.
func survive(option string) {
	if p := recover(); p != nil {
		otel.Handle(fmt.Errorf("httpmetrics: the function given to %s panicked: %v", option, p))
	}
}
