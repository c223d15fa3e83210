//go:build unix

package web_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/onemeter/onemeter/internal/browser"
)

// patience is how long tests wait for a page, even on a busy machine.
const patience = browser.Patience

// TestBrowser uses the client as people do, in one Chromium. make test-browser runs it.
func TestBrowser(t *testing.T) {
	b := &chromium{browser.Open(t)}
	for _, test := range []struct {
		name string
		run  func(*testing.T, *chromium)
	}{
		{"people", people},
		{"files", filesSent},
		{"two-factor login", twoFactor},
		{"group", group},
		{"group changes", groupChanges},
		{"notices", notices},
		{"account settings", accountSettings},
		{"own files", ownFiles},
		{"two-factor login first", twoFactorFirst},
		{"strangers", strangers},
		{"blocks", blocks},
		{"searches", searches},
		{"scripts", scripts},
		{"reconnects", reconnects},
		{"restarts", restarts},
		{"node killed", nodeKilled},
		{"refusals", refusals},
		{"renews", renews},
		{"call", calls},
		{"keyboard", keyboard},
		{"looks", looks},
		{"first paint", firstPaint},
		{"long conversation", longConversation},
		{"flood", flood},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, b) })
	}
}

// A chromium opens windows with the chat client.
type chromium struct{ *browser.Browser }

// A window is a browser window with the chat client of one user.
type window struct {
	*browser.Window
	t *testing.T
}

type screen = browser.Screen

var desktop, phone = browser.Desktop, browser.Phone

func (b *chromium) open(t *testing.T, url string, s screen) *window {
	t.Helper()
	return &window{b.Open(t, url, s), t}
}

func eval[T any](w *window, expression string) T {
	w.t.Helper()
	return browser.Eval[T](w.Window, expression)
}

func (w *window) do(actions ...chromedp.Action[chromedp.Void]) { w.t.Helper(); w.Do(actions...) }
func (w *window) fill(selector, text string)                   { w.t.Helper(); w.Fill(selector, text) }
func (w *window) press(selector string)                        { w.t.Helper(); w.Press(selector) }
func (w *window) button(label string)                          { w.t.Helper(); w.Button(label) }
func (w *window) until(condition string, args ...any)          { w.t.Helper(); w.Until(condition, args...) }
func (w *window) sees(selector, text string)                   { w.t.Helper(); w.Sees(selector, text) }
func (w *window) js(statement string)                          { w.t.Helper(); w.JS(statement) }
func (w *window) shot(name string)                             { w.t.Helper(); w.Shot(name) }
func (w *window) key(name, text string, code int64, modifiers ...chromedp.Modifier) {
	w.t.Helper()
	w.Key(name, text, code, modifiers...)
}

func (w *window) confirm(label string, yes bool) { w.t.Helper(); w.Confirm(label, yes) }

// refill replaces the text of a field.
func (w *window) refill(selector, text string) {
	w.t.Helper()
	w.js(fmt.Sprintf(`document.querySelector(%q).select()`, selector))
	w.fill(selector, text)
}

// choose selects an option of a list by its value.
func (w *window) choose(selector, value string) {
	w.t.Helper()
	w.until(`document.querySelector(%q)`, selector)
	w.js(fmt.Sprintf(`(e => { e.value = %q; e.dispatchEvent(new Event('change', {bubbles: true})) })(document.querySelector(%q))`, value, selector))
}

// settings opens the account settings, and sections of them.
func (w *window) settings(sections ...string) {
	w.t.Helper()
	w.press(`.sidebar .account`)
	w.sees(`dialog h2`, "Your account")
	for _, title := range sections {
		w.section(title)
	}
}

// section opens a section of a dialog.
func (w *window) section(title string) {
	w.t.Helper()
	w.do(chromedp.Click(fmt.Sprintf(`//dialog//summary[normalize-space()=%q]`, title), chromedp.NodeVisible))
}

// Selectors that several tests use.
const (
	composer = `.composer textarea`
	search   = `#search`
)

// register registers a user by the form, and waits for the list of conversations.
func (w *window) register(phone, username, nickname string) {
	w.t.Helper()
	w.button("Register")
	w.fill(`input[name=nickname]`, nickname)
	w.fill(`input[name=username]`, username)
	w.fill(`input[name=phone]`, phone)
	w.fill(`input[name=password]`, password+"\r")
	w.until(`!!document.querySelector('.sidebar')`)
	w.connected()
}

// login logs in by the form, and waits for the list of conversations.
func (w *window) login(who string) {
	w.t.Helper()
	w.fill(`input[name=who]`, who)
	w.fill(`input[name=password]`, password+"\r")
	w.until(`!!document.querySelector('.sidebar')`)
	w.connected()
}

// connected waits for the list of conversations.
func (w *window) connected() {
	w.t.Helper()
	w.until(`!!document.querySelector('nav') && !document.querySelector('[aria-busy]')`)
}

// meets finds a user by the search, and opens the conversation with them.
func (w *window) meets(q, name string) {
	w.t.Helper()
	w.fill(search, q)
	w.sees(`nav .name`, name)
	w.press(`nav a.row`)
	w.sees(`.chat h2`, name)
}

// says writes a message and sends it.
func (w *window) says(text string) {
	w.t.Helper()
	w.fill(composer, text)
	w.press(`.composer .send`)
	w.sees(`.message.mine .text`, text)
}

// reads opens a conversation by its name in the list.
func (w *window) reads(name string) {
	w.t.Helper()
	w.sees(`nav .name`, name)
	w.do(chromedp.Click(fmt.Sprintf(`//nav//a[.//*[@class="name" and normalize-space()=%q]]`, name), chromedp.NodeVisible))
	w.sees(`.chat h2`, name)
}

// pair returns the windows of two users who have a conversation open with each other.
func (a app) pair(t *testing.T, b *chromium) (alice, bob *window) {
	t.Helper()
	one := a.register(t, "10001", "alice", "Alice Winter")
	two := a.register(t, "10002", "bob", "Bob Sommer")
	one.send(t, two.ID, "Hello Bob")
	alice, bob = b.open(t, "http://"+a.Addr, desktop), b.open(t, "http://"+a.Addr, desktop)
	alice.login("alice")
	bob.login("bob")
	alice.reads("Bob Sommer")
	bob.reads("Alice Winter")
	return alice, bob
}

// menu chooses an entry in the menu of the message that contains text.
func (w *window) menu(text, entry string) {
	w.t.Helper()
	w.sees(`.message .text`, text)
	w.js(fmt.Sprintf(`[...document.querySelectorAll('.message')].find(m => m.textContent.includes(%q)).querySelector('.more').click()`, text))
	w.button(entry)
}

// gapless scrolls through the whole conversation, and checks that each of its n messages is
// shown once and in order.
func (w *window) gapless(n int) {
	w.t.Helper()
	w.until(`document.querySelector('[data-seq="%d"]')`, n)
	got := eval[string](w, fmt.Sprintf(`(async n => {
		const box = document.querySelector('.messages'), seen = new Set()
		for (let turn = 0; turn < 2000; turn++) {
			const seqs = [...box.querySelectorAll('[data-seq]')].map(e => Number(e.dataset.seq))
			if (new Set(seqs).size < seqs.length) return 'a message is shown twice'
			if (seqs.some((seq, i) => i > 0 && seq <= seqs[i-1])) return 'not in order: ' + seqs
			seqs.forEach(seq => seen.add(seq))
			if (box.scrollTop <= 0 && seen.has(1)) break
			box.scrollTop -= box.clientHeight * 0.8
			await new Promise(r => setTimeout(r, 30))
		}
		box.scrollTop = box.scrollHeight
		for (let seq = 1; seq <= n; seq++) if (!seen.has(seq)) return 'message ' + seq + ' is missing'
		return seen.size === n ? '' : seen.size + ' messages seen'
	})(%d)`, n))
	if got != "" {
		w.t.Errorf("scrolling through %d messages: %s", n, got)
	}
}
