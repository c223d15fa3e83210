package httpmetrics

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/onemeter/onemeter/telemetry/httpmetrics/internal/exchange"
)

// An Option changes what [Handler], [Transport] or echometrics.Middleware does. If an option is given twice, the last one
// applies. A nil Option is ignored.
//
// If a function that an option sets panics, otel.Handle gets an error, and the request is still answered, or sent.
type Option func(*exchange.Config)

// WithMeterProvider sets the MeterProvider of the instruments. By default, and if p is nil, telemetry.Meter creates them, so
// a Handler may be created before telemetry.Setup.
func WithMeterProvider(p metric.MeterProvider) Option {
	return func(c *exchange.Config) { c.Provider = p }
}

// WithFilter measures only requests for which f returns true, for example to leave out health checks. f is called
// before the request is answered, or sent. It must be safe for concurrent use. If it panics, the request is measured. By
// default, and if f is nil, all requests are measured.
func WithFilter(f func(*http.Request) bool) Option {
	return func(c *exchange.Config) { c.Filter = f }
}

// WithRoute sets a function that returns the route of a request, for a router that does not set Request.Pattern. f is
// called after the handler has returned, with the request that the Handler got. It must return a template such as
// "/items/{id}", never the path itself; "" means no route, as a panic does. f must be safe for concurrent use. A Transport
// ignores this option.
func WithRoute(f func(*http.Request) string) Option {
	return func(c *exchange.Config) { c.Route = f }
}

// WithResult calls f at the end of each measured request, including those that were upgraded to another protocol. Use it
// for your own metrics, with attributes that clients cannot choose. f gets the request's context. It must be safe for
// concurrent use. It runs before net/http sends a small response, so a slow f delays the response. A Transport
// ignores this option.
func WithResult(f func(context.Context, Result)) Option {
	return func(c *exchange.Config) {
		if c.Result = nil; f == nil {
			return
		}
		c.Result = func(ctx context.Context, r exchange.Result) { f(ctx, Result(r)) }
	}
}

// A Result is the outcome of a server's request, for [WithResult].
type Result struct {
	Method       string        // a known method, or "_OTHER"
	Route        string        // the template; "" if no route matched, "_OTHER" beyond 1000 routes
	Status       int           // the status that was sent; 0 if none was
	ErrorType    string        // "panic", "aborted", "canceled", "timeout", or the status if it is 500 or more; else ""
	Duration     time.Duration // until the handler returned
	RequestSize  int64         // bytes of the request's body that the handler read
	ResponseSize int64         // bytes of the response's body that were sent; 0 for HEAD
	Upgraded     bool          // whether another protocol took over, for example a WebSocket: Duration is not a latency
}
