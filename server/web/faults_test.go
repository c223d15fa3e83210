//go:build unix

package web_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/onemeter/onemeter/internal/imclient"
	"github.com/onemeter/onemeter/internal/needs"
)

// reconnects cuts a connection while both sides write, and checks that afterwards no message
// is missing or shown twice.
func reconnects(t *testing.T, b *chromium) {
	a := start(t)
	alice := a.register(t, "10001", "alice", "Alice Winter")
	a.register(t, "10002", "bob", "Bob Sommer")
	proxy := needs.NewProxy(t, a.Addr)
	bob := b.open(t, "http://"+proxy.Addr, desktop)
	bob.login("bob")
	alice.send(t, 2, "before")
	bob.reads("Alice Winter")
	bob.sees(`.message .text`, "before")

	proxy.Cut()
	bob.sees(`.connection`, "No connection")
	const missed = 450 // more than two answers to sync
	for i := range missed {
		alice.send(t, 2, fmt.Sprint("missed ", i))
	}
	bob.says("written while away")
	bob.says("and a second one")
	bob.until(`document.querySelectorAll('.message.pending').length === 2`)
	bob.shot("away")
	proxy.Heal()
	bob.until(`document.querySelectorAll('.message.pending').length === 0`)
	bob.sees(`.message .text`, fmt.Sprint("missed ", missed-1))
	bob.gapless(missed + 3)
	bob.until(`document.querySelectorAll('.connection:not(:empty)').length === 0`)
	var all []struct {
		Seq     int64
		Content string
	}
	alice.do(t, "GET", fmt.Sprint("/api/messages?receiver_id=2&after_seq=", missed+1), nil, &all)
	if len(all) != 2 || all[0].Content != "written while away" || all[1].Content != "and a second one" {
		t.Errorf("the server has %v", all)
	}
}

// restarts checks that a message written while the server is down is sent once it is up
// again, and that a message whose answer was lost is stored once.
func restarts(t *testing.T, b *chromium) {
	a := start(t)
	alice := a.register(t, "10001", "alice", "Alice Winter")
	a.register(t, "10002", "bob", "Bob Sommer")
	bob := b.open(t, "http://"+a.Addr, desktop)
	bob.login("bob")
	alice.send(t, 2, "before")
	bob.reads("Alice Winter")
	a.Stop()
	bob.says("written while away")
	bob.until(`document.querySelectorAll('.message.pending').length === 1`)
	a.Run(t)
	bob.until(`document.querySelectorAll('.message.pending').length === 0`)
	alice.send(t, 2, "after")
	bob.gapless(3)

	proxy := needs.NewProxy(t, a.Addr)
	bob.do(chromedp.Navigate("http://" + proxy.Addr)) // another origin: another session
	bob.login("bob")
	bob.reads("Alice Winter")
	bob.sees(`.message .text`, "after")
	proxy.SeverAt("acknowledged nowhere", true) // the message arrives, but its answer is lost
	bob.says("acknowledged nowhere")
	bob.until(`document.querySelectorAll('.message.pending').length === 0`)
	bob.gapless(4)
	bob.do(chromedp.Reload())
	bob.sees(`.message .text`, "acknowledged nowhere")
	bob.gapless(4)
}

// refusals checks that the page says why the server refused a login or a message, and can
// send the message again.
func refusals(t *testing.T, b *chromium) {
	a := start(t)
	alice := a.register(t, "10001", "alice", "Alice Winter")
	a.register(t, "10002", "bob", "Bob Sommer")
	bob := b.open(t, "http://"+a.Addr, desktop)
	bob.fill(`input[name=who]`, "bob")
	bob.fill(`input[name=password]`, "wrong password\r")
	bob.sees(`[role=alert]`, "password")
	bob.do(chromedp.Navigate("http://" + a.Addr))
	bob.login("bob")
	var made struct{ ID int64 }
	alice.do(t, "POST", "/api/chats", map[string]any{"title": "Choir", "member_ids": []int64{2}}, &made)
	alice.do(t, "POST", "/api/messages", map[string]any{"chat_id": made.ID, "content": "la la"}, nil)
	bob.reads("Choir")
	member := fmt.Sprint("/api/chats/", made.ID, "/members/2/")
	alice.do(t, "POST", member+"mute", nil, nil)
	bob.says("la")
	bob.sees(`.message.failed`, "you are muted in this chat")
	bob.shot("failed")
	alice.do(t, "POST", member+"unmute", nil, nil)
	bob.button("Try again")
	bob.until(`document.querySelectorAll('.message.pending').length === 0 && document.querySelectorAll('.message.mine').length === 1`)

	alice.do(t, "POST", "/api/auth/logout", nil, nil)
	bob.js(`void fetch('/api/auth/logout', {method: 'POST', headers: {Authorization: 'Bearer ' + JSON.parse(sessionStorage['onemeter.session']).token}})`)
	bob.sees(`[role=alert]`, "You were logged out")
}

// renews checks that the page renews an expired token without an interruption.
func renews(t *testing.T, b *chromium) {
	a := start(t)
	a.Stop()
	a.Config.TokenTTL = 2 * time.Second
	a.Run(t)
	alice := b.open(t, "http://"+a.Addr, desktop)
	alice.register("10001", "alice", "Alice Winter")
	token := `JSON.parse(sessionStorage['onemeter.session']).token`
	first := &user{imclient.Account{URL: "http://" + a.Addr, Token: eval[string](alice, token)}}
	a.register(t, "10002", "bob", "Bob Sommer")
	alice.meets("bob", "Bob Sommer")
	first.expires(t)
	alice.says("still here")
	alice.button("New group")
	alice.fill(`dialog input[placeholder]`, "bob")
	alice.sees(`dialog .found`, "Bob Sommer")
	if eval[string](alice, token) == first.Token {
		t.Error("the page still uses the token of the login, which has expired")
	}
}
