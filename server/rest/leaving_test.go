package rest_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/limit/memlimit"
	"github.com/onemeter/onemeter/server/rest"
)

func TestAnAccountIsDeleted(t *testing.T) {
	w := open(t)
	ann, ben, cat := w.join("ann"), w.join("ben"), w.join("cat")
	other := w.login(ann, "other")
	w.do("POST", "/api/users/friends", ann.token, m{"user_id": ben.id}).want(201)
	group := w.group(ann, ben, cat)
	w.send(ann, ben, "to ben")
	w.send(ann, ann, "to myself")
	w.do("POST", "/api/messages", ann.token, m{"chat_id": group, "content": "to all"}).want(200)
	shared, own := w.upload(ann, "shared", "text/plain", "shared").num("data", "id"), w.upload(ann, "own", "text/plain", "own").num("data", "id")
	w.do("POST", "/api/messages", ann.token, m{"receiver_id": ben.id, "message_type": "file", "file_id": shared}).want(200)

	for _, c := range []struct {
		body   any
		status int
	}{{m{"password": "not hers"}, 403}, {m{}, 400}, {m{"password": 1}, 400}, {"", 400}, {m{"password": ann.pass, "sure": true}, 400}} {
		w.do("DELETE", "/api/users/me", ann.token, c.body).want(c.status)
	}
	w.do("DELETE", "/api/users/me", "", m{"password": ann.pass}).want(401)
	w.do("GET", "/api/users/me", other.token, nil).want(200)
	w.do("DELETE", "/api/users/me", ann.token, m{"password": ann.pass}).want(200)

	for _, u := range []user{ann, other} {
		w.do("GET", "/api/users/me", u.token, nil).want(401)
		w.do("POST", "/api/auth/refresh", u.refresh, nil).want(401)
	}
	w.do("POST", "/api/auth/login", "", m{"username": "ann", "password": ann.pass}).want(401)
	w.do("POST", "/api/auth/login", "", m{"phone": ann.phone, "password": ann.pass}).want(401)
	if r := w.do("GET", "/api/users/friends", ben.token, nil).want(200); len(r.list("data")) != 0 {
		t.Errorf("friends: %s", r.body)
	}
	if r := w.do("GET", "/api/users/search?q=ann", ben.token, nil).want(200); len(r.list("data")) != 0 {
		t.Errorf("found: %s", r.body)
	}
	r := w.do("GET", fmt.Sprintf("/api/chats/%d/members", group), ben.token, nil).want(200)
	if len(r.list("data")) != 2 || r.at("data", 0, "role") != "owner" {
		t.Errorf("members: %s", r.body)
	}
	r = w.do("GET", fmt.Sprint("/api/messages?receiver_id=", ann.id), ben.token, nil).want(200)
	if len(r.list("data")) != 2 || r.at("data", 1, "content") != "to ben" || r.num("data", 1, "sender_id") != ann.id ||
		r.at("data", 1, "sender", "deleted") != true || r.at("data", 1, "sender", "nickname") != "" || r.at("data", 1, "sender", "username") != "" {
		t.Errorf("messages: %s", r.body)
	}
	w.do("GET", fmt.Sprintf("/api/files/%d/download", shared), ben.token, nil)
	if _, err := w.store.File(t.Context(), own); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("a file that nobody else has: %v", err)
	}
	if _, err := w.store.File(t.Context(), shared); err != nil {
		t.Errorf("a file that ben has: %v", err)
	}
	if left, err := w.store.Leaving(t.Context(), 0, 10); len(left) != 0 || err != nil {
		t.Errorf("left to do: %v, %v", left, err)
	}

	// Nobody can write to it.
	w.do("POST", "/api/messages", ben.token, m{"receiver_id": ann.id, "content": "are you there?"}).want(403).says("was deleted")
	w.do("POST", "/api/messages", cat.token, m{"receiver_id": ann.id, "content": "are you there?"}).want(404).says("was deleted")
	w.do("POST", "/api/users/friends", ben.token, m{"user_id": ann.id}).want(404)
	w.do("POST", "/api/chats", ben.token, m{"title": "x", "member_ids": []int64{ann.id}}).want(404)
	w.do("POST", fmt.Sprintf("/api/chats/%d/members", group), ben.token, m{"user_id": ann.id}).want(404)

	if again := w.join("ann"); again.id == ann.id {
		t.Error("the same account again")
	}
}

// export downloads an archive and opens it.
func (w *world) export(u user) (map[string]string, []byte) {
	w.Helper()
	r := w.do("GET", "/api/users/me/export", u.token, nil)
	if r.status != 200 || r.header.Get("Content-Type") != "application/zip" || !strings.Contains(r.header.Get("Content-Disposition"), ".zip") {
		w.Fatalf("%d %v %.300s", r.status, r.header, r.body)
	}
	archive, err := zip.NewReader(bytes.NewReader(r.body), int64(len(r.body)))
	must(w, err)
	entries := make(map[string]string)
	for _, f := range archive.File {
		body, err := f.Open()
		must(w, err)
		text, err := io.ReadAll(body)
		must(w, err)
		entries[f.Name] = string(text)
	}
	return entries, r.body
}

func TestDataIsExported(t *testing.T) {
	w := open(t)
	ann, ben := w.join("ann"), w.join("ben")
	w.do("POST", "/api/users/friends", ann.token, m{"user_id": ben.id}).want(201)
	for i := range 450 { // more than two pages
		w.send(ann, ben, fmt.Sprint("message ", i))
	}
	w.send(ben, ben, "none of ann's")
	w.upload(ben, "ben's", "text/plain", "none of ann's either")
	picture := strings.Repeat("picture", 10_000)
	id := w.upload(ann, "../a:b\\c.png", "image/png", picture).num("data", "id")

	got, archive := w.export(ann)
	var profile chat.User
	must(t, json.Unmarshal([]byte(got["profile.json"]), &profile))
	if profile.ID != ann.id || profile.Phone != ann.phone || !strings.Contains(got["friends.jsonl"], `"username":"ben"`) {
		t.Errorf("%s, %s", got["profile.json"], got["friends.jsonl"])
	}
	conversationID := w.do("GET", "/api/messages/dialogs", ann.token, nil).want(200).num("data", 0, "id")
	lines := strings.Split(strings.TrimSpace(got[fmt.Sprintf("messages/%d.jsonl", conversationID)]), "\n")
	for i, line := range lines {
		var message chat.Message
		must(t, json.Unmarshal([]byte(line), &message))
		if message.Seq != int64(i+1) || message.Content != fmt.Sprint("message ", i) {
			t.Fatalf("line %d: %s", i, line)
		}
	}
	if len(lines) != 450 || strings.Count(got["conversations.jsonl"], "\n") != 1 {
		t.Errorf("%d messages, conversations %s", len(lines), got["conversations.jsonl"])
	}
	if got[fmt.Sprintf("files/%d-c.png", id)] != picture {
		t.Errorf("no picture: %d entries", len(got))
	}
	for name, text := range got {
		if strings.Contains(text, "none of ann's") || strings.Contains(name, "..") {
			t.Errorf("%s: %.100s", name, text)
		}
	}
	if !strings.Contains(got["complete.json"], `"messages": 450`) {
		t.Errorf("%s", got["complete.json"])
	}
	for _, cut := range []int{1, 100, len(archive) / 2} { // an incomplete archive does not open
		if _, err := zip.NewReader(bytes.NewReader(archive[:len(archive)-cut]), int64(len(archive)-cut)); err == nil {
			t.Errorf("without its last %d bytes it opens", cut)
		}
	}
}

func TestExportsAreLimited(t *testing.T) {
	w := open(t, func(c *chat.Config, _ *rest.Config) { c.Exports = memlimit.New[int64](.0001, 2, 100) })
	ann, ben := w.join("ann"), w.join("ben")
	w.do("GET", "/api/users/me/export", "", nil).want(401)
	w.export(ann)
	w.export(ann)
	w.do("GET", "/api/users/me/export", ann.token, nil).want(429).says("too often")
	w.export(ben)
}

// TestExportsEndWithTheSession slowly reads an archive that does not fit into the sockets' buffers. A second export is
// refused meanwhile, and when the session ends, the client sees that the archive is incomplete.
func TestExportsEndWithTheSession(t *testing.T) {
	w := open(t, func(c *chat.Config, _ *rest.Config) { c.Limits.MaxUpload = 64 << 20 })
	ann := w.join("ann")
	other := w.login(ann, "other")
	for range 3 {
		w.upload(ann, "large", "a/b", strings.Repeat("0123456789abcdef", 1<<20))
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", w.url+"/api/users/me/export", nil)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+ann.token)
	res, err := w.http.Do(req)
	must(t, err)
	defer res.Body.Close()
	_, err = io.ReadFull(res.Body, make([]byte, 1000))
	must(t, err)
	w.do("GET", "/api/users/me/export", other.token, nil).want(429).says("already running")
	w.do("DELETE", "/api/users/me/sessions", other.token, nil).want(200)
	n, err := io.Copy(io.Discard, res.Body)
	if err == nil || n > 40<<20 {
		t.Errorf("%d bytes came, and then: %v", n, err)
	}
	if got, _ := w.export(other); got["complete.json"] == "" {
		t.Error("the next one is not complete")
	}
}
