//go:build unix

package web_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// searches finds texts in several scripts, in all conversations and in one, and opens the
// messages however old they are.
func searches(t *testing.T, b *chromium) {
	a := start(t)
	alice := a.register(t, "10001", "alice", "Alice Winter")
	bob := a.register(t, "10002", "bob", "Bob Sommer")
	carol := a.register(t, "10003", "carol", "Carol Herbst")
	var made struct{ ID int64 }
	carol.do(t, "POST", "/api/chats", map[string]any{"title": "Hiking club", "member_ids": []int64{alice.ID}}, &made)
	carol.do(t, "POST", "/api/messages", map[string]any{"chat_id": made.ID, "content": "来週の土曜日に東京駅で会いましょう"}, nil)
	bob.send(t, alice.ID, "one", "我们在东京见面吧", "three", "<i>Tōkyō</i> or 東京?")
	for i := range 300 {
		bob.send(t, alice.ID, fmt.Sprint("and then ", i))
	}
	carol.send(t, bob.ID, "東京 is none of Alice's business")
	w := b.open(t, "http://"+a.Addr, desktop)
	w.login("alice")
	w.sees(`nav .name`, "Bob Sommer")
	found := func() string {
		t.Helper()
		return fmt.Sprint(eval[[]string](w, `[...document.querySelectorAll('nav h2:last-of-type + ul .preview')].map(e => e.textContent)`))
	}

	w.fill(search, "東京")
	w.sees(`nav h2`, "Messages")
	w.until(`document.querySelectorAll('nav h2:last-of-type + ul li').length === 2`)
	if got := found(); got != "[<i>Tōkyō</i> or 東京? 来週の土曜日に東京駅で会いましょう]" {
		t.Errorf("found: %s", got)
	}
	w.shot("all")
	w.press(`nav h2:last-of-type + ul li:first-child a`)
	w.sees(`.chat h2`, "Bob Sommer")
	w.sees(`.message.shown .text`, "<i>Tōkyō</i> or 東京?")
	w.shot("found")
	w.refill(search, "土曜日")
	w.sees(`nav h2:last-of-type + ul .name`, "Hiking club")
	w.press(`nav h2:last-of-type + ul li:first-child a`)
	w.sees(`.chat h2`, "Hiking club")
	w.sees(`.message.shown .text`, "来週の土曜日")

	// A search that is refused, and one without results.
	w.refill(search, strings.Repeat("word ", 9))
	w.sees(`nav [role=status]`, "q can have at most 8 words")
	w.shot("refused")
	w.refill(search, "nobody wrote this")
	w.sees(`nav`, "No results for")
	w.until(`![...document.querySelectorAll('nav h2')].some(e => e.textContent === 'Messages')`)
	w.button("Clear the search")

	// In one conversation, back to its oldest messages.
	w.reads("Bob Sommer")
	w.do(chromedp.Reload()) // the page then has only the newest messages
	w.sees(`.message .text`, "and then 299")
	w.button("Find in this conversation")
	w.fill(`.findbar input`, "东京")
	w.sees(`.findbar`, "No results")
	w.button("Search further back")
	w.sees(`.findbar`, "1 of 1")
	w.sees(`.message.shown .text`, "我们在东京见面吧")
	w.shot("within")
	w.refill(`.findbar input`, "THEN 29")
	w.sees(`.findbar`, "1 of 11")
	w.sees(`.message.shown .text`, "and then 299")
	w.button("Older")
	w.sees(`.message.shown .text`, "and then 298")
	w.button("Newer")
	w.button("Newer")
	w.sees(`.findbar`, "11 of 11")
	w.sees(`.message.shown .text`, "and then 29")
	w.button("Close the search")
	w.until(`!document.querySelector('.findbar')`)
}
