package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// validates answers /api/auth/validate as imserver does, for tokens that are roles.
func validates(w http.ResponseWriter, r *http.Request) {
	role := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if r.URL.Path != "/api/auth/validate" || role == "stranger" {
		w.WriteHeader(http.StatusUnauthorized)
		role = ""
	}
	_, _ = io.WriteString(w, `{"valid":true,"user":{"id":7,"role":"`+role+`"}}`)
}

// TestAddressesAreForInsiders asks, as several clients, everything that could name a backend.
func TestAddressesAreForInsiders(t *testing.T) {
	n, gone := startNode(t, validates), nowhere(t)
	c := startConsole(t, n.URL+","+gone)
	eventually(t, func() bool {
		h := c.health(t)
		return h.Backends[n.URL] == "ok" && strings.Contains(h.Backends[gone], "refused")
	}, c.log)
	secrets := []string{n.name, strings.TrimPrefix(gone, "http://"), "refused"}
	names := func(header ...string) (named int, texts string) {
		for _, path := range []string{"/nodes/2/readyz", "/health", "/nodes"} {
			_, body := get(t, c.url+path, header...)
			texts += string(body)
			for _, s := range secrets {
				if strings.Contains(string(body), s) {
					named++
				}
			}
		}
		return named, texts
	}
	const all = 8             // readyz has two of them
	const far = "203.0.113.7" // a proxy names the client
	for what, header := range map[string][]string{
		"a client behind a proxy": {"X-Forwarded-For", far},
		"a token that is no good": {"X-Forwarded-For", far, "Authorization", "Bearer stranger"},
		"a plain user":            {"X-Forwarded-For", far, "Authorization", "Bearer user"},
		"no bearer":               {"X-Forwarded-For", far, "Authorization", "Basic admin"},
	} {
		if named, texts := names(header...); named > 0 || !strings.Contains(texts, `"node 2","up":false`) || !strings.Contains(texts, `"ready":1`) {
			t.Errorf("%s: %s", what, texts)
		}
	}
	if named, texts := names(); named != all {
		t.Errorf("a client on this machine: %s", texts)
	}
	staff := []string{"X-Forwarded-For", far, "Authorization", "Bearer moderator"}
	if named, texts := names(staff...); named != all {
		t.Errorf("the staff: %s", texts)
	}
	n.Close()
	c.awaits(t, "no backend is ready")
	if named, texts := names(staff...); named != all {
		t.Errorf("the staff, once no backend answers: %s", texts)
	}
	if named, texts := names("X-Forwarded-For", far, "Authorization", "Bearer admin"); named > 0 {
		t.Errorf("a token that nobody can check: %s", texts)
	}
}
