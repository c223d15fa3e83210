package rest_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/onemeter/onemeter/server/auth"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/limit/memlimit"
	"github.com/onemeter/onemeter/server/rest"
)

func TestRegisterAndLogin(t *testing.T) {
	w := open(t)
	r := w.do("POST", "/api/auth/register", "", m{"phone": "+4915100001111", "password": "secret-ann", "username": "ann"}).want(201)
	ann := userOf(r, "ann", "+4915100001111")
	if ann.token == "" || ann.token != ann.tokenAgain || ann.refresh == "" || r.num("data", "expires_in") != 3600 {
		t.Errorf("answer %s", r.body)
	}
	if strings.Contains(string(r.body), "secret-ann") || strings.Contains(string(r.body), "argon2") {
		t.Errorf("the password comes back: %s", r.body)
	}
	for _, body := range []m{
		{"phone": "+4915100001111", "password": "secret-ann"},
		{"username": "ann", "password": "secret-ann"},
		{"username": "ann", "password": "secret-ann", "phone": ""},
	} {
		if got := w.do("POST", "/api/auth/login", "", body).want(200); got.num("data", "user", "id") != ann.id {
			t.Errorf("%v: %s", body, got.body)
		}
	}
	for _, c := range []struct {
		path   string
		body   m
		status int
		says   string
	}{
		{"register", m{"phone": "+4915100001111", "password": "another-one"}, 409, "taken"},
		{"register", m{"phone": "+4915100001111", "password": "another-one"}, 409, "account not created"},
		{"register", m{"password": "another-one"}, 400, "account not created"},
		{"register", m{"password": "another-one"}, 400, "phone is missing: want 5 to 20 digits"},
		{"register", m{"phone": "+4915100002222", "username": "ann", "password": "another-one"}, 409, "taken"},
		{"register", m{"phone": "+49151000022221", "password": "short"}, 400, "password"},
		{"register", m{"phone": "1234", "password": "long enough"}, 400, "phone"},
		{"register", m{"phone": "123456789012345678901", "password": "long enough"}, 400, "phone"},
		{"register", m{"phone": "x", "password": "y", "username": "1"}, 400, "username"},
		{"register", m{}, 400, "phone"},
		{"login", m{"username": "ann", "password": "not hers"}, 401, "wrong password"},
		{"login", m{"username": "nobody", "password": "not hers"}, 401, "wrong password"},
		{"login", m{"password": "secret-ann"}, 400, "phone or username is required"},
		{"login", m{"phone": " ", "password": "secret-ann"}, 400, "phone or username is required"},
		{"login", m{"phone": "+4915100001111", "username": "ann", "password": "secret-ann"}, 400, "only one of them"},
		{"login", m{"username": "ann"}, 400, "password is required"},
		{"login", m{"username": "ann", "password": ""}, 400, "password is required"},
		{"login", m{}, 400, "only one of them; password is required"},
	} {
		w.do("POST", "/api/auth/"+c.path, "", c.body).want(c.status).says(c.says)
	}
}

func TestUsernamesOfTheWorld(t *testing.T) {
	w := open(t)
	for i, name := range []string{"Ünal", "राहुल", "สมชาย", "தமிழ்", "مُحَمَّد"} {
		phone := fmt.Sprint("+49151000", 10+i)
		w.do("POST", "/api/auth/register", "", m{"phone": phone, "password": "secret-ann", "username": name}).want(201)
		w.do("POST", "/api/auth/login", "", m{"username": name, "password": "secret-ann"}).want(200)
	}
	w.do("POST", "/api/auth/login", "", m{"username": "ÜNAL", "password": "secret-ann"}).want(200)
	for name, status := range map[string]int{"ünal": 409, "U\u0308nal": 409, "аdmin": 400, "a\u200db": 400, "ofﬁce": 400} {
		w.do("POST", "/api/auth/register", "", m{"phone": "+4915100099", "password": "secret-ann", "username": name}).want(status).says("username")
	}
}

func TestRefreshSpendsTheToken(t *testing.T) {
	var ahead atomic.Int64
	w := open(t, func(c *chat.Config, _ *rest.Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	ann := w.join("ann")
	r := w.do("POST", "/api/auth/refresh", "", m{"refresh_token": ann.refresh}).want(200)
	next := userOf(r, "ann", ann.phone)
	if next.refresh == ann.refresh || next.token == "" || next.id != ann.id {
		t.Errorf("answer %s", r.body)
	}
	r = w.do("POST", "/api/auth/refresh", "", m{"refresh_token": ann.refresh}).want(200) // a client that repeats the refresh
	if again := userOf(r, "ann", ann.phone); again.refresh != next.refresh {
		t.Errorf("asked twice: %q and %q", again.refresh, next.refresh)
	}
	r = w.do("POST", "/api/auth/refresh", next.refresh, nil).want(200) // as the bearer token
	last := userOf(r, "ann", ann.phone)
	w.do("POST", "/api/auth/refresh", ann.refresh, m{}).want(401)
	w.do("GET", "/api/users/me", last.token, nil).want(200)
	ahead.Store(int64(time.Minute))
	w.do("POST", "/api/auth/refresh", next.refresh, m{}).want(401).says("the session was ended")
	w.do("GET", "/api/users/me", last.token, nil).want(401)
	w.do("POST", "/api/auth/refresh", last.refresh, m{}).want(401)
	for _, token := range []string{"x", "x.y", ann.token, strings.Repeat("long.", 1000)} {
		w.do("POST", "/api/auth/refresh", "", m{"refresh_token": token}).want(401)
	}
	w.do("POST", "/api/auth/refresh", "", nil).want(401).says("refresh_token is required")
}

func TestLogoutKillsBothTokens(t *testing.T) {
	w := open(t)
	ann := w.join("ann")
	other := userOf(w.do("POST", "/api/auth/login", "", m{"username": "ann", "password": ann.pass}).want(200), "ann", ann.phone)
	w.do("GET", "/api/users/me", ann.token, nil).want(200)
	w.do("POST", "/api/auth/logout", ann.token, nil).want(200)
	w.do("GET", "/api/users/me", ann.token, nil).want(401)
	w.do("POST", "/api/auth/logout", ann.token, nil).want(401)
	w.do("POST", "/api/auth/refresh", "", m{"refresh_token": ann.refresh}).want(401)
	w.do("GET", "/api/users/me", other.token, nil).want(200) // another device stays logged in
}

func TestValidateHasNoEnvelope(t *testing.T) {
	w := open(t)
	ann := w.join("ann")
	r := w.do("GET", "/api/auth/validate", ann.token, nil)
	if r.status != 200 || r.at("valid") != true || r.num("user", "id") != ann.id || r.at("success") != nil {
		t.Errorf("%d %s", r.status, r.body)
	}
	r = w.do("GET", "/api/auth/validate", "forged", nil)
	if r.status != 401 || r.at("valid") != false || text(r.at("error")) == "" || text(r.at("details")) == "" || r.at("success") != nil {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// TestForgedTokens tries tokens that the server has not signed, on a route that needs a token and on validate.
func TestForgedTokens(t *testing.T) {
	w := open(t)
	ann := w.join("ann")
	parts := strings.Split(ann.token, ".")
	claims := jwt.MapClaims{}
	_, _, err := jwt.NewParser().ParseUnverified(ann.token, claims)
	must(t, err)
	sign := func(method jwt.SigningMethod, key any) string {
		s, err := jwt.NewWithClaims(method, claims).SignedString(key)
		must(t, err)
		return s
	}
	late, err := auth.NewSigner([]byte(secret)).Sign(chat.Claims{UserID: ann.id, SessionID: "x", ExpiresAt: time.Now().Add(-time.Hour)})
	must(t, err)
	noSession, err := auth.NewSigner([]byte(secret)).Sign(chat.Claims{UserID: ann.id, SessionID: "none", ExpiresAt: time.Now().Add(time.Hour)})
	must(t, err)
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
	for name, header := range map[string]string{
		"none at all":       "",
		"alg none":          "Bearer " + sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType),
		"alg none by hand":  "Bearer " + none + "." + parts[1] + "." + parts[2],
		"alg none unsigned": "Bearer " + none + "." + parts[1] + ".",
		"another secret":    "Bearer " + sign(jwt.SigningMethodHS256, []byte("another secret of thirty-two bytes")),
		"another algorithm": "Bearer " + sign(jwt.SigningMethodHS512, []byte(secret)),
		"no signature":      "Bearer " + parts[0] + "." + parts[1] + ".",
		"expired":           "Bearer " + late,
		"no such session":   "Bearer " + noSession,
		"refresh token":     "Bearer " + ann.refresh,
		"basic":             "Basic " + ann.token,
		"no scheme":         ann.token,
		"garbage":           "Bearer \xff\xfe{}[]",
		"huge":              "Bearer " + strings.Repeat("a.", 10_000),
	} {
		t.Run(name, func(t *testing.T) {
			r := w.do("GET", "/api/users/me", "", nil, "Authorization", header)
			r.t = t
			r.want(401)
			if r.header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("WWW-Authenticate: %s", r.header.Get("WWW-Authenticate"))
			}
			if v := w.do("GET", "/api/auth/validate", "", nil, "Authorization", header); v.status != 401 || v.at("valid") != false {
				t.Errorf("validate: %d %s", v.status, v.body)
			}
		})
	}
	w.do("GET", "/api/users/me", "", nil, "Authorization", "bearer "+ann.token).want(200)
	w.do("GET", "/api/users/me?token="+ann.token, "", nil).want(401)
	if log := w.log.String(); strings.Contains(log, ann.token) || strings.Contains(log, ann.refresh) {
		t.Error("a token is in the log")
	}
}

// Every route needs a token, except those to log in and the operator's pages.
func TestEveryRouteIsGuarded(t *testing.T) {
	w := open(t)
	free := map[string]bool{
		"/health": true, "/healthz": true, "/readyz": true,
		"/api/auth/register": true, "/api/auth/login": true, "/api/auth/login/2fa": true, "/api/auth/refresh": true,
	}
	for _, route := range w.server.Routes() {
		method, path, _ := strings.Cut(route, " ")
		if free[path] {
			continue
		}
		path = strings.NewReplacer(":id", "1", ":user_id", "2").Replace(path)
		if r := w.do(method, path, "", nil); r.status != 401 {
			t.Errorf("%s answers %d without a token", route, r.status)
		}
	}
}

func TestFailedLoginsAreLimited(t *testing.T) {
	w := open(t)
	w.join("ann")
	for range 5 {
		w.do("POST", "/api/auth/login", "", m{"username": "ann", "password": "wrong one"}).want(401)
	}
	r := w.do("POST", "/api/auth/login", "", m{"username": "ann", "password": "secret-ann"}).want(429)
	var seconds int
	if _, err := fmt.Sscan(r.header.Get("Retry-After"), &seconds); err != nil || seconds < 1 {
		t.Errorf("Retry-After: %q", r.header.Get("Retry-After"))
	}
}

// Registrations are limited by address: that of the connection, or the one that a trusted proxy names. Clients on this
// machine have no limit.
func TestRegistrationsAreLimitedByAddress(t *testing.T) {
	from := func(w *world, addr string, n int) reply {
		body := m{"phone": fmt.Sprintf("%s%07d", strings.NewReplacer(".", "").Replace(addr[:3]), n), "password": "long enough"}
		return w.do("POST", "/api/auth/register", "", body, "X-Forwarded-For", addr)
	}
	w := open(t)
	for n := range 4 {
		body := m{"phone": fmt.Sprintf("555%05d", n), "password": "long enough"}
		w.do("POST", "/api/auth/register", "", body).want(201)
	}
	from(w, "203.0.113.7", 1).want(201) // an untrusted proxy: its clients share one limit
	from(w, "198.51.100.1", 2).want(201)
	from(w, "198.51.100.2", 3).want(429)
	w = open(t, func(_ *chat.Config, rc *rest.Config) { rc.TrustedProxies = loopback })
	from(w, "203.0.113.7", 1).want(201)
	from(w, "203.0.113.7", 2).want(201)
	from(w, "203.0.113.7", 3).want(429)
	from(w, "198.51.100.1", 4).want(201)
	from(w, "198.51.100.1, 203.0.113.7", 5).want(429) // the addresses on the left are forged
}

func TestMessageRate(t *testing.T) {
	w := open(t, func(cc *chat.Config, _ *rest.Config) { cc.Messages = memlimit.New[int64](.001, 2, 100) })
	ann, ben := w.join("ann"), w.join("ben")
	w.send(ann, ben, "one")
	w.send(ann, ben, "two")
	r := w.do("POST", "/api/messages", ann.token, m{"receiver_id": ben.id, "content": "three"}).want(429)
	if r.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	w.send(ben, ann, "others may")
	w.do("GET", "/healthz", "", nil)
}
