package httpmetrics

import (
	"net/http"

	"github.com/onemeter/onemeter/telemetry/httpmetrics/internal/exchange"
)

// Handler measures the requests that next answers, or http.DefaultServeMux if that is nil. It belongs directly around the
// http.ServeMux: the route is the Request.Pattern that the mux leaves in the request. Middleware between them that copies the request,
// as every one does that calls Request.WithContext, takes the route with it, and http.route is missing. For other routers see the
// package's documentation.
//
// A request must pass one Handler only: each one counts it.
//
// The ResponseWriter that next gets is an http.Flusher, http.Hijacker, http.Pusher and io.ReaderFrom if the one outside
// is, and http.ResponseController works with it. The Handler is safe for concurrent use. If an instrument cannot be made,
// otel.Handle is told, and the requests are answered all the same.
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
	x := h.server.Begin(w, r)
	defer func() { x.End(r.Pattern, recover()) }()
	h.next.ServeHTTP(x.Writer(), r)
}
