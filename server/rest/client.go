package rest

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// proxies are the networks of trusted proxies.
type proxies []netip.Prefix

func (p proxies) trust(a netip.Addr) bool {
	return slices.ContainsFunc(p, func(n netip.Prefix) bool { return n.Contains(a) })
}

// client returns the address of the client: that of the connection or, if this is a trusted proxy, the one that the
// proxy names. If it names none, client returns the address of the proxy.
func (p proxies) client(r *http.Request) netip.Addr {
	client, _ := parseAddr(r.RemoteAddr)
	if !p.trust(client) {
		return client
	}
	// Each proxy appends the address of its peer. Addresses to the left of the last untrusted one may be forged by it.
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

// hops returns the addresses that proxies have added to a request, in that order: from X-Forwarded-For, or else
// Forwarded (RFC 7239), or else X-Real-IP.
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

// forwardedFor returns the value of "for" in an element of Forwarded: "192.0.2.43:47011" of
// for="192.0.2.43:47011";proto=https.
func forwardedFor(element string) string {
	for pair := range strings.SplitSeq(element, ";") {
		name, node, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if strings.EqualFold(name, "for") {
			return strings.Trim(node, `"`)
		}
	}
	return ""
}

// parseAddr parses an address with or without a port, and with or without brackets.
func parseAddr(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if host, _, err := net.SplitHostPort(s); err == nil {
		s = host
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	return addr.Unmap().WithZone(""), err == nil // no prefix contains an address with a zone
}

// addrOf returns the client's address, or the zero Addr if it has none.
func addrOf(c echo.Context) netip.Addr {
	addr, _ := netip.ParseAddr(c.RealIP())
	return addr
}

// countedAddr is addrOf for limits by address. If a proxy does not name its clients, all of them share one limit: then
// it warns the operator, once.
func (s *Server) countedAddr(c echo.Context) netip.Addr {
	addr := addrOf(c)
	if s.proxies.trust(addr) {
		s.unnamed.Do(func() {
			s.cfg.Log.Warn("a trusted proxy does not name its clients, so all of them share one limit for logins and registrations: "+
				"make it set X-Forwarded-For, and list only proxies in --trusted-proxies", "proxy", addr)
		})
	}
	return addr
}

// direct reports whether the connection probably comes from the client, and not from a proxy: its address is not that
// of a trusted proxy, and the request shows no sign of another one.
//
// The only sign of nginx with nothing but proxy_pass is that it closes the connection after each answer.
func (s *Server) direct(r *http.Request) bool {
	conn, _ := parseAddr(r.RemoteAddr)
	return !s.proxies.trust(conn) && !r.Close && !hasProxyHeader(r.Header)
}

// hasProxyHeader reports whether a proxy has added a header.
func hasProxyHeader(h http.Header) bool {
	for name := range h {
		if name == "Forwarded" || name == "Via" || name == "X-Real-Ip" || strings.HasPrefix(name, "X-Forwarded-") {
			return true
		}
	}
	return false
}

// local refuses clients that are not on this machine.
func (s *Server) local(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !s.direct(c.Request()) || !addrOf(c).IsLoopback() || !localHost(c.Request().Host) {
			return errNotLocal
		}
		return next(c)
	}
}

// localHost reports whether a Host header names this machine. It protects from DNS rebinding, where a page on another
// host has a name that resolves to this machine.
func localHost(host string) bool {
	if addr, ok := parseAddr(host); ok {
		return addr.IsLoopback()
	}
	name, _, _ := strings.Cut(host, ":")
	return strings.EqualFold(name, "localhost")
}
