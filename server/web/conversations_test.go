//go:build unix

package web_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// people checks what two users do most: register, write, edit, recall, reply and search.
func people(t *testing.T, b *chromium) {
	a := start(t)
	alice := b.open(t, "http://"+a.Addr, desktop)
	alice.sees(`h1`, "Log in")
	alice.shot("login")
	alice.register("10001", "alice", "Alice Winter")
	bob := b.open(t, "http://"+a.Addr, phone)
	bob.register("10002", "bob", "Bob Sommer")

	alice.meets("bob", "Bob Sommer")
	alice.says("Hello Bob")
	alice.until(`!!document.querySelector('.message.mine .ticks.delivered')`)
	bob.sees(`nav .preview`, "Hello Bob")
	bob.sees(`.badge`, "1")
	bob.until(`document.title.startsWith('(1)')`)
	bob.shot("list")

	bob.reads("Alice Winter")
	bob.sees(`.message:not(.mine) .text`, "Hello Bob")
	alice.until(`!!document.querySelector('.message.mine .ticks.read')`)
	bob.until(`document.title.startsWith('Onemeter')`)

	alice.fill(composer, "Shall we")
	bob.sees(`.chat .state`, "typing")
	bob.says("Yes, see https://example.com/plan.")
	alice.sees(`.message:not(.mine) .text a[rel="noopener noreferrer"]`, "https://example.com/plan")
	alice.sees(`.chat .state`, "online")

	// Bob edits and recalls his message.
	bob.menu("Yes, see", "Edit")
	bob.js(`document.querySelector('.composer textarea').select()`)
	bob.fill(composer, "Yes, at seven")
	bob.press(`.composer .send`)
	alice.sees(`.message:not(.mine)`, "Yes, at seven")
	alice.sees(`.message:not(.mine) .foot`, "edited")
	bob.menu("Yes, at seven", "Recall")
	alice.sees(`.message.gone`, "Recalled")

	// Alice replies, and finds her reply by the search.
	alice.js(`document.querySelector('.composer textarea').select()`)
	alice.menu("Hello Bob", "Reply")
	alice.says("I meant you")
	bob.sees(`.quote`, "Hello Bob")
	alice.button("Find in this conversation")
	alice.fill(`.findbar input`, "MEANT")
	alice.sees(`.findbar`, "1 of 1")
	alice.sees(`.message.shown`, "I meant you")
}

// filesSent uploads a picture and a file, which both users then see.
func filesSent(t *testing.T, b *chromium) {
	a := start(t)
	alice, bob := a.pair(t, b)
	picture := filepath.Join(t.TempDir(), "lake.png")
	if err := os.WriteFile(picture, somePicture(t), 0o600); err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(plain, []byte("what we said"), 0o600); err != nil {
		t.Fatal(err)
	}
	alice.do(chromedp.SetUploadFiles(chromedp.CSS(`input[type=file]`), []string{picture, plain}))
	for _, w := range []*window{alice, bob} {
		w.until(`document.querySelector('.picture img')?.naturalWidth === 320`)
		w.sees(`.filebox`, "notes.txt")
		w.sees(`.filebox`, "12 bytes")
	}
	bob.press(`.picture`)
	bob.until(`document.querySelector('dialog[open] img.whole')?.naturalWidth === 320`)
	bob.button("Close")
	bob.until(`!document.querySelector('dialog[open]')`)
}

// group creates a group, writes in it, adds a member, and lets another one leave.
func group(t *testing.T, b *chromium) {
	a := start(t)
	carol := a.register(t, "10003", "carol", "Carol Herbst")
	alice, bob := a.pair(t, b)
	alice.button("New group")
	alice.fill(`dialog input[name=title]`, "Hiking club")
	alice.fill(`dialog input[placeholder]`, "bob")
	alice.press(`dialog .found button`)
	alice.sees(`dialog .chips`, "Bob Sommer")
	alice.button("Create group")
	alice.sees(`.chat h2`, "Hiking club")
	alice.says("Sunday at nine?")
	bob.sees(`nav .name`, "Hiking club")
	bob.sees(`nav .preview`, "Alice Winter: Sunday at nine?")
	bob.reads("Hiking club")
	bob.says("Fine with me")
	alice.sees(`.sender`, "Bob Sommer")
	alice.until(`!!document.querySelector('.message.mine .ticks.read')`)

	alice.button("Members")
	alice.sees(`dialog h3`, "2 members")
	alice.fill(`dialog input[placeholder]`, "carol")
	alice.press(`dialog .found button`)
	alice.sees(`dialog h3`, "3 members")
	alice.button("Close")
	var mine []struct{ Title string }
	carol.do(t, "GET", "/api/chats", nil, &mine)
	if len(mine) != 1 || mine[0].Title != "Hiking club" {
		t.Errorf("Carol is in the groups %v, want only Hiking club", mine)
	}

	bob.button("Members")
	bob.button("Leave group")
	bob.until(`![...document.querySelectorAll('nav .name')].some(e => e.textContent === 'Hiking club')`)
	var members []struct{}
	carol.do(t, "GET", "/api/chats/"+eval[string](alice, `location.hash.slice(2)`)+"/members", nil, &members)
	if len(members) != 2 {
		t.Errorf("%d members, want 2", len(members))
	}
}

// scripts checks that the client shows HTML and scripts from users as plain text everywhere,
// and makes links only of http and https URLs.
func scripts(t *testing.T, b *chromium) {
	const evil = `<img src=x onerror="document.title='broken'"><script>document.title='broken'</script>`
	a := start(t)
	mallory := a.register(t, "10009", "mallory", evil[:60])
	alice := b.open(t, "http://"+a.Addr, desktop)
	alice.register("10001", "alice", "Alice")
	me := eval[int64](alice, `JSON.parse(sessionStorage['onemeter.session']).user.id`)
	mallory.send(t, me, evil, "javascript:document.title='broken' https://a.example/<b>\"x", "http://%zz data:text/html,<b>")
	var made struct{ ID int64 }
	mallory.do(t, "POST", "/api/chats", map[string]any{"title": evil, "member_ids": []int64{me}}, &made)
	file := mallory.upload(t, `<img src=x onerror=alert(1)>.svg`, "image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg" onload="document.title='broken'"/>`)
	mallory.do(t, "POST", "/api/messages", map[string]any{"chat_id": made.ID, "content": evil, "message_type": "image", "file_id": file}, nil)

	alice.sees(`nav .name`, evil[:60])
	alice.sees(`nav .name`, evil)
	for _, name := range []string{evil[:60], evil} {
		alice.js(fmt.Sprintf(`[...document.querySelectorAll('nav a')].find(a => a.querySelector('.name').textContent === %q).click()`, name))
		alice.sees(`.chat h2`, name)
		alice.sees(`.message .text`, evil)
	}
	alice.until(`document.querySelector('.picture img')?.complete`)
	if links := eval[[]string](alice, `(location.hash = 'u`+fmt.Sprint(mallory.ID)+`', new Promise(r => setTimeout(r, 500)).then(() => [...document.querySelectorAll('.text a')].map(a => a.href)))`); fmt.Sprint(links) != "[https://a.example/]" {
		t.Errorf("the messages link to %q, want only https://a.example/", links)
	}
	if got := eval[string](alice, `document.title + document.querySelectorAll('script:not([src]), .messages img[src=x]').length`); got != "(1) Onemeter chat0" && got != "Onemeter chat0" {
		t.Errorf("the title, and the number of elements made from users' text: %s", got)
	}
}
