package rest_test

import (
	"fmt"
	"testing"

	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/rest"
)

// TestRequests tests the calls about requests, on a server where contacts only is the default.
func TestRequests(t *testing.T) {
	w := open(t, func(cc *chat.Config, _ *rest.Config) { cc.ContactsOnly = true })
	ann, ben, cat := w.join("ann"), w.join("ben"), w.join("cat")
	first := w.do("POST", "/api/messages", ben.token, m{"receiver_id": ann.id, "content": "hello", "client_msg_id": "1"}).want(200)
	again := w.do("POST", "/api/messages", ben.token, m{"receiver_id": ann.id, "content": "hello", "client_msg_id": "1"}).want(200)
	if first.num("data", "id") != again.num("data", "id") || first.num("data", "seq") != 1 {
		t.Errorf("a retry: %s", again.body)
	}
	g := w.group(ben, ann)
	r := w.do("GET", "/api/requests", ann.token, nil).want(200)
	if len(r.list("data")) != 2 || r.at("data", 0, "kind") != "group" || r.num("data", 0, "chat", "id") != g ||
		r.at("data", 1, "kind") != "message" || r.at("data", 1, "message", "content") != "hello" || r.at("data", 1, "from", "username") != "ben" {
		t.Errorf("requests: %s", r.body)
	}
	if d := w.do("GET", "/api/messages/dialogs", ann.token, nil).want(200); len(d.list("data")) != 0 {
		t.Errorf("dialogs: %s", d.body)
	}
	group, message := r.num("data", 0, "id"), r.num("data", 1, "id")
	if r := w.do("GET", "/api/requests?limit=1&page=2", ann.token, nil).want(200); r.num("data", 0, "id") != message || r.at("has_more") != false {
		t.Errorf("the second page: %s", r.body)
	}
	for _, what := range []string{"accept", "decline"} {
		path := fmt.Sprintf("/api/requests/%d/%s", message, what)
		w.do("POST", path, ben.token, nil).want(404)
		w.do("POST", path, cat.token, nil).want(404)
		w.do("POST", path, "", nil).want(401)
		for _, id := range []string{"0", "-1", "x", "99999999999999999999"} {
			w.do("POST", "/api/requests/"+id+"/"+what, ann.token, nil).want(400)
		}
	}
	w.do("POST", fmt.Sprintf("/api/requests/%d/accept", message), ann.token, nil).want(200)
	w.do("POST", fmt.Sprintf("/api/requests/%d/decline", message), ann.token, nil).want(404)
	w.do("POST", fmt.Sprintf("/api/requests/%d/decline", group), ann.token, nil).want(200)
	if d := w.do("GET", "/api/messages/dialogs", ann.token, nil).want(200); d.num("data", 0, "unread_count") != 1 {
		t.Errorf("dialogs: %s", d.body)
	}
	w.do("POST", "/api/messages", cat.token, m{"receiver_id": ann.id, "content": "hello"}).want(200)
	id := w.do("GET", "/api/requests", ann.token, nil).want(200).num("data", 0, "id")
	w.do("POST", fmt.Sprintf("/api/requests/%d/decline", id), ann.token, nil).want(200)
	w.do("POST", "/api/messages", cat.token, m{"receiver_id": ann.id, "content": "please"}).want(403).says("declined your request")
}

func TestPrivacy(t *testing.T) {
	w := open(t)
	ann := w.join("ann")
	const path = "/api/users/me/privacy"
	is := func(r reply, messages, groups, calls string) {
		t.Helper()
		r.want(200)
		if r.at("data", "messages") != messages || r.at("data", "groups") != groups || r.at("data", "calls") != calls {
			t.Errorf("%s", r.body)
		}
	}
	is(w.do("GET", path, ann.token, nil), "everybody", "everybody", "everybody")
	is(w.do("PUT", path, ann.token, m{"calls": "contacts"}), "everybody", "everybody", "contacts")
	is(w.do("PUT", path, ann.token, m{"messages": "contacts", "calls": "everybody"}), "contacts", "everybody", "everybody")
	for _, body := range []string{
		`{"messages": "friends"}`, `{"messages": ""}`, `{"groups": 1}`, `{"calls": true}`, `{"message": "contacts"}`,
		`{"messages": "everybody", "groups": "nobody"}`, `{"calls": "` + "\u0000" + `"}`,
	} {
		w.do("PUT", path, ann.token, body).want(400)
	}
	w.do("PUT", path, "", m{"calls": "contacts"}).want(401)
	w.do("GET", path, "", nil).want(401)
	is(w.do("GET", path, ann.token, nil), "contacts", "everybody", "everybody")
}
