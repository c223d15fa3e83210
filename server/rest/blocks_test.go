package rest_test

import (
	"fmt"
	"testing"
)

// TestBlocks blocks a user, checks what is refused, and unblocks.
func TestBlocks(t *testing.T) {
	w := open(t)
	ann, ben, cat := w.join("ann"), w.join("ben"), w.join("cat")
	w.do("POST", "/api/users/friends", ann.token, m{"user_id": ben.id}).want(201)
	w.send(ann, ben, "hello")
	w.do("POST", "/api/users/blocked", ann.token, m{"user_id": ben.id}).want(201)
	w.do("POST", "/api/users/blocked", ann.token, m{"user_id": ben.id}).want(201)
	r := w.do("GET", "/api/users/blocked", ann.token, nil).want(200)
	if len(r.list("data")) != 1 || r.num("data", 0, "id") != ben.id || r.at("data", 0, "phone") != nil {
		t.Errorf("blocked: %s", r.body)
	}
	if r := w.do("GET", "/api/users/blocked", ben.token, nil).want(200); len(r.list("data")) != 0 {
		t.Errorf("the other way round: %s", r.body)
	}
	w.do("POST", "/api/messages", ben.token, m{"receiver_id": ann.id, "content": "x", "client_msg_id": "1"}).want(403).says("has blocked you")
	w.do("POST", "/api/messages", cat.token, m{"receiver_id": ann.id, "content": "x"}).want(200)
	w.do("POST", "/api/chats", ben.token, m{"title": "x", "member_ids": []int64{ann.id}}).want(403).says("has blocked you")
	if r := w.do("GET", "/api/users/search?q=ann", ben.token, nil).want(200); r.at("data", 0, "last_seen") != "0001-01-01T00:00:00Z" {
		t.Errorf("the blocked sees %s", r.body)
	}
	path := fmt.Sprint("/api/users/blocked/", ben.id)
	w.do("DELETE", path, ben.token, nil).want(400) // oneself
	w.do("DELETE", path, cat.token, nil).want(404)
	w.do("DELETE", path, ann.token, nil).want(200)
	w.do("DELETE", path, ann.token, nil).want(404)
	w.do("POST", "/api/messages", ben.token, m{"receiver_id": ann.id, "content": "x", "client_msg_id": "1"}).want(200)
}

func TestUnfriend(t *testing.T) {
	w := open(t)
	ann, ben, cat := w.join("ann"), w.join("ben"), w.join("cat")
	w.do("POST", "/api/users/friends", ann.token, m{"user_id": ben.id}).want(201)
	w.do("POST", "/api/users/friends", ann.token, m{"user_id": cat.id}).want(201)
	w.do("DELETE", fmt.Sprint("/api/users/friends/", ann.id), ben.token, nil).want(200)
	w.do("DELETE", fmt.Sprint("/api/users/friends/", ben.id), ann.token, nil).want(404).says("not friends")
	r := w.do("GET", "/api/users/friends", ann.token, nil).want(200)
	if len(r.list("data")) != 1 || r.num("data", 0, "id") != cat.id {
		t.Errorf("friends: %s", r.body)
	}
}

func TestPeopleWhoAreNone(t *testing.T) {
	w := open(t)
	ann := w.join("ann")
	for _, path := range []string{"/api/users/blocked/", "/api/users/friends/"} {
		for id, status := range map[string]int{"0": 400, "-1": 400, "x": 400, "99999999999999999999": 400, "1e3": 400, "4711": 404, fmt.Sprint(ann.id): 400} {
			w.do("DELETE", path+id, ann.token, nil).want(status)
			w.do("DELETE", path+id, "", nil).want(401)
		}
	}
	for _, body := range []string{`{}`, `{"user_id": 0}`, `{"user_id": -1}`, `{"user_id": "1"}`, `{"user_id": 1.5}`, `{"user_id": null}`, `{"user_id": 1, "x": 2}`} {
		w.do("POST", "/api/users/blocked", ann.token, body).want(400)
	}
	w.do("POST", "/api/users/blocked", ann.token, m{"user_id": 4711}).want(404)
	w.do("POST", "/api/users/blocked", "", m{"user_id": 1}).want(401)
	for _, query := range []string{"?limit=x", "?limit=-1", "?offset=-1", "?page=1e9", "?offset=99999999999"} {
		w.do("GET", "/api/users/blocked"+query, ann.token, nil).want(400)
	}
	if r := w.do("GET", "/api/users/blocked?limit=1&page=3", ann.token, nil).want(200); len(r.list("data")) != 0 {
		t.Errorf("nobody is blocked: %s", r.body)
	}
}
