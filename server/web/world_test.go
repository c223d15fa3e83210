//go:build unix

package web_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/onemeter/onemeter/internal/imclient"
	"github.com/onemeter/onemeter/server"
	"github.com/onemeter/onemeter/telemetry"
)

// An app is a server that runs, with a database of its own.
type app struct {
	cfg  server.Config
	addr string
	stop func() // once
}

func start(t *testing.T) *app {
	t.Helper()
	dir := t.TempDir()
	cfg := server.DefaultConfig()
	cfg.Addr = "127.0.0.1:0"
	cfg.DB = "sqlite://" + filepath.Join(dir, "im.db")
	cfg.Blob = "file://" + filepath.Join(dir, "files")
	cfg.MessageRate = 0 // tests write faster than people
	a := &app{cfg: cfg}
	a.run(t)
	t.Cleanup(func() { a.stop() })
	return a
}

// run serves until stop. A second time it serves at the same address.
func (a *app) run(t *testing.T) {
	t.Helper()
	tel, err := telemetry.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	srv, err := server.New(t.Context(), a.cfg, tel, slog.New(slog.DiscardHandler), "test")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	a.addr = srv.Addr()
	a.cfg.Addr = a.addr
	a.stop = sync.OnceFunc(func() {
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

// A user writes over HTTP, as somebody whose page the test does not look at.
type user struct{ imclient.Account }

const password = "correct horse"

func (a *app) register(t *testing.T, phone, username, nickname string) *user {
	t.Helper()
	account, err := imclient.Register(t.Context(), "http://"+a.addr,
		imclient.Profile{Phone: phone, Username: username, Nickname: nickname, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	return &user{account}
}

// boss registers a super administrator, whom an operator appoints as on the command line.
func (a *app) boss(t *testing.T) *user {
	t.Helper()
	u := a.register(t, "10000", "boss", "Grace Boss")
	o, err := server.OpenOperator(t.Context(), a.cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = o.Close() }()
	if _, err := o.SetRole(t.Context(), server.Who{ID: u.ID}, "super_admin"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) { // the server looks every two seconds
		var now struct{ Role string }
		if u.do(t, "GET", "/api/users/me", nil, &now); now.Role == "super_admin" {
			return u
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server takes user %d for a %s", u.ID, now.Role)
		}
	}
}

// do makes a call that has to succeed.
func (u *user) do(t *testing.T, method, path string, body, data any) {
	t.Helper()
	if err := u.Do(t.Context(), method, path, body, data); err != nil {
		t.Fatal(err)
	}
}

// expires waits until the user's token is not good any more.
func (u *user) expires(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		answer, err := u.Ask(t.Context(), http.MethodGet, "/api/auth/validate", nil)
		if err != nil {
			t.Fatal(err)
		}
		if answer.Status == http.StatusUnauthorized {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the token does not expire")
		}
	}
}

// send writes texts to a user.
func (u *user) send(t *testing.T, to int64, texts ...string) {
	t.Helper()
	for i, text := range texts {
		u.do(t, "POST", "/api/messages", map[string]any{
			"receiver_id": to, "content": text, "client_msg_id": fmt.Sprint(to, " ", i, " ", text),
		}, nil)
	}
}

// upload stores a file and returns its id.
func (u *user) upload(t *testing.T, name, contentType, text string) int64 {
	t.Helper()
	var file struct{ ID int64 }
	u.do(t, "POST", "/api/files/upload", imclient.File{Name: name, Type: contentType, Content: []byte(text)}, &file)
	return file.ID
}

// somePicture is a PNG of 320 by 200.
func somePicture(t *testing.T) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 320, 200))
	for y := range 200 {
		for x := range 320 {
			img.Set(x, y, color.RGBA{uint8(60 + y/2), uint8(120 + x/4), uint8(200 - y/3), 255})
		}
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}
