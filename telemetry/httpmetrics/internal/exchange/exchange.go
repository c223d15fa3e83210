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

// An Exchange is one request and its answer. It is the ResponseWriter and the request's body that the handler gets.
type Exchange struct {
	server  *Server
	request *http.Request
	method  method
	start   time.Time
	active  metric.Int64UpDownCounter // nil once the request is no longer counted as active

	body io.ReadCloser // what the request came with
	read atomic.Int64  // bytes; a transport may still read when the handler has returned

	to      http.ResponseWriter
	written int64 // bytes
	status  int   // 0 until the header is written
	taken   bool  // the connection is hijacked
	gone    bool  // the client went away, and the error that is written for it does not count
	late    bool  // http.TimeoutHandler has answered
}

// An uploading is an Exchange whose request has a body, with the request that the handler gets. The one of net/http keeps its own
// body: net/http looks at its type to see whether the client still waits to send it.
type uploading struct {
	Exchange
	copied http.Request
}

// Begin starts to measure a request. It returns the request for the handler, whose ResponseWriter is Writer. End must follow.
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

// Returned hands on what the handler left in its request: net/http removes the files of a form, and others look for the pattern.
func (x *Exchange) Returned(inner *http.Request) {
	if inner != x.request {
		x.request.Pattern, x.request.MultipartForm = inner.Pattern, inner.MultipartForm
	}
}

// Abandoned tells that the handler gave up since the client went away. What is written then, nobody reads.
func (x *Exchange) Abandoned() { x.gone = x.status == 0 && x.left() }

// body is the request's body of an Exchange.
type body Exchange

func (b *body) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	b.read.Add(int64(n))
	return n, err
}

func (b *body) Close() error { return b.body.Close() }

// leave ends the time in which the request is active.
func (x *Exchange) leave() {
	if x.active != nil {
		x.active.Add(x.request.Context(), -1)
		x.active = nil
	}
}

// End records the request. The route is a template, or "" if there is none; reason is what the handler panicked with, and
// End panics with it again.
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

// tell passes the result on to whoever asked for it.
func (x *Exchange) tell(ctx context.Context, k key, route string, took time.Duration) {
	if f := x.server.cfg.Result; f != nil {
		defer survive("WithResult")
		f(ctx, Result{
			Method: k.method().String(), Route: route, Status: k.status(), ErrorType: k.serverError(), Duration: took,
			RequestSize: x.read.Load(), ResponseSize: x.size(), Upgraded: x.upgraded(),
		})
	}
}

// outcome returns the status that the client was sent, 0 for none, and what is wrong with the answer.
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
		if x.request.Header.Get("Upgrade") != "" { // the handler has answered on the connection itself
			return http.StatusSwitchingProtocols, sound
		}
		return 0, sound
	case x.left():
		return 0, canceled
	}
	return http.StatusOK, sound // net/http writes it for the handler
}

// left tells whether the client has gone away: net/http then cancels the request's context.
func (x *Exchange) left() bool { return errors.Is(x.request.Context().Err(), context.Canceled) }

// upgraded tells whether the connection serves another protocol now, which may take hours.
func (x *Exchange) upgraded() bool { return x.taken || x.status == http.StatusSwitchingProtocols }

// size is how much of a body the client was sent.
func (x *Exchange) size() int64 {
	if x.request.Method == http.MethodHead { // net/http leaves it out
		return 0
	}
	return x.written
}
