package rest_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pquerna/otp/totp"

	"github.com/onemeter/onemeter/server/auth"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/rest"
)

var update = flag.Bool("update", false, "write testdata/answers.golden anew")

// TestEveryAnswer calls every route once, and compares the status and the shape of each answer with
// testdata/answers.golden, which was checked against im-api.md. So no field that clients use can get lost.
func TestEveryAnswer(t *testing.T) {
	codes, err := auth.NewCodes([]byte(secret), "Onemeter")
	must(t, err)
	w := open(t, func(cc *chat.Config, rc *rest.Config) {
		cc.Codes = codes
		page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "page") })
		rc.Metrics, rc.Debug, cc.ModerationReads = page, page, true
		rc.Alerts = func(context.Context) []rest.Alert {
			return []rest.Alert{{Name: "IMBusDeaf", Severity: "page", Summary: "it is"}}
		}
		rc.ICE = func(int64) rest.ICE {
			return rest.ICE{TTL: time.Hour, Servers: []rest.ICEServer{
				{URLs: []string{"turn:host:3478"}, Username: "x", Credential: "y"},
			}}
		}
		rc.WebSocket = func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(418); return nil }
	})
	s := &script{world: w, routes: map[string]bool{}}
	s.play()

	const golden = "testdata/answers.golden"
	got := strings.Join(s.lines, "\n") + "\n"
	if *update {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(golden, []byte(got), 0o644))
	}
	want, err := os.ReadFile(golden)
	must(t, err)
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("answers changed (-want +got); if they should: go test -run EveryAnswer -update\n%s", diff)
	}
	for _, route := range w.server.Routes() {
		if !strings.HasPrefix(route, "HEAD ") && !s.routes[route] {
			t.Errorf("%s was not called", route)
		}
	}
}

// A script makes calls and records their answers.
type script struct {
	*world
	lines  []string
	routes map[string]bool
}

// call calls a route, with ids in place of the parameters of its template, and records the answer.
func (s *script) call(method, template, query string, u user, body any, ids ...int64) reply {
	s.Helper()
	path := template
	for _, id := range ids {
		from := strings.Index(path, ":")
		to := len(path)
		if slash := strings.Index(path[from:], "/"); slash >= 0 {
			to = from + slash
		}
		path = fmt.Sprint(path[:from], id, path[to:])
	}
	r := s.do(method, path+query, u.token, body)
	s.note(method, template, query, r)
	return r
}

func (s *script) note(method, template, query string, r reply) {
	s.Helper()
	s.routes[method+" "+template] = true
	line := fmt.Sprintf("%s %s%s\n  %d ", method, template, query, r.status)
	if r.header.Get("Content-Type") == "application/json" {
		line += shape(r.at())
	} else {
		line += r.header.Get("Content-Type")
	}
	s.lines = append(s.lines, line)
}

// shape writes the names and types of a JSON value.
func shape(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var fields []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			fields = append(fields, k+": "+shape(v[k]))
		}
		return "{" + strings.Join(fields, ", ") + "}"
	case []any:
		if len(v) == 0 {
			return "[]"
		}
		return "[" + shape(v[0]) + "]"
	case string:
		return "string"
	case float64:
		return "number"
	case bool:
		return fmt.Sprint(v)
	default:
		return "null"
	}
}

func (s *script) play() {
	var nobody user
	for _, path := range []string{"/health", "/healthz", "/readyz", "/metrics", "/debug/telemetry", "/ws"} {
		s.call("GET", path, "", nobody, nil)
	}
	ann := s.accounts()
	ben, cat := s.join("ben"), s.join("cat")
	s.twoFactor(ben)
	s.people(ann, ben)
	s.talk(ann, ben)
	s.groups(ann, ben, cat)
	s.files(ann, ben)
	s.part(ann, ben, cat)
	s.requests(cat)
	s.call("GET", "/api/users/me/export", "", ann, nil)
	eve := s.join("eve")
	s.call("DELETE", "/api/users/me", "", eve, m{"password": eve.pass})
	s.call("GET", "/api/calls/ice-servers", "", ann, nil)
	s.staff(ann, ben)
	s.call("POST", "/api/auth/logout", "", ann, nil)
	s.call("GET", "/api/auth/validate", "", ann, nil)
}

func (s *script) accounts() user {
	body := m{"phone": "+4915112345678", "password": "secret-ann", "username": "ann", "nickname": "Ann"}
	s.call("POST", "/api/auth/register", "", user{}, body)
	r := s.call("POST", "/api/auth/login", "", user{}, m{"username": "ann", "password": "secret-ann"})
	s.call("POST", "/api/auth/login", "", user{}, m{"username": "ann", "password": "wrong password"})
	r = s.call("POST", "/api/auth/refresh", "", user{}, m{"refresh_token": r.at("data", "refresh_token")})
	ann := userOf(r, "ann", "+4915112345678")
	s.call("GET", "/api/auth/validate", "", ann, nil)
	s.call("PUT", "/api/users/me/password", "", ann, m{"old_password": "secret-ann", "new_password": "secret of ann"})
	s.call("GET", "/api/users/me/sessions", "", ann, nil)
	s.note("DELETE", "/api/users/me/sessions/:id", "", s.do("DELETE", "/api/users/me/sessions/x", ann.token, nil))
	s.call("DELETE", "/api/users/me/sessions", "", ann, nil)
	return ann
}

func (s *script) twoFactor(ben user) {
	s.call("GET", "/api/2fa/status", "", ben, nil)
	key := text(s.call("POST", "/api/2fa/enable", "", ben, m{"password": ben.pass}).at("data", "secret"))
	code, err := totp.GenerateCode(key, time.Now())
	must(s, err)
	backup := s.call("POST", "/api/2fa/verify", "", ben, m{"code": code})
	next := s.call("POST", "/api/auth/login", "", user{}, m{"username": "ben", "password": ben.pass}).at("data", "login_token")
	s.call("POST", "/api/auth/login/2fa", "", user{}, m{"login_token": next, "code": backup.at("data", "backup_codes", 0), "trust_device": true})
	s.call("GET", "/api/2fa/devices", "", ben, nil)
	s.note("DELETE", "/api/2fa/devices/:id", "", s.do("DELETE", "/api/2fa/devices/x", ben.token, nil))
	backup = s.call("POST", "/api/2fa/regenerate-backup-codes", "", ben, m{"code": backup.at("data", "backup_codes", 1)})
	s.call("POST", "/api/2fa/disable", "", ben, m{"password": ben.pass, "code": backup.at("data", "backup_codes", 0)})
}

func (s *script) people(ann, ben user) {
	s.call("GET", "/api/users/friends", "", ann, nil)
	s.call("POST", "/api/users/friends", "", ann, m{"user_id": ben.id})
	s.call("GET", "/api/users/friends", "", ben, nil)
	s.call("GET", "/api/users/search", "?q=cat", ann, nil)
	s.call("GET", "/api/users/search", "?q=nobody", ann, nil)
	s.call("PUT", "/api/users/me", "", ann, m{"bio": "hello", "avatar": "a.png"})
	s.call("GET", "/api/users/me", "", ann, nil)
}

func (s *script) part(ann, ben, cat user) {
	s.call("DELETE", "/api/users/friends/:user_id", "", ben, nil, ann.id)
	s.call("GET", "/api/users/blocked", "", ann, nil)
	s.call("POST", "/api/users/blocked", "", ann, m{"user_id": cat.id})
	s.call("GET", "/api/users/blocked", "", ann, nil)
	s.call("POST", "/api/messages", "", cat, m{"receiver_id": ann.id, "content": "hello?"})
	s.call("DELETE", "/api/users/blocked/:user_id", "", ann, nil, cat.id)
}

func (s *script) requests(cat user) {
	dan := s.join("dan")
	s.call("GET", "/api/users/me/privacy", "", dan, nil)
	s.call("PUT", "/api/users/me/privacy", "", dan, m{"messages": "contacts", "groups": "contacts"})
	s.call("GET", "/api/requests", "", dan, nil)
	s.call("POST", "/api/messages", "", cat, m{"receiver_id": dan.id, "content": "hello"})
	id := s.call("GET", "/api/requests", "", dan, nil).num("data", 0, "id")
	s.call("POST", "/api/requests/:id/accept", "", dan, nil, id)
	ann := s.join("another")
	s.call("POST", "/api/chats", "", ann, m{"title": "asks", "member_ids": []int64{dan.id}})
	id = s.call("GET", "/api/requests", "", dan, nil).num("data", 0, "id")
	s.call("POST", "/api/requests/:id/decline", "", dan, nil, id)
}

func (s *script) talk(ann, ben user) {
	s.call("GET", "/api/messages", "", ann, nil)
	s.call("GET", "/api/messages/dialogs", "", ann, nil)
	first := s.call("POST", "/api/messages", "", ann, m{"receiver_id": ben.id, "content": "hello", "client_msg_id": "a-1"}).num("data", "id")
	s.call("POST", "/api/messages/send", "", ann, m{"receiver_id": ben.id, "content": "again", "message_type": "text", "reply_to_id": first})
	s.call("GET", "/api/messages/search", "?q=hello", ben, nil)
	s.call("POST", "/api/messages/typing", "", ben, m{"receiver_id": ann.id})
	s.call("GET", "/api/messages/unread/count", "", ben, nil)
	s.call("GET", "/api/messages", fmt.Sprint("?limit=1&receiver_id=", ann.id), ben, nil)
	s.call("GET", "/api/messages", fmt.Sprint("?after_seq=0&receiver_id=", ann.id), ben, nil)
	s.call("GET", "/api/messages/:id", "", ben, nil, first)
	s.call("POST", "/api/messages/:id/read", "", ben, nil, first)
	s.call("GET", "/api/messages/:id/receipts", "", ann, nil, first)
	s.call("PUT", "/api/messages/:id", "", ann, m{"content": "hallo"}, first)
	s.call("POST", "/api/messages/:id/recall", "", ann, nil, first)
	s.call("DELETE", "/api/messages/:id", "", ann, nil, first+1)
	s.call("GET", "/api/messages/dialogs", "", ben, nil)
	s.call("DELETE", "/api/messages/dialogs", fmt.Sprint("?receiver_id=", ann.id), ben, nil)
}

func (s *script) groups(ann, ben, cat user) {
	s.call("GET", "/api/chats", "", ann, nil)
	id := s.call("POST", "/api/chats", "", ann, m{"title": "friends", "member_ids": []int64{ben.id}}).num("data", "id")
	s.call("GET", "/api/chats", "", ben, nil)
	s.call("POST", "/api/messages", "", ben, m{"chat_id": id, "content": "hello, group"})
	s.call("POST", "/api/chats/:id/members", "", ann, m{"user_id": cat.id}, id)
	s.call("GET", "/api/chats/:id/members", "", cat, nil, id)
	for _, do := range []string{"promote", "demote", "mute", "unmute", "ban", "unban"} {
		s.call("POST", "/api/chats/:id/members/:user_id/"+do, "", ann, nil, id, cat.id)
	}
	s.call("DELETE", "/api/chats/:id/members/:user_id", "", ben, nil, id, ben.id)
	s.call("PUT", "/api/chats/:id", "", ann, m{"title": "old friends"}, id)
	s.call("DELETE", "/api/chats/:id", "", ann, nil, id)
}

func (s *script) files(ann, ben user) {
	up := s.upload(ann, "photo.png", "image/png", "a picture")
	s.note("POST", "/api/files/upload", "", up)
	id := up.num("data", "id")
	s.call("POST", "/api/messages", "", ann, m{"receiver_id": ben.id, "message_type": "image", "file_id": id})
	s.call("GET", "/api/files", "", ann, nil)
	s.call("GET", "/api/files/:id", "", ben, nil, id)
	s.call("GET", "/api/files/:id/download", "", ben, nil, id)
	s.call("DELETE", "/api/files/:id", "", ann, nil, id)
}

func (s *script) staff(ann, ben user) {
	boss := s.appoint(s.join("boss"), chat.RoleSuperAdmin)
	s.call("GET", "/api/super-admin/stats", "", ben, nil)
	s.call("GET", "/api/super-admin/stats", "", boss, nil)
	s.call("GET", "/api/super-admin/alerts", "", boss, nil)
	s.call("POST", "/api/super-admin/broadcast", "", boss, m{"message": "hello, everybody"})
	s.call("GET", "/api/super-admin/users", "?username=ben", boss, nil)
	s.call("GET", "/api/super-admin/users/:id", "", boss, nil, ben.id)
	if _, err := s.presence.Connected(s.Context(), ben.id); err != nil {
		s.Fatal(err)
	}
	s.call("GET", "/api/super-admin/users/online", "", boss, nil)
	s.call("PUT", "/api/super-admin/users/:id/role", "", boss, m{"role": "moderator"}, ben.id)
	first := s.call("POST", "/api/messages", "", ben, m{"receiver_id": ann.id, "content": "rude"}).num("data", "id")
	id := s.call("POST", "/api/moderation/reports", "", ann, m{"message_id": first, "reason": "rude"}).num("data", "id")
	s.call("GET", "/api/moderation/reports/pending", "", boss, nil)
	s.call("POST", "/api/moderation/reports/:id/handle", "", boss, m{"action": "warn"}, id)
	s.call("GET", "/api/moderation/reports", "", boss, nil)
	s.call("GET", "/api/super-admin/messages", "?limit=1", boss, nil)
	s.call("DELETE", "/api/super-admin/messages/:id", "", boss, nil, first)
	chats := s.call("GET", "/api/super-admin/chats", "", boss, nil)
	s.call("DELETE", "/api/super-admin/chats/:id", "", boss, nil, chats.num("data", 0, "id"))
	s.call("POST", "/api/super-admin/users/:id/ban", "", boss, m{"duration": 60, "reason": "rude"}, ben.id)
	s.call("GET", "/api/super-admin/users/:id/analysis", "", boss, nil, ben.id)
	s.call("POST", "/api/auth/login", "?again", user{}, m{"username": "ben", "password": ben.pass})
	s.call("POST", "/api/super-admin/users/:id/unban", "", boss, nil, ben.id)
	s.call("GET", "/api/super-admin/logs", "", boss, nil)
	s.call("GET", "/api/super-admin/users/:id/sessions", "", boss, nil, ann.id)
	s.call("POST", "/api/super-admin/users/:id/password", "", boss, nil, ben.id)
	s.call("POST", "/api/super-admin/users/:id/reset-2fa", "", boss, nil, ben.id)
	s.call("POST", "/api/super-admin/users/:id/logout", "", boss, nil, ben.id)
	s.call("DELETE", "/api/super-admin/users/:id", "", boss, nil, ben.id)
}
