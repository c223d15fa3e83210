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

// TestAddressesAreForInsiders requests, as several clients, everything that could name a backend.
func TestAddressesAreForInsiders(t *testing.T) {
	n, gone := startNode(t, validates), nowhere(t)
	c := startConsole(t, n.URL+","+gone)
	eventually(t, func() bool {
		h := c.health(t)
		return h.Backends[n.URL] == "ok" && strings.Contains(h.Backends[gone], "refused")
	}, c.log)
	secrets := []string{n.name, strings.TrimPrefix(gone, "http://"), "refused"}
	names := func(header ...string) (named int, texts string) {
		for _, path := range []string{"/health", "/nodes", "/nodes/2/readyz"} { // the last one does not ask who the staff is
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

// TestProxyOnThisMachineIsNoInsider sends what nginx with nothing but proxy_pass sends: no header of a proxy, and a
// local Host.
func TestProxyOnThisMachineIsNoInsider(t *testing.T) {
	n := startNode(t, validates)
	for trusted, closes := range map[string]bool{"127.0.0.0/8": false, "10.0.0.0/8": true} {
		c := startConsole(t, n.URL, "--trusted-proxies", trusted)
		c.awaits(t, "ok")
		for _, path := range []string{"/health", "/nodes"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Close = closes
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err != nil || res.StatusCode != http.StatusOK || strings.Contains(string(body), n.name) {
				t.Errorf("trusted %s, closes %t: %s: %d %s, %v", trusted, closes, path, res.StatusCode, body, err)
			}
		}
		c.stop()
	}
}

// TestRefusedTokensAreAskedOnce also checks that the backend gets the address of the client, so that its limits count that
// client.
func TestRefusedTokensAreAskedOnce(t *testing.T) {
	const far = "203.0.113.7"
	n := startNode(t, validates)
	c := startConsole(t, n.URL, "--trusted-proxies", "127.0.0.1")
	c.awaits(t, "ok")
	for _, token := range []string{"stranger", "user"} {
		before, _ := n.requests()
		for _, path := range []string{"/health", "/nodes", "/health"} {
			if _, body := get(t, c.url+path, "X-Forwarded-For", far, "Authorization", "Bearer "+token); strings.Contains(string(body), n.name) {
				t.Errorf("%s: %s: %s", token, path, body)
			}
		}
		after, _ := n.requests()
		if len(after) != len(before)+1 {
			t.Fatalf("%s: the backend was asked %d times", token, len(after)-len(before))
		}
		if got := after[len(before)].Header.Get("X-Forwarded-For"); got != far+", 127.0.0.1" {
			t.Errorf("%s: X-Forwarded-For is %q", token, got)
		}
	}
}

// TestFailedRequestAsksNobody: a request that failed has taken long enough, so only a token that is known already gets the
// reason.
func TestFailedRequestAsksNobody(t *testing.T) {
	n, gone := startNode(t, validates), nowhere(t)
	c := startConsole(t, n.URL+","+gone)
	c.awaits(t, "degraded")
	staff := []string{"X-Forwarded-For", "203.0.113.7", "Authorization", "Bearer admin"}
	why := func() string {
		res, body := get(t, c.url+"/nodes/2/readyz", staff...)
		if res.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%d %s", res.StatusCode, body)
		}
		return string(body)
	}
	if text := why(); strings.Contains(text, "refused") {
		t.Errorf("a token that nobody has checked: %s", text)
	}
	if asked, _ := n.requests(); len(asked) != 0 {
		t.Errorf("a backend was asked: %s", asked[0].URL)
	}
	get(t, c.url+"/nodes", staff...)
	if text := why(); !strings.Contains(text, "refused") {
		t.Errorf("the staff: %s", text)
	}
}
