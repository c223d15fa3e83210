//go:build unix

package web_test

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onemeter/onemeter/internal/needs"
)

// accountSettings changes the password, ends a session, downloads the data and deletes the account. With a wrong
// password, nothing is changed or deleted.
func accountSettings(t *testing.T, b *chromium) {
	const next = "another horse"
	a := start(t)
	alice := a.register(t, "10001", "alice", "Alice Winter")
	bob := a.register(t, "10002", "bob", "Bob Sommer")
	bob.send(t, alice.ID, "Hello Alice")
	alice.send(t, bob.ID, "Hello 鮑勃")
	file := alice.upload(t, "plan.txt", "text/plain", "what we plan")
	alice.do(t, "POST", "/api/messages", map[string]any{"receiver_id": bob.ID, "message_type": "file", "file_id": file}, nil)
	here, there := b.open(t, "http://"+a.Addr, desktop), b.open(t, "http://"+a.Addr, phone)
	here.login("alice")
	there.login("alice")

	// A name that is too long is refused.
	here.settings()
	here.refill(`dialog [name=nickname]`, strings.Repeat("n", 300)+"\r")
	here.sees(`dialog .fault`, "nickname")
	here.refill(`dialog [name=nickname]`, "Alice Summer\r")
	here.until(`!document.querySelector('dialog[open]')`)
	here.sees(`.account .name`, "Alice Summer")

	// A new password logs the other window out, which then needs the new one.
	here.settings("Password")
	here.fill(`dialog [name=old_password]`, "wrong horse")
	here.fill(`dialog [name=new_password]`, next+"\r")
	here.sees(`dialog .fault`, "old_password is wrong")
	here.refill(`dialog [name=old_password]`, password)
	here.refill(`dialog [name=new_password]`, "short\r")
	here.sees(`dialog .fault`, "6")
	there.until(`!!document.querySelector('nav')`)
	here.refill(`dialog [name=new_password]`, next+"\r")
	here.sees(`dialog .notice`, "Your password is changed")
	here.shot("password")
	there.sees(`[role=alert]`, "You were logged out: the password was changed")
	there.fill(`input[name=who]`, "alice")
	there.fill(`input[name=password]`, password+"\r")
	there.sees(`[role=alert]`, "wrong")
	there.refill(`input[name=password]`, next+"\r")
	there.connected()

	// End the other session, not this one.
	here.button("Close")
	here.settings("Where you are logged in")
	here.until(`document.querySelectorAll('dialog details .members li').length === 2`)
	here.shot("sessions")
	here.js(`[...document.querySelectorAll('dialog details .members li')].find(li => !li.textContent.includes('This device')).querySelector('button').click()`)
	there.sees(`[role=alert]`, "You were logged out")
	here.until(`document.querySelectorAll('dialog details .members li').length === 1`)
	here.sees(`dialog details .members`, "This device")

	// The download is complete.
	folder := here.Downloads()
	here.section("Your data")
	here.button("Download your data")
	exported(t, filepath.Join(folder, "onemeter-export.zip"))
	here.fill(`dialog [name=password]`, "wrong horse\r")
	here.sees(`dialog .fault`, "password is wrong")
	here.shot("data")
	here.refill(`dialog [name=password]`, next+"\r")
	here.sees(`[role=alert]`, "Your account was deleted.")
	if kept := eval[int](here, `sessionStorage.length`); kept != 0 {
		t.Errorf("sessionStorage has %d entries after the account was deleted, want 0", kept)
	}
	here.fill(`input[name=who]`, "alice")
	here.fill(`input[name=password]`, next+"\r")
	here.sees(`[role=alert]`, "wrong")
	other := b.open(t, "http://"+a.Addr, desktop)
	other.login("bob")
	other.sees(`nav .name`, "Deleted account")
}

// exported waits for Alice's zip, and checks that it is complete.
func exported(t *testing.T, path string) {
	t.Helper()
	needs.Eventually(t, path+" is there", func() bool { _, err := os.Stat(path); return err == nil })
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = z.Close() }()
	var names []string
	var all strings.Builder
	for _, f := range z.File {
		names = append(names, f.Name)
		content, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(&all, content); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		_ = content.Close()
	}
	for _, want := range []string{"profile.json", "friends.jsonl", "conversations.jsonl", "complete.json"} {
		if !slices.Contains(names, want) {
			t.Errorf("the export has no file %s, only %v", want, names)
		}
	}
	if names[len(names)-1] != "complete.json" {
		t.Errorf("the last file of the export is %s, want complete.json", names[len(names)-1])
	}
	for _, want := range []string{"Alice Summer", "Hello Alice", "Hello 鮑勃", "what we plan"} {
		if quoted, _ := json.Marshal(want); !strings.Contains(all.String(), want) && !strings.Contains(all.String(), string(quoted)) {
			t.Errorf("the export has no %q", want)
		}
	}
}

// ownFiles lists a user's files and deletes one. The avatar cannot be deleted.
func ownFiles(t *testing.T, b *chromium) {
	a := start(t)
	alice := a.register(t, "10001", "alice", "Alice Winter")
	bob := a.register(t, "10002", "bob", "Bob Sommer")
	var files []int64
	for _, name := range []string{"plan.txt", "<i>face.txt"} {
		id := alice.upload(t, name, "text/plain", strings.Repeat("x", 1500))
		files = append(files, id)
		alice.do(t, "POST", "/api/messages", map[string]any{"receiver_id": bob.ID, "message_type": "file", "file_id": id}, nil)
	}
	alice.do(t, "PUT", "/api/users/me", map[string]any{"avatar": fmt.Sprintf("/api/files/%d/download", files[1])}, nil)
	here, there := b.open(t, "http://"+a.Addr, desktop), b.open(t, "http://"+a.Addr, desktop)
	here.login("alice")
	there.login("bob")
	here.reads("Bob Sommer")
	there.reads("Alice Winter")
	for _, w := range []*window{here, there} {
		w.sees(`.filebox`, "plan.txt")
	}

	here.settings()
	here.button("Your files")
	here.sees(`dialog [role=status]`, "3.0 KB of 11 GB used")
	here.shot("files")
	here.button("Delete <i>face.txt")
	here.sees(`dialog .notice`, "it is your avatar: choose another one first")
	here.button("Delete plan.txt")
	here.sees(`dialog [role=status]`, "1.5 KB of 11 GB used")
	if names := eval[[]string](here, `[...document.querySelectorAll('dialog .members .name')].map(e => e.textContent)`); fmt.Sprint(names) != "[<i>face.txt]" {
		t.Errorf("files left in the list: %q, want only <i>face.txt", names)
	}
	for _, w := range []*window{here, there} {
		w.sees(`.filebox`, "The file was deleted.")
		w.sees(`.filebox`, "<i>face.txt")
	}
	refused, err := bob.Ask(t.Context(), "GET", fmt.Sprintf("/api/files/%d/download", files[0]), nil)
	if err != nil || refused.Status != 404 {
		t.Errorf("download of the deleted file: status %d (%v), want 404", refused.Status, err)
	}
	here.button("Close")
	here.settings()
	here.button("Your files")
	here.until(`document.querySelectorAll('dialog .members li').length === 1`)
}
