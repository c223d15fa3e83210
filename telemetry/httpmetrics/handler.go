package httpmetrics

import (
	"net/http"
	"strings"

	"github.com/onemeter/onemeter/telemetry/httpmetrics/internal/exchange"
)

// Handler measures the requests that next answers, or http.DefaultServeMux if that is nil. It belongs directly around the
// http.ServeMux: the route is the Request.Pattern that the mux leaves in the request. Middleware between them that copies the request,
// as every one does that calls Request.WithContext, takes the route with it, and http.route is missing. For other routers see the
// package's documentation.
//
// A request must pass one Handler only: each one counts it.
//
// The ResponseWriter that next gets is an http.Flusher, http.Hijacker, http.Pusher and io.ReaderFrom if the one outside, of net/http,
// is, and http.ResponseController works with it. Put Handler outside http.TimeoutHandler, whose answer it would not see.
//
// Handler is safe for concurrent use. If an instrument cannot be made, otel.Handle gets the error, and requests are answered all
// the same.
func Handler(next http.Handler, opts ...Option) http.Handler {
	if next == nil {
		next = http.DefaultServeMux
	}
	return &handler{next, exchange.NewServer(exchange.NewConfig(opts))}
}

type handler struct {
	next   http.Handler
	server *exchange.Server
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.server.Measures(r) {
		h.next.ServeHTTP(w, r)
		return
	}
	x, inner := h.server.Begin(w, r)
	defer func() {
		x.Returned(inner)
		x.End(routeOf(r), recover())
	}()
	h.next.ServeHTTP(x.Writer(), inner)
}

// routeOf returns the path of the pattern that http.ServeMux has left, which may begin with a method and a host.
func routeOf(r *http.Request) string {
	i := strings.IndexByte(r.Pattern, '/')
	switch {
	case r.Method == http.MethodConnect && r.URL != nil && r.Pattern == r.URL.Path+"/":
		return "" // a redirect, for which the mux leaves the path itself
	case i > 0:
		return r.Pattern[i:]
	}
	return r.Pattern
}
