package httpmetrics

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/onemeter/onemeter/telemetry/httpmetrics/internal/exchange"
)

// An Option changes what Handler, Transport or echometrics.Middleware does. Of an option that is given twice, the last one counts.
type Option func(*exchange.Config)

// WithMeterProvider sets who makes the instruments. The default is the process's default Provider, as telemetry.Meter has it;
// so a Handler may be made before telemetry.Setup.
func WithMeterProvider(p metric.MeterProvider) Option {
	return func(c *exchange.Config) { c.Provider = p }
}

// WithFilter measures only the requests for which f returns true, for example no health checks. f is called before the
// request is answered, or sent, and at the same time for several requests.
func WithFilter(f func(*http.Request) bool) Option {
	return func(c *exchange.Config) { c.Filter = f }
}

// WithRoute sets how the route of a request is found, for a router that does not set Request.Pattern. f is called once the
// handler has returned, with the request that the Handler was given. It must return a template such as "/items/{id}", and
// never the path itself; "" is no route. A Transport ignores it.
func WithRoute(f func(*http.Request) string) Option {
	return func(c *exchange.Config) { c.Route = f }
}

// WithResult calls f at the end of each request that is measured, and of each that was upgraded to another protocol: for metrics of
// one's own, with attributes that no client can make up. The context is that of the request. f is called at the same time
// for
// several requests, and before net/http sends a small answer, which a slow f delays. A Transport ignores it.
func WithResult(f func(context.Context, Result)) Option {
	return func(c *exchange.Config) {
		if c.Result = nil; f == nil {
			return
		}
		c.Result = func(ctx context.Context, r exchange.Result) { f(ctx, Result(r)) }
	}
}

// A Result is what became of a request.
type Result struct {
	Method       string        // one of HTTP's, or "_OTHER"
	Route        string        // the template; "" if none matched
	Status       int           // that the handler set; 0 if it set none
	ErrorType    string        // "panic", "aborted", "canceled", "timeout", or the status if it is 500 or more; else ""
	Duration     time.Duration // until the handler returned
	RequestSize  int64         // bytes of the body that the handler read
	ResponseSize int64         // bytes of the body that was written
	Upgraded     bool          // the connection was hijacked, as for a WebSocket: the duration is no latency
}
