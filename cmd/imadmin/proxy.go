package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"strings"
	"time"
)

const (
	dialTimeout   = 2 * time.Second
	headersWithin = 30 * time.Second // of an answer: logins wait for each other
)

// transport is how backends are reached: never by a proxy of the environment.
func transport() *http.Transport {
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout:    dialTimeout,
		ResponseHeaderTimeout:  headersWithin,
		IdleConnTimeout:        time.Minute,
		MaxIdleConnsPerHost:    16,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true, // it passes through as it came
	}
}

// A proxy passes requests on to backends.
type proxy struct {
	backends *backends
	reverse  *httputil.ReverseProxy
	out      http.RoundTripper
	trusted  prefixes
	maxBody  int64
	log      *slog.Logger
}

func newProxy(cfg config, b *backends, log *slog.Logger) *proxy {
	p := &proxy{backends: b, out: transport(), trusted: cfg.trusted, maxBody: cfg.maxBody, log: log}
	p.reverse = &httputil.ReverseProxy{
		Rewrite:      p.rewrite,
		Transport:    p,
		ErrorHandler: p.failed,
		ErrorLog:     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return p
}

type only struct{} // of a request's context: the one backend that may answer

// ServeHTTP passes a request on to a backend that answers.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The whole body is read first, so that another backend can have it, too.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, p.maxBody))
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		fail(w, http.StatusRequestEntityTooLarge, "the request is too large", fmt.Sprintf("%d bytes at most; --max-body of imadmin", tooLarge.Limit))
		return
	}
	if err != nil {
		fail(w, http.StatusBadRequest, "the request did not come whole", "send it again")
		return
	}
	r.Body, r.ContentLength, r.TransferEncoding = http.NoBody, int64(len(body)), nil
	if len(body) > 0 {
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		r.Body, _ = r.GetBody()
	}
	p.reverse.ServeHTTP(w, r)
}

// to passes a request on to one backend, with another path.
func (p *proxy) to(one *backend, path string, w http.ResponseWriter, r *http.Request) {
	r = r.Clone(context.WithValue(r.Context(), only{}, one))
	r.URL.Path, r.URL.RawPath = path, ""
	p.ServeHTTP(w, r)
}

// rewrite tells the backend who the client is. What a client says of itself
// counts only where it is a proxy that is trusted.
func (p *proxy) rewrite(r *httputil.ProxyRequest) {
	r.Out.Host = r.In.Host // WebSockets compare it with Origin
	r.Out.URL.Scheme, r.Out.URL.Host = "http", "backend"
	r.Out.Header.Del("X-Real-Ip")
	if from, err := netip.ParseAddrPort(r.In.RemoteAddr); err == nil && p.trusted.contain(from.Addr()) {
		r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
	}
	r.SetXForwarded() // appends
}

// RoundTrip asks one backend after the other. Another one is asked only where
// the first cannot have done what was asked for: nothing was sent, or it changes
// nothing.
func (p *proxy) RoundTrip(req *http.Request) (*http.Response, error) {
	candidates := p.backends.inOrder()
	if one, ok := req.Context().Value(only{}).(*backend); ok {
		candidates = []*backend{one}
	}
	var errs []error
	for _, one := range candidates {
		out := req.Clone(req.Context())
		out.URL.Scheme, out.URL.Host = one.url.Scheme, one.url.Host
		if req.GetBody != nil {
			body, err := req.GetBody()
			if err != nil {
				return nil, err
			}
			out.Body = body
		}
		res, err := p.out.RoundTrip(out)
		if err == nil {
			return res, nil
		}
		if req.Context().Err() != nil {
			return nil, req.Context().Err()
		}
		errs = append(errs, fmt.Errorf("%s: %w", one.name, err))
		if !unsent(err) && req.Method != http.MethodGet && req.Method != http.MethodHead {
			return nil, lost{errors.Join(errs...)}
		}
		p.backends.found(one, err)
	}
	return nil, errors.Join(errs...)
}

// lost is an answer that did not come: what was asked for may have been done.
type lost struct{ error }

// unsent tells whether nobody was there to send to.
func unsent(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

func (p *proxy) failed(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) {
		return // the client has gone
	}
	p.log.Warn("request not passed on", "method", r.Method, "path", r.URL.Path, "err", err)
	details := strings.ReplaceAll(err.Error(), "\n", "; ")
	if _, ok := errors.AsType[lost](err); ok {
		fail(w, http.StatusBadGateway, "the server went away before it answered",
			details+"; it may have been done: look before you do it again")
		return
	}
	fail(w, http.StatusServiceUnavailable, "no server answers, and nothing was done", details)
}

// fail answers in the API's envelope.
func fail(w http.ResponseWriter, status int, what, why string) {
	answer(w, status, map[string]any{"success": false, "error": what, "details": why})
}

func answer(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"success":false,"error":"internal"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n'))
}
