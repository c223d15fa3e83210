package observe

import (
	"context"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/onemeter/onemeter/telemetry"
	"github.com/onemeter/onemeter/telemetry/httpmetrics"
	"github.com/onemeter/onemeter/telemetry/httpmetrics/echometrics"
)

// unmatched stands for every path without a route.
const unmatched = "unmatched"

// response has the labels of http_requests_total.
type response struct {
	method, path string
	status       int
}

func responseAttrs(r response) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("method", r.method),
		attribute.String("path", r.path),
		attribute.String("status", strconv.Itoa(r.status)),
	}
}

// answers are the bound instruments for responses with equal labels.
type answers struct {
	count    metric.Int64Counter
	duration metric.Float64Histogram
}

func (o *Observer) answersOf(r response) answers {
	attrs := responseAttrs(r)
	return answers{telemetry.Bind(o.ins.httpRequests, attrs...), telemetry.Bind(o.ins.httpDuration, attrs...)}
}

// Echo returns middleware that counts and times every response: as http.requests and http.request.duration, and as
// http.server.* of the semantic conventions.
func (o *Observer) Echo() echo.MiddlewareFunc { return echometrics.Middleware(o.httpOptions()...) }

// Handler does the same as Echo for a net/http handler that sets the route template in Request.Pattern.
func (o *Observer) Handler(next http.Handler) http.Handler {
	return httpmetrics.Handler(next, o.httpOptions()...)
}

func (o *Observer) httpOptions() []httpmetrics.Option {
	return []httpmetrics.Option{httpmetrics.WithMeterProvider(o.tel), httpmetrics.WithResult(o.responded)}
}

func (o *Observer) responded(ctx context.Context, r httpmetrics.Result) {
	if r.Status == 0 {
		return // the connection was aborted: only http.server.* counts it
	}
	key := response{method: r.Method, path: r.Route, status: r.Status}
	if key.path == "" {
		key.path = unmatched
	}
	a := o.responses.of(key)
	a.count.Add(ctx, 1)
	if !r.Upgraded {
		a.duration.Record(ctx, r.Duration.Seconds())
	}
}

// Spans makes a span for every request and continues the client's trace, if spans are exported. The handler must set
// the route template in Request.Pattern.
func (o *Observer) Spans(next http.Handler) http.Handler {
	if o.tracing.off {
		return next
	}
	return otelhttp.NewHandler(next, "imserver", append(o.spanOptions(),
		// The span of a WebSocket would be open for hours.
		otelhttp.WithFilter(func(r *http.Request) bool { return r.URL.Path != webSocketPath }))...)
}

const webSocketPath = "/ws"

// Transport counts and times the requests of a client, as http.client.request.duration, and makes spans of them if
// spans are exported.
func (o *Observer) Transport(next http.RoundTripper) http.RoundTripper {
	next = httpmetrics.Transport(next, httpmetrics.WithMeterProvider(o.tel))
	if o.tracing.off {
		return next
	}
	return otelhttp.NewTransport(next, o.spanOptions()...)
}

func (o *Observer) spanOptions() []otelhttp.Option {
	return []otelhttp.Option{
		otelhttp.WithMeterProvider(noop.NewMeterProvider()),
		otelhttp.WithTracerProvider(o.tel.TracerProvider()),
		otelhttp.WithPropagators(o.tel.Propagator()),
	}
}
