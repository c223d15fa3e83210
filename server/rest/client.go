package rest

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// proxies are the networks of proxies that tell the truth about their clients.
type proxies []netip.Prefix

func (p proxies) trust(a netip.Addr) bool {
	return slices.ContainsFunc(p, func(n netip.Prefix) bool { return n.Contains(a) })
}

// client tells who asks: the connection's other end or, if that is a trusted
// proxy, whom the proxy names. If it names nobody, it is the proxy itself.
func (p proxies) client(r *http.Request) netip.Addr {
	client, _ := parseAddr(r.RemoteAddr)
	if !p.trust(client) {
		return client
	}
	// Each proxy adds the address that it was called from at the end. What is
	// left of the last stranger, the stranger may have made up.
	for _, hop := range slices.Backward(hops(r.Header)) {
		addr, ok := parseAddr(hop)
		if !ok {
			break
		}
		if client = addr; !p.trust(addr) {
			break
		}
	}
	return client
}

// clientIP is proxies.client for echo.
func clientIP(trusted proxies) echo.IPExtractor {
	return func(r *http.Request) string {
		if a := trusted.client(r); a.IsValid() {
			return a.String()
		}
		return ""
	}
}

// hops lists the addresses that proxies have written into a request, the last
// one at the end: as X-Forwarded-For has them, or else Forwarded (RFC 7239), or
// else X-Real-IP.
func hops(h http.Header) []string {
	if list := h.Values(echo.HeaderXForwardedFor); len(list) > 0 {
		return strings.Split(strings.Join(list, ","), ",")
	}
	if list := h.Values("Forwarded"); len(list) > 0 {
		elements := strings.Split(strings.Join(list, ","), ",")
		for i, element := range elements {
			elements[i] = forwardedFor(element)
		}
		return elements
	}
	return h.Values(echo.HeaderXRealIP)
}

// forwardedFor returns the node that an element of Forwarded is for:
// "192.0.2.43:47011" of for="192.0.2.43:47011";proto=https.
func forwardedFor(element string) string {
	for pair := range strings.SplitSeq(element, ";") {
		name, node, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if strings.EqualFold(name, "for") {
			return strings.Trim(node, `"`)
		}
	}
	return ""
}

// parseAddr reads an address as proxies write it: with a port or without, in
// brackets or not.
func parseAddr(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if host, _, err := net.SplitHostPort(s); err == nil {
		s = host
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	return addr.Unmap().WithZone(""), err == nil // no network holds an address with a zone
}

// addrOf returns the client's address; the zero Addr where it has none.
func addrOf(c echo.Context) netip.Addr {
	addr, _ := netip.ParseAddr(c.RealIP())
	return addr
}

// countedAddr is addrOf for limits by address. All clients that proxies do not
// name count as one, which the operator has to know.
func (s *Server) countedAddr(c echo.Context) netip.Addr {
	addr := addrOf(c)
	if s.proxies.trust(addr) {
		s.unnamed.Do(func() {
			s.cfg.Log.Warn("a trusted proxy does not name its clients: they share one limit of logins and registrations. "+
				"Have it set X-Forwarded-For, and list only proxies in --trusted-proxies", "proxy", addr)
		})
	}
	return addr
}

// direct tells whether the client is at the other end of the connection, as far
// as that can be known: the address of a trusted proxy, and of whatever leaves
// the marks of a proxy, says nothing of the client.
//
// nginx with proxy_pass alone leaves one mark: the connection is closed after
// each answer.
func (s *Server) direct(r *http.Request) bool {
	conn, _ := parseAddr(r.RemoteAddr)
	return !s.proxies.trust(conn) && !r.Close && !marked(r.Header)
}

// marked tells whether a proxy wrote into the headers.
func marked(h http.Header) bool {
	for name := range h {
		if name == "Forwarded" || name == "Via" || name == "X-Real-Ip" || strings.HasPrefix(name, "X-Forwarded-") {
			return true
		}
	}
	return false
}

// local answers clients on this machine only.
func (s *Server) local(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !s.direct(c.Request()) || !addrOf(c).IsLoopback() || !localHost(c.Request().Host) {
			return errNotLocal
		}
		return next(c)
	}
}

// localHost tells whether a Host header names this machine: a page elsewhere
// whose name was made to point here (DNS rebinding) does not.
func localHost(host string) bool {
	if addr, ok := parseAddr(host); ok {
		return addr.IsLoopback()
	}
	name, _, _ := strings.Cut(host, ":")
	return strings.EqualFold(name, "localhost")
}
