package server_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/onemeter/onemeter/server"
)

// TestProfiles are on the address of the metrics, behind its token, and nowhere
// else; and what a page costs has an end.
func TestProfiles(t *testing.T) {
	const token = "0123456789abcdef"
	a := start(t, func(c *server.Config) { c.MetricsAddr, c.MetricsToken = "127.0.0.1:0", token })
	gzipped := func(body []byte) bool { return bytes.HasPrefix(body, []byte{0x1f, 0x8b}) }
	for path, good := range map[string]func([]byte) bool{
		"/debug/pprof/":                    func(body []byte) bool { return bytes.Contains(body, []byte("goroutine")) },
		"/debug/pprof/heap":                gzipped,
		"/debug/pprof/goroutine?debug=2":   func(body []byte) bool { return bytes.Contains(body, []byte("server.(*Server).Run")) },
		"/debug/pprof/profile?seconds=1":   gzipped,
		"/debug/pprof/trace?seconds=0.1":   func(body []byte) bool { return bytes.HasPrefix(body, []byte("go 1.")) },
		"/debug/pprof/allocs?seconds=1":    gzipped,
		"/debug/pprof/symbol?0x1":          func(body []byte) bool { return bytes.Contains(body, []byte("num_symbols")) },
		"/debug/build":                     func(body []byte) bool { return bytes.HasPrefix(body, []byte("go\tgo1.")) },
		"/debug/pprof/profile?seconds=61":  nil,
		"/debug/pprof/trace?seconds=1e9":   nil,
		"/debug/pprof/heap?seconds=nan":    nil,
		"/debug/pprof/profile?seconds=-1":  nil,
		"/debug/pprof/profile?seconds=0x1": nil,
		"/debug/pprof/cmdline":             nil,
		"/debug/pprof/nosuch":              nil,
	} {
		status, body := a.page(t, a.metricsURL+path, token)
		if good == nil {
			if status != http.StatusBadRequest && status != http.StatusNotFound {
				t.Errorf("%s: %d", path, status)
			}
			continue
		}
		if status != http.StatusOK || !good(body) {
			t.Errorf("%s: %d %.200q", path, status, body)
		}
		if status, _ := a.page(t, a.metricsURL+path, "another"); status != http.StatusUnauthorized {
			t.Errorf("%s without the token: %d", path, status)
		}
		if status, _ := a.page(t, a.url+path, token); status != http.StatusNotFound {
			t.Errorf("%s on the main address: %d", path, status)
		}
	}
}

// TestProfilesNeedAnAddressOfTheirOwn: beside the chat there are none, whoever
// asks.
func TestProfilesNeedAnAddressOfTheirOwn(t *testing.T) {
	a := start(t, nil)
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/build"} {
		if status, body := a.page(t, a.url+path, ""); status != http.StatusNotFound {
			t.Errorf("%s: %d %.100q", path, status, body)
		}
	}
}

// page reads a page as one who has a token.
func (a *app) page(t *testing.T, url, token string) (status int, body []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", strings.TrimSpace("Bearer "+token))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err = io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, body
}
