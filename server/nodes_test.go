package server_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/onemeter/onemeter/internal/imclient"
	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server"
	"github.com/onemeter/onemeter/telemetry"
)

// twoNodes starts two servers on one MySQL, one Redis and one bucket.
func twoNodes(t *testing.T, change ...func(*server.Config)) (a, b *app) {
	t.Helper()
	return twoNodesWith(t, nil, change...)
}

// twoNodesWith has their telemetry made with more options.
func twoNodesWith(t *testing.T, opts []telemetry.Option, change ...func(*server.Config)) (a, b *app) {
	t.Helper()
	db := needs.MySQL(t)
	redis, prefix := needs.Redis(t)
	endpoint, bucket := needs.S3(t)
	same := func(c *server.Config) {
		c.DB, c.JWTSecret, c.Redis, c.RedisPrefix = db, strings.Repeat("secret", 6), redis, prefix
		c.Blob = "s3://" + bucket + "?endpoint=" + url.QueryEscape(endpoint)
		c.MessageRate = 0
		for _, f := range change {
			f(c)
		}
	}
	return start(t, same, opts...), start(t, same, opts...)
}

// on is the same user as a client of another node.
func (u *user) on(a *app) *user {
	other := *u
	other.app = a
	return &other
}

// TestTwoNodes has clients of two nodes chat: messages in order, presence,
// typing, receipts, files, groups and logout go from node to node.
func TestTwoNodes(t *testing.T) {
	t.Parallel()
	a, b := twoNodes(t)
	alice, bob := a.register(t, "10001", "alice"), b.register(t, "10002", "bob")
	hers, his := alice.dial(t), bob.dial(t)
	alice.send(t, map[string]any{"receiver_id": bob.id, "content": "0"})
	his.expect(t, "message.new")

	const messages = 100
	for i := 1; i <= messages; i++ {
		from, text := hers, map[string]any{"receiver_id": bob.id, "content": fmt.Sprint(i), "client_msg_id": fmt.Sprint("a", i)}
		if i%2 == 0 {
			from, text = his, map[string]any{"receiver_id": alice.id, "content": fmt.Sprint(i), "client_msg_id": fmt.Sprint("b", i)}
		}
		from.write(t, "message.send", text)
		from.expect(t, "message.ack")
	}
	hers.awaits(t, "message.new", messages/2)
	his.awaits(t, "message.new", messages/2+1)

	hers.write(t, "typing", map[string]any{"receiver_id": bob.id, "is_typing": true})
	his.expect(t, "typing")
	last := decode[struct{ Data []message }](t, bob.do(t, http.StatusOK, "GET", "/api/messages?limit=1", nil)).Data[0]
	if last.Seq != messages+1 {
		t.Errorf("the last seq is %d, want %d", last.Seq, messages+1)
	}
	bob.do(t, http.StatusOK, "POST", "/api/messages/:id/read", nil, last.ID-1)
	hers.expect(t, "message.read")
	if body := alice.do(t, http.StatusOK, "GET", "/api/users/search?q=bob", nil); !strings.Contains(string(body), `"online":true`) {
		t.Errorf("bob is on the other node, and not online: %s", body)
	}

	file := decode[struct{ Data struct{ ID int64 } }](t,
		alice.do(t, http.StatusCreated, "POST", "/api/files/upload", imclient.File{Name: "a", Content: []byte("shared")})).Data.ID
	alice.send(t, map[string]any{"receiver_id": bob.id, "message_type": "file", "file_id": file})
	if got := bob.do(t, http.StatusOK, "GET", "/api/files/:id/download", nil, file); string(got) != "shared" {
		t.Errorf("the file holds %q", got)
	}

	g := decode[struct{ Data struct{ ID int64 } }](t, alice.do(t, http.StatusCreated, "POST", "/api/chats",
		map[string]any{"title": "g", "member_ids": []int64{bob.id}})).Data.ID
	bob.send(t, map[string]any{"chat_id": g, "content": "in"})
	alice.do(t, http.StatusOK, "DELETE", "/api/chats/:id/members/:user_id", nil, g, bob.id)
	// The transaction refuses it at once, and the other node as soon as it has the event.
	if status, body := b.call(t, bob.token, "POST", "/api/messages", map[string]any{"chat_id": g, "content": "out"}); status != http.StatusForbidden && status != http.StatusNotFound {
		t.Errorf("removed on the other node, and sends: %d %s", status, body)
	}

	// The socket is on b; the session ends on a.
	bob.on(a).do(t, http.StatusOK, "POST", "/api/auth/logout", nil)
	<-his.closed
	if code := websocket.CloseStatus(his.err); code != 4401 {
		t.Errorf("after a logout elsewhere the socket was closed with %v: %v", code, his.err)
	}
	bob.do(t, http.StatusUnauthorized, "GET", "/api/users/me", nil)

	for _, node := range []*app{a, b} {
		p := node.eventually(t, "Redis's memory", func(p page) bool { return p.samples["redis_memory_used_bytes"] > 0 })
		if p.samples["redis_memory_max_bytes"] < p.samples["redis_memory_used_bytes"] {
			t.Errorf("Redis uses %v of %v bytes", p.samples["redis_memory_used_bytes"], p.samples["redis_memory_max_bytes"])
		}
		if p.sum("telemetry_conflicts_total") != 0 {
			t.Error("instruments conflict")
		}
	}
}

// An account that is deleted on one node is gone on the other: its sockets are closed, and its contacts are told.
func TestAnAccountIsDeletedOnAllNodes(t *testing.T) {
	t.Parallel()
	a, b := twoNodes(t)
	alice, bob := a.register(t, "10001", "alice"), b.register(t, "10002", "bob")
	alice.do(t, http.StatusCreated, "POST", "/api/users/friends", map[string]any{"user_id": bob.id})
	g := decode[struct{ Data struct{ ID int64 } }](t, alice.do(t, http.StatusCreated, "POST", "/api/chats",
		map[string]any{"title": "g", "member_ids": []int64{bob.id}})).Data.ID
	upload := func(name string) int64 {
		return decode[struct{ Data struct{ ID int64 } }](t,
			alice.do(t, http.StatusCreated, "POST", "/api/files/upload", imclient.File{Name: name, Content: []byte(name)})).Data.ID
	}
	sent, own := upload("sent"), upload("own")
	alice.send(t, map[string]any{"receiver_id": bob.id, "message_type": "file", "file_id": sent})
	bob.send(t, map[string]any{"receiver_id": alice.id, "content": "thanks"}) // b has all of it in its caches now
	hers, his := alice.on(b).dial(t), bob.dial(t)

	alice.do(t, http.StatusOK, "DELETE", "/api/users/me", map[string]any{"password": password})
	<-hers.closed
	if code := websocket.CloseStatus(hers.err); code != 4401 {
		t.Errorf("the socket on the other node was closed with %v: %v", code, hers.err)
	}
	for left, offline := false, false; !left || !offline; {
		f := his.expectAny(t)
		p := decode[struct {
			Change   string
			UserID   int64 `json:"user_id"`
			IsOnline bool  `json:"is_online"`
		}](t, f.Payload)
		left = left || f.Type == "chat.update" && p.Change == "left" && p.UserID == alice.id
		offline = offline || f.Type == "presence" && p.UserID == alice.id && !p.IsOnline
	}
	for _, node := range []*app{a, b} {
		alice.on(node).do(t, http.StatusUnauthorized, "GET", "/api/users/me", nil)
		him := bob.on(node)
		him.do(t, http.StatusForbidden, "POST", "/api/messages", map[string]any{"receiver_id": alice.id, "content": "?"})
		him.do(t, http.StatusNotFound, "POST", "/api/users/friends", map[string]any{"user_id": alice.id})
		if got := him.do(t, http.StatusOK, "GET", "/api/files/:id/download", nil, sent); string(got) != "sent" {
			t.Errorf("the file that was sent holds %q", got)
		}
		him.do(t, http.StatusNotFound, "GET", "/api/files/:id", nil, own)
		for _, list := range []string{"/api/users/friends", "/api/users/search?q=alice"} {
			if body := him.do(t, http.StatusOK, "GET", list, nil); strings.Contains(string(body), "alice") {
				t.Errorf("%s: %s", list, body)
			}
		}
		members := decode[struct {
			Data []struct {
				UserID int64 `json:"user_id"`
				Role   string
			}
		}](t, him.do(t, http.StatusOK, "GET", "/api/chats/:id/members", nil, g)).Data
		if len(members) != 1 || members[0].UserID != bob.id || members[0].Role != "owner" {
			t.Errorf("members %+v", members)
		}
		history := decode[struct {
			Data []struct {
				Seq    int64
				Sender struct {
					ID       int64
					Username string
					Deleted  bool
				}
			}
		}](t, him.do(t, http.StatusOK, "GET", fmt.Sprint("/api/messages?receiver_id=", alice.id), nil)).Data
		if len(history) != 2 || history[1].Sender.ID != alice.id || !history[1].Sender.Deleted || history[1].Sender.Username != "" {
			t.Errorf("history %+v", history)
		}
	}
}

// TestPresenceIsOneOnAllNodes has a contact on one node be told of a user on the
// other, and ask at once: also one who has asked a moment before.
func TestPresenceIsOneOnAllNodes(t *testing.T) {
	t.Parallel()
	a, b := twoNodes(t)
	alice, bob := a.register(t, "10001", "alice"), b.register(t, "10002", "bob")
	alice.send(t, map[string]any{"receiver_id": bob.id, "content": "0"})
	hers := alice.dial(t)
	asked := func() bool {
		return decode[struct{ Data struct{ Online bool } }](t, bob.on(a).do(t, http.StatusOK, "GET", "/api/users/me", nil)).Data.Online
	}
	told := func(what string, online bool) {
		t.Helper()
		p := decode[struct {
			IsOnline bool `json:"is_online"`
		}](t, hers.expect(t, "presence").Payload)
		if got := asked(); p.IsOnline != online || got != online {
			t.Errorf("%s: told %v, asked %v", what, p.IsOnline, got)
		}
	}
	if asked() {
		t.Error("online before he comes")
	}
	his := bob.dial(t)
	told("he comes", true)
	his.write(t, "presence", map[string]any{"is_online": false})
	told("he says that nobody is there", false)
	his.write(t, "presence", map[string]any{"is_online": true})
	told("he is back", true)
	_ = his.conn.CloseNow()
	told("he goes", false)
}

// TestOrderAcrossNodes has clients of both nodes write to one group at once.
func TestOrderAcrossNodes(t *testing.T) {
	t.Parallel()
	a, b := twoNodes(t)
	users := []*user{a.register(t, "10001", ""), b.register(t, "10002", ""), a.register(t, "10003", ""), b.register(t, "10004", "")}
	ids := make([]int64, len(users))
	for i, u := range users {
		ids[i] = u.id
	}
	g := decode[struct{ Data struct{ ID int64 } }](t, users[0].do(t, http.StatusCreated, "POST", "/api/chats",
		map[string]any{"title": "g", "member_ids": ids})).Data.ID
	sockets := make([]*socket, len(users))
	for i, u := range users {
		sockets[i] = u.dial(t)
	}
	const each = 50
	for i, s := range sockets {
		for k := range each {
			s.write(t, "message.send", map[string]any{"chat_id": g, "content": "x", "client_msg_id": fmt.Sprint(i, "-", k)})
		}
	}
	for i, s := range sockets {
		s.awaits(t, "message.ack", each)
		s.awaits(t, "message.new", each*(len(users)-1))
		seen := make(map[int64]bool)
		for len(s.frames) > 0 {
			switch f := <-s.frames; f.Type {
			case "message.ack":
				seen[decode[message](t, f.Payload).Seq] = true
			case "message.new":
				seen[decode[struct{ Message message }](t, f.Payload).Message.Seq] = true
			}
		}
		for seq := int64(1); seq <= int64(each*len(users)); seq++ {
			if !seen[seq] {
				t.Errorf("client %d did not see seq %d", i, seq)
			}
		}
	}
}
