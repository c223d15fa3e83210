//go:build unix

package admin_test

import (
	"fmt"
	"testing"

	"github.com/onemeter/onemeter/internal/browser"
	"github.com/onemeter/onemeter/internal/imclient"
	"github.com/onemeter/onemeter/server"
	"github.com/onemeter/onemeter/server/servertest"
)

const password = servertest.Password

// A system is a running server with its own database.
type system struct{ *servertest.Server }

func start(t *testing.T) system {
	t.Helper()
	return system{servertest.Start(t, func(cfg *server.Config) { cfg.ModerationReads = true })}
}

// A user acts over HTTP: the test does not look at their page.
type user struct {
	imclient.Account
	id int64
}

func (s system) register(t *testing.T, phone, username, nickname string) *user {
	t.Helper()
	account := s.Register(t, phone, username, nickname)
	return &user{account, account.ID}
}

// boss registers a super administrator.
func (s system) boss(t *testing.T) *user {
	t.Helper()
	u := s.register(t, "10000", "boss", "Grace Boss")
	s.Appoint(t, u.Account, "super_admin")
	return u
}

type m map[string]any

// do makes a call that must succeed.
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

// A window is a browser window with the console.
type window struct {
	*browser.Window
	t *testing.T
}

// console opens the console of a system.
func (s system) console(t *testing.T, b *browser.Browser, screen browser.Screen) *window {
	t.Helper()
	return &window{b.Open(t, "http://"+s.Addr+"/admin/", screen), t}
}

// login fills in the form.
func (w *window) login(who, password string) {
	w.t.Helper()
	w.Fill(`input[name=who]`, who)
	w.Fill(`input[name=password]`, password+"\r")
}

// enter logs in as a user of the staff, and waits for the console.
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

// confirm presses the button verb of the open dialog, and waits for a notice.
func (w *window) confirm(verb, notice string) {
	w.t.Helper()
	w.Until(`!!document.querySelector('dialog[open]')`)
	w.JS(fmt.Sprintf(`[...document.querySelectorAll('dialog[open] button')].find(b => b.textContent === %q).click()`, verb))
	w.Sees(`.notice`, notice)
	w.Until(`!document.querySelector('dialog[open]')`)
}
