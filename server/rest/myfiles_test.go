package rest_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/rest"
)

func TestDeletingAFile(t *testing.T) {
	w := open(t, func(c *chat.Config, _ *rest.Config) { c.Limits.Quota.User = 100 })
	ann, ben, eve := w.join("ann"), w.join("ben"), w.join("eve")
	up := w.upload(ann, "photo.jpg", "image/jpeg", "0123456789").want(201)
	id := up.num("data", "id")
	w.upload(ann, "other.txt", "text/plain", "01234").want(201)
	sent := w.do("POST", "/api/messages", ann.token, m{"receiver_id": ben.id, "message_type": "image", "file_id": id}).want(200).num("data", "id")

	files := w.do("GET", "/api/files?limit=1", ann.token, nil).want(200)
	if text(files.at("data", 0, "name")) != "other.txt" || files.num("bytes_used") != 15 || files.num("bytes_quota") != 100 || files.at("has_more") != true ||
		text(files.at("data", 0, "url")) == "" {
		t.Errorf("my files: %s", files.body)
	}
	if r := w.do("GET", "/api/files?page=2&limit=1", ann.token, nil).want(200); r.num("data", 0, "id") != id || r.at("has_more") != false {
		t.Errorf("the second page: %s", r.body)
	}
	if r := w.do("GET", "/api/files", ben.token, nil).want(200); len(r.list("data")) != 0 || r.num("bytes_used") != 0 {
		t.Errorf("of who has none: %s", r.body)
	}
	path := fmt.Sprint("/api/files/", id)
	w.do("DELETE", path, ben.token, nil).want(403)
	w.do("DELETE", path, eve.token, nil).want(404)
	w.do("DELETE", path, "", nil).want(401)
	w.do("DELETE", "/api/files/x", ann.token, nil).want(400)
	w.do("DELETE", "/api/files/999999999", ann.token, nil).want(404)
	for _, bad := range []string{"limit=-1", "limit=x", "offset=-1", "page=x"} {
		w.do("GET", "/api/files?"+bad, ann.token, nil).want(400)
	}

	w.do("DELETE", path, ann.token, nil).want(200)
	w.do("DELETE", path, ann.token, nil).want(404)
	for _, u := range []user{ann, ben} {
		w.do("GET", path, u.token, nil).want(404)
		w.do("GET", path+"/download", u.token, nil).want(404)
		if r := w.do("GET", fmt.Sprint("/api/messages/", sent), u.token, nil).want(200); r.at("data", "file_gone") != true || r.num("data", "file_id") != id {
			t.Errorf("the message: %s", r.body)
		}
	}
	w.do("POST", "/api/messages", ann.token, m{"receiver_id": ben.id, "message_type": "image", "file_id": id}).want(404)
	if r := w.do("GET", "/api/files", ann.token, nil).want(200); r.num("bytes_used") != 5 || len(r.list("data")) != 1 {
		t.Errorf("afterwards: %s", r.body)
	}
	next := w.upload(eve, "eve.txt", "text/plain", "eve's own").want(201).num("data", "id")
	if next == id {
		t.Error("the id is given again")
	}
	w.do("GET", fmt.Sprint("/api/files/", next), ben.token, nil).want(404)
}

func TestAnAvatarIsNotDeleted(t *testing.T) {
	w := open(t)
	ann := w.join("ann")
	up := w.upload(ann, "me.jpg", "image/jpeg", "x").want(201)
	path := fmt.Sprint("/api/files/", up.num("data", "id"))
	w.do("PUT", "/api/users/me", ann.token, m{"avatar": text(up.at("data", "url"))}).want(200)
	w.do("DELETE", path, ann.token, nil).want(409).says("avatar")
	w.do("PUT", "/api/users/me", ann.token, m{"avatar": ""}).want(200)
	w.do("DELETE", path, ann.token, nil).want(200)
}

// Several devices send and delete a file concurrently. It is deleted once, its bytes are released once, and every
// accepted message has file_gone.
func TestSendingAndDeletingAFileAtOnce(t *testing.T) {
	w := open(t)
	ann, ben := w.join("ann"), w.join("ben")
	id := w.upload(ann, "f", "text/plain", "0123456789").want(201).num("data", "id")
	w.upload(ann, "g", "text/plain", "01234").want(201)
	var mu sync.Mutex
	statuses := make(map[string]map[int]int)
	note := func(what string, r reply) {
		mu.Lock()
		defer mu.Unlock()
		if statuses[what] == nil {
			statuses[what] = make(map[int]int)
		}
		statuses[what][r.status]++
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			note("send", w.do("POST", "/api/messages", ann.token, m{"receiver_id": ben.id, "message_type": "file", "file_id": id}))
		})
		wg.Go(func() { note("delete", w.do("DELETE", fmt.Sprint("/api/files/", id), ann.token, nil)) })
	}
	wg.Wait()
	if n := statuses["delete"][http.StatusOK]; n != 1 || statuses["delete"][http.StatusNotFound] != 7 {
		t.Errorf("deleted: %v", statuses)
	}
	if n := statuses["send"][http.StatusOK] + statuses["send"][http.StatusNotFound]; n != 8 {
		t.Errorf("sent: %v", statuses)
	}
	r := w.do("GET", fmt.Sprint("/api/messages?receiver_id=", ann.id), ben.token, nil).want(200)
	if statuses["send"][http.StatusOK] > 0 && len(r.list("data")) != statuses["send"][http.StatusOK] {
		t.Errorf("%d messages, %v", len(r.list("data")), statuses)
	}
	for i := range r.list("data") {
		if r.at("data", i, "file_gone") != true {
			t.Errorf("message %d: %s", i, r.body)
		}
	}
	if r := w.do("GET", "/api/files", ann.token, nil).want(200); r.num("bytes_used") != 5 {
		t.Errorf("afterwards: %s", r.body)
	}
}
