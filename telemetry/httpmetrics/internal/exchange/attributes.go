package exchange

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"
)

// Other stands for every value outside a closed set, as the semantic conventions have it.
const Other = "_OTHER"

// methods are those that are told apart, by their number. The first one stands for all others. The semantic conventions have
// OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS set other ones.
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

// maxMethods bounds what the environment sets.
const maxMethods = 64

// A method is one of those that are told apart.
type method uint8

// methodOf returns the number of a method. HTTP's are in upper case; a client's request without one is a GET.
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

// protocols are the versions of HTTP that there are, by their number. The first one stands for all others.
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

// A fault is why a request has no answer, or only a part of one.
type fault uint8

const (
	sound fault = iota
	canceled
	panicked // of a server: the handler panicked
	aborted  // of a server: the handler panicked with http.ErrAbortHandler
	timeout  // the others are of a client
	unresolved
	unconnected
	insecure
	unknown
)

// faults are the values of error.type. Those of a client that could not connect are .NET's.
var faults = [...]string{
	sound: "", canceled: "canceled", panicked: "panic", aborted: "aborted", timeout: "timeout", unresolved: "name_resolution_error",
	unconnected: "connection_error", insecure: "secure_connection_error", unknown: Other,
}

// A key is what requests to one route or host are told apart by, in one word: status, method, protocol, fault and scheme.
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

// errorType is the value of error.type; "" is none. A status from the given one on is an error.
func (k key) errorType(from int) string {
	if f := k >> 1 & 0xf; f != 0 {
		return faults[f]
	}
	if k.status() >= from {
		return strconv.Itoa(k.status())
	}
	return ""
}

// answer are the attributes of what came back.
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
