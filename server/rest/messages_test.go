package rest_test

import (
	"fmt"
	"slices"
	"testing"
)

// seqs returns the seqs of a list of messages.
func seqs(r reply) []int64 {
	got := []int64{}
	for i := range r.list("data") {
		got = append(got, r.num("data", i, "seq"))
	}
	return got
}

func TestPagesOfMessages(t *testing.T) {
	w := open(t)
	ann, ben := w.join("ann"), w.join("ben")
	for i := range 5 {
		w.send(ann, ben, fmt.Sprint("message ", i+1))
	}
	w.send(ben, ben, "a note to self")
	with := fmt.Sprint("receiver_id=", ann.id)
	for _, c := range []struct {
		query                string
		seqs                 []int64
		total, limit, offset int64
		more                 bool
	}{
		{with, []int64{5, 4, 3, 2, 1}, 5, 50, 0, false},
		{with + "&limit=2", []int64{5, 4}, 5, 2, 0, true},
		{with + "&limit=2&offset=2", []int64{3, 2}, 5, 2, 2, true},
		{with + "&limit=2&page=1", []int64{5, 4}, 5, 2, 0, true},
		{with + "&limit=0&page=0&chat_id=0", []int64{5, 4, 3, 2, 1}, 5, 50, 0, false},
		{with + "&limit=2&page=3", []int64{1}, 5, 2, 4, false},
		{with + "&page=2", []int64{}, 5, 50, 50, false},
		{with + "&limit=2&page=2&offset=4", []int64{3, 2}, 5, 2, 2, true},
		{with + "&limit=5000", []int64{5, 4, 3, 2, 1}, 5, 200, 0, false},
		{with + "&page=2147483647&limit=200", []int64{}, 5, 200, 2147483646 * 200, false},
		{with + "&after_seq=0", []int64{1, 2, 3, 4, 5}, 5, 50, 0, false},
		{with + "&after_seq=2&limit=2", []int64{3, 4}, 3, 2, 0, true},
		{with + "&after_seq=5", []int64{}, 0, 50, 0, false},
		{with + "&before_seq=4", []int64{3, 2, 1}, 3, 50, 0, false},
		{with + "&before_seq=4&limit=2", []int64{3, 2}, 3, 2, 0, true},
		{with + "&before_seq=1", []int64{}, 0, 50, 0, false},
		{with + "&before_seq=0&limit=1", []int64{5}, 5, 1, 0, true},
		{with + "&before_seq=9223372036854775807&limit=1", []int64{5}, 5, 1, 0, true},
		{"", []int64{1, 5, 4, 3, 2, 1}, 6, 50, 0, false},
		{"limit=&offset=&chat_id=", []int64{1, 5, 4, 3, 2, 1}, 6, 50, 0, false},
	} {
		t.Run(c.query, func(t *testing.T) {
			r := w.do("GET", "/api/messages?"+c.query, ben.token, nil)
			r.t = t
			r.want(200)
			if got := seqs(r); !slices.Equal(got, c.seqs) {
				t.Errorf("seqs %v, want %v", got, c.seqs)
			}
			if r.num("total") != c.total || r.num("limit") != c.limit || r.num("offset") != c.offset || r.at("has_more") != c.more {
				t.Errorf("total, limit, offset or has_more is not %d, %d, %d, %v: %s", c.total, c.limit, c.offset, c.more, r.body)
			}
		})
	}
	for _, query := range []string{
		"limit=x", "limit=-1", "limit=1e3", "offset=-1", "page=-1", "page=x", "offset=99999999999999999999",
		"after_seq=x&" + with, "after_seq=-1&" + with, "after_seq=0", "chat_id=x", "chat_id=-1", "receiver_id=0x10",
		with + "&chat_id=1", "before_seq=3", "before_seq=x&" + with, "before_seq=-1&" + with, "before_seq=3&after_seq=0&" + with,
	} {
		w.do("GET", "/api/messages?"+query, ben.token, nil).want(400)
	}
	w.do("GET", "/api/messages?limit=x", ben.token, nil).says("limit in the query must be a number")
}

// An offset counts from the newest message, so a new message makes the next page repeat one of the last page. With
// before_seq, pages do not shift.
func TestReadingBackWhileMessagesComeIn(t *testing.T) {
	w := open(t)
	ann, ben := w.join("ann"), w.join("ben")
	for i := range 7 {
		w.send(ann, ben, fmt.Sprint("message ", i+1))
	}
	var read []int64
	page := fmt.Sprintf("/api/messages?receiver_id=%d&limit=3", ann.id)
	for next := page; next != ""; {
		r := w.do("GET", next, ben.token, nil).want(200)
		got := seqs(r)
		read = append(read, got...)
		next = ""
		if r.at("has_more") == true {
			next = fmt.Sprint(page, "&before_seq=", got[len(got)-1])
		}
		w.send(ann, ben, "another one meanwhile")
	}
	if want := []int64{7, 6, 5, 4, 3, 2, 1}; !slices.Equal(read, want) {
		t.Errorf("read %v, want %v", read, want)
	}
}

func TestAMessageFromSentToGone(t *testing.T) {
	w := open(t)
	ann, ben := w.join("ann"), w.join("ben")
	body := m{"receiver_id": ben.id, "content": "hello", "client_msg_id": "once"}
	first := w.do("POST", "/api/messages", ann.token, body).want(200)
	id := first.num("data", "id")
	if again := w.do("POST", "/api/messages/send", ann.token, body).want(200); again.num("data", "id") != id {
		t.Errorf("the retry is another message: %s", again.body)
	}
	w.do("POST", "/api/messages", ann.token, m{"receiver_id": ben.id, "content": "another", "client_msg_id": "once"}).want(409).says("client_msg_id")
	if n := w.do("GET", "/api/messages/unread/count", ben.token, nil).want(200).num("data", "count"); n != 1 {
		t.Errorf("%d unread", n)
	}
	path := fmt.Sprint("/api/messages/", id)
	w.do("POST", path+"/read", ben.token, nil).want(200)
	if n := w.do("GET", "/api/messages/unread/count", ben.token, nil).want(200).num("data", "count"); n != 0 {
		t.Errorf("%d unread after reading", n)
	}
	if got := w.do("GET", path, ann.token, nil).want(200); text(got.at("data", "status")) != "read" {
		t.Errorf("after reading: %s", got.body)
	}
	edited := w.do("PUT", path, ann.token, m{"content": "hallo"}).want(200)
	if text(edited.at("data", "content")) != "hallo" || edited.at("data", "is_edited") != true {
		t.Errorf("edited: %s", edited.body)
	}
	w.do("PUT", path, ben.token, m{"content": "not mine"}).want(403)
	w.do("POST", path+"/recall", ben.token, nil).want(403)
	w.do("DELETE", path, ben.token, nil).want(403)
	recalled := w.do("POST", path+"/recall", ann.token, nil).want(200)
	if recalled.at("data", "is_recalled") != true || text(recalled.at("data", "content")) != "" ||
		recalled.num("data", "id") != id || recalled.num("data", "seq") != 1 {
		t.Errorf("recalled: %s", recalled.body)
	}
	w.do("POST", path+"/recall", ann.token, nil).want(200) // a retry
	w.do("PUT", path, ann.token, m{"content": "too late"}).want(409)
}

// A user gets 404 for every call about a message or group that they may not see.
func TestForeignIDs(t *testing.T) {
	w := open(t)
	ann, ben, eve := w.join("ann"), w.join("ben"), w.join("eve")
	id := w.send(ann, ben, "for ben only")
	group := w.group(ann, ben)
	for _, n := range []int64{id, 999_999_999} {
		path := fmt.Sprint("/api/messages/", n)
		w.do("GET", path, eve.token, nil).want(404)
		w.do("PUT", path, eve.token, m{"content": "x"}).want(404)
		w.do("DELETE", path, eve.token, nil).want(404)
		w.do("POST", path+"/read", eve.token, nil).want(404)
		w.do("POST", path+"/recall", eve.token, nil).want(404)
	}
	w.do("POST", "/api/messages", eve.token, m{"receiver_id": ann.id, "content": "x", "reply_to_id": id}).want(404)
	for _, n := range []int64{group, 999_999_999} {
		chat, member := fmt.Sprint("/api/chats/", n, "/members"), fmt.Sprint("/api/chats/", n, "/members/", ben.id)
		w.do("GET", chat, eve.token, nil).want(404)
		w.do("POST", chat, eve.token, m{"user_id": eve.id}).want(404)
		w.do("DELETE", member, eve.token, nil).want(404)
		for _, do := range []string{"promote", "demote", "mute", "unmute", "ban", "unban"} {
			w.do("POST", member+"/"+do, eve.token, nil).want(404)
		}
		w.do("POST", "/api/messages", eve.token, m{"chat_id": n, "content": "x"}).want(404)
		w.do("POST", "/api/messages/typing", eve.token, m{"chat_id": n}).want(404)
		w.do("GET", fmt.Sprint("/api/messages?chat_id=", n), eve.token, nil).want(404)
		w.do("GET", fmt.Sprint("/api/messages?after_seq=0&chat_id=", n), eve.token, nil).want(404)
	}
	w.do("POST", "/api/messages", eve.token, m{"receiver_id": 999_999_999, "content": "x"}).want(404)
	w.do("POST", "/api/users/friends", eve.token, m{"user_id": 999_999_999}).want(404)
	w.do("POST", "/api/chats", eve.token, m{"title": "x", "member_ids": []int64{999_999_999}}).want(404)
	for _, path := range []string{"/api/messages", "/api/chats"} {
		if n := len(w.do("GET", path, eve.token, nil).want(200).list("data")); n != 0 {
			t.Errorf("eve sees %d in %s", n, path)
		}
	}
}

func TestWhoMayDoWhatInAGroup(t *testing.T) {
	w := open(t)
	ann, ben, cat, dan := w.join("ann"), w.join("ben"), w.join("cat"), w.join("dan")
	id := w.group(ann, ben, cat)
	members := fmt.Sprint("/api/chats/", id, "/members")
	of := func(u user, do string) string { return fmt.Sprint(members, "/", u.id, do) }
	say := m{"chat_id": id, "content": "hello"}

	w.do("POST", members, ben.token, m{"user_id": dan.id}).want(403)
	w.do("POST", of(cat, "/promote"), ben.token, nil).want(403)
	w.do("DELETE", of(cat, ""), ben.token, nil).want(403)
	if r := w.do("POST", of(ben, "/promote"), ann.token, nil).want(200); text(r.at("data", "role")) != "admin" {
		t.Errorf("promoted: %s", r.body)
	}
	w.do("POST", members, ben.token, m{"user_id": dan.id}).want(201)
	w.do("POST", of(dan, "/promote"), ben.token, nil).want(403) // only the owner promotes
	w.do("POST", of(ann, "/ban"), ben.token, nil).want(403)

	w.do("POST", of(dan, "/mute"), ben.token, nil).want(200)
	w.do("POST", "/api/messages", dan.token, say).want(403).says("muted")
	w.do("POST", of(dan, "/unmute"), ben.token, nil).want(200)
	w.do("POST", "/api/messages", dan.token, say).want(200)

	w.do("POST", of(dan, "/ban"), ben.token, nil).want(200)
	w.do("POST", "/api/messages", dan.token, say).want(404)
	w.do("GET", members, dan.token, nil).want(404)
	w.do("POST", members, ben.token, m{"user_id": dan.id}).want(403)
	w.do("POST", of(dan, "/unban"), ben.token, nil).want(200)
	w.do("POST", of(dan, "/unban"), ben.token, nil).want(404)
	w.do("GET", members, dan.token, nil).want(404) // unban does not bring back
	w.do("POST", members, ben.token, m{"user_id": dan.id}).want(201)

	w.do("DELETE", of(dan, ""), dan.token, nil).want(200) // anyone may leave
	w.do("POST", of(ben, "/demote"), ann.token, nil).want(200)
	w.do("POST", members, ben.token, m{"user_id": dan.id}).want(403)
	r := w.do("GET", members, ann.token, nil).want(200)
	if len(r.list("data")) != 3 {
		t.Errorf("members: %s", r.body)
	}
	for _, bad := range []string{"/api/chats/x/members", "/api/chats/0/members", "/api/chats/-1/members", "/api/chats/9223372036854775808/members"} {
		w.do("GET", bad, ann.token, nil).want(400).says("id in the path")
	}
	w.do("DELETE", members+"/ben", ann.token, nil).want(400).says("user_id in the path")
}

func TestPhonesOfStrangersAreHidden(t *testing.T) {
	w := open(t)
	ann, ben := w.join("ann"), w.join("ben")
	found := w.do("GET", "/api/users/search?q=ann", ben.token, nil).want(200)
	if len(found.list("data")) != 1 || found.at("data", 0, "phone") != nil {
		t.Errorf("before: %s", found.body)
	}
	r := w.do("POST", "/api/users/friends", ann.token, m{"user_id": ben.id}).want(201)
	if r.num("data", 0, "id") != ben.id || r.at("data", 0, "phone") != nil {
		t.Errorf("added: %s", r.body)
	}
	found = w.do("GET", "/api/users/search?q=ann", ben.token, nil).want(200)
	if text(found.at("data", 0, "phone")) != ann.phone {
		t.Errorf("to whom ann added: %s", found.body)
	}
	if me := w.do("GET", "/api/users/me", ann.token, nil).want(200); text(me.at("data", "phone")) != ann.phone {
		t.Errorf("me: %s", me.body)
	}
	w.do("GET", "/api/users/search", ben.token, nil).want(400).says("q is required")
	w.do("GET", "/api/users/search?q=%ff", ben.token, nil).want(400)
	w.do("GET", "/api/users/search?q=%25", ben.token, nil).want(200)
}
