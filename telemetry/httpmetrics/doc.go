// Package httpmetrics measures HTTP servers and clients of package net/http, following OpenTelemetry's semantic
// conventions.
//
// [Handler] measures a server, and [Transport] a client:
//
//	mux := http.NewServeMux()
//	mux.HandleFunc("GET /items/{id}", item)
//	http.ListenAndServe(":8080", httpmetrics.Handler(mux))
//
// For echo there is package echometrics. A server has these metrics, all with the attributes http.request.method and
// url.scheme:
//
//	http.server.request.duration    seconds until the handler returned
//	http.server.request.body.size   bytes of the request's body that the handler read
//	http.server.response.body.size  bytes of the response's body that were sent
//	http.server.active_requests     requests that are being answered now
//
// The first three also have http.route, http.response.status_code, network.protocol.version and, after an error,
// error.type. On /metrics they are http_server_request_duration_seconds and so on. Their names, units and attributes are
// those of https://opentelemetry.io/docs/specs/semconv/http/http-metrics, as are the boundaries of the duration; the
// boundaries of the sizes, 0 to 64 MiB, are ours.
//
// # What clients cannot do
//
// Every attribute comes from a closed set, so clients cannot create series. A method that HTTP does not define is
// "_OTHER". A request that matches no route has no http.route. The Host header, the path and the user agent are in no
// attribute. After 1000 routes, further ones are "_OTHER"; only a program that uses raw paths as routes has that many.
// OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS="GET,POST" sets the methods to distinguish, at most 64.
//
// # Which requests are counted, and how
//
//   - A stream is counted when its handler returns, and is active until then.
//   - A connection that is hijacked, for example for a WebSocket, is in no histogram and no longer active. Count it with
//     WithResult.
//   - If the handler panics, error.type is "panic", or "aborted" if it panics with http.ErrAbortHandler, and the
//     panic goes on. The status is the one that the handler sent, if any.
//   - If the handler wrote nothing and the request's context is canceled, the client went away: error.type is
//     "canceled", and there is no status.
//   - For a Handler inside http.TimeoutHandler, a response that comes too late has the error.type "timeout" and no status.
//   - If the status is 500 or more, error.type is the status.
//   - A scrape of /metrics is a request too, and active while it reads the page. WithFilter leaves it out.
//
// # Other routers
//
// chi sets Request.Pattern in the request that its middleware gets:
//
//	r := chi.NewRouter()
//	r.Use(func(next http.Handler) http.Handler { return httpmetrics.Handler(next) })
//
// gorilla/mux does not, so WithRoute is needed. Requests that match no route are not counted, because gorilla/mux does not
// call its middleware for them:
//
//	r := mux.NewRouter()
//	r.Use(func(next http.Handler) http.Handler {
//		return httpmetrics.Handler(next, httpmetrics.WithRoute(func(r *http.Request) string {
//			route, _ := mux.CurrentRoute(r).GetPathTemplate()
//			return route
//		}))
//	})
//
// # Fewer series
//
// Two thirds of the lines on /metrics are sizes of bodies. A view drops them:
//
//	telemetry.Setup(ctx, telemetry.WithView(sdkmetric.NewView(
//		sdkmetric.Instrument{Name: "http.server.*.body.size"},
//		sdkmetric.Stream{Aggregation: sdkmetric.AggregationDrop{}},
//	)))
//
// # Cost
//
// Measuring a server's request costs one allocation and about 0.4 µs, because the attributes of each route and status are
// looked up once.
//
// # Beside otelhttp
//
// For spans, put otelhttp outside and turn its metrics off, so that nothing is counted twice. Measurements within a
// sampled span then carry its trace id as an exemplar.
//
//	off := otelhttp.WithMeterProvider(noop.NewMeterProvider()) // go.opentelemetry.io/otel/metric/noop
//	otelhttp.NewHandler(httpmetrics.Handler(mux), "", off)
//	otelhttp.NewTransport(httpmetrics.Transport(nil), off)
//
// To keep otelhttp's metrics instead: their attribute http.route is the Request.Pattern of a ServeMux directly
// inside; with another router, set Request.Pattern in your own middleware. Their attributes server.address and
// server.port come from the Host header, so clients can create series. A view removes them:
//
//	telemetry.Setup(ctx, telemetry.WithView(sdkmetric.NewView(
//		sdkmetric.Instrument{Name: "http.server.*"},
//		sdkmetric.Stream{AttributeFilter: attribute.NewDenyKeysFilter("server.address", "server.port")},
//	)))
package httpmetrics
