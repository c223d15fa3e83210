package rest_test

import (
	"fmt"
	"testing"
)

func TestReceiptsByMember(t *testing.T) {
	w := open(t)
	ann, ben, cat, dan, eve := w.join("ann"), w.join("ben"), w.join("cat"), w.join("dan"), w.join("eve")
	group := w.group(ann, ben, cat)
	id := w.do("POST", "/api/messages", ann.token, m{"chat_id": group, "content": "hello"}).want(200).num("data", "id")
	path := fmt.Sprintf("/api/messages/%d/receipts", id)
	r := w.do("GET", path, ben.token, nil).want(200)
	if len(r.list("data", "read_by")) != 0 || len(r.list("data", "delivered_to")) != 0 || r.num("data", "message_id") != id || r.num("data", "seq") != 1 {
		t.Errorf("at first: %s", r.body)
	}
	w.do("POST", fmt.Sprintf("/api/messages/%d/read", id), ben.token, nil).want(200)
	w.do("POST", fmt.Sprintf("/api/messages/%d/read", id), ann.token, nil).want(200) // the sender is not in the receipts
	w.do("POST", fmt.Sprintf("/api/chats/%d/members", group), ann.token, m{"user_id": dan.id}).want(201)
	for _, u := range []user{ann, cat, dan} { // dan joined later, and has no receipt
		r := w.do("GET", path, u.token, nil).want(200)
		if len(r.list("data", "read_by")) != 1 || r.num("data", "read_by", 0, "user_id") != ben.id || text(r.at("data", "read_by", 0, "read_at")) == "" ||
			len(r.list("data", "delivered_to")) != 1 || text(r.at("data", "delivered_to", 0, "delivered_at")) == "" {
			t.Errorf("%s got %s", u.name, r.body)
		}
	}
	w.do("GET", path, eve.token, nil).want(404)
	w.do("GET", path, "", nil).want(401)
	w.do("GET", "/api/messages/999999999/receipts", ann.token, nil).want(404)
	w.do("GET", "/api/messages/x/receipts", ann.token, nil).want(400)
	w.do("DELETE", fmt.Sprintf("/api/chats/%d/members/%d", group, cat.id), cat.token, nil).want(200)
	w.do("GET", path, cat.token, nil).want(404)
}
