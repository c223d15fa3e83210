//go:build unix

package web_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"testing"
	"time"

	"github.com/onemeter/onemeter/internal/imclient"
	"github.com/onemeter/onemeter/server"
	"github.com/onemeter/onemeter/server/servertest"
)

// An app is a running server with its own database.
type app struct{ *servertest.Server }

func start(t *testing.T) app {
	t.Helper()
	return app{servertest.Start(t, func(cfg *server.Config) { cfg.MessageRate = 0 })} // tests write faster than people
}

// A user acts over HTTP: the test does not look at their page.
type user struct{ imclient.Account }

const password = servertest.Password

func (a app) register(t *testing.T, phone, username, nickname string) *user {
	t.Helper()
	return &user{a.Register(t, phone, username, nickname)}
}

// boss registers a super administrator.
func (a app) boss(t *testing.T) *user {
	t.Helper()
	u := a.register(t, "10000", "boss", "Grace Boss")
	a.Appoint(t, u.Account, "super_admin")
	return u
}

// do makes a call that must succeed.
func (u *user) do(t *testing.T, method, path string, body, data any) {
	t.Helper()
	if err := u.Do(t.Context(), method, path, body, data); err != nil {
		t.Fatal(err)
	}
}

// expires waits until the user's token has expired.
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
			t.Fatalf("the token is still valid after %s", patience)
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

// somePicture returns a PNG of 320 by 200 pixels.
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
