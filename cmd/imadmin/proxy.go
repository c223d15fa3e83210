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
	headersWithin = 30 * time.Second // for the header of an answer; logins queue, because hashing passwords is slow
)

// transport returns the HTTP transport for backends. It ignores the proxy
// variables of the environment.
func transport() *http.Transport {
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout:    dialTimeout,
		ResponseHeaderTimeout:  headersWithin,
		IdleConnTimeout:        time.Minute,
		MaxIdleConnsPerHost:    16,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true, // so that the backend's encoding is forwarded unchanged
	}
}

// A proxy forwards requests to backends. It is safe for concurrent use.
type proxy struct {
	backends *backends
	insiders *insiders
	reverse  *httputil.ReverseProxy
	out      http.RoundTripper
	trusted  prefixes
	maxBody  int64
	log      *slog.Logger
}

func newProxy(cfg config, b *backends, log *slog.Logger) *proxy {
	p := &proxy{backends: b, out: transport(), trusted: cfg.trusted, maxBody: cfg.maxBody, log: log}
	p.insiders = &insiders{proxy: p}
	p.reverse = &httputil.ReverseProxy{
		Rewrite:      p.rewrite,
		Transport:    p,
		ErrorHandler: p.failed,
		ErrorLog:     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return p
}

// only is the context key of the one backend that may answer a request. If it is not
// set or nil, any backend may.
type only struct{}

// asked is the context key of the client's request. The method failed needs it, because
// the request that ReverseProxy passes to it has the headers of rewrite.
type asked struct{}

// ServeHTTP forwards a request to the first backend that answers.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Read the whole body first, so that it can be sent again to another backend.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, p.maxBody))
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		fail(w, http.StatusRequestEntityTooLarge, "the request is too large", fmt.Sprintf("at most %d bytes are allowed; imadmin's --max-body sets the limit", tooLarge.Limit))
		return
	}
	if err != nil {
		fail(w, http.StatusBadRequest, "the request is incomplete", "send it again")
		return
	}
	r.Body, r.ContentLength, r.TransferEncoding = http.NoBody, int64(len(body)), nil
	if len(body) > 0 {
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		r.Body, _ = r.GetBody()
	}
	p.reverse.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), asked{}, r)))
}

// to forwards a request to one backend, with another path.
func (p *proxy) to(one *backend, path string, w http.ResponseWriter, r *http.Request) {
	r = r.Clone(context.WithValue(r.Context(), only{}, one))
	r.URL.Path, r.URL.RawPath = path, ""
	p.ServeHTTP(w, r)
}

// rewrite sets the headers that name the client. It keeps the client's own
// X-Forwarded-For only if the client is a trusted proxy.
func (p *proxy) rewrite(r *httputil.ProxyRequest) {
	r.Out.Host = r.In.Host
	r.Out.URL.Scheme, r.Out.URL.Host = "http", "backend"
	r.Out.Header.Del("X-Real-Ip")
	if from, err := netip.ParseAddrPort(r.In.RemoteAddr); err == nil && p.trusted.contain(from.Addr()) {
		r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
	}
	r.SetXForwarded() // appends the client to X-Forwarded-For
}

// RoundTrip sends a request to one backend after the other, until one answers. It
// tries the next one only if the one before cannot have acted on the request: nothing
// was sent, or the method is GET or HEAD.
func (p *proxy) RoundTrip(req *http.Request) (*http.Response, error) {
	candidates := p.backends.inOrder()
	if one, ok := req.Context().Value(only{}).(*backend); ok && one != nil {
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

// lost means that a backend got the request but did not answer: it may have acted
// on it.
type lost struct{ error }

// unsent reports whether the connection failed, so that nothing was sent.
func unsent(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// failed answers a request that could not be forwarded, for ReverseProxy.
func (p *proxy) failed(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) {
		return // the client has gone
	}
	p.log.Warn("could not forward a request", "method", r.Method, "path", r.URL.Path, "err", err)
	details := "imadmin's log says why"
	if in, ok := r.Context().Value(asked{}).(*http.Request); ok && p.insiders.knowAlready(in) {
		details = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	if _, ok := errors.AsType[lost](err); ok {
		fail(w, http.StatusBadGateway, "the server went away before it answered",
			details+"; it may have acted on the request: check that before you repeat it")
		return
	}
	fail(w, http.StatusServiceUnavailable, "no server answers, and nothing was done", details)
}

// fail answers with an error in the API's envelope.
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
