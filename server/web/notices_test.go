//go:build unix

package web_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/onemeter/onemeter/internal/needs"
)

// notices checks that broadcasts and warnings are shown once, in order, until the user
// closes them, also to users who were offline.
func notices(t *testing.T, b *chromium) {
	const evil = `<img src=x onerror="document.title='broken'"><script>document.title='broken'</script> https://a.example/news`
	a := start(t)
	boss := a.boss(t)
	alice := a.register(t, "10001", "alice", "Alice Winter")
	a.register(t, "10002", "bob", "Bob Sommer")
	carol := a.register(t, "10003", "carol", "Carol Herbst")
	proxy := needs.NewProxy(t, a.Addr)
	at := b.open(t, "http://"+a.Addr, desktop)
	at.login("alice")
	cut := b.open(t, "http://"+proxy.Addr, phone)
	cut.login("bob")
	broadcast := func(text string) {
		t.Helper()
		boss.do(t, "POST", "/api/super-admin/broadcast", map[string]any{"message": text}, nil)
	}
	texts := func(w *window) []string {
		t.Helper()
		return eval[[]string](w, `[...document.querySelectorAll('.staffnotices[role=status] .said')].map(e => e.textContent)`)
	}
	reads := func(w *window, want ...string) {
		t.Helper()
		w.until(`document.querySelectorAll('.staffnotice').length === %d`, len(want))
		if got := texts(w); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("the page shows %q, want %q", got, want)
		}
	}

	broadcast("We move\nto new machines at ten.")
	broadcast(evil)
	reads(at, "We move\nto new machines at ten.", evil)
	reads(cut, "We move\nto new machines at ten.", evil)
	at.sees(`.staffnotice`, "Announcement")
	if got := eval[string](at, `document.title + document.querySelectorAll('script:not([src]), .staffnotice img').length`); got != "Onemeter chat0" {
		t.Errorf("the title, and the number of elements made from the notice: %s", got)
	}
	if got := eval[string](at, `document.querySelector('.said a').href`); got != "https://a.example/news" {
		t.Errorf("the notice links to %s", got)
	}
	at.shot("desktop")
	cut.shot("phone")

	// Bob's window has no connection, and Carol is not logged in.
	proxy.Cut()
	cut.sees(`.connection`, "No connection")
	broadcast("All is well again.")
	at.sees(`.said`, "All is well again.")
	proxy.Heal()
	reads(cut, "We move\nto new machines at ten.", evil, "All is well again.")
	late := b.open(t, "http://"+a.Addr, desktop)
	late.login("carol")
	reads(late, "We move\nto new machines at ten.", evil, "All is well again.")

	// A notice is still there after a reload, until it is closed.
	at.do(chromedp.Reload())
	reads(at, "We move\nto new machines at ten.", evil, "All is well again.")
	at.button("Close the notice")
	reads(at, evil, "All is well again.")
	at.do(chromedp.Reload())
	at.connected()
	reads(at, evil, "All is well again.")
	for range 2 {
		at.button("Close the notice")
	}
	reads(at)

	// Only the warned user sees a warning.
	var report struct{ ID int64 }
	carol.do(t, "POST", "/api/moderation/reports", map[string]any{"user_id": alice.ID, "reason": "spam"}, &report)
	boss.do(t, "POST", fmt.Sprint("/api/moderation/reports/", report.ID, "/handle"), map[string]any{"action": "warn", "note": "Write less of it."}, nil)
	at.sees(`.staffnotice.warning`, "Write less of it.")
	at.sees(`.staffnotice.warning`, "Warning")
	at.shot("warning")
	if got := texts(late); len(got) != 3 {
		t.Errorf("Carol sees %q, want only the three broadcasts", got)
	}

	// A notice that is too long is refused. One that would fill a phone's screen leaves space
	// for the rest of the page.
	refused, err := boss.Ask(t.Context(), "POST", "/api/super-admin/broadcast", map[string]any{"message": strings.Repeat("x", 4<<10+1)})
	if err != nil || refused.Status != 400 && refused.Status != 413 {
		t.Errorf("a notice of 4 KiB and a byte: status %d (%v), want 400 or 413", refused.Status, err)
	}
	broadcast(strings.Repeat("word ", 800))
	cut.until(`document.querySelectorAll('.staffnotice').length === 4`)
	cut.shot("long")
	if got := eval[int](cut, `document.querySelector('.staffnotices').offsetHeight`); got > 300 {
		t.Errorf("notices are %d pixels high on a phone, want at most 300", got)
	}
	cut.js(`document.querySelectorAll('.staffnotice')[3].scrollIntoView()`)
	for range 4 {
		cut.button("Close the notice")
	}
	reads(cut)

	// A logout removes them.
	late.press(`.sidebar .account`)
	late.button("Log out")
	late.sees(`h1`, "Log in")
	if got := eval[int](late, `sessionStorage.length`); got != 0 {
		t.Errorf("sessionStorage has %d entries after the logout, want 0", got)
	}
}
