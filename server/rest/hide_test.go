package rest_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
)

func TestDeletingForMe(t *testing.T) {
	w := open(t)
	ann, ben, eve := w.join("ann"), w.join("ben"), w.join("eve")
	first, second := w.send(ann, ben, "first"), w.send(ann, ben, "second")
	path := fmt.Sprint("/api/messages/", second)
	for range 2 { // and a retry
		r := w.do("DELETE", path+"?for=me", ben.token, nil).want(200)
		if r.num("data", "id") != second || r.num("data", "seq") != 2 || text(r.at("data", "content")) != "" || r.at("data", "is_hidden") != true {
			t.Errorf("deleted: %s", r.body)
		}
	}
	with := func(u user, more string) string { return fmt.Sprint("/api/messages?receiver_id=", u.id, more) }
	for _, query := range []string{with(ann, ""), with(ann, "&before_seq=3"), "/api/messages"} {
		r := w.do("GET", query, ben.token, nil).want(200)
		if got := contents(r); !slices.Equal(got, []string{"", "first"}) || !slices.Equal(seqs(r), []int64{2, 1}) {
			t.Errorf("%s: %s", query, r.body)
		}
	}
	if got := contents(w.do("GET", with(ann, "&after_seq=0"), ben.token, nil).want(200)); !slices.Equal(got, []string{"first", ""}) {
		t.Errorf("upward: %q", got)
	}
	if r := w.do("GET", path, ben.token, nil).want(200); r.at("data", "is_hidden") != true || text(r.at("data", "content")) != "" {
		t.Errorf("by id: %s", r.body)
	}
	if n := w.do("GET", "/api/messages/unread/count", ben.token, nil).want(200).num("data", "count"); n != 1 {
		t.Errorf("%d unread", n)
	}
	if got := contents(w.do("GET", "/api/messages/search?q=second", ben.token, nil).want(200)); len(got) != 0 {
		t.Errorf("found %q", got)
	}
	dialogs := w.do("GET", "/api/messages/dialogs", ben.token, nil).want(200)
	if text(dialogs.at("data", 0, "last_message", "content")) != "first" || dialogs.num("data", 0, "unread_count") != 1 {
		t.Errorf("dialogs: %s", dialogs.body)
	}
	w.do("POST", path+"/read", ben.token, nil).want(200)

	// The other user still sees everything.
	if r := w.do("GET", with(ben, ""), ann.token, nil).want(200); !slices.Equal(contents(r), []string{"second", "first"}) || r.at("data", 0, "is_hidden") != nil {
		t.Errorf("the sender's: %s", r.body)
	}
	// A user who deleted a message for themselves cannot edit it, but can recall it for the other.
	w.do("DELETE", fmt.Sprint("/api/messages/", first, "?for=me"), ann.token, nil).want(200)
	w.do("PUT", fmt.Sprint("/api/messages/", first), ann.token, m{"content": "x"}).want(409).says("for yourself")
	w.do("DELETE", fmt.Sprint("/api/messages/", first, "?for=all"), ann.token, nil).want(200)
	if r := w.do("GET", fmt.Sprint("/api/messages/", first), ben.token, nil).want(200); r.at("data", "is_deleted") != true || r.at("data", "is_hidden") != nil {
		t.Errorf("deleted for all: %s", r.body)
	}
	for _, bad := range []string{"?for=you", "?for=ME", "?for=me%00"} {
		w.do("DELETE", path+bad, ben.token, nil).want(400)
	}
	w.do("DELETE", path+"?for=me", eve.token, nil).want(404)
	w.do("DELETE", "/api/messages/999999999?for=me", ben.token, nil).want(404)
	w.do("DELETE", path+"?for=me", "", nil).want(401)
}

func TestDeletingADialog(t *testing.T) {
	w := open(t)
	ann, ben, eve := w.join("ann"), w.join("ben"), w.join("eve")
	group := w.group(ann, ben)
	w.send(ann, ben, "one")
	w.send(ann, ben, "two")
	path := fmt.Sprint("/api/messages/dialogs?receiver_id=", ann.id)
	if r := w.do("DELETE", path+"&up_to_seq=1", ben.token, nil).want(200); r.num("data", "up_to_seq") != 1 || r.num("data", "receiver_id") != ann.id {
		t.Errorf("in part: %s", r.body)
	}
	if got := contents(w.do("GET", fmt.Sprint("/api/messages?receiver_id=", ann.id), ben.token, nil).want(200)); !slices.Equal(got, []string{"two"}) {
		t.Errorf("in part: %q", got)
	}
	w.do("DELETE", path, ben.token, nil).want(200)
	dialogs := func(u user) int {
		t.Helper()
		return len(w.do("GET", "/api/messages/dialogs", u.token, nil).want(200).list("data"))
	}
	if dialogs(ben) != 1 || dialogs(ann) != 2 { // only the group is left
		t.Errorf("%d and %d dialogs", dialogs(ben), dialogs(ann))
	}
	if n := w.do("GET", "/api/messages/unread/count", ben.token, nil).want(200).num("data", "count"); n != 0 {
		t.Errorf("%d unread", n)
	}
	r := w.do("GET", fmt.Sprint("/api/messages?after_seq=0&receiver_id=", ann.id), ben.token, nil).want(200)
	if !slices.Equal(seqs(r), []int64{1, 2}) || !slices.Equal(contents(r), []string{"", ""}) {
		t.Errorf("a client sees a gap: %s", r.body)
	}
	w.send(ann, ben, "three")
	r = w.do("GET", "/api/messages/dialogs", ben.token, nil).want(200)
	if dialogs(ben) != 2 || text(r.at("data", 0, "last_message", "content")) != "three" || r.num("data", 0, "unread_count") != 1 {
		t.Errorf("it goes on: %s", r.body)
	}
	if r := w.do("DELETE", fmt.Sprint("/api/messages/dialogs?chat_id=", group), ben.token, nil).want(200); r.num("data", "chat_id") != group {
		t.Errorf("an empty group: %s", r.body)
	}
	w.do("DELETE", fmt.Sprint("/api/messages/dialogs?receiver_id=", ben.id), eve.token, nil).want(200) // an empty conversation
	for _, bad := range []string{"", "?chat_id=x", "?chat_id=-1", "?chat_id=1&receiver_id=1", "?receiver_id=1&up_to_seq=-1", "?receiver_id=1&up_to_seq=x"} {
		w.do("DELETE", "/api/messages/dialogs"+bad, ben.token, nil).want(400)
	}
	for _, id := range []int64{group, 999_999_999} {
		w.do("DELETE", fmt.Sprint("/api/messages/dialogs?chat_id=", id), eve.token, nil).want(404)
	}
	w.do("DELETE", "/api/messages/dialogs?receiver_id=999999999", eve.token, nil).want(404)
}

// Two devices of a user delete a message while the sender edits and recalls it: no call fails, and it ends deleted.
func TestDeletingAtOnce(t *testing.T) {
	w := open(t)
	ann, ben := w.join("ann"), w.join("ben")
	id := w.send(ann, ben, "text")
	path := fmt.Sprint("/api/messages/", id)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { w.do("DELETE", path+"?for=me", ben.token, nil).want(200) })
		wg.Go(func() { w.do("PUT", path, ann.token, m{"content": "edited"}) })
		wg.Go(func() {
			w.do("DELETE", fmt.Sprint("/api/messages/dialogs?receiver_id=", ann.id), ben.token, nil).want(200)
		})
	}
	wg.Go(func() { w.do("POST", path+"/recall", ann.token, nil).want(200) })
	wg.Wait()
	if r := w.do("GET", path, ben.token, nil).want(200); r.at("data", "is_hidden") != true || text(r.at("data", "content")) != "" {
		t.Errorf("the reader's: %s", r.body)
	}
	if r := w.do("GET", path, ann.token, nil).want(200); r.at("data", "is_recalled") != true || text(r.at("data", "content")) != "" {
		t.Errorf("the sender's: %s", r.body)
	}
}
