package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// insiders decides who may see the addresses of backends, and why they do not
// answer: clients on this machine, and the staff. It is safe for concurrent use.
type insiders struct {
	forward http.RoundTripper // to the backends

	mu    sync.Mutex
	staff map[[sha256.Size]byte]time.Time // tokens of the staff, and when a backend said so
}

const (
	tokenFresh = time.Minute // after it, a backend is asked again
	tokenOld   = time.Hour   // after it, a token is not accepted even if no backend answers
	maxTokens  = 1000
	maxAnswer  = 64 << 10 // bytes
)

// know reports whether the client may see addresses.
func (i *insiders) know(r *http.Request) bool {
	return local(r) || i.staffs(r)
}

// local reports whether the client is on this machine, and not behind a proxy. The
// Host keeps out pages of other sites whose name leads here.
func local(r *http.Request) bool {
	for name := range r.Header {
		if name == "Forwarded" || name == "Via" || name == "X-Real-Ip" || strings.HasPrefix(name, "X-Forwarded-") {
			return false
		}
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	host, _, hostErr := net.SplitHostPort(r.Host)
	if hostErr != nil {
		host = r.Host
	}
	at, _ := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && from.Addr().Unmap().IsLoopback() && (at.IsLoopback() || strings.EqualFold(host, "localhost"))
}

// staffs reports whether the request has the access token of a member of the staff.
func (i *insiders) staffs(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return false
	}
	key := sha256.Sum256([]byte(token))
	i.mu.Lock()
	since, known := i.staff[key]
	i.mu.Unlock()
	if known && time.Since(since) < tokenFresh {
		return true
	}
	is, answered := i.ask(r, token)
	if !answered {
		return known && time.Since(since) < tokenOld // they want to see which backends are away
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.staff, key)
	if is {
		if i.staff == nil || len(i.staff) >= maxTokens {
			i.staff = make(map[[sha256.Size]byte]time.Time)
		}
		i.staff[key] = time.Now()
	}
	return is
}

// ask asks a backend whether the token belongs to a member of the staff.
func (i *insiders) ask(r *http.Request, token string) (is, answered bool) {
	ctx := context.WithValue(r.Context(), only{}, (*backend)(nil)) // r may be for one that is away
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://backend/api/auth/validate", nil)
	if err != nil {
		return false, false
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := i.forward.RoundTrip(req)
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
