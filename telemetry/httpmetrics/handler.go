package httpmetrics

import (
	"net/http"
	"strings"

	"github.com/onemeter/onemeter/telemetry/httpmetrics/internal/exchange"
)

// Handler returns a handler that measures the requests which next answers, or http.DefaultServeMux if next is nil. Put it
// directly around the http.ServeMux: the route is the path in the Request.Pattern that the mux sets. If middleware between
// them copies the request, as Request.WithContext does, the route is lost, and http.route is missing. For other routers
// see the package documentation.
//
// A request must pass only one Handler, because each one counts it. If next panics, Handler counts the request and panics
// with the same value.
//
// The ResponseWriter that next gets implements http.Flusher, http.Hijacker, http.Pusher and io.ReaderFrom if the
// original one does, and works with http.ResponseController. Put Handler outside http.TimeoutHandler, because inside it
// does not see the response that http.TimeoutHandler sends.
//
// The result is safe for concurrent use. If an instrument cannot be created, otel.Handle gets the error, and requests are
// still answered.
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

// routeOf returns the path of the pattern that http.ServeMux has set. The pattern may begin with a method and a host.
func routeOf(r *http.Request) string {
	i := strings.IndexByte(r.Pattern, '/')
	switch {
	case r.Method == http.MethodConnect && r.URL != nil && r.Pattern == r.URL.Path+"/":
		return "" // for this redirect the mux sets the path of the request instead of a pattern
	case i > 0:
		return r.Pattern[i:]
	}
	return r.Pattern
}
