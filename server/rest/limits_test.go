package rest_test

import (
	"fmt"
	"testing"

	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/limit/memlimit"
	"github.com/onemeter/onemeter/server/rest"
)

// TestEveryReadIsLimited asks each route that only reads more often than a user
// may. Another user is answered.
func TestEveryReadIsLimited(t *testing.T) {
	const burst = 3
	w := open(t, func(c *chat.Config, _ *rest.Config) { c.Reads = memlimit.New[int64](.001, burst, 1000) })
	ben := w.join("ben")
	file := w.upload(ben, "a.txt", "text/plain", "x").num("data", "id")
	message, group := w.send(ben, ben, "x"), w.group(ben)
	for i, path := range []string{
		"/api/users/me", "/api/users/search?q=x", "/api/users/friends", "/api/messages", "/api/messages/unread/count", "/api/messages/dialogs",
		fmt.Sprint("/api/messages/", message), "/api/chats", fmt.Sprintf("/api/chats/%d/members", group),
		fmt.Sprint("/api/files/", file), fmt.Sprintf("/api/files/%d/download", file), "/api/calls/ice-servers",
	} {
		ann := w.join(fmt.Sprint("ann", i))
		for range burst {
			if r := w.do("GET", path, ann.token, nil); r.status == 429 {
				t.Errorf("%s: limited too soon", path)
			}
		}
		if r := w.do("GET", path, ann.token, nil).want(429); r.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", path)
		}
	}
	ann := w.join("ann")
	for range burst {
		w.do("GET", "/api/auth/validate", ann.token, nil)
	}
	if r := w.do("GET", "/api/auth/validate", ann.token, nil); r.status != 429 {
		t.Errorf("validate: %d %s", r.status, r.body)
	}
	w.do("GET", "/api/messages", ben.token, nil).want(200)
}

// TestPhonesAreNotTriedOneAfterTheOther searches for more numbers than anybody
// looks up.
func TestPhonesAreNotTriedOneAfterTheOther(t *testing.T) {
	w := open(t, func(c *chat.Config, _ *rest.Config) { c.Searches = memlimit.New[int64](.001, 40, 1000) })
	ann, ben := w.join("ann"), w.join("ben")
	for i := range 40 {
		w.do("GET", fmt.Sprint("/api/users/search?q=%2B49151", 10000+i), ann.token, nil).want(200)
	}
	w.do("GET", "/api/users/search?q=%2B4915110041", ann.token, nil).want(429).says("too many searches")
	w.do("GET", "/api/users/search?q=ann", ben.token, nil).want(200)
}
