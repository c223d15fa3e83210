//go:build unix

package admin_test

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/onemeter/onemeter/internal/browser"
	"github.com/onemeter/onemeter/internal/needs"
)

// TestBrowser uses the console as administrators do, in one Chromium. make
// test-browser runs it.
func TestBrowser(t *testing.T) {
	b := browser.Open(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *browser.Browser)
	}{
		{"login", logins},
		{"second factor", secondFactor},
		{"ban", bans},
		{"users", users},
		{"reports", reports},
		{"broadcast", broadcasts},
		{"audit", audit},
		{"numbers", numbers},
		{"dashboard", dashboard},
		{"moderator", moderators},
		{"scripts", scripts},
		{"away", away},
		{"older messages", olderMessages},
		{"several nodes", severalNodes},
		{"keyboard", keyboard},
		{"looks", looks},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, b) })
	}
}

// logins checks that only staff can log in, and that others see why they cannot.
func logins(t *testing.T, b *browser.Browser) {
	s := start(t)
	s.boss(t)
	alice := s.register(t, "10001", "alice", "Alice Winter")
	w := s.console(t, b, browser.Desktop)
	w.Sees(`h1`, "Onemeter admin")
	w.login("boss", "wrong password")
	w.Sees(`[role=alert]`, "password")
	w.Do(chromedp.Reload())
	w.login("alice", password)
	w.Sees(`[role=alert]`, "not an administrator")
	w.Shot("refused")
	if kept := browser.Eval[bool](w.Window, `sessionStorage['onemeter.admin'] !== undefined`); kept {
		t.Error("sessionStorage keeps the token of a user who is not staff")
	}
	var mine []struct{ Current bool }
	alice.do(t, "GET", "/api/users/me/sessions", nil, &mine)
	if len(mine) != 1 {
		t.Errorf("Alice has %d sessions, want 1: the console must log her out again", len(mine))
	}
	w.Do(chromedp.Reload())
	w.enter("10000")
	w.Sees(`main h1`, "Dashboard")
	w.Do(chromedp.Reload()) // the tab keeps the login
	w.Sees(`.who`, "super admin")
	w.Button("Log out")
	w.Sees(`h1`, "Onemeter admin")
	if kept := browser.Eval[int](w.Window, `sessionStorage.length + localStorage.length`); kept != 0 {
		t.Errorf("browser storage has %d entries after the logout, want 0", kept)
	}
}

// bans checks that a ban needs a confirmation, ends the user's sessions at once, and can be
// lifted.
func bans(t *testing.T, b *browser.Browser) {
	s := start(t)
	s.boss(t)
	mallory := s.register(t, "10009", "mallory", "Mallory Grimm")
	chat := b.Open(t, "http://"+s.Addr+"/", browser.Desktop)
	chat.Fill(`input[name=who]`, "mallory")
	chat.Fill(`input[name=password]`, password+"\r")
	chat.Until(`!!document.querySelector('nav') && !document.querySelector('[aria-busy]')`)

	w := s.console(t, b, browser.Desktop)
	w.enter("boss")
	w.visit("#users", "Users")
	w.Fill(`.filters [name=username]`, "mallory\r")
	w.Until(`document.querySelectorAll('tbody tr').length === 1`)
	w.Button("Ban: Mallory Grimm")
	w.Sees(`dialog[open]`, "logged out everywhere at once")
	w.Shot("asks")
	w.Button("Cancel")
	w.Until(`!document.querySelector('dialog[open]')`)
	w.Button("Ban: Mallory Grimm")
	w.Fill(`dialog [name=reason]`, "sends spam")
	w.confirm("Ban", "Mallory Grimm is banned until")
	w.Sees(`.tag.banned`, "banned")
	chat.Sees(`[role=alert]`, "You were logged out")
	chat.Shot("logged-out")
	chat.Fill(`input[name=who]`, "mallory")
	chat.Fill(`input[name=password]`, password+"\r")
	chat.Sees(`[role=alert]`, "the account is banned") // not the message before it: why the session ended
	if answer, err := mallory.Ask(t.Context(), "GET", "/api/users/me", nil); err != nil || answer.Status != 401 {
		t.Errorf("a token from before the ban: status %d (%v), want 401", answer.Status, err)
	}
	w.Button("Lift the ban: Mallory Grimm")
	w.confirm("Lift the ban", "no longer banned")
	w.Sees(`.tag.active`, "active")
	chat.Press(`form .primary`) // the form still has the name and the password
	chat.Until(`!!document.querySelector('.sidebar')`)
}

// users checks the list of users with its filters and pages, and for one user the role, a new
// password and the deletion.
func users(t *testing.T, b *browser.Browser) {
	s := start(t)
	boss := s.boss(t)
	for i := range 17 {
		s.register(t, fmt.Sprint(20000+i), fmt.Sprint("user", i), fmt.Sprint("User Number ", i))
	}
	alice := s.register(t, "10001", "alice", "Alice Winter")
	alice.send(t, boss.id, "Hello")
	w := s.console(t, b, browser.Desktop)
	w.enter("boss")
	w.visit("#users", "Users")
	w.Sees(`.pager`, "1 to 19 of 19")
	w.Fill(`.filters [name=phone]`, "2000\r")
	w.Sees(`.pager`, "of 10")
	w.visit("#users?role=super_admin", "Users")
	w.Sees(`.pager`, "1 to 1 of 1")
	w.visit("#users?username=nobody", "Users")
	w.Sees(`main`, "No accounts found")

	w.visit(fmt.Sprint("#users/", alice.id), "Alice Winter")
	w.Sees(`dl`, "10001")
	w.Until(`[...document.querySelectorAll('dt')].some(e => e.textContent === 'Messages' && e.nextElementSibling.textContent === '1')`)
	w.Shot("user")
	w.Button("Change the role")
	w.Do(chromedp.SetValue(chromedp.CSS(`dialog select`), "moderator"))
	w.confirm("Change", "has the role moderator")
	w.Sees(`dl`, "moderator")
	w.Button("Reset the password")
	w.confirm("Reset", "has a new password")
	made := browser.Eval[string](w.Window, `document.querySelector('code.secret').textContent`)
	alice.do(t, "POST", "/api/auth/login", m{"username": "alice", "password": made}, nil)
	w.Button("Delete the account")
	w.Fill(`dialog [name=sure]`, "7777")
	w.JS(`[...document.querySelectorAll('dialog[open] button')].find(b => b.textContent === 'Delete permanently').click()`)
	w.Sees(`dialog [role=alert]`, "Nothing was deleted")
	w.JS(`document.querySelector('dialog [name=sure]').select()`)
	w.Fill(`dialog [name=sure]`, fmt.Sprint(alice.id))
	w.confirm("Delete permanently", "was deleted")
	w.Sees(`.tag`, "deleted")

	w.visit("#users/999999", "")
	w.Sees(`[role=alert]`, "no user")
}

// reports handles a report, and checks that the page says so if another moderator has
// already handled one.
func reports(t *testing.T, b *browser.Browser) {
	s := start(t)
	boss := s.boss(t)
	alice, mallory := s.register(t, "10001", "alice", "Alice Winter"), s.register(t, "10009", "mallory", "Mallory Grimm")
	message := mallory.send(t, alice.id, "Buy my pills")
	var made [2]struct{ ID int64 }
	alice.do(t, "POST", "/api/moderation/reports", m{"message_id": message, "reason": "spam", "comment": "third time today"}, &made[0])
	alice.do(t, "POST", "/api/moderation/reports", m{"user_id": mallory.id, "reason": "rude"}, &made[1])
	w := s.console(t, b, browser.Desktop)
	w.enter("boss")
	w.Sees(`nav .badge`, "2")
	w.visit("#reports", "Reports")
	w.Sees(`.reports`, "Buy my pills")
	w.Shot("reports")
	w.Button(fmt.Sprint("Delete the message…: report ", made[0].ID))
	w.confirm("Delete", "was deleted")
	w.Sees(`nav .badge`, "1")
	var got struct {
		Deleted bool `json:"is_deleted"`
		Content string
	}
	alice.do(t, "GET", fmt.Sprint("/api/messages/", message), nil, &got)
	if !got.Deleted || got.Content != "" {
		t.Errorf("the reported message is %+v, want it deleted and empty", got)
	}
	boss.do(t, "POST", fmt.Sprintf("/api/moderation/reports/%d/handle", made[1].ID), m{"action": "dismiss"}, nil)
	w.Button(fmt.Sprint("Warn…: report ", made[1].ID))
	w.Fill(`dialog [name=note]`, "Be kind")
	w.JS(`[...document.querySelectorAll('dialog[open] button')].find(b => b.textContent === 'Warn').click()`)
	w.Sees(`dialog [role=alert]`, "handled already")
	w.Button("Cancel")
	w.visit("#reports?handled=1", "Reports")
	w.Sees(`.reports`, "dismiss")
	w.Sees(`.reports`, "delete")
}

// broadcasts checks that a user who is online receives a broadcast.
func broadcasts(t *testing.T, b *browser.Browser) {
	s := start(t)
	s.boss(t)
	s.register(t, "10001", "alice", "Alice Winter")
	chat := b.Open(t, "http://"+s.Addr+"/", browser.Desktop)
	chat.JS(`void (window.frames = [], window.WebSocket = class extends WebSocket { constructor(...a) { super(...a); this.addEventListener('message', e => window.frames.push(e.data)) } })`)
	chat.Fill(`input[name=who]`, "alice")
	chat.Fill(`input[name=password]`, password+"\r")
	chat.Until(`window.frames.length > 0`)
	w := s.console(t, b, browser.Desktop)
	w.enter("boss")
	w.visit("#online", "Online")
	w.Sees(`td`, "Alice Winter")
	w.Button("Tell everybody…")
	w.Fill(`dialog [name=message]`, "Maintenance at nine")
	w.confirm("Send to everybody", "was sent")
	chat.Until(`window.frames.some(f => f.includes('Maintenance at nine'))`)
}

// audit checks that the audit log shows what was done, by whom and to whom, and that its
// filters work.
func audit(t *testing.T, b *browser.Browser) {
	s := start(t)
	boss := s.boss(t)
	alice := s.register(t, "10001", "alice", "Alice Winter")
	boss.do(t, "POST", fmt.Sprintf("/api/super-admin/users/%d/ban", alice.id), m{"reason": "tests", "duration": 3600}, nil)
	boss.do(t, "POST", fmt.Sprintf("/api/super-admin/users/%d/unban", alice.id), nil, nil)
	w := s.console(t, b, browser.Desktop)
	w.enter("boss")
	w.visit("#logs", "Audit log")
	for _, want := range []string{"banned until", "tests", "ban lifted", "operator", "role set to super_admin", fmt.Sprint("user:", alice.id)} {
		w.Sees(`tbody`, want)
	}
	w.Fill(`.filters [name=target]`, fmt.Sprintf("user:%d\r", alice.id))
	w.Sees(`.pager`, "of 2")
	w.visit("#logs?level=warning", "Audit log")
	w.Sees(`main`, "No entries found")
}

// dashboard checks that the dashboard draws the server's metrics live, and requests none
// while it is paused or hidden.
func dashboard(t *testing.T, b *browser.Browser) {
	s := start(t)
	boss := s.boss(t)
	alice := s.register(t, "10001", "alice", "Alice Winter")
	w := s.console(t, b, browser.Desktop)
	w.enter("boss")
	w.Sees(`.tiles`, "Users")
	w.Until(`document.querySelectorAll('.plot canvas').length === 8`)
	w.Do(chromedp.SetValue(chromedp.CSS(`.every select`), "1"))
	w.JS(`document.querySelector('.every select').dispatchEvent(new Event('change', {bubbles: true}))`)
	value := func(title string) string {
		return fmt.Sprintf(`parseFloat([...document.querySelectorAll('figure')].find(f => f.querySelector('h3').textContent.startsWith(%q)).querySelector('.legend strong').textContent)`, title)
	}
	w.Until(`%s > 5`, value("Goroutines"))
	w.Until(`%s > 1`, value("Memory"))
	for i := range 30 {
		alice.send(t, boss.id, fmt.Sprint("message ", i))
	}
	w.Until(`%s > 0`, value("Messages sent"))
	w.Until(`%s > 0`, value("Request duration"))
	if os.Getenv("IM_TEST_SHOTS") != "" {
		traffic(t, s, b, alice, boss)
	}
	w.Shot("dashboard")
	w.JS(`void (window.asked = 0, window.fetch = new Proxy(fetch, {apply(f, self, args) { if (String(args[0]).includes('metrics')) window.asked++; return Reflect.apply(f, self, args) }}))`)
	rests := func(why string) {
		t.Helper()
		w.JS(`void (window.asked = 0)`)
		w.Do(chromedp.Sleep(browser.Patience / 12)) // two and a half intervals, in which the page must request nothing
		if n := browser.Eval[int](w.Window, `window.asked`); n > 0 {
			t.Errorf("%s: the page requested metrics %d times", why, n)
		}
	}
	hide := func(hidden bool) {
		t.Helper()
		w.JS(fmt.Sprintf(`void (Object.defineProperty(document, 'hidden', {get: () => %v, configurable: true}), document.dispatchEvent(new Event('visibilitychange')))`, hidden))
	}
	w.Button("Pause")
	rests("paused")
	w.Button("Pause")
	w.Until(`window.asked > 1`)
	hide(true)
	rests("hidden")
	hide(false)
	w.Until(`window.asked > 1`)
}

// traffic makes the dashboard's pictures show something: for two minutes, one user writes
// to another, who is online.
func traffic(t *testing.T, s system, b *browser.Browser, from, to *user) {
	t.Helper()
	chat := b.Open(t, "http://"+s.Addr+"/", browser.Desktop)
	chat.Fill(`input[name=who]`, "boss")
	chat.Fill(`input[name=password]`, password+"\r")
	chat.Until(`!!document.querySelector('.sidebar')`)
	for began := time.Now(); time.Since(began) < 2*time.Minute; {
		for i := range 2 + int(8*math.Abs(math.Sin(time.Since(began).Seconds()/20))) {
			from.send(t, to.id, fmt.Sprint("message ", i))
		}
		time.Sleep(400 * time.Millisecond)
	}
}

// moderators checks that a moderator sees only the pages that moderators may use.
func moderators(t *testing.T, b *browser.Browser) {
	s := start(t)
	alice := s.register(t, "10001", "alice", "Alice Winter")
	s.Appoint(t, alice.Account, "moderator")
	w := s.console(t, b, browser.Desktop)
	w.enter("alice")
	pages := browser.Eval[[]string](w.Window, `[...document.querySelectorAll('#pages li a span:first-child')].map(e => e.textContent)`)
	if got := strings.Join(pages, ", "); got != "Messages, Reports, Security" {
		t.Errorf("a moderator sees the pages %s", got)
	}
	w.JS(`void (location.hash = '#users')`)
	w.Sees(`main h1`, "Messages")
}

// scripts checks that every page shows HTML and scripts from users as plain text.
func scripts(t *testing.T, b *browser.Browser) {
	const evil = `<img src=x onerror="window.broken=1"><script>window.broken=1</script>`
	s := start(t)
	boss := s.boss(t)
	mallory := s.register(t, "10009", "mallory", evil[:60])
	message := mallory.send(t, boss.id, evil)
	var group struct{ ID int64 }
	mallory.do(t, "POST", "/api/chats", m{"title": evil, "member_ids": []int64{boss.id}}, &group)
	boss.do(t, "POST", "/api/moderation/reports", m{"message_id": message, "reason": evil, "comment": evil}, nil)
	boss.do(t, "POST", fmt.Sprintf("/api/super-admin/users/%d/ban", mallory.id), m{"reason": evil}, nil)
	w := s.console(t, b, browser.Desktop)
	w.enter("boss")
	for page, see := range map[string][2]string{
		"#users":                          {"Users", evil[:60]},
		fmt.Sprint("#users/", mallory.id): {"", evil},
		"#chats":                          {"Chats", evil},
		fmt.Sprint("#messages?user_id=", mallory.id): {"Messages", evil},
		"#reports": {"Reports", evil},
		"#logs":    {"Audit log", evil},
		"#users?username=" + `%3Cimg src=x onerror="window.broken=1"%3E`: {"Users", "Users"},
	} {
		w.visit(page, see[0])
		w.Sees(`main`, see[1])
	}
	w.visit("#users", "Users")
	w.JS(`[...document.querySelectorAll('td.acts button')].find(b => b.textContent === 'Lift the ban').click()`)
	w.Sees(`dialog`, evil[:60])
	if got := browser.Eval[string](w.Window, `String(window.broken) + document.querySelectorAll('script:not([src]), main img, dialog img').length`); got != "undefined0" {
		t.Errorf("window.broken, and the number of elements made from users' text: %s, want undefined0", got)
	}
}

// away cuts the connection during an action. The page must say that the result is unknown,
// and work again once the server is back.
func away(t *testing.T, b *browser.Browser) {
	s := start(t)
	boss := s.boss(t)
	alice := s.register(t, "10001", "alice", "Alice Winter")
	proxy := needs.NewProxy(t, s.Addr)
	w := &window{b.Open(t, "http://"+proxy.Addr+"/admin/", browser.Desktop), t}
	w.enter("boss")
	w.visit("#users", "Users")
	w.Button("Ban: Alice Winter")
	w.Fill(`dialog [name=reason]`, "away")
	proxy.Cut()
	w.JS(`[...document.querySelectorAll('dialog[open] button')].find(b => b.textContent === 'Ban').click()`)
	w.Sees(`dialog [role=alert]`, "check before you try again")
	w.Shot("mid-act")
	status := func() (a struct{ Status string }) {
		boss.do(t, "GET", fmt.Sprint("/api/super-admin/users/", alice.id), nil, &a)
		return a
	}
	if got := status().Status; got != "active" {
		t.Errorf("Alice is %s after a ban that did not reach the server, want active", got)
	}
	w.Sees(`.away`, "cannot be reached")
	proxy.Heal()
	w.Until(`!document.querySelector('.away')`)
	w.JS(`[...document.querySelectorAll('dialog[open] button')].find(b => b.textContent === 'Ban').click()`)
	w.Sees(`.notice`, "is banned")
	if got := status().Status; got != "banned" {
		t.Errorf("Alice is %s after the second try, want banned", got)
	}

	// If the dialog is closed before the answer comes, the page still says how it ended.
	w.Button("Lift the ban: Alice Winter")
	w.Until(`!!document.querySelector('dialog[open]')`)
	proxy.Freeze()
	w.JS(`[...document.querySelectorAll('dialog[open] button')].find(b => b.textContent === 'Lift the ban').click()`)
	w.Key("Escape", "", 27)
	w.Until(`!document.querySelector('dialog[open]')`)
	proxy.Cut()
	w.Sees(`.notice`, "check before you try again")
}

// olderMessages looks for the only message of a sender, behind so many messages of another
// user that one search does not reach it. The list must say so, and continue.
func olderMessages(t *testing.T, b *browser.Browser) {
	s := start(t)
	alice := s.register(t, "10001", "alice", "Alice Winter")
	bob := s.register(t, "10002", "bob", "Bob Sommer")
	alice.send(t, bob.id, "the needle")
	s.Fill(t, 45_000, func(int) int64 { return bob.id })
	s.boss(t)
	w := s.console(t, b, browser.Desktop)
	w.enter("boss")
	w.visit(fmt.Sprint("#messages?user_id=", alice.id), "Messages")
	w.Sees(`main`, "No messages so far")
	for range 10 {
		if browser.Eval[bool](w.Window, `document.querySelector('main').textContent.includes('the needle')`) {
			return
		}
		at := browser.Eval[string](w.Window, `location.hash`)
		w.Button("Older")
		w.Until(`location.hash !== %q && document.querySelector('main').textContent.match(/the needle|No messages so far/) && !document.querySelector('[aria-busy=true]')`, at)
	}
	t.Error("the message is not on the next 10 pages")
}

// keyboard logs in and bans a user by keyboard alone.
func keyboard(t *testing.T, b *browser.Browser) {
	s := start(t)
	s.boss(t)
	s.register(t, "10001", "alice", "Alice Winter")
	w := s.console(t, b, browser.Desktop)
	tab := func() { w.t.Helper(); w.Key("Tab", "", 9) }
	enter := func() { w.t.Helper(); w.Key("Enter", "\r", 13) }
	to := func(what string) {
		w.t.Helper()
		for range 60 {
			tab()
			if browser.Eval[bool](w.Window, fmt.Sprintf(`!!document.activeElement?.matches(%q)`, what)) {
				return
			}
		}
		t.Fatalf("Tab does not lead to %s", what)
	}
	w.Until(`!!document.querySelector('input[name=who]')`)
	to(`input[name=who]`)
	w.Do(chromedp.KeyEvent("boss"))
	to(`input[name=password]`)
	w.Do(chromedp.KeyEvent(password))
	enter()
	w.Until(`!!document.querySelector('.console nav')`)
	to(`.skip`)
	to(`nav a[href="#users"]`)
	enter()
	w.Sees(`main h1`, "Users")
	w.Sees(`td`, "Alice Winter")
	to(`button[aria-label="Ban: Alice Winter"]`)
	enter()
	w.Until(`!!document.querySelector('dialog[open]')`)
	w.Key("Escape", "", 27)
	w.Until(`!document.querySelector('dialog[open]') && document.activeElement.matches('button[aria-label="Ban: Alice Winter"]')`)
	enter()
	w.Until(`!!document.querySelector('dialog[open]')`)
	to(`dialog [name=reason]`)
	w.Do(chromedp.KeyEvent("by keyboard"))
	enter()
	w.Sees(`.notice`, "Alice Winter is banned")
}
