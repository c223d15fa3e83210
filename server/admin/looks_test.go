//go:build unix

package admin_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/onemeter/onemeter/internal/browser"
	"github.com/onemeter/onemeter/internal/needs"
)

// looks checks every page with axe-core for accessibility, on a desktop and on the smallest
// phone, light and dark, and that no page is wider than the screen.
func looks(t *testing.T, b *browser.Browser) {
	axe, err := os.ReadFile(needs.Axe(t))
	if err != nil {
		t.Fatal(err)
	}
	s := start(t)
	mallory := populate(t, s)
	for _, screen := range []browser.Screen{
		browser.Desktop, {Width: 1100, Height: 720, Dark: true}, browser.Phone, {Width: 360, Height: 720, Dark: true, Touch: true},
	} {
		name := fmt.Sprint(screen.Width)
		if screen.Dark {
			name += "-dark"
		}
		w := s.console(t, b, screen)
		look := func(page string) {
			t.Helper()
			w.Do(chromedp.Sleep(browser.Patience / 100)) // until nothing fades in any more
			w.Shot(name + "-" + page)
			if wide := browser.Eval[int64](w.Window, `Math.max(document.documentElement.scrollWidth, document.querySelector('main').scrollWidth)`); wide > screen.Width {
				t.Errorf("%s, %s: the page is %d pixels wide, the screen %d", name, page, wide, screen.Width)
			}
			if hidden := browser.Eval[int64](w.Window, `Math.max(0, ...[...document.querySelectorAll('.scroll')].map(e => e.scrollWidth - e.clientWidth))`); hidden > 0 {
				t.Errorf("%s, %s: %d pixels of a list are cut off", name, page, hidden)
			}
			w.Accessible(string(axe), name+", "+page)
		}
		w.Until(`!!document.querySelector('input[name=who]')`)
		look("login")
		w.enter("boss")
		w.Until(`[...document.querySelectorAll('figure')].every(f => f.querySelectorAll('.legend li').length > 0)`)
		look("dashboard")
		for _, page := range []struct{ at, heading string }{
			{"users", "Users"}, {fmt.Sprint("users/", mallory.id), "Mallory Grimm"}, {"online", "Online"}, {"chats", "Chats"},
			{fmt.Sprint("messages?user_id=", mallory.id), "Messages"}, {"reports", "Reports"}, {"logs", "Audit log"},
			{"alerts", "Alerts"}, {"system", "System"}, {"security", "Security"},
		} {
			w.visit("#"+page.at, page.heading)
			look(page.heading)
		}
		w.visit("#users", "Users")
		w.Until(`document.querySelectorAll('tbody tr').length > 0`)
		w.JS(`document.querySelector('[aria-label="Ban: Carol Herbst"]').click()`)
		w.Until(`!!document.querySelector('dialog[open]')`)
		look("question")
		if screen.Touch {
			w.Key("Escape", "", 27)
			w.Button("Menu")
			w.Until(`!!document.querySelector('.console.open')`)
			look("menu")
		}
	}
}

// populate creates users, groups, messages and reports for the pictures of the console. It
// returns a user who is reported.
func populate(t *testing.T, s system) *user {
	t.Helper()
	boss := s.boss(t)
	alice := s.register(t, "10001", "alice", "Alice Winter")
	bob := s.register(t, "10002", "bob", "Bob Sommer")
	carol := s.register(t, "10003", "carol", "Carol Herbst")
	mallory := s.register(t, "10009", "mallory", "Mallory Grimm")
	s.Appoint(t, carol.Account, "moderator")
	for _, title := range []string{"Hiking club", "Choir", "Neighbours of the old town"} {
		alice.do(t, "POST", "/api/chats", m{"title": title, "member_ids": []int64{bob.id, carol.id}}, nil)
	}
	for i := range 12 {
		alice.send(t, bob.id, fmt.Sprint("The hut is booked, ", i))
	}
	for _, text := range []string{"Buy my pills", "They are cheap: https://pills.example/now", "Why do you not answer me?"} {
		spam := mallory.send(t, alice.id, text)
		alice.do(t, "POST", "/api/moderation/reports", m{"message_id": spam, "reason": "spam", "comment": "He writes this to everybody in the club."}, nil)
	}
	bob.do(t, "POST", "/api/moderation/reports", m{"user_id": mallory.id, "reason": "pretends to be somebody else"}, nil)
	boss.do(t, "POST", fmt.Sprintf("/api/super-admin/users/%d/ban", bob.id), m{"reason": "lost his phone", "duration": 86400}, nil)
	return mallory
}
