package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// insiders decides who may see the addresses of backends and the reasons why they do
// not answer: clients on this machine, and the staff, who are moderators and
// administrators. It is safe for concurrent use.
type insiders struct {
	proxy *proxy // to the backends

	mu      sync.Mutex
	staff   tokens // tokens of the staff
	refused tokens // tokens that are not valid, or belong to other users
}

const (
	tokenFresh   = time.Minute      // how long a token of the staff is accepted without asking a backend again
	tokenOld     = time.Hour        // how long it is accepted while no backend answers
	tokenRefused = 10 * time.Second // how long a refused token is refused without asking a backend again
	maxAnswer    = 64 << 10         // bytes
)

// know reports whether the client may see addresses. It may wait for a backend.
func (i *insiders) know(r *http.Request) bool {
	return i.local(r) || i.staffs(r)
}

// knowAlready is know without waiting for a backend, for a request that has failed. It
// accepts only tokens of the staff for which a backend has answered before.
func (i *insiders) knowAlready(r *http.Request) bool {
	if i.local(r) {
		return true
	}
	token := bearer(r)
	if token == "" {
		return false
	}
	within := tokenFresh
	if !i.proxy.backends.anyReady() {
		within = tokenOld
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.staff.has(sha256.Sum256([]byte(token)), time.Now(), within)
}

// local reports whether the client is on this machine, and not behind a proxy. It
// checks the header Host because of pages of other sites whose domain name resolves to
// this machine.
//
// An nginx configured with nothing but proxy_pass adds no header of a proxy. It is
// recognized because it closes the connection after each answer.
func (i *insiders) local(r *http.Request) bool {
	for name := range r.Header {
		if name == "Forwarded" || name == "Via" || name == "X-Real-Ip" || strings.HasPrefix(name, "X-Forwarded-") {
			return false
		}
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || r.Close || i.proxy.trusted.contain(from.Addr()) {
		return false
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	at, _ := netip.ParseAddr(strings.Trim(host, "[]"))
	return from.Addr().Unmap().IsLoopback() && (at.IsLoopback() || strings.EqualFold(host, "localhost"))
}

// bearer returns the access token of a request, or "".
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return token
}

// staffs reports whether the request has the access token of a member of the staff. It
// may wait for a backend.
func (i *insiders) staffs(r *http.Request) bool {
	token := bearer(r)
	if token == "" {
		return false
	}
	key, now := sha256.Sum256([]byte(token)), time.Now()
	i.mu.Lock()
	fresh, old := i.staff.has(key, now, tokenFresh), i.staff.has(key, now, tokenOld)
	refused := i.refused.has(key, now, tokenRefused)
	i.mu.Unlock()
	if fresh || refused {
		return fresh
	}
	is, answered := i.ask(r, token)
	if !answered {
		return old // the staff must see which backends do not answer
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.staff, key)
	delete(i.refused, key)
	if is {
		i.staff.add(key, time.Now())
	} else {
		i.refused.add(key, time.Now())
	}
	return is
}

// ask asks a backend whether the token belongs to a member of the staff. answered is
// false if no backend gave a usable answer. The request names the client, so that the
// backend's limits count the client, and not imadmin.
func (i *insiders) ask(r *http.Request, token string) (is, answered bool) {
	ctx := context.WithValue(r.Context(), only{}, (*backend)(nil)) // any backend, because that of r may not answer
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://backend/api/auth/validate", nil)
	if err != nil {
		return false, false
	}
	i.proxy.rewrite(&httputil.ProxyRequest{In: r, Out: req})
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := i.proxy.RoundTrip(req)
	if err != nil {
		return false, false
	}
	defer res.Body.Close()
	var answer struct {
		Valid bool
		User  struct{ Role string }
	}
	err = json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(&answer)
	switch {
	case res.StatusCode == http.StatusOK && err == nil:
		return answer.Valid && slices.Contains([]string{"moderator", "admin", "super_admin"}, answer.User.Role), true
	case res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden:
		return false, true
	}
	return false, false
}
