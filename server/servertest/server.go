// Package servertest starts a whole server for tests of its web pages.
package servertest

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onemeter/onemeter/internal/imclient"
	"github.com/onemeter/onemeter/server"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/sqlstore"
	"github.com/onemeter/onemeter/telemetry"
)

// Password is that of every account.
const Password = "correct horse"

// noticed is how long a server may take to follow an operator, on a machine with much
// to do; it looks every second.
const noticed = 30 * time.Second

// A Server runs on SQLite, with a database and files of its own.
type Server struct {
	Config server.Config
	Addr   string // host:port, the same after each Run
	Stop   func() // shuts down, once; the end of the test does it, too
}

// Start runs a server with the default configuration, which change adapts.
func Start(t *testing.T, change func(*server.Config)) *Server {
	t.Helper()
	dir := t.TempDir()
	cfg := server.DefaultConfig()
	cfg.Addr = "127.0.0.1:0"
	cfg.DB = "sqlite://" + filepath.Join(dir, "im.db")
	cfg.Blob = "file://" + filepath.Join(dir, "files")
	change(&cfg)
	s := &Server{Config: cfg}
	s.Run(t)
	t.Cleanup(func() { s.Stop() })
	return s
}

// Run serves until Stop. After that it can be called again.
func (s *Server) Run(t *testing.T) {
	t.Helper()
	tel, err := telemetry.New(t.Context(), telemetry.WithService("imserver", "test"))
	if err != nil {
		t.Fatal(err)
	}
	srv, err := server.New(t.Context(), s.Config, tel, slog.New(slog.DiscardHandler), "test")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	s.Addr = srv.Addr()
	s.Config.Addr = s.Addr
	s.Stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("shutdown: %v", err)
		}
		_ = tel.Shutdown(context.Background())
	})
	select {
	case <-srv.Up():
	case err := <-done:
		t.Fatal(err)
	}
}

// Register makes an account.
func (s *Server) Register(t *testing.T, phone, username, nickname string) imclient.Account {
	t.Helper()
	account, err := imclient.Register(t.Context(), "http://"+s.Addr,
		imclient.Profile{Phone: phone, Username: username, Nickname: nickname, Password: Password})
	if err != nil {
		t.Fatal(err)
	}
	return account
}

// Appoint gives an account a role, as an operator does on the command line, and waits
// until the server knows.
func (s *Server) Appoint(t *testing.T, account imclient.Account, role string) {
	t.Helper()
	o, err := server.OpenOperator(t.Context(), s.Config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = o.Close() }()
	if _, err := o.SetRole(t.Context(), server.Who{ID: account.ID}, role); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(noticed); ; time.Sleep(20 * time.Millisecond) {
		var now struct{ Role string }
		if err := account.Do(t.Context(), "GET", "/api/users/me", nil, &now); err != nil {
			t.Fatal(err)
		}
		if now.Role == role {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server takes user %d for a %s", account.ID, now.Role)
		}
	}
}

// Fill stores messages behind the first one of conversation 1, of the users 1 and 2,
// up to a seq; from returns the sender of each. The server is stopped meanwhile: that
// takes a fraction of the time of sending them.
func (s *Server) Fill(t *testing.T, upTo int, from func(seq int) int64) {
	t.Helper()
	s.Stop()
	defer s.Run(t)
	store, err := sqlstore.Open(t.Context(), sqlstore.Config{Path: strings.TrimPrefix(s.Config.DB, "sqlite://")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	batch := make([]chat.NewMessage, 0, 1000)
	for seq := 2; seq <= upTo; seq++ {
		sender := from(seq)
		batch = append(batch, chat.NewMessage{
			ConversationID: 1, SenderID: sender, ReceiverID: 3 - sender, Type: chat.TypeText, Content: fmt.Sprint("message ", seq),
			CreatedAt: time.Now().Add(time.Duration(seq-upTo) * time.Minute),
		})
		if len(batch) < cap(batch) && seq < upTo {
			continue
		}
		if _, err := store.Append(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		batch = batch[:0]
	}
}
