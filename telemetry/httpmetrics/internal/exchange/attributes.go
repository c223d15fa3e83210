package exchange

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"
)

// Other stands for every value outside a closed set, as OpenTelemetry's semantic conventions define.
const Other = "_OTHER"

// methods has the known methods, by their number. The first one stands for all others.
// OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS replaces the list, as the semantic conventions define.
var methods = sync.OnceValue(func() []string {
	out := []string{
		Other, http.MethodGet, http.MethodPost, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace, "QUERY",
	}
	given := strings.Split(os.Getenv("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS"), ",")
	own := []string{Other}
	for _, m := range given[:min(len(given), maxMethods)] {
		if m = strings.TrimSpace(m); m != "" {
			own = append(own, m)
		}
	}
	if len(own) > 1 {
		return own
	}
	return out
})

// maxMethods bounds the methods that the environment sets.
const maxMethods = 64

// A method is the number of a known method.
type method uint8

// methodOf returns the number of a method. Methods are case-sensitive. A client's request without a method is a GET.
func methodOf(name string) method {
	if name == "" {
		name = http.MethodGet
	}
	for i, m := range methods() {
		if m == name {
			return method(i)
		}
	}
	return 0
}

func (m method) String() string { return methods()[m] }

// protocols has the versions of HTTP, by their number. The first one stands for all others.
var protocols = [...]string{"", "1.0", "1.1", "2", "3"}

func protocolOf(major, minor int) uint8 {
	switch {
	case major == 1 && minor > 0: // 1.2 to 1.9 are answered as 1.1
		return 2
	case major == 1:
		return 1
	case major == 2 || major == 3:
		return uint8(major) + 1
	}
	return 0
}

// A fault is the reason why a request has no response, or an incomplete one.
type fault uint8

const (
	sound fault = iota
	canceled
	panicked // server: the handler panicked
	aborted  // server: the handler panicked with http.ErrAbortHandler
	timeout  // of a client; of a server only inside http.TimeoutHandler. The following are a client's
	unresolved
	unconnected
	insecure
	unknown
)

// faults has the values of error.type. Those for failed connections are the ones that .NET uses.
var faults = [...]string{
	sound: "", canceled: "canceled", panicked: "panic", aborted: "aborted", timeout: "timeout", unresolved: "name_resolution_error",
	unconnected: "connection_error", insecure: "secure_connection_error", unknown: Other,
}

// A key has everything that distinguishes requests of one route or host, in one word: status, method, protocol, fault
// and scheme.
type key uint32

func keyOf(status int, m method, protocol uint8, secure bool, f fault) key {
	k := key(status)<<16 | key(m)<<8 | key(protocol)<<5 | key(f)<<1
	if secure {
		k |= 1
	}
	return k
}

func (k key) status() int    { return int(k >> 16) }
func (k key) method() method { return method(k >> 8 & 0xff) }
func (k key) secure() bool   { return k&1 != 0 }

// errorType returns the value of error.type, or "". A status that is equal to from or higher is an error.
func (k key) errorType(from int) string {
	if f := k >> 1 & 0xf; f != 0 {
		return faults[f]
	}
	if k.status() >= from {
		return strconv.Itoa(k.status())
	}
	return ""
}

// answer returns the attributes of the response: status, protocol and error.
func (k key) answer(errorType string) (attrs []attribute.KeyValue) {
	if k.status() > 0 {
		attrs = append(attrs, attribute.Int("http.response.status_code", k.status()))
	}
	if version := protocols[k>>5&0x7]; version != "" {
		attrs = append(attrs, attribute.String("network.protocol.version", version))
	}
	if errorType != "" {
		attrs = append(attrs, attribute.String("error.type", errorType))
	}
	return attrs
}
