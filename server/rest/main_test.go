package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/onemeter/onemeter/server/auth"
	"github.com/onemeter/onemeter/server/blob"
	"github.com/onemeter/onemeter/server/bus/membus"
	"github.com/onemeter/onemeter/server/cache/memcache"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/limit/memlimit"
	"github.com/onemeter/onemeter/server/rest"
	"github.com/onemeter/onemeter/server/sqlstore"
	"github.com/onemeter/onemeter/server/sqlstore/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cheap is the cost of hashes where it does not matter: one of the default cost takes 100 times as long.
var cheap = auth.Cost{Memory: 8, Passes: 1, Threads: 1}

// migrated gives each test a database of its own that has all tables.
var migrated = storetest.Template(func(path string) (io.Closer, error) {
	return sqlstore.Open(context.Background(), sqlstore.Config{Path: path})
})

const (
	maxUpload = 256 << 10
	maxBody   = 128 << 10
	secret    = "a secret that only tests sign with, 32 bytes long"
)

// A world is a whole chat behind a real HTTP server.
type world struct {
	testing.TB
	url      string
	http     *http.Client
	server   *rest.Server
	svc      *chat.Service
	presence chat.Presence
	store    *sqlstore.Store
	log      *record
}

// A setup changes the configuration of a world.
type setup func(*chat.Config, *rest.Config)

// open starts a world that ends with the test.
func open(t testing.TB, setups ...setup) *world {
	t.Helper()
	return openWrapped(t, func(h http.Handler) http.Handler { return h }, setups...)
}

// openWrapped is open with a handler around the server, as telemetry is.
func openWrapped(t testing.TB, wrap func(http.Handler) http.Handler, setups ...setup) *world {
	t.Helper()
	w := newWorld(t, setups...)
	srv := httptest.NewServer(wrap(w.server))
	t.Cleanup(srv.Close)
	w.url = srv.URL
	w.http = &http.Client{
		Transport:     &http.Transport{DisableCompression: true},
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(w.http.CloseIdleConnections)
	return w
}

func newWorld(t testing.TB, setups ...setup) *world {
	t.Helper()
	store, err := sqlstore.Open(t.Context(), sqlstore.Config{Path: migrated(t), UsernameKey: auth.Usernames{}.Key})
	must(t, err)
	t.Cleanup(func() { _ = store.Close() })
	blobs, err := blob.Open(filepath.Join(t.TempDir(), "files"))
	must(t, err)
	t.Cleanup(func() { _ = blobs.Close() })

	w := &world{TB: t, store: store, log: &record{}}
	bus := membus.New()
	cc := chat.Config{
		Store: store, Blobs: blobs, Bus: bus, Presence: bus,
		Hasher: auth.NewHasherAt(cheap), Signer: auth.NewSigner([]byte(secret)), Usernames: auth.Usernames{},
		Sessions:      memcache.New[string, chat.Session](1000, time.Minute),
		Memberships:   memcache.New[int64, chat.Membership](1000, time.Minute),
		Directs:       memcache.New[chat.Pair, int64](1000, time.Minute),
		Users:         memcache.New[int64, chat.User](1000, time.Minute),
		Messages:      memlimit.New[int64](0, 0, 1000),
		LoginAccounts: memlimit.New[string](.001, 5, 1000),
		LoginAddrs:    memlimit.New[string](.001, 100, 1000),
		Registrations: memlimit.New[string](.001, 2, 1000),
		Limits:        chat.Limits{MaxUpload: maxUpload, MaxContent: 1 << 10},
	}
	rc := rest.Config{
		MaxBody: maxBody, Version: "v0.0.0-test",
		Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, s := range setups {
		s(&cc, &rc)
	}
	svc := chat.New(cc)
	t.Cleanup(svc.Close)
	w.svc, w.presence, w.server = svc, bus, rest.New(svc, rc)
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A record is a buffer for logs that is safe for concurrent use.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// A reply is an answer with its body.
type reply struct {
	t      testing.TB
	status int
	header http.Header
	body   []byte
}

// do sends a request. token may be empty. body is a string or a reader, which is sent unchanged, or is encoded as JSON.
func (w *world) do(method, path, token string, body any, header ...string) reply {
	w.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	case io.Reader:
		in = b
	default:
		text, err := json.Marshal(b)
		must(w, err)
		in = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(w.Context(), method, w.url+path, in)
	must(w, err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := w.http.Do(req)
	must(w, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(w, err)
	return reply{w, res.StatusCode, res.Header, text}
}

// want checks the status, and that the body has the matching envelope.
func (r reply) want(status int) reply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("status %d, want %d: %s", r.status, status, r.body)
	}
	if len(r.body) == 0 {
		return r
	}
	if got := r.header.Get("Content-Type"); got != "application/json" {
		r.t.Fatalf("Content-Type is %q", got)
	}
	switch {
	case status < 300 && r.at("success") != true:
		r.t.Fatalf("no success in %s", r.body)
	case status >= 400 && (r.at("success") != false || text(r.at("error")) == "" || text(r.at("details")) == ""):
		r.t.Fatalf("no refusal: %s", r.body)
	}
	return r
}

// says checks that the body contains part.
func (r reply) says(part string) reply {
	r.t.Helper()
	if !strings.Contains(string(r.body), part) {
		r.t.Fatalf("%s does not say %q", r.body, part)
	}
	return r
}

// at returns the value at a path of names and indexes in the body.
func (r reply) at(path ...any) any {
	r.t.Helper()
	var v any
	if err := json.Unmarshal(r.body, &v); err != nil {
		r.t.Fatalf("%s: %v", r.body, err)
	}
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			l, _ := v.([]any)
			if step >= len(l) {
				return nil
			}
			v = l[step]
		}
	}
	return v
}

func (r reply) num(path ...any) int64 {
	r.t.Helper()
	n, ok := r.at(path...).(float64)
	if !ok {
		r.t.Fatalf("no number at %v of %s", path, r.body)
	}
	return int64(n)
}

func (r reply) list(path ...any) []any {
	r.t.Helper()
	l, ok := r.at(path...).([]any)
	if !ok {
		r.t.Fatalf("no list at %v of %s", path, r.body)
	}
	return l
}

func text(v any) string { s, _ := v.(string); return s }

// A user is a logged-in user.
type user struct {
	id                         int64
	phone, name, pass          string
	token, refresh, tokenAgain string
}

type m = map[string]any

// join registers a user called name.
func (w *world) join(name string) user {
	w.Helper()
	sum := 0
	for _, c := range name {
		sum = sum*31 + int(c)
	}
	phone := fmt.Sprintf("+1%010d", sum%1_000_000_000)
	r := w.do("POST", "/api/auth/register", "", m{"phone": phone, "password": "secret-" + name, "username": name}).want(201)
	return userOf(r, name, phone)
}

func userOf(r reply, name, phone string) user {
	return user{
		id: r.num("data", "user", "id"), phone: phone, name: name, pass: "secret-" + name,
		token: text(r.at("data", "token")), tokenAgain: text(r.at("data", "access_token")),
		refresh: text(r.at("data", "refresh_token")),
	}
}

// send sends a text from one user to another and returns its id.
func (w *world) send(from, to user, content string) int64 {
	w.Helper()
	return w.do("POST", "/api/messages", from.token, m{"receiver_id": to.id, "content": content}).want(200).num("data", "id")
}

// group creates a group and returns its id.
func (w *world) group(owner user, members ...user) int64 {
	w.Helper()
	ids := []int64{}
	for _, u := range members {
		ids = append(ids, u.id)
	}
	return w.do("POST", "/api/chats", owner.token, m{"title": "a group", "member_ids": ids}).want(201).num("data", "id")
}
