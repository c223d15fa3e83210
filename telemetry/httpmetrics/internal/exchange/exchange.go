package exchange

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// An Exchange is one request and its response. It is also the ResponseWriter and the request body that the handler
// gets.
type Exchange struct {
	server  *Server
	request *http.Request
	method  method
	start   time.Time
	active  metric.Int64UpDownCounter // nil once the request is no longer counted as active

	body io.ReadCloser // the original body
	read atomic.Int64  // bytes; a proxy's transport may still read after the handler has returned

	to      http.ResponseWriter
	written int64 // bytes
	status  int   // 0 until the header is written
	taken   bool  // the connection is hijacked
	gone    bool  // the client has gone away, so the error response does not count
	late    bool  // http.TimeoutHandler has answered before
}

// An uploading is an Exchange with the copy of a request that the handler gets, if the request has a body. The
// original keeps its own body: net/http checks the body's type to see whether the client still waits to send it.
type uploading struct {
	Exchange
	copied http.Request
}

// Begin starts to measure a request. It returns the Exchange and the request for the handler, whose ResponseWriter is that
// of Exchange.Writer. When the handler has returned, call Exchange.Returned, then Exchange.End.
func (s *Server) Begin(w http.ResponseWriter, r *http.Request) (*Exchange, *http.Request) {
	var x *Exchange
	inner := r
	if r.Body != nil && r.Body != http.NoBody {
		u := &uploading{copied: *r}
		x, inner = &u.Exchange, &u.copied
		x.body, inner.Body = r.Body, (*body)(x)
	} else {
		x = &Exchange{}
	}
	x.server, x.request, x.method, x.to, x.start = s, r, methodOf(r.Method), w, time.Now()
	x.active = s.activeOf(x.method, r.TLS != nil)
	x.active.Add(r.Context(), 1)
	return x, inner
}

// Returned copies what the handler left in its request to the original: net/http removes the files of a form, and
// others read the pattern.
func (x *Exchange) Returned(inner *http.Request) {
	if inner != x.request {
		x.request.Pattern, x.request.MultipartForm = inner.Pattern, inner.MultipartForm
	}
}

// Abandoned says that the handler gave up because the client went away, if it did. Then nobody reads what is written later.
func (x *Exchange) Abandoned() { x.gone = x.status == 0 && x.left() }

// body is an Exchange as the request's body.
type body Exchange

func (b *body) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	b.read.Add(int64(n))
	return n, err
}

func (b *body) Close() error { return b.body.Close() }

// leave ends counting the request as active.
func (x *Exchange) leave() {
	if x.active != nil {
		x.active.Add(x.request.Context(), -1)
		x.active = nil
	}
}

// End records the request. route is a template, or "" if there is none. reason is what the handler panicked with; End
// panics with it again.
func (x *Exchange) End(route string, reason any) {
	took := time.Since(x.start)
	x.leave()
	x.record(route, took, reason)
	if reason != nil {
		panic(reason)
	}
}

func (x *Exchange) record(route string, took time.Duration, reason any) {
	r, s := x.request, x.server
	ctx := r.Context()
	status, why := x.outcome(reason)
	if s.cfg.Route != nil {
		route = s.routeOf(r)
	}
	k := keyOf(status, x.method, protocolOf(r.ProtoMajor, r.ProtoMinor), r.TLS != nil, why)
	bound := s.bound.of(route, k)
	if !x.upgraded() {
		bound.duration.Record(ctx, took.Seconds())
		bound.requestSize.Record(ctx, x.read.Load())
		bound.responseSize.Record(ctx, x.size())
	}
	x.tell(ctx, k, bound.route, took)
}

// tell passes the result to WithResult's function.
func (x *Exchange) tell(ctx context.Context, k key, route string, took time.Duration) {
	if f := x.server.cfg.Result; f != nil {
		defer survive("WithResult")
		f(ctx, Result{
			Method: k.method().String(), Route: route, Status: k.status(), ErrorType: k.serverError(), Duration: took,
			RequestSize: x.read.Load(), ResponseSize: x.size(), Upgraded: x.upgraded(),
		})
	}
}

// outcome returns the status that was sent, or 0 for none, and the fault of the response.
func (x *Exchange) outcome(reason any) (int, fault) {
	switch err, _ := reason.(error); {
	case err != nil && errors.Is(err, http.ErrAbortHandler):
		return x.status, aborted
	case reason != nil:
		return x.status, panicked
	case x.gone:
		return 0, canceled
	case x.late:
		return 0, timeout
	case x.status != 0:
		return x.status, sound
	case x.taken:
		if x.request.Header.Get("Upgrade") != "" { // the handler answers on the connection itself
			return http.StatusSwitchingProtocols, sound
		}
		return 0, sound
	case x.left():
		return 0, canceled
	}
	return http.StatusOK, sound // net/http writes it for the handler
}

// left reports whether the client has gone away: net/http then cancels the request's context.
func (x *Exchange) left() bool { return errors.Is(x.request.Context().Err(), context.Canceled) }

// upgraded reports whether the connection serves another protocol now, which may last for hours.
func (x *Exchange) upgraded() bool { return x.taken || x.status == http.StatusSwitchingProtocols }

// size returns how many bytes of the body were sent.
func (x *Exchange) size() int64 {
	if x.request.Method == http.MethodHead { // net/http does not send the body
		return 0
	}
	return x.written
}
