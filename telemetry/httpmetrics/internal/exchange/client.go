package exchange

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/onemeter/onemeter/telemetry"
)

// maxHosts bounds the servers that a client distinguishes.
const maxHosts = 100

// A Client measures the requests of an HTTP client. It is safe for concurrent use.
type Client struct {
	cfg      Config
	next     http.RoundTripper
	duration metric.Float64Histogram
	bound    *lookup[key, metric.Float64Histogram] // by host and port
}

// NewClient returns a Client that sends through next. If the Provider refuses the instrument, the Client records nothing,
// and otel.Handle gets the error.
func NewClient(next http.RoundTripper, cfg Config) *Client {
	c := &Client{cfg: cfg, next: next}
	c.duration = made(cfg.meter().Float64Histogram("http.client.request.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of HTTP client requests."), durationBounds()))
	c.bound = newLookup(maxHosts, c.bind)
	return c
}

func (c *Client) bind(host string, k key) metric.Float64Histogram {
	attrs := append(serverOf(host, k.secure()), k.answer(k.errorType(http.StatusBadRequest))...)
	return telemetry.Bind(c.duration, append(attrs, attribute.String("http.request.method", k.method().String()))...)
}

// serverOf returns the attributes of a server.
func serverOf(host string, secure bool) []attribute.KeyValue {
	if host == Other {
		return []attribute.KeyValue{attribute.String("server.address", Other)}
	}
	u := url.URL{Host: host}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		port = 80
		if secure {
			port = 443
		}
	}
	return []attribute.KeyValue{attribute.String("server.address", u.Hostname()), attribute.Int("server.port", port)}
}

// RoundTrip implements http.RoundTripper.
func (c *Client) RoundTrip(r *http.Request) (*http.Response, error) {
	if !c.cfg.measures(r) {
		return c.next.RoundTrip(r)
	}
	start := time.Now()
	resp, err := c.next.RoundTrip(r)
	took := time.Since(start)
	var status int
	var protocol uint8
	if resp != nil {
		status, protocol = resp.StatusCode, protocolOf(resp.ProtoMajor, resp.ProtoMinor)
	}
	if r.URL != nil && status != http.StatusSwitchingProtocols {
		why := faultOf(r.Context(), resp, err)
		if why == sound && (status < 100 || status > 599) { // a server can send any number
			status, why = 0, unknown
		}
		k := keyOf(status, methodOf(r.Method), protocol, r.URL.Scheme == "https", why)
		c.bound.of(r.URL.Host, k).Record(r.Context(), took.Seconds())
	}
	return resp, err
}

// CloseIdleConnections closes the idle connections of the inner transport, for http.Client.
func (c *Client) CloseIdleConnections() {
	if t, ok := c.next.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// faultOf returns why there is no response, or sound. The context may have ended with the program's own error as its cause.
func faultOf(ctx context.Context, resp *http.Response, err error) fault {
	switch {
	case err == nil && resp == nil: // a violation of RoundTripper's contract
		return unknown
	case err == nil:
		return sound
	case context.Cause(ctx) != nil && errors.Is(err, context.Cause(ctx)):
		err = ctx.Err()
	}
	var (
		slow     net.Error
		name     *net.DNSError
		verified *tls.CertificateVerificationError
		alert    tls.AlertError
		record   tls.RecordHeaderError
		op       *net.OpError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return canceled
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		return timeout
	case errors.As(err, &name):
		return unresolved
	case errors.As(err, &verified), errors.As(err, &alert), errors.As(err, &record):
		return insecure
	case errors.As(err, &op):
		if op.Op == "remote error" || op.Op == "local error" { // a TLS alert
			return insecure
		}
		return unconnected
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return unconnected
	}
	return endOf(ctx)
}

// endOf returns how the context ended the request, if it did. It is needed where the error does not say so, as when
// http.Client.Timeout ends a request.
func endOf(ctx context.Context) fault {
	if end, ok := ctx.Deadline(); ok && !time.Now().Before(end) {
		return timeout
	}
	if ctx.Err() != nil {
		return canceled
	}
	return unknown
}
