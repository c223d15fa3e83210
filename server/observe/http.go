package observe

import (
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// What stands for everything that a client makes up: a path that is no route,
// a method that HTTP does not know.
const (
	unmatched   = "unmatched"
	otherMethod = "_OTHER" // as the semantic conventions of OpenTelemetry have it
)

// response is what http_requests_total tells responses apart by.
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

// HTTP wraps the server's handler: it counts and times every response, and
// puts otelhttp (spans and http.server.*) around it. The handler leaves the
// route template in Request.Pattern; a request that it does not match has none.
func (o *Observer) HTTP(next http.Handler) http.Handler {
	counted := o.countResponses(next)
	return otelhttp.NewHandler(counted, "imserver",
		otelhttp.WithMeterProvider(o.tel),
		otelhttp.WithTracerProvider(o.tel.TracerProvider()),
		otelhttp.WithPropagators(o.tel.Propagator()),
		// A WebSocket is in no latency histogram.
		otelhttp.WithFilter(func(r *http.Request) bool { return r.URL.Path != webSocketPath }),
	)
}

const webSocketPath = "/ws"

func (o *Observer) countResponses(next http.Handler) http.Handler {
	table := newLabelTable(responseAttrs)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		watched := statusWriter{ResponseWriter: w}
		defer func() { // also where the handler breaks the connection off
			key := response{method: knownMethod(r.Method), path: r.Pattern, status: watched.status}
			if key.path == "" {
				key.path = unmatched
			}
			if key.status == 0 {
				key.status = http.StatusOK // nothing was written: net/http does it for the handler
			}
			l := table.of(key)
			o.ins.httpRequests.Add(r.Context(), 1, l.add...)
			if key.status != http.StatusSwitchingProtocols {
				o.ins.httpDuration.Record(r.Context(), time.Since(start).Seconds(), l.record...)
			}
		}()
		next.ServeHTTP(&watched, r)
	})
}

// A statusWriter remembers the status of the answer: the first that is not
// merely informational. What else the writer can do, http.ResponseController
// finds through Unwrap.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return m
	}
	return otherMethod
}

// Transport puts otelhttp around the transport of a client: spans, and
// http.client.*.
func (o *Observer) Transport(next http.RoundTripper) http.RoundTripper {
	return otelhttp.NewTransport(next, otelhttp.WithMeterProvider(o.tel),
		otelhttp.WithTracerProvider(o.tel.TracerProvider()), otelhttp.WithPropagators(o.tel.Propagator()))
}

// httpServerKeys are the attributes that http.server.* keep. The conventions
// add server.address and server.port, which come from the Host header, so from
// whoever asks; protocol and scheme are the same for nearly every request.
var httpServerKeys = []attribute.Key{
	"http.request.method", "http.response.status_code", "http.route", "error.type",
}

// Views are what a Provider needs so that nothing a client makes up becomes a
// series.
func Views() []sdkmetric.View {
	return []sdkmetric.View{sdkmetric.NewView(
		sdkmetric.Instrument{Name: "http.server.*"},
		sdkmetric.Stream{AttributeFilter: attribute.NewAllowKeysFilter(httpServerKeys...)},
	)}
}
