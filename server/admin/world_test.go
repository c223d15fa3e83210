//go:build unix

package admin_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/onemeter/onemeter/internal/browser"
	"github.com/onemeter/onemeter/internal/imclient"
	"github.com/onemeter/onemeter/server"
	"github.com/onemeter/onemeter/telemetry"
)

const password = "correct horse"

// A system is a server that runs, with a database of its own.
type system struct {
	cfg  server.Config
	addr string
	stop func() // once
}

func start(t *testing.T) *system {
	t.Helper()
	dir := t.TempDir()
	cfg := server.DefaultConfig()
	cfg.Addr = "127.0.0.1:0"
	cfg.DB = "sqlite://" + filepath.Join(dir, "im.db")
	cfg.Blob = "file://" + filepath.Join(dir, "files")
	cfg.ModerationReads = true
	s := &system{cfg: cfg}
	s.run(t)
	t.Cleanup(func() { s.stop() })
	return s
}

// run serves until stop. A second time it serves at the same address.
func (s *system) run(t *testing.T) {
	t.Helper()
	tel, err := telemetry.New(t.Context(), telemetry.WithService("imserver", "test"))
	if err != nil {
		t.Fatal(err)
	}
	srv, err := server.New(t.Context(), s.cfg, tel, slog.New(slog.DiscardHandler), "test")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	s.addr = srv.Addr()
	s.cfg.Addr = s.addr
	s.stop = sync.OnceFunc(func() {
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

// A user acts over HTTP, as somebody whose page the test does not look at.
type user struct {
	imclient.Account
	id int64
}

func (s *system) register(t *testing.T, phone, username, nickname string) *user {
	t.Helper()
	account, err := imclient.Register(t.Context(), "http://"+s.addr,
		imclient.Profile{Phone: phone, Username: username, Nickname: nickname, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	return &user{account, account.ID}
}

// appoint gives a user a role, as an operator does on the command line.
func (s *system) appoint(t *testing.T, u *user, role string) {
	t.Helper()
	o, err := server.OpenOperator(t.Context(), s.cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = o.Close() }()
	if _, err := o.SetRole(t.Context(), server.Who{ID: u.id}, role); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(browser.Patience); ; time.Sleep(20 * time.Millisecond) { // the server looks every two seconds
		var now struct{ Role string }
		if u.do(t, "GET", "/api/users/me", nil, &now); now.Role == role {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server takes user %d for a %s", u.id, now.Role)
		}
	}
}

// boss registers a super administrator.
func (s *system) boss(t *testing.T) *user {
	t.Helper()
	u := s.register(t, "10000", "boss", "Grace Boss")
	s.appoint(t, u, "super_admin")
	return u
}

type m map[string]any

// do makes a call that has to succeed.
func (u *user) do(t *testing.T, method, path string, body, data any) {
	t.Helper()
	if err := u.Do(t.Context(), method, path, body, data); err != nil {
		t.Fatal(err)
	}
}

// send writes to a user, and returns the message's id.
func (u *user) send(t *testing.T, to int64, text string) (id int64) {
	t.Helper()
	var made struct{ ID int64 }
	u.do(t, "POST", "/api/messages", m{"receiver_id": to, "content": text}, &made)
	return made.ID
}

// A window is the console as somebody uses it.
type window struct {
	*browser.Window
	t *testing.T
}

// console opens the console of a system.
func (s *system) console(t *testing.T, b *browser.Browser, screen browser.Screen) *window {
	t.Helper()
	return &window{b.Open(t, "http://"+s.addr+"/admin/", screen), t}
}

// login fills in the form.
func (w *window) login(who, password string) {
	w.t.Helper()
	w.Fill(`input[name=who]`, who)
	w.Fill(`input[name=password]`, password+"\r")
}

// enter is login of somebody who is let in.
func (w *window) enter(who string) {
	w.t.Helper()
	w.login(who, password)
	w.Until(`!!document.querySelector('.console nav')`)
}

// visit shows a page, as a link to it does.
func (w *window) visit(page, heading string) {
	w.t.Helper()
	w.JS(fmt.Sprintf(`void (location.hash = %q)`, page))
	w.Sees(`main h1`, heading)
	w.Until(`![...document.querySelectorAll('main [role=status]')].some(e => e.textContent === 'Loading…')`)
}

// confirm says yes to the question that is asked, and waits for what is told.
func (w *window) confirm(verb, told string) {
	w.t.Helper()
	w.Until(`!!document.querySelector('dialog[open]')`)
	w.JS(fmt.Sprintf(`[...document.querySelectorAll('dialog[open] button')].find(b => b.textContent === %q).click()`, verb))
	w.Sees(`.notice`, told)
	w.Until(`!document.querySelector('dialog[open]')`)
}
