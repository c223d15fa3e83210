package rest_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/rest"
)

// appoint gives a user a role, as the operator.
func (w *world) appoint(u user, role chat.AccountRole) user {
	w.Helper()
	_, err := w.svc.SetRole(w.Context(), chat.Staff{}, u.id, role)
	must(w, err)
	return u
}

// least has the role that each route of the staff requires. TestStaffRoutesAreForTheStaff fails for a route that is not
// here.
var least = map[string]chat.AccountRole{
	"GET /api/super-admin/stats":                chat.RoleAdministrator,
	"GET /api/super-admin/alerts":               chat.RoleAdministrator,
	"GET /api/super-admin/logs":                 chat.RoleAdministrator,
	"GET /api/super-admin/metrics":              chat.RoleAdministrator,
	"GET /api/super-admin/telemetry":            chat.RoleAdministrator,
	"POST /api/super-admin/broadcast":           chat.RoleAdministrator,
	"GET /api/super-admin/users":                chat.RoleAdministrator,
	"GET /api/super-admin/users/online":         chat.RoleAdministrator,
	"GET /api/super-admin/users/:id":            chat.RoleAdministrator,
	"GET /api/super-admin/users/:id/analysis":   chat.RoleAdministrator,
	"POST /api/super-admin/users/:id/logout":    chat.RoleAdministrator,
	"POST /api/super-admin/users/:id/ban":       chat.RoleAdministrator,
	"POST /api/super-admin/users/:id/unban":     chat.RoleAdministrator,
	"DELETE /api/super-admin/users/:id":         chat.RoleAdministrator,
	"PUT /api/super-admin/users/:id/role":       chat.RoleSuperAdmin,
	"POST /api/super-admin/users/:id/password":  chat.RoleAdministrator,
	"POST /api/super-admin/users/:id/reset-2fa": chat.RoleSuperAdmin,
	"GET /api/super-admin/users/:id/sessions":   chat.RoleAdministrator,
	"GET /api/super-admin/chats":                chat.RoleAdministrator,
	"DELETE /api/super-admin/chats/:id":         chat.RoleAdministrator,
	"GET /api/super-admin/messages":             chat.RoleModerator,
	"DELETE /api/super-admin/messages/:id":      chat.RoleModerator,
	"GET /api/moderation/reports":               chat.RoleModerator,
	"GET /api/moderation/reports/pending":       chat.RoleModerator,
	"POST /api/moderation/reports/:id/handle":   chat.RoleModerator,
}

// TestStaffRoutesAreForTheStaff checks for every route below these paths that it requires a role.
func TestStaffRoutesAreForTheStaff(t *testing.T) {
	w := open(t, func(cc *chat.Config, rc *rest.Config) {
		cc.ModerationReads = true
		rc.StaffMetrics, rc.StaffTelemetry = http.NotFoundHandler(), http.NotFoundHandler()
	})
	roles := []chat.AccountRole{chat.RoleUser, chat.RoleModerator, chat.RoleAdministrator, chat.RoleSuperAdmin}
	var users []user
	for _, role := range roles {
		users = append(users, w.appoint(w.join(strings.ReplaceAll(string(role), "_", "")), role))
	}
	for _, route := range w.server.Routes() {
		method, path, _ := strings.Cut(route, " ")
		staffs := strings.HasPrefix(path, "/api/super-admin") || strings.HasPrefix(path, "/api/moderation")
		if !staffs || route == "POST /api/moderation/reports" {
			continue
		}
		from, known := least[strings.Replace(route, "HEAD ", "GET ", 1)]
		if !known {
			t.Errorf("%s: who may use it? Say so in least", route)
			continue
		}
		path = strings.ReplaceAll(path, ":id", "987654321")
		if got := w.do(method, path, "", nil).status; got != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d", route, got)
		}
		for i, role := range roles {
			got := w.do(method, path, users[i].token, nil)
			refused := got.status == http.StatusForbidden && (method == "HEAD" || strings.Contains(string(got.body), " is required, and yours is "))
			if refused != !role.AtLeast(from) {
				t.Errorf("%s by a %s: %d %s", route, role, got.status, got.body)
			}
		}
	}
	for _, c := range []struct{ method, path string }{{"GET", "/api/super-admin/nothing"}, {"PATCH", "/api/super-admin/stats"}} {
		if got := w.do(c.method, c.path, users[3].token, nil).status; got != 404 && got != 405 {
			t.Errorf("%s %s: %d", c.method, c.path, got)
		}
	}
}

// TestARoleIsInForceAtOnce checks that a new role applies to tokens that were issued before.
func TestARoleIsInForceAtOnce(t *testing.T) {
	w := open(t)
	boss, ann := w.appoint(w.join("boss"), chat.RoleSuperAdmin), w.join("ann")
	role := fmt.Sprint("/api/super-admin/users/", ann.id, "/role")
	w.do("GET", "/api/super-admin/stats", ann.token, nil).want(403)
	if got := text(w.do("PUT", role, boss.token, m{"role": "admin"}).want(200).at("data", "role")); got != "admin" {
		t.Error(got)
	}
	w.do("GET", "/api/super-admin/stats", ann.token, nil).want(200)
	if got := text(w.do("GET", "/api/users/me", ann.token, nil).want(200).at("data", "role")); got != "admin" {
		t.Error(got)
	}
	w.do("PUT", role, boss.token, m{"role": "user"}).want(200)
	w.do("GET", "/api/super-admin/stats", ann.token, nil).want(403)
	for _, garbage := range []any{m{"role": "operator"}, m{"role": ""}, m{"role": 7}, m{}, `{"role":"admin","x":1}`, "[]", "", m{"role": "Admin"}} {
		w.do("PUT", role, boss.token, garbage).want(400)
	}
	w.do("PUT", "/api/super-admin/users/987654321/role", boss.token, m{"role": "admin"}).want(404)
	w.do("PUT", "/api/super-admin/users/x/role", boss.token, m{"role": "admin"}).want(400)
}

// TestAccountsAreRemoved deletes accounts: only those with a lower role, and they are listed as deleted.
func TestAccountsAreRemoved(t *testing.T) {
	w := open(t)
	boss, admin, bob := w.appoint(w.join("boss"), chat.RoleSuperAdmin), w.appoint(w.join("admin1"), chat.RoleAdministrator), w.join("bob")
	path := func(u user) string { return fmt.Sprint("/api/super-admin/users/", u.id) }
	w.do("DELETE", path(boss), admin.token, nil).want(403).says("below your own")
	w.do("DELETE", path(admin), admin.token, nil).want(403).says("yourself")
	w.do("DELETE", "/api/super-admin/users/987654321", admin.token, nil).want(404)
	w.do("DELETE", path(bob), admin.token, nil).want(200)
	w.do("DELETE", path(bob), admin.token, nil).want(404)
	w.do("GET", "/api/users/me", bob.token, nil).want(401)
	if got := w.do("GET", "/api/super-admin/users?status=deleted", admin.token, nil).want(200); got.num("total") != 1 || got.num("data", 0, "id") != bob.id {
		t.Errorf("%s", got.body)
	}
	if got := w.do("GET", "/api/super-admin/users?status=active", admin.token, nil).want(200); got.num("total") != 2 {
		t.Errorf("%s", got.body)
	}
	w.do("DELETE", "/api/users/me", boss.token, m{"password": boss.pass}).want(409).says("last super admin")
	w.do("DELETE", "/api/users/me", admin.token, m{"password": admin.pass}).want(200)
	if got := w.do("GET", "/api/super-admin/logs?target="+fmt.Sprint("user:", admin.id), boss.token, nil).want(200); !strings.Contains(string(got.body), "role given up") {
		t.Errorf("%s", got.body)
	}
}

// TestTheLastSuperAdminStays tries everything that would leave no super admin.
func TestTheLastSuperAdminStays(t *testing.T) {
	w := open(t)
	boss, second := w.appoint(w.join("boss"), chat.RoleSuperAdmin), w.appoint(w.join("second"), chat.RoleSuperAdmin)
	path := func(u user, act string) string { return fmt.Sprint("/api/super-admin/users/", u.id, "/", act) }
	w.do("POST", path(boss, "ban"), boss.token, nil).want(403).says("yourself")
	w.do("POST", path(second, "ban"), boss.token, m{"duration": 3600}).want(200)
	w.do("PUT", path(boss, "role"), boss.token, m{"role": "user"}).want(409).says("last super admin")
	w.do("POST", path(second, "unban"), boss.token, nil).want(200)
	w.do("PUT", path(second, "role"), boss.token, m{"role": "user"}).want(200)
	w.do("PUT", path(boss, "role"), boss.token, m{"role": "moderator"}).want(409)
	w.do("PUT", path(boss, "role"), boss.token, m{"role": "super_admin"}).want(200)
	if _, err := w.svc.SetRole(t.Context(), chat.Staff{}, boss.id, chat.RoleUser); chat.KindOf(err) != chat.KindConflict {
		t.Errorf("the operator takes the last one away: %v", err)
	}
}

// TestSuperAdminsAtOnce makes two super admins demote each other, and both demote themselves, concurrently.
func TestSuperAdminsAtOnce(t *testing.T) {
	w := open(t)
	a, b := w.join("aaa"), w.join("bbb")
	for round := range 10 {
		w.appoint(a, chat.RoleSuperAdmin)
		w.appoint(b, chat.RoleSuperAdmin)
		pairs := [][2]user{{a, b}, {b, a}}
		if round%2 == 1 {
			pairs = [][2]user{{a, a}, {b, b}}
		}
		var wg sync.WaitGroup
		for _, p := range pairs {
			wg.Go(func() {
				_, err := w.svc.SetRole(t.Context(), chat.Staff{UserID: p[0].id}, p[1].id, chat.RoleUser)
				if kind := chat.KindOf(err); kind != "" && kind != chat.KindForbidden && kind != chat.KindConflict {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		l, err := w.svc.Accounts(t.Context(), chat.AccountQuery{Role: chat.RoleSuperAdmin}, chat.Paging{})
		must(t, err)
		if l.Total != 1 {
			t.Fatalf("%d super admins are left", l.Total)
		}
	}
}

// TestTheAuditNamesUsers checks that entries have the names of both users, also after one is deleted.
func TestTheAuditNamesUsers(t *testing.T) {
	w := open(t)
	boss, bob := w.appoint(w.join("boss"), chat.RoleSuperAdmin), w.join("bob")
	w.do("POST", fmt.Sprint("/api/super-admin/users/", bob.id, "/logout"), boss.token, nil).want(200)
	entry := func() reply { return w.do("GET", "/api/super-admin/logs?limit=1", boss.token, nil).want(200) }
	e := entry()
	if e.at("data", 0, "user", "username") != "boss" || e.num("data", 0, "user", "id") != boss.id ||
		e.at("data", 0, "target_user", "username") != "bob" || e.num("data", 0, "target_user", "id") != bob.id {
		t.Errorf("%s", e.body)
	}
	w.do("DELETE", fmt.Sprint("/api/super-admin/users/", bob.id), boss.token, nil).want(200)
	if e := entry(); e.at("data", 0, "target_user", "deleted") != true || e.at("data", 0, "target_user", "username") != nil {
		t.Errorf("%s", e.body)
	}
	w.do("DELETE", "/api/super-admin/users/987654321", boss.token, nil).want(404)
	if e := entry(); e.num("data", 0, "target_user", "id") != 987654321 || e.at("data", 0, "target_user", "deleted") != true {
		t.Errorf("an account that never was: %s", e.body)
	}
	w.appoint(boss, chat.RoleSuperAdmin)
	if e := entry(); e.at("data", 0, "user") != nil || e.at("data", 0, "target_user", "username") != "boss" {
		t.Errorf("by the operator: %s", e.body)
	}
}

// TestNobodyActsUpward makes each role act on each.
func TestNobodyActsUpward(t *testing.T) {
	w := open(t)
	w.appoint(w.join("boss"), chat.RoleSuperAdmin)
	roles := []chat.AccountRole{chat.RoleUser, chat.RoleModerator, chat.RoleAdministrator, chat.RoleSuperAdmin}
	for i, actor := range roles {
		for j, target := range roles {
			a, b := w.appoint(w.join(fmt.Sprintf("a%d%d", i, j)), actor), w.appoint(w.join(fmt.Sprintf("b%d%d", i, j)), target)
			want := 403
			if actor == chat.RoleSuperAdmin || actor == chat.RoleAdministrator && i > j {
				want = 200
			}
			for _, act := range []string{"logout", "ban", "unban"} {
				if got := w.do("POST", fmt.Sprint("/api/super-admin/users/", b.id, "/", act), a.token, nil); got.status != want {
					t.Errorf("%s: %s by %s: %d, want %d %s", act, target, actor, got.status, want, got.body)
				}
			}
		}
	}
}

// TestNobodyDeletesUpward makes each role delete a message and a group of each.
func TestNobodyDeletesUpward(t *testing.T) {
	w := open(t)
	boss := w.appoint(w.join("boss"), chat.RoleSuperAdmin)
	roles := []chat.AccountRole{chat.RoleUser, chat.RoleModerator, chat.RoleAdministrator, chat.RoleSuperAdmin}
	for i, actor := range roles[1:] {
		for j, owner := range roles {
			a, b := w.appoint(w.join(fmt.Sprintf("a%d%d", i, j)), actor), w.appoint(w.join(fmt.Sprintf("b%d%d", i, j)), owner)
			above := actor == chat.RoleSuperAdmin || !owner.AtLeast(actor)
			for _, c := range []struct {
				path  string
				least chat.AccountRole
				whose string
			}{
				{fmt.Sprint("/api/super-admin/messages/", w.send(b, boss, "text")), chat.RoleModerator, "the sender"},
				{fmt.Sprint("/api/super-admin/chats/", w.group(b, boss)), chat.RoleAdministrator, "the group's owner"},
			} {
				r := w.do("DELETE", c.path, a.token, nil)
				switch {
				case above && actor.AtLeast(c.least):
					r.want(200)
				case actor.AtLeast(c.least):
					r.want(403).says(c.whose + " has the role " + string(owner))
				default:
					r.want(403).says("is required")
				}
			}
			own := w.send(a, boss, "my own")
			w.do("DELETE", fmt.Sprint("/api/super-admin/messages/", own), a.token, nil).want(200)
		}
	}
	refused := w.do("GET", "/api/super-admin/logs?level=warning&module=messages", boss.token, nil).want(200)
	if refused.num("total") != 5 || !strings.Contains(text(refused.at("data", 0, "message")), "has the role super_admin") {
		t.Errorf("%s", refused.body)
	}
}

func TestBans(t *testing.T) {
	c := newClock()
	w := open(t, func(cc *chat.Config, rc *rest.Config) { cc.Now, rc.Now = c.now, c.now })
	admin, bob := w.appoint(w.join("admin1"), chat.RoleAdministrator), w.join("bob")
	const reason = `<script>alert(1)</script> "spam"`
	ban, unban := fmt.Sprint("/api/super-admin/users/", bob.id, "/ban"), fmt.Sprint("/api/super-admin/users/", bob.id, "/unban")
	login := func() reply { return w.do("POST", "/api/auth/login", "", m{"username": "bob", "password": bob.pass}) }

	r := w.do("POST", ban, admin.token, m{"duration": 3600, "reason": reason}).want(200)
	if r.num("data", "sessions_ended") != 1 || r.at("data", "status") != "banned" || r.at("data", "reason") != reason {
		t.Errorf("%s", r.body)
	}
	w.do("GET", "/api/users/me", bob.token, nil).want(401)
	w.do("POST", "/api/auth/refresh", "", m{"refresh_token": bob.refresh}).want(401)
	got := login().want(403)
	until, err := time.Parse(time.RFC3339Nano, text(got.at("until")))
	if err != nil || until.Sub(c.now()).Round(time.Minute) != time.Hour || got.at("reason") != reason || !strings.Contains(text(got.at("details")), "spam") {
		t.Errorf("%v: %s", err, got.body)
	}
	if got := w.do("POST", "/api/auth/login", "", m{"username": "bob", "password": "wrong password"}).want(401); got.at("reason") != nil {
		t.Errorf("a stranger learns of the ban: %s", got.body)
	}
	w.do("POST", ban, admin.token, m{"duration": 60}).want(200) // replaces the first ban
	c.advance(61 * time.Second)
	bob.token = text(login().want(200).at("data", "token"))
	w.do("POST", unban, admin.token, nil).want(404)

	r = w.do("POST", ban, admin.token, nil).want(200)
	if r.at("data", "until") != nil {
		t.Errorf("for good: %s", r.body)
	}
	c.advance(10 * 365 * 24 * time.Hour)
	if got := login().want(403); got.at("until") != nil || got.at("reason") != "" {
		t.Errorf("%s", got.body)
	}
	admin.token = text(w.do("POST", "/api/auth/login", "", m{"username": "admin1", "password": admin.pass}).want(200).at("data", "token"))
	account := w.do("GET", fmt.Sprint("/api/super-admin/users/", bob.id), admin.token, nil).want(200)
	if account.at("data", "status") != "banned" || account.num("data", "ban", "by") != admin.id {
		t.Errorf("%s", account.body)
	}
	if r := w.do("POST", unban, admin.token, nil).want(200); r.at("data", "status") != "active" || r.at("data", "ban") != nil {
		t.Errorf("%s", r.body)
	}
	login().want(200)
	for _, garbage := range []any{
		m{"duration": -1}, m{"duration": 1.5}, m{"duration": "1h"}, m{"duration": 11 * 365 * 24 * 3600}, m{"duration": int64(1) << 62},
		m{"reason": strings.Repeat("x", 501)}, m{"reason": 1}, m{"days": 3}, "{", "null", "\xff",
	} {
		w.do("POST", ban, admin.token, garbage).want(400)
	}
	login().want(200)
}

// TestTwoAdminsActOnOneUser makes two admins act on a user concurrently. The account ends in one state, and the audit
// has every action.
func TestTwoAdminsActOnOneUser(t *testing.T) {
	w := open(t)
	a, b, bob := w.appoint(w.join("aaa"), chat.RoleAdministrator), w.appoint(w.join("bbb"), chat.RoleAdministrator), w.join("bob")
	path := fmt.Sprint("/api/super-admin/users/", bob.id, "/")
	var wg sync.WaitGroup
	const each = 10
	for i := range each {
		for _, admin := range []user{a, b} {
			wg.Go(func() {
				w.do("POST", path+"ban", admin.token, m{"reason": fmt.Sprint(admin.name, i)}).want(200)
			})
		}
	}
	wg.Wait()
	last := text(w.do("GET", strings.TrimSuffix(path, "/"), a.token, nil).want(200).at("data", "ban", "reason"))
	logs := w.do("GET", fmt.Sprint("/api/super-admin/logs?module=users&level=info&target=user:", bob.id), a.token, nil).want(200)
	for _, bad := range []string{"level=error", "module=user", "before_id=-1"} {
		w.do("GET", "/api/super-admin/logs?"+bad, a.token, nil).want(400)
	}
	if logs.num("total") != 2*each || text(logs.at("data", 0, "message")) != "banned: "+last {
		t.Errorf("%d entries, the last %v, and the ban is %q", logs.num("total"), logs.at("data", 0), last)
	}
	w.do("POST", "/api/auth/login", "", m{"username": "bob", "password": bob.pass}).want(403)
}

func TestTheAudit(t *testing.T) {
	w := open(t)
	admin, bob := w.appoint(w.join("admin1"), chat.RoleAdministrator), w.join("bob")
	for range 50 {
		w.do("GET", "/api/super-admin/users/5", bob.token, nil).want(403)
	}
	w.do("POST", fmt.Sprint("/api/super-admin/users/", admin.id, "/ban"), admin.token, nil).want(403)
	w.do("POST", fmt.Sprint("/api/super-admin/users/", bob.id, "/logout"), admin.token, m{"reason": "<b>"}).want(200)
	logs := w.do("GET", "/api/super-admin/logs", admin.token, nil).want(200)
	var lines []string
	for i, e := range logs.list("data") {
		e := e.(map[string]any)
		lines = append(lines, fmt.Sprint(e["level"], " ", e["module"], " ", e["message"], " ", e["target"]))
		if who := logs.num("data", i, "user_id"); text(e["ip"]) != "127.0.0.1" && who != 0 || text(e["created_at"]) == "" {
			t.Errorf("%v", e)
		}
	}
	slices.Reverse(lines)
	want := []string{
		fmt.Sprint("info roles role set to admin user:", admin.id),
		"warning access refused: GET /api/super-admin/users/5 (not allowed: the role admin is required, and yours is user) ",
		fmt.Sprint("warning users refused: banned (could not ban the user: you cannot do this to yourself) user:", admin.id),
		fmt.Sprint("info users logged out: <b> user:", bob.id),
	}
	if !slices.Equal(lines, want) {
		t.Errorf("%q, want %q", lines, want)
	}
	for _, query := range []string{"before_id=x", "before_id=-1", "user_id=x", "page=-1", "page_size=x", "page=99999999999999999999", "target=" + strings.Repeat("x", 65)} {
		w.do("GET", "/api/super-admin/logs?"+query, admin.token, nil).want(400)
	}
	if got := w.do("GET", "/api/super-admin/logs?user_id=0&page_size=1", admin.token, nil).want(200); got.num("total") != 1 {
		t.Errorf("the operator's: %s", got.body)
	}
}

func TestUsersAreListed(t *testing.T) {
	w := open(t)
	admin := w.appoint(w.join("admin1"), chat.RoleAdministrator)
	bob := w.join("bob")
	for range 250 {
		_, err := w.store.CreateUser(t.Context(), chat.User{Nickname: "<img src=x>", Role: chat.RoleUser, CreatedAt: time.Now()}, "")
		must(t, err)
	}
	seen := 0
	for page, more := 1, true; more; page++ {
		r := w.do("GET", fmt.Sprint("/api/super-admin/users?page_size=200&page=", page), admin.token, nil).want(200)
		if r.num("total") != 252 || r.num("limit") != 200 {
			t.Errorf("%d of %d", r.num("limit"), r.num("total"))
		}
		seen, more = seen+len(r.list("data")), r.at("has_more") == true
	}
	if seen != 252 {
		t.Errorf("%d users were listed", seen)
	}
	r := w.do("GET", "/api/super-admin/users?username=BO&status=active", admin.token, nil).want(200)
	if r.num("total") != 1 || r.num("data", 0, "id") != bob.id || r.at("data", 0, "phone") != bob.phone || r.at("data", 0, "status") != "active" {
		t.Errorf("%s", r.body)
	}
	for _, query := range []string{"status=x", "role=operator", "username=" + strings.Repeat("x", 65), "phone=%ff", "page=x"} {
		w.do("GET", "/api/super-admin/users?"+query, admin.token, nil).want(400)
	}
	if r := w.do("GET", "/api/super-admin/users?page=2000000&page_size=200", admin.token, nil).want(200); len(r.list("data")) != 0 {
		t.Errorf("%s", r.body)
	}
	stats := w.do("GET", "/api/super-admin/stats", admin.token, nil).want(200)
	if stats.num("data", "total_users") != 252 || stats.num("data", "server_uptime") < 0 {
		t.Errorf("%s", stats.body)
	}
}

func TestReportsAndModeration(t *testing.T) {
	w := open(t)
	mod, ann, ben, cat := w.appoint(w.join("mod"), chat.RoleModerator), w.join("ann"), w.join("ben"), w.join("cat")
	const evil = `<script>alert("𠮷")</script>`
	id := w.send(ben, ann, evil)
	report := func(by user, body any) reply { return w.do("POST", "/api/moderation/reports", by.token, body) }

	first := report(ann, m{"message_id": id, "reason": "spam", "comment": evil}).want(201)
	if again := report(ann, m{"message_id": id, "reason": "other"}).want(200); again.num("data", "id") != first.num("data", "id") {
		t.Errorf("%s", again.body)
	}
	report(cat, m{"message_id": id, "reason": "spam"}).want(404) // not a member of the conversation
	report(ben, m{"message_id": id, "reason": "spam"}).want(400) // a message of one's own
	byUser := report(cat, m{"user_id": ben.id, "reason": "rude"}).want(201).num("data", "id")
	byMod := report(cat, m{"user_id": mod.id, "reason": "rude"}).want(201).num("data", "id")
	for _, garbage := range []any{
		m{}, m{"reason": "x"}, m{"user_id": ben.id}, m{"user_id": ben.id, "message_id": id, "reason": "x"}, m{"user_id": -1, "reason": "x"},
		m{"user_id": ben.id, "reason": strings.Repeat("x", 201)}, m{"user_id": ben.id, "reason": "x", "comment": strings.Repeat("x", 1001)},
		m{"user_id": ann.id, "reason": "x", "action": "ban"}, "", "[]",
	} {
		report(ann, garbage).want(400)
	}
	report(ann, m{"user_id": 987654321, "reason": "x"}).want(404)

	pending := w.do("GET", "/api/moderation/reports/pending", mod.token, nil).want(200)
	if pending.num("total") != 3 || pending.at("data", 0, "content") != evil || pending.at("data", 0, "comment") != evil || pending.num("data", 0, "user", "id") != ben.id {
		t.Errorf("%s", pending.body)
	}
	handle := func(id int64, body any) reply {
		return w.do("POST", fmt.Sprint("/api/moderation/reports/", id, "/handle"), mod.token, body)
	}
	for _, garbage := range []any{m{"action": "kill"}, m{}, m{"action": "ban", "duration": -5}, m{"action": "warn", "note": strings.Repeat("x", 501)}} {
		handle(byUser, garbage).want(400)
	}
	handle(byUser, m{"action": "delete"}).want(400) // there is no message
	handle(byMod, m{"action": "ban"}).want(403)     // oneself
	handle(987654321, m{"action": "dismiss"}).want(404)

	handle(first.num("data", "id"), m{"action": "delete"}).want(200)
	handle(first.num("data", "id"), m{"action": "dismiss"}).want(409)
	if got := w.do("GET", fmt.Sprint("/api/messages/", id), ann.token, nil).want(200); got.at("data", "content") != "" || got.at("data", "is_deleted") != true {
		t.Errorf("%s", got.body)
	}
	if got := handle(byUser, m{"action": "ban", "duration": 60}).want(200); got.at("data", "status") != "handled" || got.at("data", "action") != "ban" {
		t.Errorf("%s", got.body)
	}
	w.do("POST", "/api/auth/login", "", m{"username": "ben", "password": ben.pass}).want(403).says("rude")
	warned := report(ann, m{"user_id": cat.id, "reason": "rude"}).want(201).num("data", "id")
	handle(warned, m{"action": "warn", "note": evil}).want(200)
	if got, err := w.svc.Notices(t.Context(), chat.Caller{UserID: cat.id}); err != nil || len(got) != 1 || got[0].Message != evil || got[0].Kind != chat.NoticeWarning {
		t.Errorf("%v, %v", got, err)
	}
	handled := w.do("GET", fmt.Sprint("/api/moderation/reports?user_id=", ben.id), mod.token, nil).want(200)
	if handled.num("total") != 2 || handled.num("data", 0, "handled_by") != mod.id {
		t.Errorf("%s", handled.body)
	}
	super := w.appoint(w.join("boss"), chat.RoleSuperAdmin)
	analysis := w.do("GET", fmt.Sprint("/api/super-admin/users/", ben.id, "/analysis"), super.token, nil).want(200)
	if analysis.num("data", "reported_count") != 2 || analysis.num("data", "violation_count") != 2 || analysis.at("data", "is_banned") != true || analysis.num("data", "total_messages") != 1 {
		t.Errorf("%s", analysis.body)
	}
}

// TestReadingMessagesIsTheOperatorsToAllow checks that it is off by default, and that the audit has each read.
func TestReadingMessagesIsTheOperatorsToAllow(t *testing.T) {
	for _, allowed := range []bool{false, true} {
		w := open(t, func(cc *chat.Config, _ *rest.Config) { cc.ModerationReads = allowed })
		super, ann, ben := w.appoint(w.join("boss"), chat.RoleSuperAdmin), w.join("ann"), w.join("ben")
		id := w.send(ann, ben, "between us")
		w.send(ann, ben, "as well")
		r := w.do("GET", fmt.Sprint("/api/super-admin/messages?limit=1&user_id=", ann.id), super.token, nil)
		level := "info"
		if allowed {
			if r.want(200); r.at("data", 0, "content") != "as well" || r.at("has_more") != true || r.num("data", 0, "sender", "id") != ann.id {
				t.Errorf("%s", r.body)
			}
			r = w.do("GET", fmt.Sprint("/api/super-admin/messages?limit=1&user_id=", ann.id, "&before_id=", r.num("next_before_id")), super.token, nil).want(200)
			if r.num("data", 0, "id") != id || r.at("has_more") != false {
				t.Errorf("%s", r.body)
			}
			r = w.do("GET", fmt.Sprint("/api/super-admin/messages?before_id=", id+1), super.token, nil).want(200)
			if r.at("data", 0, "content") != "between us" || r.at("has_more") != false {
				t.Errorf("%s", r.body)
			}
		} else {
			level = "warning"
			r.want(403).says("--moderation-reads")
		}
		logs := w.do("GET", fmt.Sprint("/api/super-admin/logs?module=messages&level=", level, "&target=user:", ann.id), super.token, nil).want(200)
		if want := map[bool]int64{false: 1, true: 2}[allowed]; int64(logs.num("total")) != want || !strings.Contains(text(logs.at("data", 0, "message")), "read messages") {
			t.Errorf("%s", logs.body)
		}
		w.do("GET", "/api/super-admin/messages?chat_id=x", super.token, nil).want(400)
		w.do("DELETE", fmt.Sprint("/api/super-admin/messages/", id), super.token, nil).want(200)
		w.do("DELETE", fmt.Sprint("/api/super-admin/messages/", id), super.token, nil).want(200)
		w.do("DELETE", "/api/super-admin/messages/987654321", super.token, nil).want(404)
	}
}

func TestBroadcasts(t *testing.T) {
	w := open(t)
	admin, ann := w.appoint(w.join("admin1"), chat.RoleAdministrator), w.join("ann")
	const text = `<b>maintenance</b> at 5 "o'clock"`
	id := w.do("POST", "/api/super-admin/broadcast", admin.token, m{"message": text}).want(201).num("data", "id")
	for _, garbage := range []any{m{}, m{"message": ""}, m{"message": strings.Repeat("x", 4097)}, m{"message": 5}, ""} {
		w.do("POST", "/api/super-admin/broadcast", admin.token, garbage).want(400)
	}
	got, err := w.svc.Notices(t.Context(), chat.Caller{UserID: ann.id})
	if err != nil || len(got) != 1 || got[0].Message != text || got[0].ID != id {
		t.Errorf("%v, %v", got, err)
	}
}

func TestPasswordsAreReset(t *testing.T) {
	w := open(t)
	admin, other, bob := w.appoint(w.join("admin1"), chat.RoleAdministrator), w.appoint(w.join("admin2"), chat.RoleAdministrator), w.join("bob")
	path := func(u user) string { return fmt.Sprint("/api/super-admin/users/", u.id, "/") }
	if got := w.do("GET", path(bob)+"sessions", admin.token, nil).want(200); len(got.list("data")) != 1 || got.at("data", 0, "id") != nil || got.at("data", 0, "ip") != "127.0.0.1" {
		t.Errorf("%s", got.body)
	}
	w.do("POST", path(other)+"password", admin.token, nil).want(403)
	for _, garbage := range []any{m{"password": "short"}, m{"password": strings.Repeat("x", 1025)}, m{"password": 1}, m{"new": "x"}} {
		w.do("POST", path(bob)+"password", admin.token, garbage).want(400)
	}
	w.do("GET", "/api/users/me", bob.token, nil).want(200)
	made := text(w.do("POST", path(bob)+"password", admin.token, nil).want(200).at("data", "password"))
	w.do("GET", "/api/users/me", bob.token, nil).want(401)
	w.do("POST", "/api/auth/login", "", m{"username": "bob", "password": bob.pass}).want(401)
	w.do("POST", "/api/auth/login", "", m{"username": "bob", "password": made}).want(200)
	if got := text(w.do("POST", path(bob)+"password", admin.token, m{"password": "given one"}).want(200).at("data", "password")); got != "given one" {
		t.Error(got)
	}
	logs := w.do("GET", fmt.Sprint("/api/super-admin/logs?target=user:", bob.id), admin.token, nil).want(200)
	if strings.Contains(string(logs.body), made) || logs.num("total") != 2 {
		t.Errorf("%s", logs.body)
	}
	w.do("GET", "/api/super-admin/users/987654321/sessions", admin.token, nil).want(404)
}

func TestGroupsAreDeleted(t *testing.T) {
	w := open(t)
	admin, ann, ben := w.appoint(w.join("admin1"), chat.RoleAdministrator), w.join("ann"), w.join("ben")
	id := w.group(ann, ben)
	var last int64
	for i := range 3 {
		last = w.do("POST", "/api/messages", ben.token, m{"chat_id": id, "content": fmt.Sprint("text ", i)}).want(200).num("data", "id")
	}
	direct := w.do("GET", fmt.Sprint("/api/messages/", w.send(ann, ben, "between us")), ann.token, nil).want(200)
	path := fmt.Sprint("/api/super-admin/chats/", id)
	if got := w.do("GET", "/api/super-admin/chats?title=a%20gr", admin.token, nil).want(200); got.num("total") != 1 || got.num("data", 0, "last_seq") != 3 {
		t.Errorf("%s", got.body)
	}
	for range 2 { // a retry succeeds
		w.do("DELETE", path, admin.token, nil).want(200)
	}
	w.do("GET", fmt.Sprint("/api/messages/", last), ben.token, nil).want(404)
	w.do("POST", "/api/messages", ann.token, m{"chat_id": id, "content": "still here?"}).want(404)
	if got := w.do("GET", "/api/chats", ann.token, nil).want(200); len(got.list("data")) != 0 {
		t.Errorf("%s", got.body)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) { // messages are erased in the background
		m, err := w.store.Message(t.Context(), last)
		if errors.Is(err, chat.ErrNotFound) || err == nil && m.Content == "" {
			break
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("%+v, %v", m, err)
		}
	}
	if got := w.do("GET", "/api/super-admin/chats", admin.token, nil).want(200); got.num("total") != 0 {
		t.Errorf("%s", got.body)
	}
	w.do("DELETE", "/api/super-admin/chats/987654321", admin.token, nil).want(404)
	w.do("DELETE", "/api/super-admin/chats/x", admin.token, nil).want(400)
	message, err := w.store.Message(t.Context(), direct.num("data", "id"))
	must(t, err)
	w.do("DELETE", fmt.Sprint("/api/super-admin/chats/", message.ConversationID), admin.token, nil).want(400).says("direct conversation")
}
