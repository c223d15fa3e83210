//go:build unix

package web_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"
)

// setsUp enters the password, first a wrong one, so that the page shows the secret.
func (w *window) setsUp(where string) {
	w.t.Helper()
	w.fill(where+` [name=password]`, "wrong horse\r")
	w.sees(where+` .fault`, "password is wrong")
	w.refill(where+` [name=password]`, password+"\r")
	w.until(`!!document.querySelector('code.secret')`)
}

// twoFactor turns two-factor login on, logs in with codes and from a trusted browser, and
// turns it off.
func twoFactor(t *testing.T, b *chromium) {
	a := start(t)
	a.register(t, "10001", "alice", "Alice Winter")
	here, there := b.open(t, "http://"+a.Addr, desktop), b.open(t, "http://"+a.Addr, phone)
	here.login("alice")
	there.login("alice")

	here.settings("Two-factor login")
	here.setsUp(`dialog details`)
	here.shot("secret")
	secret := strings.ReplaceAll(eval[string](here, `document.querySelector('code.secret').textContent`), " ", "")
	if url := eval[string](here, `document.querySelector('code.secret').previousElementSibling.querySelector('a').href`); !strings.Contains(url, secret) {
		t.Errorf("the link %s does not contain the secret %s", url, secret)
	}
	// Each code is valid once, also those of the period before and after the current one.
	began := time.Now()
	code := func(periods time.Duration) string {
		t.Helper()
		code, err := totp.GenerateCode(secret, began.Add(periods*30*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	here.fill(`dialog [name=code]`, "12 34\r")
	here.sees(`dialog .fault`, "code")
	here.refill(`dialog [name=code]`, code(0)+"\r")
	here.until(`document.querySelectorAll('.codes li').length === 10`)
	here.shot("backup")
	backup := eval[[]string](here, `[...document.querySelectorAll('.codes li')].map(e => e.textContent)`)
	here.button("I have saved them")
	here.sees(`dialog details`, "Backup codes left: 10")
	there.sees(`[role=alert]`, "You were logged out")

	// Log in with a wrong code, then with a valid one, and trust this browser.
	enter := func(w *window) {
		t.Helper()
		w.fill(`input[name=who]`, "alice")
		w.fill(`input[name=password]`, password+"\r")
	}
	enter(there)
	there.sees(`h1`, "Enter your code")
	there.fill(`input[name=code]`, "000000\r")
	there.sees(`[role=alert]`, "code")
	there.shot("code")
	there.press(`input[name=trust]`)
	there.refill(`input[name=code]`, code(1)+"\r")
	there.connected()
	there.press(`.sidebar .account`)
	there.button("Log out")
	there.sees(`h1`, "Log in")
	there.login("alice")

	// Another browser needs a code; a backup code works once.
	for _, again := range []bool{false, true} {
		w := b.open(t, "http://"+a.Addr, desktop)
		enter(w)
		w.fill(`input[name=code]`, backup[0]+"\r")
		if again {
			w.sees(`[role=alert]`, "code")
			w.button("Back")
			w.sees(`h1`, "Log in")
			continue
		}
		w.connected()
	}

	// Turning it off needs the password and a code.
	here.fill(`dialog [name=password]`, "wrong horse")
	here.js(`document.querySelector('dialog [name=password]').form.querySelector('[name=code]').focus()`)
	here.do(chromedp.KeyEvent(backup[1] + "\r"))
	here.sees(`dialog .fault`, "password is wrong")
	here.refill(`dialog [name=password]`, password+"\r")
	here.sees(`dialog .notice`, "Two-factor login is off.")
	here.sees(`dialog details`, "You log in with your password and a code")
	there.sees(`[role=alert]`, "You were logged out")
	there.login("alice") // without a code
}

// twoFactorFirst checks that a user who must have two-factor login can do nothing before
// setting it up.
func twoFactorFirst(t *testing.T, b *chromium) {
	a := start(t)
	a.Stop()
	a.Config.RequireTwoFactor = "all"
	a.Run(t)
	w := b.open(t, "http://"+a.Addr, phone)
	w.button("Register")
	w.fill(`input[name=phone]`, "10001")
	w.fill(`input[name=password]`, password+"\r")
	w.sees(`h1`, "Set up two-factor login")
	w.setsUp(`.card`)
	w.shot("secret")
	code, err := totp.GenerateCode(strings.ReplaceAll(eval[string](w, `document.querySelector('code.secret').textContent`), " ", ""), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w.fill(`.card [name=code]`, "000000\r")
	w.sees(`.fault`, "code is wrong")
	w.refill(`.card [name=code]`, code+"\r")
	w.sees(`.card`, "Save these backup codes")
	w.button("I have saved them")
	w.connected()
	w.settings("Two-factor login")
	w.sees(`dialog details`, "Backup codes left: 10")
	w.until(`![...document.querySelectorAll('dialog button')].some(e => e.textContent === 'Turn off')`)
}
