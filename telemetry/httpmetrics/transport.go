package httpmetrics

import (
	"net/http"

	"github.com/onemeter/onemeter/telemetry/httpmetrics/internal/exchange"
)

// Transport returns a transport that measures the requests which a client sends through next, or through
// http.DefaultTransport if next is nil. Make one for the program, not one for each request. The metric is
// http.client.request.duration: the seconds until the response header arrives.
//
// The attributes are http.request.method, server.address, server.port, http.response.status_code and
// network.protocol.version. If the status is 400 or more, error.type is the status. If there is no response,
// error.type is "canceled", "timeout", "name_resolution_error", "connection_error", "secure_connection_error" or
// "_OTHER". After 100 servers, further ones have the address "_OTHER" and no port; if strangers choose the servers, use
// WithFilter. Requests that switch to another protocol, such as WebSocket, are not measured.
//
// The result returns the responses and errors of next unchanged, and is safe for concurrent use. Its CloseIdleConnections
// calls that of next, so that of http.Client works. Measuring a request allocates nothing. If the instrument cannot be
// created, otel.Handle gets the error, and requests are still sent.
func Transport(next http.RoundTripper, opts ...Option) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	return exchange.NewClient(next, exchange.NewConfig(opts))
}
