package ws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/onemeter/onemeter/server/bus/membus"
	"github.com/onemeter/onemeter/server/cache/memcache"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/limit/memlimit"
	"github.com/onemeter/onemeter/server/sqlstore"
	"github.com/onemeter/onemeter/server/sqlstore/storetest"
)

func TestMain(m *testing.M) {
	if os.Getenv(receiversEnv) != "" {
		runReceivers()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// migrated gives each test a database of its own that has all tables.
var migrated = storetest.Template(func(path string) (io.Closer, error) {
	return sqlstore.Open(context.Background(), sqlstore.Config{Path: path})
})

// patience is how long a test waits before it fails.
const patience = 20 * time.Second

// A world is a hub on a real service and a real HTTP server.
type world struct {
	t     testing.TB
	svc   *chat.Service
	store *sqlstore.Store
	hub   *Hub
	srv   *httptest.Server

	users   atomic.Int64
	stopped sync.Once
	failed  chan error // errors of Serve
}

func newWorld(t testing.TB, cfg Config) *world {
	t.Helper()
	return newWorldAt(t, cfg, time.Now)
}

// newWorldAt is newWorld with the clock now.
func newWorldAt(t testing.TB, cfg Config, now func() time.Time) *world {
	t.Helper()
	cfg.Now = now
	store, err := sqlstore.Open(t.Context(), sqlstore.Config{Path: migrated(t)})
	if err != nil {
		t.Fatal(err)
	}
	const size, ttl = 20000, time.Hour
	bus := membus.New()
	w := &world{t: t, store: store, failed: make(chan error, 16)}
	w.svc = chat.New(chat.Config{
		Store: store, Bus: bus, Presence: bus,
		Sessions: memcache.New[string, chat.Session](size, ttl), Memberships: memcache.New[int64, chat.Membership](size, ttl),
		Directs: memcache.New[chat.Pair, int64](size, ttl), Users: memcache.New[int64, chat.User](size, ttl),
		Messages: memlimit.New[int64](0, 1, size), LoginAccounts: memlimit.New[string](0, 1, size),
		LoginAddrs: memlimit.New[string](0, 1, size), Registrations: memlimit.New[string](0, 1, size),
		Hasher: plain{}, Signer: plain{}, Log: slog.New(slog.DiscardHandler), Now: now,
	})
	w.hub = New(w.svc, cfg)
	w.svc.DeliverTo(w.hub.Deliver)
	bus.Subscribe(w.svc.Receive)
	w.srv = httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(func() {
		w.stop()
		w.srv.Close()
		w.svc.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	if err := w.hub.Serve(rw, r); err != nil {
		http.Error(rw, err.Error(), http.StatusTeapot)
		w.failed <- err
	}
}

// hideTCP hides from the hub that its connections are TCP connections, as TLS does.
func (w *world) hideTCP() {
	w.srv.Close()
	w.srv = httptest.NewUnstartedServer(http.HandlerFunc(w.serve))
	w.srv.Listener = opaqueListener{w.srv.Listener}
	w.srv.Start()
}

type opaqueListener struct{ net.Listener }

func (l opaqueListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if b, ok := nc.(*net.TCPConn); ok {
		_ = b.SetWriteBuffer(sendBuffer)
	}
	return struct{ net.Conn }{nc}, err
}

// stop shuts the hub down, once.
func (w *world) stop() {
	w.stopped.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := w.hub.Shutdown(ctx); err != nil {
			w.t.Error("shutdown:", err)
		}
	})
}

// user registers an account.
func (w *world) user(name string) chat.Tokens {
	w.t.Helper()
	tokens, err := w.svc.Register(context.Background(), chat.Registration{
		Phone: fmt.Sprintf("1%09d", w.users.Add(1)), Username: name, Password: "secret", Addr: netip.MustParseAddr("127.0.0.1"),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return tokens
}

func (w *world) url(token string) string {
	return "ws" + strings.TrimPrefix(w.srv.URL, "http") + "/ws?token=" + token
}

// A client is the client's end of a connection.
type client struct {
	*websocket.Conn
	t   testing.TB
	who chat.User
}

// got is a frame that a client has read.
type got struct {
	Type      string          `json:"type"`
	Payload   json.RawMessage `json:"payload"`
	Timestamp time.Time       `json:"timestamp"`
}

// dial connects and reads the connect frame.
func (w *world) dial(tokens chat.Tokens) *client {
	w.t.Helper()
	c := w.dialSilent(tokens)
	if f := c.next(); f.Type != "connect" {
		w.t.Fatalf("first frame is %s", f.Type)
	}
	return c
}

func (w *world) dialSilent(tokens chat.Tokens) *client {
	w.t.Helper()
	conn, _, err := websocket.Dial(context.Background(), w.url(tokens.Access), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	conn.SetReadLimit(64 << 20)
	w.t.Cleanup(func() { _ = conn.CloseNow() })
	return &client{Conn: conn, t: w.t, who: tokens.User}
}

// send writes {"type": typ, "payload": payload}.
func (c *client) send(typ string, payload any) {
	c.t.Helper()
	b, err := json.Marshal(map[string]any{"type": typ, "payload": payload})
	if err != nil {
		c.t.Fatal(err)
	}
	c.raw(websocket.MessageText, b)
}

func (c *client) raw(typ websocket.MessageType, b []byte) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.Write(ctx, typ, b); err != nil {
		c.t.Error("write:", err)
	}
}

// read reads one frame.
func (c *client) read() (got, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, b, err := c.Conn.Read(ctx)
	if err != nil {
		return got{}, err
	}
	var f got
	if err := json.Unmarshal(b, &f); err != nil {
		return got{}, fmt.Errorf("frame %q: %w", b, err)
	}
	return f, nil
}

func (c *client) next() got {
	c.t.Helper()
	f, err := c.read()
	if err != nil {
		c.t.Fatal("read:", err)
	}
	return f
}

// want reads up to the next frame of a type, and decodes its payload into each of into.
func (c *client) want(typ string, into ...any) got {
	c.t.Helper()
	for {
		f := c.next()
		if f.Type != typ {
			continue
		}
		for _, v := range into {
			if err := json.Unmarshal(f.Payload, v); err != nil {
				c.t.Fatalf("%s: %v", f.Payload, err)
			}
		}
		return f
	}
}

// wantClosed reads to the end and checks the server's close code.
func (c *client) wantClosed(code websocket.StatusCode) {
	c.t.Helper()
	for {
		if _, err := c.read(); err != nil {
			if got := websocket.CloseStatus(err); got != code {
				c.t.Errorf("closed with %d, want %d: %v", got, code, err)
			}
			return
		}
	}
}

// await waits until cond holds.
func (w *world) await(what string, cond func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(patience)
	for !cond() {
		if time.Now().After(deadline) {
			w.t.Fatalf("not within %s: %s", patience, what)
		}
		time.Sleep(time.Millisecond)
	}
}

// plain is a Hasher and Signer that costs no time.
type plain struct{}

func (plain) Hash(_ context.Context, password string) (string, error) { return password, nil }

func (plain) Verify(_ context.Context, hash, password string) (bool, error) {
	return hash == password, nil
}

func (plain) Sign(c chat.Claims) (string, error) {
	return fmt.Sprintf("%d.%s", c.UserID, c.SessionID), nil
}

func (plain) Seal(text string) string { return "sealed-" + text }

func (plain) Parse(token string, now time.Time) (chat.Claims, error) {
	user, session, ok := strings.Cut(token, ".")
	id, err := strconv.ParseInt(user, 10, 64)
	if !ok || err != nil {
		return chat.Claims{}, errors.New("bad token")
	}
	return chat.Claims{UserID: id, SessionID: session, ExpiresAt: now.Add(time.Hour)}, nil
}

func mustUnmarshal(t testing.TB, b []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(b, v); err != nil {
		t.Errorf("%s: %v", b, err)
	}
}
