//go:build unix

package web_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

// twoFactor sets two-factor login up, which takes the password, and turns it off.
func twoFactor(t *testing.T, b *chromium) {
	a := start(t)
	w := b.open(t, "http://"+a.addr, desktop)
	w.register("10001", "alice", "Alice Winter")
	w.press(`.sidebar button.account`)
	w.js(`[...document.querySelectorAll('summary')].find(e => e.textContent === 'Two-factor login').click()`)
	w.fill(`details[open] input[name=password]`, "not hers\r")
	w.sees(`details[open] .fault`, "password is wrong")
	w.js(`document.querySelector('details[open] input[name=password]').select()`)
	w.fill(`details[open] input[name=password]`, password+"\r")
	w.until(`!!document.querySelector('code.secret')`)
	w.shot("key")
	key := strings.ReplaceAll(eval[string](w, `document.querySelector('code.secret').textContent`), " ", "")
	code, err := totp.GenerateCode(key, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w.fill(`details[open] input[name=code]`, code+"\r")
	w.until(`document.querySelectorAll('.codes li').length === 10`)
	backup := eval[string](w, `document.querySelector('.codes li').textContent`)
	w.button("I have kept them")
	w.sees(`details[open]`, "10 backup codes are left")
	w.fill(`details[open] form:last-of-type input[name=password]`, password)
	w.fill(`details[open] form:last-of-type input[name=code]`, backup+"\r")
	w.sees(`details[open]`, "An authenticator on your phone")
}
