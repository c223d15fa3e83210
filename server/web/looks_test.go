//go:build unix

package web_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/onemeter/onemeter/internal/needs"
)

// keyboard logs in, writes and uses a message's menu by keyboard alone.
func keyboard(t *testing.T, b *chromium) {
	a := start(t)
	a.register(t, "10001", "alice", "Alice Winter")
	bob := a.register(t, "10002", "bob", "Bob Sommer")
	w := b.open(t, "http://"+a.Addr, desktop)
	w.until(`!!document.querySelector('input[name=who]')`)
	tab := func() { w.t.Helper(); w.key("Tab", "", 9) }
	write := func(text string) { w.t.Helper(); w.do(chromedp.KeyEvent(text)) }
	enter := func() { w.t.Helper(); w.key("Enter", "\r", 13) }
	at := func(what string) { w.t.Helper(); w.until(`document.activeElement?.matches(%q)`, what) }

	tab()
	at(`input[name=who]`)
	write("alice")
	tab()
	write(password)
	enter()
	w.connected()
	w.key("k", "", 75, chromedp.ModifierCtrl)
	at(search)
	write("bob")
	w.sees(`nav .name`, "Bob Sommer")
	w.key("ArrowDown", "", 40)
	at(`nav a.row`)
	enter()
	at(composer)
	write("by keyboard")
	w.key("Enter", "\r", 13, chromedp.ModifierShift)
	write("in two lines")
	enter()
	w.until(`document.querySelector('.message.mine:not(.pending) .text')?.textContent === 'by keyboard\nin two lines'`)

	// From the field back to the message, into its menu, and out again.
	for range 3 {
		w.key("Tab", "", 9, chromedp.ModifierShift)
		if eval[bool](w, `document.activeElement.matches('.more')`) {
			break
		}
	}
	at(`.more`)
	enter()
	w.until(`!!document.querySelector('dialog[open]')`)
	w.key("Escape", "", 27)
	w.until(`!document.querySelector('dialog[open]')`)
	at(`.more`)
	bob.send(t, 1, "seen?")
	w.sees(`.message .text`, "seen?")
	w.key("Escape", "", 27)
	w.sees(`main h2`, "No conversation is open")
}

// looks checks every page with axe-core for accessibility, on a desktop and on the smallest
// phone, light and dark, and that no page is wider than the screen.
func looks(t *testing.T, b *chromium) {
	axe, err := os.ReadFile(needs.Axe(t))
	if err != nil {
		t.Fatal(err)
	}
	a := start(t)
	alice := a.register(t, "10001", "alice", "Alice Winter")
	bob := a.register(t, "10002", "bob", "Bob Sommer")
	carol := a.register(t, "10003", "carol", "Carol Herbst")
	converse(t, alice, bob, carol)
	dave := a.register(t, "10004", "dave", "Dave Lenz")
	erin := a.register(t, "10005", "erin", "Erin Frost")
	alice.do(t, "POST", "/api/users/blocked", map[string]any{"user_id": erin.ID}, nil)
	alice.do(t, "PUT", "/api/users/me/privacy", map[string]any{"messages": "contacts"}, nil)
	dave.send(t, alice.ID, "Hello, we met at the lake. May I have the picture of the hut?")
	boss := a.boss(t)
	for _, s := range []screen{desktop, {Width: 1100, Height: 720, Dark: true}, phone, {Width: 360, Height: 720, Dark: true, Touch: true}} {
		name := fmt.Sprintf("%d", s.Width)
		if s.Dark {
			name += "-dark"
		}
		w := b.open(t, "http://"+a.Addr, s)
		look := func(page string) {
			t.Helper()
			w.do(chromedp.Sleep(patience / 100)) // until nothing fades in any more
			w.shot(name + "-" + page)
			if wide := eval[int64](w, `document.documentElement.scrollWidth`); wide > s.Width {
				t.Errorf("%s, %s: the page is %d pixels wide, the screen %d", name, page, wide, s.Width)
			}
			w.Accessible(string(axe), name+", "+page)
		}
		w.until(`!!document.querySelector('input[name=who]')`)
		look("login")
		w.button("Register")
		look("register")
		w.button("Log in")
		w.login("alice")
		w.sees(`nav .name`, "Bob Sommer")
		look("list")
		w.reads("Bob Sommer")
		w.until(`document.querySelector('.picture img')?.naturalWidth > 0`)
		look("chat")
		w.menu("The hut is booked", "Reply")
		look("reply")
		w.button("Find in this conversation")
		w.fill(`.findbar input`, "hut")
		w.sees(`.findbar`, "1 of")
		look("find")
		w.js(`location.hash = 'c' + [...document.querySelectorAll('nav a')].map(a => a.hash).find(h => h.startsWith('#c')).slice(2)`)
		w.sees(`.chat h2`, "Hiking club")
		look("group")
		w.button("Members")
		w.sees(`dialog h3`, "3 members")
		look("members")
		w.button("Close")
		if s.Touch {
			w.button("Back to the list")
		}
		w.button("New group")
		look("new group")
		w.button("Close")
		lookAtDialogs(w, look)
		boss.do(t, "POST", "/api/super-admin/broadcast", map[string]any{"message": "The server moves at ten. See https://example.com/moves"}, nil)
		w.sees(`.staffnotice`, "The server moves")
		look("notices")
	}
}

// lookAtDialogs opens the dialogs of the account, requests, files, people and receipts, as
// Alice.
func lookAtDialogs(w *window, look func(page string)) {
	w.t.Helper()
	w.press(`.requests`)
	w.sees(`dialog`, "Dave Lenz")
	look("requests")
	w.button("Close")
	w.settings("Password", "Where you are logged in", "Two-factor login", "Your data")
	w.sees(`dialog`, "Erin Frost")
	w.sees(`dialog details`, "This device")
	w.sees(`dialog details`, "Set up")
	look("account")
	w.js(`document.querySelector('dialog').scrollTop = 1e6`)
	look("account below")
	w.button("Your files")
	w.sees(`dialog`, "packing list.pdf")
	look("files")
	w.button("Close")
	w.fill(search, "lake")
	w.sees(`nav h2`, "Messages")
	look("found")
	w.button("Clear the search")
	w.reads("Bob Sommer")
	w.button("About this person")
	look("person")
	w.button("Close")
	w.js(`location.hash = 'c' + [...document.querySelectorAll('nav a')].map(a => a.hash).find(h => h.startsWith('#c')).slice(2)`)
	w.menu("Then I bring the bread.", "Who has read it")
	w.sees(`dialog h2`, "Who has read it")
	look("receipts")
	w.button("Close")
}

// converse sends the messages that pictures of the client show.
func converse(t *testing.T, alice, bob, carol *user) {
	t.Helper()
	var made struct{ ID int64 }
	alice.do(t, "POST", "/api/chats", map[string]any{"title": "Hiking club", "member_ids": []int64{bob.ID, carol.ID}}, &made)
	club := func(u *user, text string) {
		u.do(t, "POST", "/api/messages", map[string]any{"chat_id": made.ID, "content": text}, nil)
	}
	club(carol, "Who is in for the lake on Sunday?")
	club(bob, "Me. I bring the map.")
	club(bob, "And the good cheese.")
	club(alice, "Then I bring the bread.")
	carol.send(t, alice.ID, "Are you home yet?", "Call me when you are.")
	alice.send(t, bob.ID, "The hut is booked for two nights.", "They ask us to be there before six.")
	bob.send(t, alice.ID, "Very good! Here is how the lake looked last year:")
	file := bob.upload(t, "lake.png", "image/png", string(somePicture(t)))
	bob.do(t, "POST", "/api/messages", map[string]any{"receiver_id": alice.ID, "message_type": "image", "file_id": file}, nil)
	alice.send(t, bob.ID, "Beautiful. I have put the way there together: https://example.com/lake?from=station")
	notes := alice.upload(t, "packing list.pdf", "application/pdf", strings.Repeat("x", 48_000))
	alice.do(t, "POST", "/api/messages", map[string]any{"receiver_id": bob.ID, "message_type": "file", "file_id": notes}, nil)
	bob.send(t, alice.ID, "Thanks, I read it tonight. Do we need the big tent if there is room in the hut for all of us?")
}
