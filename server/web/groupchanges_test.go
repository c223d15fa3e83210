//go:build unix

package web_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/onemeter/onemeter/internal/needs"
)

// groupChanges checks that all members' windows show changes of a group and its messages at
// once.
func groupChanges(t *testing.T, b *chromium) {
	a := start(t)
	owner := a.register(t, "10001", "alice", "Alice Winter")
	member := a.register(t, "10002", "bob", "Bob Sommer")
	reader := a.register(t, "10003", "carol", "Carol Herbst")
	var made struct{ ID int64 }
	owner.do(t, "POST", "/api/chats", map[string]any{"title": "Hiking club", "member_ids": []int64{member.ID, reader.ID}}, &made)
	proxy := needs.NewProxy(t, a.Addr)
	alice, second := b.open(t, "http://"+proxy.Addr, desktop), b.open(t, "http://"+a.Addr, phone)
	bob, carol := b.open(t, "http://"+a.Addr, desktop), b.open(t, "http://"+a.Addr, desktop)
	for i, w := range []*window{alice, second, bob, carol} {
		w.login([]string{"alice", "alice", "bob", "carol"}[i])
	}
	alice.reads("Hiking club")
	second.reads("Hiking club")

	// Receipts: Carol has read the message, Bob has only received it.
	alice.says("Sunday at nine?")
	bob.sees(`nav .preview`, "Sunday at nine?")
	carol.reads("Hiking club")
	alice.until(`!!document.querySelector('.message.mine .ticks.read')`)
	alice.menu("Sunday at nine?", "Who has read it")
	alice.sees(`dialog .members .name`, "Carol Herbst")
	alice.shot("receipts")
	lists := eval[[]string](alice, `[...document.querySelectorAll('dialog .members')].map(ul => [...ul.querySelectorAll('.name')].map(e => e.textContent).join())`)
	if fmt.Sprint(lists) != "[Carol Herbst Bob Sommer]" {
		t.Errorf("read by, and delivered to: %q, want Carol Herbst and Bob Sommer", lists)
	}
	alice.button("Close")

	// Alice deletes a message only for herself: it disappears in all of her windows.
	carol.says("I am in")
	for _, w := range []*window{alice, second} {
		w.sees(`.message .text`, "I am in")
	}
	proxy.Cut()
	alice.menu("I am in", "Delete for me")
	alice.sees(`.notice`, "The server cannot be reached")
	alice.sees(`.message .text`, "I am in")
	proxy.Heal()
	alice.until(`!document.querySelector('[aria-busy]') && document.querySelector('.chat .state').textContent !== 'no connection'`)
	alice.menu("I am in", "Delete for me")
	for _, w := range []*window{alice, second} {
		w.until(`document.querySelectorAll('.message').length === 1`)
	}
	carol.sees(`.message .text`, "I am in")
	bob.reads("Hiking club")
	bob.sees(`.message .text`, "I am in")
	second.do(chromedp.Reload())
	second.sees(`.message .text`, "Sunday at nine?")
	if texts := eval[string](second, `document.querySelector('.messages').textContent`); strings.Contains(texts, "I am in") {
		t.Errorf("after a reload Alice sees a message that she deleted for herself: %s", texts)
	}

	// A new title is shown at once; one that is too long is refused.
	alice.button("Members")
	alice.refill(`dialog [name=title]`, strings.Repeat("long ", 60)+"\r")
	alice.sees(`dialog .notice`, "title")
	alice.refill(`dialog [name=title]`, "登山の会 <b>\r")
	for _, w := range []*window{alice, second, bob} {
		w.sees(`.chat h2`, "登山の会 <b>")
	}
	bob.sees(`nav .name`, "登山の会 <b>")
	bob.shot("renamed")
	alice.sees(`dialog h2`, "登山の会 <b>")

	// The owner deletes the group, after a confirmation.
	alice.confirm("Delete group", false)
	bob.says("Still here")
	alice.sees(`.message .text`, "Still here")
	alice.confirm("Delete group", true)
	for _, w := range []*window{alice, second, bob, carol} {
		w.until(`!document.querySelector('.chat') && !document.querySelector('nav .row')`)
	}
	bob.sees(`.notice`, "Somebody deleted the group “登山の会 <b>”.")
	refused, err := member.Ask(t.Context(), "POST", "/api/messages", map[string]any{"chat_id": made.ID, "content": "?"})
	if err != nil || refused.Status != 404 {
		t.Errorf("a message to a deleted group: status %d (%v), want 404", refused.Status, err)
	}
}
