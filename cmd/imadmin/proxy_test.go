package main

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

// imadmin starts without a backend, says which one does not answer, and finds it when
// it comes up.
func TestStartsWithoutABackend(t *testing.T) {
	gone := nowhere(t)
	c := startConsole(t, gone)
	c.awaits(t, "no backend is ready")
	if why := c.health(t).Backends[gone]; !strings.Contains(why, "refused") && !strings.Contains(why, "not asked") {
		t.Errorf("/health says %q", why)
	}
	eventually(t, func() bool { return c.field("backend is not ready; imadmin keeps checking", "backend") == gone }, c.log)
	if res, _ := get(t, c.url+"/"); res.StatusCode != http.StatusOK || res.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("the page: %d", res.StatusCode)
	}
	res, body := get(t, c.url+"/api/super-admin/stats")
	var answer struct{ Error, Details string }
	if err := json.Unmarshal(body, &answer); err != nil || res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(answer.Error, "no server answers") ||
		!strings.Contains(answer.Details, strings.TrimPrefix(gone, "http://")) {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if code := c.stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

// Of two backends, the one that answers gets every request, including those that change
// something, and also after the other one has stopped.
func TestPicksTheOneThatAnswers(t *testing.T) {
	first, second := startNode(t, says("first")), startNode(t, says("second"))
	c := startConsole(t, first.URL+","+second.URL)
	c.awaits(t, "ok")
	if _, body := get(t, c.url+"/api/super-admin/x"); string(body) != "first" {
		t.Errorf("answered by %s", body)
	}
	first.Close()
	for range 3 { // most likely before the next check of the backends
		res, body := do(t, http.MethodPost, c.url+"/api/super-admin/act?a=1", strings.NewReader(`{"a":1}`), "Authorization", "Bearer t")
		if res.StatusCode != http.StatusOK || string(body) != "second" {
			t.Errorf("%d %s", res.StatusCode, body)
		}
	}
	requests, bodies := second.requests()
	if len(requests) != 3 || bodies[0] != `{"a":1}` || requests[0].URL.String() != "/api/super-admin/act?a=1" || requests[0].Header.Get("Authorization") != "Bearer t" {
		t.Errorf("%d requests, %q", len(requests), bodies)
	}
	c.awaits(t, "degraded")
}

// A request that a backend may have acted on is not sent again, and the client gets to
// know that.
func TestActsOnce(t *testing.T) {
	breaks := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}
	first, second := startNode(t, breaks), startNode(t, says("second"))
	c := startConsole(t, first.URL+","+second.URL)
	c.awaits(t, "ok")
	res, body := do(t, http.MethodPost, c.url+"/api/super-admin/act", strings.NewReader("{}"))
	if res.StatusCode != http.StatusBadGateway || !strings.Contains(string(body), "check that before you repeat it") {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if requests, _ := second.requests(); len(requests) != 0 {
		t.Errorf("the other one was asked %d times", len(requests))
	}
	if _, body := get(t, c.url+"/api/super-admin/look"); string(body) != "second" {
		t.Errorf("a question was answered by %s", body)
	}
}

// The backend gets the address of the client from imadmin, and from proxies that imadmin
// trusts.
func TestForwardedFor(t *testing.T) {
	for trusted, want := range map[string]string{"10.0.0.0/8": "127.0.0.1", "127.0.0.1": "203.0.113.7, 127.0.0.1"} {
		n := startNode(t, says("ok"))
		c := startConsole(t, n.URL, "--trusted-proxies", trusted)
		c.awaits(t, "ok")
		get(t, c.url+"/api/super-admin/x", "X-Forwarded-For", "203.0.113.7", "X-Real-IP", "203.0.113.8", "Forwarded", "for=203.0.113.9")
		requests, _ := n.requests()
		h := requests[0].Header
		if got := h.Get("X-Forwarded-For"); got != want || h.Get("X-Real-Ip") != "" || h.Get("Forwarded") != "" {
			t.Errorf("trusted %s: X-Forwarded-For is %q, want %q; %v", trusted, got, want, h)
		}
		if "http://"+requests[0].Host != c.url {
			t.Errorf("Host is %s", requests[0].Host)
		}
		c.stop()
	}
}

func TestBodiesAreLimited(t *testing.T) {
	n := startNode(t, says("ok"))
	c := startConsole(t, n.URL, "--max-body", "2048")
	c.awaits(t, "ok")
	if res, body := do(t, http.MethodPost, c.url+"/api/super-admin/x", strings.NewReader(strings.Repeat("x", 2049))); res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if res, _ := do(t, http.MethodPost, c.url+"/api/super-admin/x", strings.NewReader(strings.Repeat("x", 2048))); res.StatusCode != http.StatusOK {
		t.Errorf("%d", res.StatusCode)
	}
	if requests, _ := n.requests(); len(requests) != 1 {
		t.Errorf("%d requests came through", len(requests))
	}
}

// What the console shows for a node comes from that node.
func TestNodesByName(t *testing.T) {
	answer := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer admin" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			_, _ = fmt.Fprint(w, name, " ", r.URL.Path)
		}
	}
	first, second := startNode(t, answer("first")), startNode(t, answer("second"))
	gone := nowhere(t)
	c := startConsole(t, strings.Join([]string{first.URL, second.URL, gone}, ","))
	c.awaits(t, "degraded")
	eventually(t, func() bool { return strings.Contains(c.health(t).Backends[gone], "refused") }, c.log)
	var list struct {
		Nodes []struct {
			Name, Why, Metrics, Telemetry, Ready string
			Up                                   bool
		}
	}
	_, text := get(t, c.url+"/nodes")
	if err := json.Unmarshal(text, &list); err != nil || len(list.Nodes) != 3 {
		t.Fatalf("%s: %v", text, err)
	}
	if n := list.Nodes[2]; n.Up || !strings.Contains(n.Why, "refused") || !list.Nodes[0].Up {
		t.Errorf("%+v", list.Nodes)
	}
	for i, name := range []string{"first", "second"} {
		if _, body := get(t, c.url+list.Nodes[i].Metrics, "Authorization", "Bearer admin"); string(body) != name+" /api/super-admin/metrics" {
			t.Errorf("metrics of %s: %s", name, body)
		}
		if res, _ := get(t, c.url+list.Nodes[i].Telemetry); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("without a token: %d", res.StatusCode)
		}
	}
	if res, body := get(t, c.url+list.Nodes[2].Ready); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("of one that is away: %d %s", res.StatusCode, body)
	}
	if res, _ := get(t, c.url+"/nodes/4/metrics"); res.StatusCode != http.StatusNotFound {
		t.Errorf("of one that is not ours: %d", res.StatusCode)
	}
}

// For a backend that answers but is not ready, /health says which part is not.
func TestNotReady(t *testing.T) {
	n := startNode(t, says("ok"))
	n.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"status":"unavailable","parts":{"database":"down","files":"ok"}}`)
	})
	c := startConsole(t, n.URL)
	eventually(t, func() bool { return c.health(t).Backends[n.URL] == "it is not ready: database is down" }, c.log)
}

func TestOtherPaths(t *testing.T) {
	n := startNode(t, says("ok"))
	c := startConsole(t, n.URL)
	c.awaits(t, "ok")
	for _, path := range []string{
		"/metrics", "/debug/telemetry", "/readyz", "/apix", "/app/", "/../etc/passwd",
		"/ws", "/ws?token=t", "/api/", "/api/messages", "/api/users/me", "/api/users/search?q=a", "/api/auth/login", "/api/auth/validate", "/api/super-admin/../messages",
	} {
		if res, _ := get(t, c.url+path); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
	if res, _ := get(t, c.url+"/admin/"); res.Request.URL.Path != "/" || res.StatusCode != http.StatusOK {
		t.Errorf("/admin/ led to %s, %d", res.Request.URL, res.StatusCode)
	}
	if requests, _ := n.requests(); len(requests) != 0 {
		t.Errorf("%d requests came through", len(requests))
	}
}

// TestForwardsWhatTheConsoleCalls looks for paths in the console's files.
func TestForwardsWhatTheConsoleCalls(t *testing.T) {
	n := startNode(t, says("ok"))
	c := startConsole(t, n.URL)
	c.awaits(t, "ok")
	written, values := regexp.MustCompile("['`](/api/[^'`?]*)"), regexp.MustCompile(`\$\{[^}]*\}`)
	paths := make(map[string]bool)
	err := filepath.WalkDir("../../server/admin/app", func(name string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".js" {
			return err
		}
		text, err := os.ReadFile(name)
		for _, m := range written.FindAllStringSubmatch(string(text), -1) {
			paths[values.ReplaceAllString(m[1], "1")] = true
		}
		return err
	})
	if err != nil || len(paths) < 20 {
		t.Fatalf("%v, %v", paths, err)
	}
	for path := range paths {
		var statuses []int
		for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
			res, _ := do(t, method, c.url+path, nil)
			statuses = append(statuses, res.StatusCode)
		}
		if !slices.Contains(statuses, http.StatusOK) {
			t.Errorf("%s is not forwarded: %d", path, statuses)
		}
	}
	before, _ := n.requests()
	if res, body := do(t, "POST", c.url+"/api/auth/register", strings.NewReader("{}")); res.StatusCode != http.StatusNotFound || !strings.Contains(string(body), "only the console's calls") {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if after, _ := n.requests(); len(after) != len(before) {
		t.Error("a registration came through")
	}
}
