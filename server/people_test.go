package server_test

import (
	"net/http"
	"testing"

	"github.com/onemeter/onemeter/server"
)

// TestStrangersAskOverTheSocket goes through the whole server, whose users are
// asked unless they choose otherwise, and looks at what is counted.
func TestStrangersAskOverTheSocket(t *testing.T) {
	a := start(t, func(c *server.Config) { c.Contacts = true })
	alice, bob := a.register(t, "10001", "alice"), a.register(t, "10002", "bob")
	phone, laptop, other := alice.dialIn(t), alice.login(t).dialIn(t), bob.dialIn(t)
	for _, id := range []string{"1", "2"} {
		other.write(t, "message.send", map[string]any{"receiver_id": alice.id, "content": "hello", "client_msg_id": id})
		other.expect(t, "message.ack")
	}
	type request struct {
		ID     int64
		FromID int64 `json:"from_id"`
		Kind   string
	}
	r := decode[struct{ Request request }](t, phone.expect(t, "request").Payload).Request
	if r.FromID != bob.id || r.Kind != "message" {
		t.Errorf("request %+v", r)
	}
	other.write(t, "call.offer", map[string]any{"to_user": alice.id, "call_type": "audio", "sdp": "offer"})
	other.fails(t, "forbidden", "only from contacts")
	if r := decode[struct{ Request request }](t, phone.expect(t, "request").Payload).Request; r.Kind != "call" {
		t.Errorf("request %+v", r)
	}
	alice.do(t, http.StatusOK, "POST", "/api/requests/:id/accept", nil, r.ID)
	if u := decode[struct {
		ID     int64
		Change string
	}](t, laptop.expect(t, "request.update").Payload); u.ID != r.ID || u.Change != "accepted" {
		t.Errorf("request.update %+v", u)
	}
	phone.silent(t)
	if n := phone.count("message.new"); n != 0 {
		t.Errorf("%d messages came before they were accepted", n)
	}
	other.write(t, "message.send", map[string]any{"receiver_id": alice.id, "content": "thanks", "client_msg_id": "3"})
	phone.awaits(t, "message.new", 1)
	alice.do(t, http.StatusCreated, "POST", "/api/users/blocked", map[string]any{"user_id": bob.id})
	alice.do(t, http.StatusOK, "DELETE", "/api/users/blocked/:user_id", nil, bob.id)
	a.eventually(t, "what is counted", func(p page) bool {
		return p.samples[`im_requests_total{outcome="made"}`] == 2 && p.samples[`im_requests_total{outcome="accepted"}`] == 1 &&
			p.samples[`im_blocks_total{change="blocked"}`] == 1 && p.samples[`im_blocks_total{change="unblocked"}`] == 1
	})
}

// TestGroupsChangeLive has a client follow a group by its frames alone.
func TestGroupsChangeLive(t *testing.T) {
	a := start(t, nil)
	alice, bob, carol := a.register(t, "10001", "alice"), a.register(t, "10002", "bob"), a.register(t, "10003", "carol")
	laptop, other, third := alice.login(t).dialIn(t), bob.dialIn(t), carol.dialIn(t)
	next := func(s *socket, change string) (u struct {
		ChatID int64 `json:"chat_id"`
		Change string
		UserID int64 `json:"user_id"`
		Title  string
		Chat   *struct {
			ID    int64
			Title string
		}
	}) {
		t.Helper()
		text := s.expect(t, "chat.update").Payload
		u = decode[struct {
			ChatID int64 `json:"chat_id"`
			Change string
			UserID int64 `json:"user_id"`
			Title  string
			Chat   *struct {
				ID    int64
				Title string
			}
		}](t, text)
		if u.Change != change {
			t.Fatalf("%s, want %s", text, change)
		}
		return u
	}
	id := decode[struct{ Data struct{ ID int64 } }](t, alice.do(t, http.StatusCreated, "POST", "/api/chats",
		map[string]any{"title": "team", "member_ids": []int64{bob.id}})).Data.ID
	for _, s := range []*socket{laptop, other} {
		if u := next(s, "created"); u.ChatID != id || u.Chat == nil || u.Chat.Title != "team" {
			t.Errorf("created: %+v", u)
		}
	}
	alice.do(t, http.StatusCreated, "POST", "/api/chats/:id/members", map[string]any{"user_id": carol.id}, id)
	if u := next(third, "added"); u.UserID != carol.id || u.Chat == nil || u.Chat.ID != id {
		t.Errorf("added: %+v", u)
	}
	next(other, "added")
	alice.do(t, http.StatusOK, "PUT", "/api/chats/:id", map[string]any{"title": "crew"}, id)
	if u := next(other, "renamed"); u.Title != "crew" {
		t.Errorf("renamed: %+v", u)
	}
	bob.do(t, http.StatusForbidden, "DELETE", "/api/chats/:id", nil, id)
	alice.do(t, http.StatusOK, "DELETE", "/api/chats/:id/members/:user_id", nil, id, alice.id)
	next(other, "left")
	if u := next(other, "owner"); u.UserID != bob.id {
		t.Errorf("owner: %+v", u)
	}
	bob.do(t, http.StatusOK, "DELETE", "/api/chats/:id", nil, id)
	next(third, "renamed")
	next(third, "left")
	next(third, "owner")
	next(third, "deleted")
	carol.do(t, http.StatusNotFound, "GET", "/api/chats/:id/members", nil, id)
}
