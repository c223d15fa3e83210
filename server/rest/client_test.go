package rest_test

import (
	"fmt"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/limit/memlimit"
	"github.com/onemeter/onemeter/server/rest"
)

// TestAProxyNamesItsClients tests the forms in which proxies write an address. 127.0.0.1 and 10.0.0.0/8 are trusted.
func TestAProxyNamesItsClients(t *testing.T) {
	trusted := append([]netip.Prefix{netip.MustParsePrefix("10.0.0.7/8"), netip.MustParsePrefix("fe80::/10")}, loopback...)
	for _, c := range []struct{ conn, header, want string }{
		{"203.0.113.9:4711", "", "203.0.113.9"},
		{"203.0.113.9:4711", "X-Forwarded-For: 192.0.2.99", "203.0.113.9"}, // an untrusted proxy
		{"[::ffff:203.0.113.9]:4711", "", "203.0.113.9"},
		{"10.1.2.3:80", "X-Forwarded-For: 192.0.2.99", "192.0.2.99"},
		{"10.1.2.3:80", "X-Forwarded-For: 192.0.2.99:51", "192.0.2.99"},
		{"10.1.2.3:80", "X-Forwarded-For: [2001:db8::1]:5", "2001:db8::1"},
		{"10.1.2.3:80", "X-Forwarded-For: [2001:db8::1]", "2001:db8::1"},
		{"10.1.2.3:80", "X-Forwarded-For: 2001:db8::1", "2001:db8::1"},
		{"10.1.2.3:80", "X-Forwarded-For: ::ffff:192.0.2.99", "192.0.2.99"},
		{"[::ffff:10.1.2.3]:80", "X-Forwarded-For: 192.0.2.99", "192.0.2.99"},
		{"[fe80::1%eth0]:80", "X-Forwarded-For: 192.0.2.99", "192.0.2.99"},
		{"127.0.0.1:80", "X-Forwarded-For: 198.51.100.1, 192.0.2.99:51, 10.0.0.1:80", "192.0.2.99"},
		{"127.0.0.1:80", "X-Forwarded-For: 198.51.100.1\nX-Forwarded-For: 192.0.2.99", "192.0.2.99"},
		{"127.0.0.1:80", "X-Forwarded-For: 10.0.0.1, 10.0.0.2", "10.0.0.1"}, // the client is in a trusted network
		{"127.0.0.1:80", "X-Forwarded-For: 127.0.0.1", "127.0.0.1"},
		{"127.0.0.1:80", "X-Forwarded-For: garbage, 192.0.2.99", "192.0.2.99"},
		{"127.0.0.1:80", "X-Forwarded-For: 192.0.2.99, garbage", "127.0.0.1"},
		{"127.0.0.1:80", "X-Forwarded-For: 192.0.2.99, garbage, 10.0.0.1", "10.0.0.1"},
		{"127.0.0.1:80", "X-Forwarded-For: ", "127.0.0.1"},
		{"127.0.0.1:80", "", "127.0.0.1"},
		{"127.0.0.1:80", "X-Real-IP: 192.0.2.99", "192.0.2.99"},
		{"127.0.0.1:80", "X-Real-IP: 203.0.113.1\nX-Real-IP: 192.0.2.99:51", "192.0.2.99"},
		{"127.0.0.1:80", "X-Forwarded-For: 192.0.2.99\nX-Real-IP: 203.0.113.1\nForwarded: for=203.0.113.1", "192.0.2.99"},
		{"127.0.0.1:80", "Forwarded: for=192.0.2.99", "192.0.2.99"},
		{"127.0.0.1:80", `Forwarded: for=203.0.113.1, proto=https; For="192.0.2.99:51" ;by=10.0.0.1, for="10.0.0.3"`, "192.0.2.99"},
		{"127.0.0.1:80", `Forwarded: for="[2001:db8::1]:5"`, "2001:db8::1"},
		{"127.0.0.1:80", "Forwarded: for=unknown\nX-Real-IP: 203.0.113.1", "127.0.0.1"},
		{"127.0.0.1:80", "Forwarded: proto=https", "127.0.0.1"},
		{"", "X-Forwarded-For: 192.0.2.99", "invalid IP"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.conn
		for line := range strings.SplitSeq(c.header, "\n") {
			if name, value, ok := strings.Cut(line, ": "); ok {
				r.Header.Add(name, value)
			}
		}
		if got := rest.ClientOf(trusted, r).String(); got != c.want {
			t.Errorf("%s, %s: %s, want %s", c.conn, c.header, got, c.want)
		}
	}
}

// A client behind a proxy on this machine is not on this machine, whatever the headers say.
func TestATrustedProxyIsNoLocalClient(t *testing.T) {
	for name, header := range map[string][]string{
		"names nobody":         nil,
		"names garbage":        {"X-Forwarded-For", "unknown"},
		"names itself":         {"X-Forwarded-For", "127.0.0.1"},
		"names a client":       {"X-Forwarded-For", "192.0.2.99:51"},
		"names it by Real-IP":  {"X-Real-IP", "192.0.2.99"},
		"names it by RFC 7239": {"Forwarded", `for="192.0.2.99:51"`},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, func(_ *chat.Config, rc *rest.Config) { rc.TrustedProxies, rc.Debug = loopback, answer("debug") })
			for n, want := range []int{201, 201, 429} {
				body := m{"phone": fmt.Sprintf("555%05d", n), "password": "long enough"}
				w.do("POST", "/api/auth/register", "", body, header...).want(want)
			}
			w.do("GET", "/debug/telemetry", "", nil, header...).want(403).says("--metrics-addr")
			named := len(header) > 0 && strings.Contains(header[1], "192.0.2.99")
			if told := strings.Count(w.log.String(), "does not name its clients"); told != 1 && !named || told != 0 && named {
				t.Errorf("the log tells %d times that clients have no name", told)
			}
		})
	}
}

// Failed logins of one client do not count against other clients of the same proxy.
func TestFailedLoginsBehindAProxyLockNobodyElseOut(t *testing.T) {
	for _, header := range []string{"X-Forwarded-For", "X-Real-IP"} {
		w := open(t, func(cc *chat.Config, rc *rest.Config) {
			rc.TrustedProxies = loopback
			cc.LoginAddrs = memlimit.New[string](.001, 3, 1000)
		})
		ann := w.join("ann")
		status := 0
		for n := range 4 {
			body := m{"username": fmt.Sprint("nobody", n), "password": "wrong one"}
			status = w.do("POST", "/api/auth/login", "", body, header, fmt.Sprint("192.0.2.99:", 1024+n)).status
		}
		if status != 429 {
			t.Errorf("%s: the client itself is answered %d", header, status)
		}
		w.do("POST", "/api/auth/login", "", m{"username": "ann", "password": ann.pass}, header, "192.0.2.1:51").want(200)
	}
}

// nginx with nothing but proxy_pass sends a local Host, and no header that names a client. But it closes the
// connection.
func TestDebugIsNotForABareProxy(t *testing.T) {
	w := open(t, func(_ *chat.Config, rc *rest.Config) { rc.Debug = answer("debug") })
	for _, header := range [][]string{
		{"Connection", "close"}, {"Via", "1.1 proxy"}, {"X-Forwarded-Host", "chat.example.com"}, {"X-Forwarded-Proto", "https"},
	} {
		w.do("GET", "/debug/telemetry", "", nil, header...).want(403).says("proxy")
	}
	if r := w.do("GET", "/debug/telemetry", "", nil); r.status != 200 {
		t.Errorf("a client on this machine: %d", r.status)
	}
	for n, want := range []int{201, 201, 429} {
		body := m{"phone": fmt.Sprintf("555%05d", n), "password": "long enough"}
		w.do("POST", "/api/auth/register", "", body, "Connection", "close").want(want)
	}
}
