package httpmetrics

import (
	"net/http"

	"github.com/onemeter/onemeter/telemetry/httpmetrics/internal/exchange"
)

// Handler measures the requests that next answers. It belongs directly around the http.ServeMux: the route is the Request.Pattern that
// the mux leaves in the request, and it is lost if a handler between them copies the request, as http.StripPrefix does. Other
// routers need WithRoute.
//
// The ResponseWriter that next gets is an http.Flusher, http.Hijacker, http.Pusher and io.ReaderFrom if the one outside
// is, and http.ResponseController works with it. The Handler is safe for concurrent use. If an instrument cannot be made,
// otel.Handle is told, and the requests are answered all the same.
func Handler(next http.Handler, opts ...Option) http.Handler {
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
