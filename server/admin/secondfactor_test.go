//go:build unix

package admin_test

import (
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/onemeter/onemeter/internal/browser"
)

// secondFactor turns the second factor on at the security page, and logs in with a backup
// code.
func secondFactor(t *testing.T, b *browser.Browser) {
	s := start(t)
	s.boss(t)
	w := s.console(t, b, browser.Desktop)
	w.enter("boss")
	w.visit("#security", "Security")
	w.Sees(`main`, "Your password is enough to log in")
	w.Button("Turn on…")
	w.Fill(`dialog [name=password]`, "wrong password\r")
	w.Sees(`dialog [role=alert]`, "password")
	w.JS(`document.querySelector('dialog [name=password]').select()`)
	w.Fill(`dialog [name=password]`, password+"\r")
	w.Until(`!!document.querySelector('code.secret')`)
	secret := browser.Eval[string](w.Window, `document.querySelector('code.secret').textContent`)
	w.Shot("secret")
	w.Fill(`[name=code]`, "000000\r")
	w.Sees(`[role=alert]`, "code")
	code, err := totp.GenerateCode(secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w.JS(`document.querySelector('[name=code]').select()`)
	w.Fill(`[name=code]`, code+"\r")
	w.Sees(`main`, "Save these backup codes")
	w.Sees(`main`, "Backup codes left: 10")
	backup := browser.Eval[string](w.Window, `document.querySelector('.codes code').textContent`)
	w.Button("Log out")

	w.login("boss", password)
	w.Fill(`[name=code]`, "123\r")
	w.Sees(`[role=alert]`, "code")
	w.Shot("code")
	w.JS(`document.querySelector('[name=code]').select()`)
	w.Fill(`[name=code]`, backup+"\r")
	w.Until(`!!document.querySelector('.console nav')`)
	w.visit("#security", "Security")
	w.Sees(`main`, "Backup codes left: 9")
	w.Sees(`table`, "this one")
}
