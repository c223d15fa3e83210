package httpmetrics

import (
	"net/http"

	"github.com/onemeter/onemeter/telemetry/httpmetrics/internal/exchange"
)

// Transport measures the requests that a client sends through next, or through http.DefaultTransport if that is nil, as
// http.client.request.duration: the seconds until the header of the answer is there.
//
// The attributes are http.request.method, server.address, server.port, http.response.status_code and
// network.protocol.version. If the status is 400 or more, it is the error.type too. If there is no answer, error.type is "canceled",
// "timeout", "name_resolution_error", "connection_error", "secure_connection_error" or "_OTHER". A Transport that asks more than
// 100 servers has "_OTHER" as the address of the rest, so if strangers choose the servers, use WithFilter; make one Transport for the
// program, not one for each request. What becomes another
// protocol, as a WebSocket, is not measured.
//
// The result is safe for concurrent use, and allocates nothing for a request.
func Transport(next http.RoundTripper, opts ...Option) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	return exchange.NewClient(next, exchange.NewConfig(opts))
}
