package rest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/rest"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func countPanics(n *atomic.Int64) func(context.Context) {
	return func(context.Context) { n.Add(1) }
}

// answer returns a handler that writes text.
func answer(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) })
}

// A handler around the server, such as telemetry, finds the template of the route in the request that it passed in,
// whatever the answer was.
func TestThePatternReachesTheOutside(t *testing.T) {
	var last atomic.Value
	w := openWrapped(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Pattern = "/" // as a mux would
			defer func() { last.Store(r.Pattern) }()
			next.ServeHTTP(w, r)
		})
	}, func(_ *chat.Config, rc *rest.Config) {
		rc.AllowedOrigins = []string{"*"}
		rc.WebSocket = func(http.ResponseWriter, *http.Request) error { panic("socket") }
		rc.Metrics = answer("metrics")
	})
	ann, ben := w.join("ann"), w.join("ben")
	id := w.send(ann, ben, "hello")
	for _, c := range []struct {
		method, path, token string
		body                any
		status              int
		pattern             string
	}{
		{"GET", "/healthz", "", nil, 200, "/healthz"},
		{"GET", "/metrics", "", nil, 200, "/metrics"},
		{"GET", fmt.Sprint("/api/messages/", id), ann.token, nil, 200, "/api/messages/:id"},
		{"GET", fmt.Sprint("/api/messages/", id, "/"), ann.token, nil, 200, "/api/messages/:id"},
		{"HEAD", fmt.Sprint("/api/messages/", id), ann.token, nil, 200, "/api/messages/:id"},
		{"GET", "/api/messages/999", ann.token, nil, 404, "/api/messages/:id"},
		{"GET", "/api/messages/none", ann.token, nil, 400, "/api/messages/:id"},
		{"GET", "/api/messages/1", "", nil, 401, "/api/messages/:id"},
		{"POST", "/api/messages", "", m{}, 401, "/api/messages"},
		{"POST", "/api/messages", ann.token, strings.Repeat("x", maxBody+1), 413, "/api/messages"},
		{"POST", "/api/chats/1/members/2/promote", "", nil, 401, "/api/chats/:id/members/:user_id/promote"},
		{"POST", "/api/auth/login", "", "garbage", 400, "/api/auth/login"},
		{"GET", "/ws", "", nil, 500, "/ws"},
		{"GET", "/", "", nil, 404, ""},
		{"GET", "/nowhere", "", nil, 404, ""},
		{"GET", "/api/nowhere/1", ann.token, nil, 404, ""},
		{"POST", "/api/calls", ann.token, m{}, 404, ""},
		{"GET", "/api/users", ann.token, nil, 404, ""},
		{"DELETE", "/api/messages", ann.token, nil, 405, ""},
		{"PATCH", fmt.Sprint("/api/messages/", id), ann.token, nil, 405, ""},
		{"BREW", "/api/messages", "", nil, 405, ""},
		{"POST", "/metrics", "", nil, 405, ""},
	} {
		r := w.do(c.method, c.path, c.token, c.body)
		if r.status != c.status {
			t.Errorf("%s %s: status %d, want %d", c.method, c.path, r.status, c.status)
		}
		if got := last.Load(); got != c.pattern {
			t.Errorf("%s %s: pattern %q, want %q", c.method, c.path, got, c.pattern)
		}
		if c.status >= 400 {
			r.want(c.status)
		}
	}
}

func TestMethods(t *testing.T) {
	w := open(t, func(_ *chat.Config, rc *rest.Config) { rc.Metrics = answer("metrics") })
	ann := w.join("ann")
	r := w.do("PATCH", "/api/messages", ann.token, nil).want(405)
	for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS"} {
		if !strings.Contains(r.header.Get("Allow"), method) {
			t.Errorf("Allow: %s lacks %s", r.header.Get("Allow"), method)
		}
	}
	r = w.do("OPTIONS", "/api/messages", "", nil)
	if r.status != 204 || !strings.Contains(r.header.Get("Allow"), "POST") {
		t.Errorf("OPTIONS: %d, Allow: %s", r.status, r.header.Get("Allow"))
	}
	for _, path := range []string{"/health", "/metrics", "/api/users/me", "/api/users/me/"} {
		get, head := w.do("GET", path, ann.token, nil), w.do("HEAD", path, ann.token, nil)
		if get.status != 200 || head.status != 200 || len(head.body) != 0 ||
			path != "/health" && head.header.Get("Content-Length") != get.header.Get("Content-Length") {
			t.Errorf("%s: GET %d, HEAD %d, %s of %s bytes", path, get.status, head.status,
				head.header.Get("Content-Length"), get.header.Get("Content-Length"))
		}
	}
	w.do("POST", "/api/messages/", ann.token, m{"receiver_id": ann.id, "content": "with a slash"}).want(200)
	w.do("OPTIONS", "/nowhere", "", nil).want(404)
	w.do("GET", "/ws", "", nil).want(404)
	w.do("GET", "/debug/telemetry", "", nil).want(404)
}

func TestPanics(t *testing.T) {
	var n atomic.Int64
	half := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, strings.Repeat("half a page ", 10_000))
		panic("in the middle")
	})
	w := open(t, func(_ *chat.Config, rc *rest.Config) {
		rc.Hooks.Panicked = countPanics(&n)
		rc.WebSocket = func(http.ResponseWriter, *http.Request) error { panic("boom 4711") }
		rc.Metrics = half
	})
	r := w.do("GET", "/ws?token=a-secret-token", "", nil).want(500)
	if strings.Contains(string(r.body), "4711") || strings.Contains(string(r.body), "goroutine") {
		t.Errorf("the client learns too much: %s", r.body)
	}
	log := w.log.String()
	if !strings.Contains(log, "4711") || !strings.Contains(log, "edge_test.go") || strings.Contains(log, "a-secret-token") {
		t.Errorf("the log: %s", log)
	}
	if n.Load() != 1 {
		t.Errorf("counted %d panics", n.Load())
	}
	// The connection breaks, so that an incomplete answer does not look complete.
	req, err := http.NewRequestWithContext(t.Context(), "GET", w.url+"/metrics", nil)
	must(t, err)
	if res, err := w.http.Do(req); err == nil {
		_, err = io.ReadAll(res.Body)
		res.Body.Close()
		if err == nil {
			t.Error("half a page looks like a whole one")
		}
	}
	if r := w.do("GET", "/healthz", "", nil); r.status != 200 {
		t.Error("the server is gone")
	}
}

func TestErrorsAreMappedOnce(t *testing.T) {
	rate := chat.Errorf(chat.KindRateLimited, "too fast", "slow down")
	for _, c := range []struct {
		err    error
		status int
		what   string
	}{
		{chat.Errorf(chat.KindInvalid, "w", "y"), 400, "w"},
		{chat.Errorf(chat.KindUnauthenticated, "w", "y"), 401, "w"},
		{chat.Errorf(chat.KindForbidden, "w", "y"), 403, "w"},
		{chat.Errorf(chat.KindNotFound, "w", "y"), 404, "w"},
		{chat.Errorf(chat.KindConflict, "w", "y"), 409, "w"},
		{chat.Errorf(chat.KindTooLarge, "w", "y"), 413, "w"},
		{fmt.Errorf("wrapped: %w", rate), 429, "too fast"},
		{chat.Errorf(chat.KindUnavailable, "w", "y"), 503, "w"},
		{chat.Errorf(chat.KindInternal, "secret", "secret"), 500, "internal error"},
		{errors.New("secret"), 500, "internal error"},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), 503, "out of time"},
		{context.Canceled, 499, "request cancelled"},
		{echo.ErrNotFound, 404, "not found"},
		{echo.ErrMethodNotAllowed, 405, "method not allowed"},
		{echo.NewHTTPError(502, "secret"), 500, "internal error"},
	} {
		status, what, why := rest.StatusOf(c.err)
		if status != c.status || what != c.what || why == "" || strings.Contains(what+why, "secret") {
			t.Errorf("%v: %d %q %q", c.err, status, what, why)
		}
	}
}

// If the database is down, the answer says so, without details.
func TestTheStoreIsGone(t *testing.T) {
	w := open(t)
	ann := w.join("ann")
	must(t, w.store.Close())
	for _, path := range []string{"/api/users/friends", "/api/messages", "/api/chats"} {
		r := w.do("GET", path, ann.token, nil)
		if r.want(r.status); r.status != 503 && r.status != 500 || strings.Contains(string(r.body), "sql") {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	if r := w.do("GET", "/healthz", "", nil); r.status != 200 {
		t.Error("not alive")
	}
}

func TestSocketErrorsBeforeTheUpgrade(t *testing.T) {
	w := open(t, func(_ *chat.Config, rc *rest.Config) {
		rc.WebSocket = func(_ http.ResponseWriter, r *http.Request) error {
			if r.URL.Query().Get("token") == "" {
				return chat.Errorf(chat.KindUnauthenticated, "not connected", "a token is required")
			}
			return errors.New("internals")
		}
	})
	w.do("GET", "/ws", "", nil).want(401).says("a token is required")
	if r := w.do("GET", "/ws?token=x", "", nil).want(500); strings.Contains(string(r.body), "internals") {
		t.Errorf("%s", r.body)
	}
}

func TestHealth(t *testing.T) {
	parts := []rest.Part{{Name: "database"}, {Name: "cache", Optional: true}}
	w := open(t, func(_ *chat.Config, rc *rest.Config) {
		rc.Ready = func(ctx context.Context) []rest.Part {
			if _, ok := ctx.Deadline(); !ok {
				t.Error("no deadline for the parts")
			}
			return parts
		}
	})
	health := w.do("GET", "/health", "", nil)
	if health.status != 200 || text(health.at("status")) != "ok" || text(health.at("version")) != "v0.0.0-test" {
		t.Errorf("%d %s", health.status, health.body)
	}
	for _, c := range []struct {
		database, cache error
		status          int
		body            string
	}{
		{nil, nil, 200, `{"status":"ok","parts":{"cache":"ok","database":"ok"}}`},
		{nil, errors.New("secret"), 200, `{"status":"degraded","parts":{"cache":"down","database":"ok"}}`},
		{errors.New("secret"), nil, 503, `{"status":"unavailable","parts":{"cache":"ok","database":"down"}}`},
	} {
		parts[0].Err, parts[1].Err = c.database, c.cache
		if r := w.do("GET", "/readyz", "", nil); r.status != c.status || string(r.body) != c.body {
			t.Errorf("%d %s, want %d %s", r.status, r.body, c.status, c.body)
		}
	}
}

func TestDebugIsForThisMachine(t *testing.T) {
	page := func(_ *chat.Config, rc *rest.Config) { rc.Debug = answer("debug") }
	w := open(t, page)
	if r := w.do("GET", "/debug/telemetry", "", nil); r.status != 200 || string(r.body) != "debug" {
		t.Errorf("%d %s", r.status, r.body)
	}
	for _, name := range []string{"X-Forwarded-For", "X-Real-Ip", "Forwarded"} {
		w.do("GET", "/debug/telemetry", "", nil, name, "127.0.0.1").want(403)
	}
}

func TestOrigins(t *testing.T) {
	w := open(t, func(_ *chat.Config, rc *rest.Config) {
		rc.AllowedOrigins = []string{"https://chat.example.com", "*.example.org", "localhost:*"}
	})
	for origin, want := range map[string]bool{
		"https://chat.example.com": true, "HTTPS://CHAT.example.com": true, "http://chat.example.com": false,
		"https://a.example.org": true, "http://a.example.org": true, "https://example.org.evil.net": false,
		"http://localhost:5173": true, "https://evil.net": false, "null": false,
	} {
		got := w.do("GET", "/api/users/me", "", nil, "Origin", origin).want(401).header.Get("Access-Control-Allow-Origin")
		if (got == origin) != want || !want && got != "" {
			t.Errorf("%s: Access-Control-Allow-Origin is %q", origin, got)
		}
		r := w.do("OPTIONS", "/api/users/me", "", nil, "Origin", origin,
			"Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "authorization")
		if ok := strings.Contains(r.header.Get("Access-Control-Allow-Headers"), "Authorization"); r.status != 204 || ok != want {
			t.Errorf("%s: preflight %d %v", origin, r.status, r.header)
		}
	}
	if got := open(t).do("GET", "/health", "", nil, "Origin", "https://evil.net").header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("without a setting: %s", got)
	}
}

func TestHeadersOfAnswers(t *testing.T) {
	w := open(t)
	for _, path := range []string{"/health", "/api/users/me", "/nowhere"} {
		h := w.do("GET", path, "", nil).header
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" || h.Get("Server") != "" {
			t.Errorf("%s: %v", path, h)
		}
	}
}
