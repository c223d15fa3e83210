package rest_test

import (
	"strings"
	"testing"
)

// login logs u in again, with device as the User-Agent.
func (w *world) login(u user, device string) user {
	w.Helper()
	r := w.do("POST", "/api/auth/login", "", m{"username": u.name, "password": u.pass}, "User-Agent", device).want(200)
	return userOf(r, u.name, u.phone)
}

const passwordPath = "/api/users/me/password"

func TestANewPasswordEndsOtherSessions(t *testing.T) {
	w := open(t)
	ann := w.join("ann")
	other := w.login(ann, "other")
	w.do("PUT", passwordPath, ann.token, m{"old_password": ann.pass, "new_password": "another one"}).want(200)
	w.do("GET", "/api/users/me", ann.token, nil).want(200)
	w.do("GET", "/api/users/me", other.token, nil).want(401)
	w.do("POST", "/api/auth/refresh", "", m{"refresh_token": other.refresh}).want(401)
	w.do("POST", "/api/auth/refresh", "", m{"refresh_token": ann.refresh}).want(200)
	w.do("POST", "/api/auth/login", "", m{"username": "ann", "password": ann.pass}).want(401)
	w.do("POST", "/api/auth/login", "", m{"phone": ann.phone, "password": "another one"}).want(200)
}

func TestBadPasswordChanges(t *testing.T) {
	w := open(t)
	ann := w.join("ann")
	other := w.login(ann, "other")
	for _, c := range []struct {
		body   any
		status int
		says   string
	}{
		{m{"old_password": "not hers", "new_password": "another one"}, 403, "old_password is wrong"},
		{m{"old_password": ann.pass, "new_password": "short"}, 400, "at least 6 characters"},
		{m{"old_password": ann.pass, "new_password": strings.Repeat("x", 1025)}, 400, "at most 1024 bytes"},
		{m{"old_password": ann.pass, "new_password": ann.pass}, 400, "is the old one"},
		{m{"old_password": strings.Repeat("x", 2000), "new_password": "another one"}, 400, "old_password"},
		{m{"new_password": "another one"}, 400, "old_password is required"},
		{m{"old_password": ann.pass}, 400, "password"},
		{m{"old_password": 7, "new_password": "another one"}, 400, "must be a string"},
		{m{"old_password": ann.pass, "new_password": "another one", "username": "x"}, 400, "has no field"},
		{"{", 400, "not valid JSON"},
		{"[]", 400, "object"},
		{"", 400, "empty"},
	} {
		w.do("PUT", passwordPath, ann.token, c.body).want(c.status).says(c.says)
	}
	w.do("PUT", passwordPath, "", m{"old_password": ann.pass, "new_password": "another one"}).want(401)
	w.do("GET", "/api/users/me", other.token, nil).want(200)
	w.do("POST", "/api/auth/login", "", m{"username": "ann", "password": ann.pass}).want(200)
}

// TestWrongOldPasswordsAreFailedLogins checks that a client with a token can try as many passwords as one without.
func TestWrongOldPasswordsAreFailedLogins(t *testing.T) {
	w := open(t)
	ann := w.join("ann")
	for range 5 {
		w.do("PUT", passwordPath, ann.token, m{"old_password": "not hers", "new_password": "another one"}).want(403)
	}
	w.do("PUT", passwordPath, ann.token, m{"old_password": ann.pass, "new_password": "another one"}).want(429).says("too many wrong")
	w.do("POST", "/api/auth/login", "", m{"username": "ann", "password": ann.pass}).want(429)
	w.do("POST", "/api/auth/login", "", m{"phone": ann.phone, "password": ann.pass}).want(429)
	w.do("GET", "/api/users/me", ann.token, nil).want(200)
}

func TestSessionsAreListedAndEnd(t *testing.T) {
	w := open(t)
	ann, ben := w.join("ann"), w.join("ben")
	phone := w.login(ann, "Mozilla/5.0 (iPhone) AppleWebKit/605 Version/18.1 Safari/604")
	desk := w.login(ann, "desk\tclient \u202e"+strings.Repeat("x", 500))
	const path = "/api/users/me/sessions"
	r := w.do("GET", path, ann.token, nil).want(200)
	ids := map[string]string{}
	for i := range r.list("data") {
		id, device := text(r.at("data", i, "id")), text(r.at("data", i, "device"))
		ids[device] = id
		if current := r.at("data", i, "current") == true; current != strings.HasPrefix(device, "Go-http-client") || text(r.at("data", i, "ip")) != "127.0.0.1" {
			t.Errorf("%s", r.body)
		}
		for _, u := range []user{ann, phone, desk} {
			if strings.Contains(u.refresh, id) || strings.Contains(u.token, id) {
				t.Errorf("the id %q is part of a token", id)
			}
		}
		w.do("GET", "/api/users/me", id, nil).want(401)
		w.do("POST", "/api/auth/refresh", "", m{"refresh_token": id}).want(401)
	}
	if len(ids) != 3 || ids["Safari 18 on iPhone"] == "" {
		t.Fatalf("%s", r.body)
	}
	if page := w.do("GET", path+"?limit=1&offset=1", ann.token, nil).want(200); len(page.list("data")) != 1 || page.at("has_more") != true {
		t.Errorf("%s", page.body)
	}
	w.do("GET", path+"?limit=-1", ann.token, nil).want(400)

	stolen := ids["Safari 18 on iPhone"]
	w.do("DELETE", path+"/"+stolen, ben.token, nil).want(404) // of another user
	w.do("GET", "/api/users/me", phone.token, nil).want(200)
	w.do("DELETE", path+"/"+stolen, ann.token, nil).want(200)
	w.do("GET", "/api/users/me", phone.token, nil).want(401)
	w.do("DELETE", path+"/"+stolen, ann.token, nil).want(404).says("may have ended already")
	for _, garbage := range []string{"x", "%00", "..%2f", strings.Repeat("x", 5000)} {
		w.do("DELETE", path+"/"+garbage, desk.token, nil)
		w.do("GET", "/api/users/me", desk.token, nil).want(200)
	}
	w.do("DELETE", path, ben.token, nil).want(200).says(`"ended":0`)
	w.do("GET", "/api/users/me", desk.token, nil).want(200)
}

func TestOtherSessionsEnd(t *testing.T) {
	w := open(t)
	ann := w.join("ann")
	others := []user{w.login(ann, "a"), w.login(ann, "b")}
	w.do("DELETE", "/api/users/me/sessions", ann.token, nil).want(200).says(`"ended":2`)
	for _, u := range others {
		w.do("GET", "/api/users/me", u.token, nil).want(401)
	}
	w.do("GET", "/api/users/me", ann.token, nil).want(200)
	r := w.do("GET", "/api/users/me/sessions", ann.token, nil).want(200)
	w.do("DELETE", "/api/users/me/sessions/"+text(r.at("data", 0, "id")), ann.token, nil).want(200) // the same as a logout
	w.do("GET", "/api/users/me", ann.token, nil).want(401)
}
