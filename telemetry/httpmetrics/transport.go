package httpmetrics

import (
	"net/http"

	"github.com/onemeter/onemeter/telemetry/httpmetrics/internal/exchange"
)

// Transport measures the requests that a client sends through next, or through http.DefaultTransport if next is nil.
// The metric is http.client.request.duration: the seconds until the response header arrives.
//
// The attributes are http.request.method, server.address, server.port, http.response.status_code and
// network.protocol.version. If the status is 400 or more, error.type is the status. If there is no response,
// error.type is "canceled", "timeout", "name_resolution_error", "connection_error", "secure_connection_error" or
// "_OTHER". After 100 servers, further ones have the address "_OTHER"; if strangers choose the servers, use
// WithFilter. Make one Transport for the program, not one for each request. Requests that switch to another protocol,
// such as WebSocket, are not measured.
//
// The result is safe for concurrent use. Measuring a request allocates nothing.
func Transport(next http.RoundTripper, opts ...Option) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	return exchange.NewClient(next, exchange.NewConfig(opts))
}
