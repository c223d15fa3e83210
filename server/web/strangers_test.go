//go:build unix

package web_test

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/onemeter/onemeter/internal/needs"
)

// strangers checks that a user who accepts messages and groups only from contacts gets
// requests from others, and can accept or decline them.
func strangers(t *testing.T, b *chromium) {
	a := start(t)
	a.register(t, "10001", "alice", "Alice Winter")
	a.register(t, "10002", "bob", "Bob Sommer")
	a.register(t, "10003", "carol", "Carol Herbst")
	proxy := needs.NewProxy(t, a.Addr)
	alice := b.open(t, "http://"+proxy.Addr, phone)
	alice.login("alice")
	alice.settings()
	alice.choose(`[name=messages]`, "contacts")
	alice.choose(`[name=groups]`, "contacts")
	alice.button("Close")
	alice.do(chromedp.Reload())
	alice.connected()
	alice.settings()
	alice.until(`document.querySelector('[name=messages]')?.value === 'contacts' && document.querySelector('[name=groups]').value === 'contacts'
		&& document.querySelector('[name=calls]').value === 'everybody'`)
	alice.shot("privacy")
	alice.button("Close")

	bob, carol := b.open(t, "http://"+a.Addr, desktop), b.open(t, "http://"+a.Addr, desktop)
	for who, w := range map[string]*window{"bob": bob, "carol": carol} {
		w.login(who)
		w.meets("alice", "Alice Winter")
		w.says("Hello, I am " + who)
	}
	alice.sees(`.requests .badge`, "2")
	alice.sees(`nav`, "No conversations yet.")
	alice.press(`.requests`)
	alice.sees(`dialog .preview`, "Hello, I am bob")
	alice.shot("requests")

	// Without a connection, Accept fails, and the page says so.
	proxy.Cut()
	alice.button("Accept: Bob Sommer")
	alice.sees(`dialog .notice`, "The server cannot be reached")
	proxy.Heal()
	alice.button("Accept: Bob Sommer")
	alice.until(`document.querySelectorAll('dialog .members > li').length === 1`)
	alice.button("Decline: Carol Herbst")
	alice.sees(`dialog`, "No requests.")
	alice.button("Close")
	alice.until(`!document.querySelector('.requests')`)
	alice.reads("Bob Sommer")
	alice.sees(`.message .text`, "Hello, I am bob")
	alice.says("Hello Bob")
	bob.sees(`.message .text`, "Hello Bob")
	carol.says("Are you there?")
	carol.sees(`.message.failed`, "has declined your request")
	carol.shot("declined")
	alice.button("Back to the list")
	if names := eval[int](alice, `document.querySelectorAll('nav .name').length`); names != 1 {
		t.Errorf("Alice has %d conversations, want only the one with Bob", names)
	}

	// An invitation to a group is a request, too.
	carol.button("New group")
	carol.fill(`dialog input[name=title]`, "Choir")
	carol.fill(`dialog input[placeholder]`, "alice")
	carol.press(`dialog .found button`)
	carol.button("Create group")
	carol.sees(`.notice`, "Request sent to Alice Winter.")
	carol.sees(`.chat .state`, "1 member")
	alice.press(`.requests`)
	alice.sees(`dialog .preview`, "Invites you to “Choir”")
	alice.button("Accept: Carol Herbst")
	alice.sees(`nav .name`, "Choir")
	carol.sees(`.chat .state`, "2 members")
}

// blocks checks that a blocked user can neither write nor call until the block ends.
func blocks(t *testing.T, b *chromium) {
	a := start(t)
	alice, bob := a.pair(t, b)
	alice.button("About this person")
	alice.button("Block")
	alice.sees(`dialog`, "Blocked. You cannot write to or call each other.")
	alice.shot("blocked")
	alice.button("Close")
	alice.sees(`.composer`, "You have blocked this person.")
	bob.says("Are you there?")
	bob.sees(`.message.failed`, "Alice Winter has blocked you")
	bob.button("Call")
	bob.sees(`.call`, "Alice Winter has blocked you")
	bob.shot("refused")

	bob.button("Close")
	alice.button("Unblock")
	alice.until(`!!document.querySelector('.composer textarea')`)
	bob.button("Try again")
	alice.sees(`.message .text`, "Are you there?")

	// The settings list blocked users, and end a block for the other window, too.
	alice.button("About this person")
	alice.button("Block")
	alice.button("Close")
	second := b.open(t, "http://"+a.Addr, phone)
	second.login("alice")
	second.settings()
	second.sees(`dialog .members .name`, "Bob Sommer")
	second.shot("list")
	second.button("Unblock")
	second.until(`!document.querySelector('dialog .members')`)
	alice.until(`!!document.querySelector('.composer textarea')`)
	alice.says("Here I am")
	bob.sees(`.message .text`, "Here I am")
}
