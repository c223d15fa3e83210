package rest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/limit/memlimit"
	"github.com/onemeter/onemeter/server/rest"
)

// TestEveryReadIsLimited calls each route that only reads until the limit. Another user is not limited.
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

// TestPhonesAreNotTriedOneAfterTheOther searches for more phones than the limit allows.
func TestPhonesAreNotTriedOneAfterTheOther(t *testing.T) {
	w := open(t, func(c *chat.Config, _ *rest.Config) { c.Searches = memlimit.New[int64](.001, 40, 1000) })
	ann, ben := w.join("ann"), w.join("ben")
	for i := range 40 {
		w.do("GET", fmt.Sprint("/api/users/search?q=%2B49151", 10000+i), ann.token, nil).want(200)
	}
	w.do("GET", "/api/users/search?q=%2B4915110041", ann.token, nil).want(429).says("too many searches")
	w.do("GET", "/api/users/search?q=ann", ben.token, nil).want(200)
}

// TestEveryListShowsTheLimitThatItUsed asks for more than any list gives.
func TestEveryListShowsTheLimitThatItUsed(t *testing.T) {
	w := open(t, func(c *chat.Config, _ *rest.Config) { c.ModerationReads = true })
	ann, ben := w.appoint(w.join("ann"), chat.RoleSuperAdmin), w.join("ben")
	w.send(ann, ben, "hello")
	g := w.group(ann, ben)
	with := fmt.Sprint("receiver_id=", ben.id)
	for path, most := range map[string]int64{
		"/api/messages": 200, "/api/messages?" + with: 200, "/api/messages?after_seq=0&" + with: 200, "/api/messages?before_seq=0&" + with: 200,
		"/api/messages/search?q=hello": 200, "/api/messages/dialogs": 200, "/api/chats": 1000, "/api/users/friends": 1000, "/api/users/blocked": 1000,
		"/api/users/search?q=ben": 200, "/api/files": 200, "/api/requests": 200, fmt.Sprint("/api/chats/", g, "/members"): 1000,
		"/api/users/me/sessions": 100, "/api/2fa/devices": 100,
		"/api/super-admin/logs": 200, "/api/super-admin/users": 200, "/api/super-admin/users/online": 200, "/api/super-admin/chats": 200,
		"/api/super-admin/messages": 200, fmt.Sprint("/api/super-admin/users/", ben.id, "/sessions"): 100,
		"/api/moderation/reports": 200, "/api/moderation/reports/pending": 200,
	} {
		mark := "?"
		if strings.Contains(path, "?") {
			mark = "&"
		}
		if r := w.do("GET", path+mark+"limit=1000000", ann.token, nil).want(200); r.num("limit") != most {
			t.Errorf("%s: limit %d, want %d: %s", path, r.num("limit"), most, r.body)
		}
	}
}

// TestAStrangerCannotHideGroups makes groups with a user until the limit. The user can page through all of them.
func TestAStrangerCannotHideGroups(t *testing.T) {
	w := open(t, func(c *chat.Config, _ *rest.Config) { c.NewGroups = memlimit.New[int64](.001, 5, 1000) })
	ann, eve := w.join("ann"), w.join("eve")
	own := w.group(ann)
	for range 5 {
		w.group(eve, ann)
	}
	r := w.do("POST", "/api/chats", eve.token, m{"title": "x", "member_ids": []int64{ann.id}}).want(429)
	if r.says("too many new chats"); r.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	last := w.do("GET", "/api/chats?limit=2&page=3", ann.token, nil).want(200)
	if l := last.list("data"); len(l) != 2 || last.num("data", 1, "id") != own || last.at("has_more") != false || last.num("offset") != 4 {
		t.Errorf("the last page: %s", last.body)
	}
}

// TestEveryListHasPages reads each list in pages of one.
func TestEveryListHasPages(t *testing.T) {
	w := open(t)
	ann := w.join("page-ann")
	var others []user
	for i := range 3 {
		u := w.join(fmt.Sprint("page-", i))
		others = append(others, u)
		w.do("POST", "/api/users/friends", ann.token, m{"user_id": u.id}).want(201)
		w.send(ann, u, "hello")
		w.group(ann, u)
	}
	g := w.group(ann, others...)
	for path, want := range map[string]int{
		"/api/users/friends?": 3, "/api/users/search?q=page-&": 4, "/api/chats?": 4,
		fmt.Sprintf("/api/chats/%d/members?", g): 4, "/api/messages/dialogs?": 7, "/api/messages?": 3,
	} {
		whole := w.do("GET", path, ann.token, nil).want(200)
		if n := len(whole.list("data")); n != want || whole.at("has_more") != false {
			t.Errorf("%s: %d, want %d: %s", path, n, want, whole.body)
		}
		for _, by := range []string{"limit=1&offset=%d", "limit=1&page=%d"} {
			for i := range want {
				at := i
				if by == "limit=1&page=%d" {
					at++
				}
				one := w.do("GET", path+fmt.Sprintf(by, at), ann.token, nil).want(200)
				if fmt.Sprint(one.list("data")[0]) != fmt.Sprint(whole.list("data")[i]) || one.at("has_more") != (i < want-1) || one.num("limit") != 1 {
					t.Errorf("%s"+by+": %s", path, at, one.body)
				}
			}
		}
		if r := w.do("GET", path+"limit=1&offset=100", ann.token, nil).want(200); len(r.list("data")) != 0 {
			t.Errorf("%s behind the end: %s", path, r.body)
		}
		w.do("GET", path+"offset=-1", ann.token, nil).want(400)
		w.do("GET", path+"limit=x", ann.token, nil).want(400)
	}
}
