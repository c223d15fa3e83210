package rest_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/limit/memlimit"
	"github.com/onemeter/onemeter/server/rest"
)

// contents returns the contents of a list of messages.
func contents(r reply) []string {
	got := []string{}
	for i := range r.list("data") {
		got = append(got, text(r.at("data", i, "content")))
	}
	return got
}

func TestSearchingMyMessages(t *testing.T) {
	w := open(t)
	ann, ben, eve := w.join("ann"), w.join("ben"), w.join("eve")
	group := w.group(ann, ben)
	w.send(ann, ben, "Lunch at noon?")
	w.send(ben, ann, "今天的LUNCH很好")
	edited, recalled := w.send(ann, ben, "lunch, with a slip"), w.send(ann, ben, "lunch, recalled")
	w.do("POST", "/api/messages", ben.token, m{"chat_id": group, "content": "group lunch"}).want(200)
	w.send(eve, ben, "lunch that ann must not see")
	w.do("PUT", fmt.Sprint("/api/messages/", edited), ann.token, m{"content": "dinner"}).want(200)
	w.do("POST", fmt.Sprint("/api/messages/", recalled, "/recall"), ann.token, nil).want(200)

	search := func(query string) reply {
		t.Helper()
		return w.do("GET", "/api/messages/search?"+query, ann.token, nil)
	}
	for query, want := range map[string][]string{
		"q=lunch":               {"group lunch", "今天的LUNCH很好", "Lunch at noon?"},
		"q=lunch&limit=0":       {"group lunch", "今天的LUNCH很好", "Lunch at noon?"},
		"q=%E5%BE%88":           {"今天的LUNCH很好"},
		"q=%E5%BE%88%E5%A5%BD":  {"今天的LUNCH很好"},
		"q=noon+lunch":          {"Lunch at noon?"},
		"q=slip":                {},
		"q=DINNER":              {"dinner"},
		"q=recalled":            {},
		"q=%25":                 {},
		"q='%20OR%201=1--":      {},
		"q=lunch&before_id=1":   {},
		"q=must+not":            {},
		"q=noon&receiver_id=":   {"Lunch at noon?"},
		"q=lunch&limit=1000000": {"group lunch", "今天的LUNCH很好", "Lunch at noon?"},
		fmt.Sprint("q=lunch&receiver_id=", ben.id): {"今天的LUNCH很好", "Lunch at noon?"},
		fmt.Sprint("q=lunch&chat_id=", group):      {"group lunch"},
		fmt.Sprint("q=lunch&receiver_id=", eve.id): {},
	} {
		if got := contents(search(query).want(200)); !slices.Equal(got, want) {
			t.Errorf("%s finds %q, want %q", query, got, want)
		}
	}
	first := search("q=lunch&limit=2").want(200)
	if first.at("has_more") != true || text(first.at("data", 0, "sender", "username")) != "ben" || first.num("limit") != 2 {
		t.Errorf("first page: %s", first.body)
	}
	second := search(fmt.Sprint("q=lunch&limit=2&before_id=", first.num("next_before_id"))).want(200)
	if got := contents(second); !slices.Equal(got, []string{"Lunch at noon?"}) || second.at("has_more") != false {
		t.Errorf("second page: %s", second.body)
	}
	for _, bad := range []string{
		"", "q=", "q=+", "q=%ff", "q=x&limit=x", "q=x&limit=-1", "q=x&before_id=-1", "q=x&before_id=x", "q=x&chat_id=-1", "q=x&chat_id=x",
		fmt.Sprintf("q=x&chat_id=%d&receiver_id=%d", group, ben.id), "q=" + strings.Repeat("x", 257), "q=" + url.QueryEscape(strings.Repeat("a ", 9)),
	} {
		search(bad).want(400)
	}
	w.do("GET", "/api/messages/search?q=lunch", "", nil).want(401)
	for _, id := range []int64{group, 999_999_999} {
		w.do("GET", fmt.Sprint("/api/messages/search?q=lunch&chat_id=", id), eve.token, nil).want(404)
	}
	w.do("DELETE", fmt.Sprint("/api/chats/", group, "/members/", ann.id), ann.token, nil).want(200)
	if got := contents(search("q=group").want(200)); len(got) != 0 {
		t.Errorf("who left finds %q", got)
	}
}

func TestSearchesAreLimited(t *testing.T) {
	w := open(t, func(c *chat.Config, _ *rest.Config) { c.TextSearches = memlimit.New[int64](.001, 5, 100) })
	ann, ben := w.join("ann"), w.join("ben")
	var mu sync.Mutex
	statuses := make(map[int]int)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/api/messages/search?q=zzz", nil)
			if err != nil {
				t.Error(err)
				return
			}
			req.Header.Set("Authorization", "Bearer "+ann.token)
			res, err := w.http.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			_ = res.Body.Close()
			mu.Lock()
			statuses[res.StatusCode]++
			mu.Unlock()
		})
	}
	wg.Wait()
	if statuses[200] == 0 || statuses[200] > 5 || statuses[200]+statuses[429] != 32 {
		t.Errorf("statuses %v", statuses)
	}
	w.do("GET", "/api/messages/search?q=zzz", ben.token, nil).want(200) // another user has another limit
}
