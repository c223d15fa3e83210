package rest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/rest"
)

// bans is a world with a clock.
type bans struct {
	*world
	clock *clock
}

func openBans(t *testing.T) bans {
	c := newClock()
	return bans{open(t, func(cc *chat.Config, rc *rest.Config) { cc.Now, rc.Now = c.now, c.now }), c}
}

// ban bans a user by the admins' call.
func (b bans) ban(by, of user, seconds int) reply {
	return b.do("POST", fmt.Sprint("/api/super-admin/users/", of.id, "/ban"), by.token, m{"duration": seconds, "reason": "by " + by.name})
}

// handle reports a user and handles the report with a ban.
func (b bans) handle(by, of, reporter user, seconds int) (report int64, r reply) {
	b.Helper()
	report = b.do("POST", "/api/moderation/reports", reporter.token, m{"user_id": of.id, "reason": "rude"}).num("data", "id")
	return report, b.do("POST", fmt.Sprint("/api/moderation/reports/", report, "/handle"), by.token, m{"action": "ban", "duration": seconds})
}

// lasts returns for how many seconds a user is banned; 0: permanently, -1: not banned.
func (b bans) lasts(of user, staff user) int64 {
	b.Helper()
	account := b.do("GET", fmt.Sprint("/api/super-admin/users/", of.id), staff.token, nil).want(200)
	if account.at("data", "ban") == nil {
		return -1
	}
	if account.at("data", "ban", "until") == nil {
		return 0
	}
	until, err := time.Parse(time.RFC3339Nano, text(account.at("data", "ban", "until")))
	must(b, err)
	return int64(until.Sub(b.clock.now()).Seconds())
}

// A ban for a report does not replace a longer ban, whoever made that, and the report stays pending. It replaces a
// shorter one.
func TestAReportDoesNotShortenABan(t *testing.T) {
	b := openBans(t)
	boss, mod, second := b.appoint(b.join("boss"), chat.RoleSuperAdmin), b.appoint(b.join("mod"), chat.RoleModerator), b.appoint(b.join("second"), chat.RoleModerator)
	ann, ben := b.join("ann"), b.join("ben")
	_, r := b.handle(mod, ben, ann, 3600)
	r.want(200)
	report, r := b.handle(second, ben, ann, 60)
	r.want(409).says("longer than yours")
	if got := b.lasts(ben, boss); got != 3600 {
		t.Errorf("the ban lasts %d s", got)
	}
	handle := fmt.Sprint("/api/moderation/reports/", report, "/handle")
	b.do("POST", handle, second.token, m{"action": "ban", "duration": 7200}).want(200)
	if got := b.lasts(ben, boss); got != 7200 {
		t.Errorf("after a longer one, the ban lasts %d s", got)
	}
	_, r = b.handle(mod, ben, ann, 0)
	r.want(200)
	report, r = b.handle(second, ben, ann, 10*365*24*3600)
	r.want(409)
	if got := b.lasts(ben, boss); got != 0 {
		t.Errorf("the ban for good lasts %d s", got)
	}
	b.do("POST", fmt.Sprint("/api/moderation/reports/", report, "/handle"), second.token, m{"action": "ban"}).want(200) // for good, too
	_, r = b.handle(boss, ben, ann, 60)
	r.want(409) // a report does not shorten a ban, even if a super admin handles it
	b.ban(boss, ben, 60).want(200)
	if got := b.lasts(ben, boss); got != 60 {
		t.Errorf("by a super admin's call, the ban lasts %d s", got)
	}
	b.clock.advance(2 * time.Minute)
	_, r = b.handle(boss, ben, ann, 30)
	r.want(200) // the earlier ban has ended
}

// A ban by a higher role cannot be lifted or replaced, not even by a longer one, and the answer names the role.
func TestABanOfAHigherRoleStays(t *testing.T) {
	b := openBans(t)
	boss, admin, mod := b.appoint(b.join("boss"), chat.RoleSuperAdmin), b.appoint(b.join("admin1"), chat.RoleAdministrator), b.appoint(b.join("mod"), chat.RoleModerator)
	ann, ben := b.join("ann"), b.join("ben")
	unban := func(by user) reply {
		return b.do("POST", fmt.Sprint("/api/super-admin/users/", ben.id, "/unban"), by.token, nil)
	}
	b.ban(boss, ben, 3600).want(200)
	b.ban(admin, ben, 60).want(403).says("the role super_admin made this ban, and yours is admin")
	b.ban(admin, ben, 0).want(403)
	unban(admin).want(403).says("super_admin")
	_, r := b.handle(mod, ben, ann, 0)
	r.want(403).says("super_admin")
	if got := b.lasts(ben, boss); got != 3600 {
		t.Errorf("the ban lasts %d s", got)
	}
	// What matters is the role at the time of the ban, and not the current role.
	b.do("PUT", fmt.Sprint("/api/super-admin/users/", boss.id, "/role"), b.appoint(b.join("heir"), chat.RoleSuperAdmin).token, m{"role": "user"}).want(200)
	unban(admin).want(403)
	if _, _, err := b.svc.BanUser(t.Context(), chat.Staff{}, ben.id, "by the operator", time.Hour); err != nil {
		t.Error(err)
	}
	unban(admin).want(403).says("operator")
	unban(b.appoint(b.join("third"), chat.RoleSuperAdmin)).want(200)
	b.ban(admin, ben, 3600).want(200)
	unban(admin).want(200)
}

// TestReportsAboutModeratorsAreForHigherRoles: nobody handles a report about themself or about an equal in any way, and
// who is refused is in the audit. A super admin handles reports about every other user.
func TestReportsAboutModeratorsAreForHigherRoles(t *testing.T) {
	b := openBans(t)
	boss, second := b.appoint(b.join("boss"), chat.RoleSuperAdmin), b.appoint(b.join("second"), chat.RoleSuperAdmin)
	admin, mod, peer := b.appoint(b.join("admin1"), chat.RoleAdministrator), b.appoint(b.join("mod"), chat.RoleModerator), b.appoint(b.join("peer"), chat.RoleModerator)
	ann := b.join("ann")
	report := func(of user) string {
		r := b.do("POST", "/api/moderation/reports", ann.token, m{"user_id": of.id, "reason": "rude"}).want(201)
		return fmt.Sprint("/api/moderation/reports/", r.num("data", "id"), "/handle")
	}
	for _, c := range []struct {
		by, of user
		status int
		says   string
	}{
		{mod, mod, 403, "it is about you"},
		{mod, peer, 403, "role moderator, and yours is moderator"},
		{mod, admin, 403, "role admin"},
		{admin, mod, 200, ""},
		{admin, boss, 403, "role super_admin"},
		{boss, boss, 403, "it is about you"},
		{boss, second, 200, ""},
	} {
		handle := report(c.of)
		for _, action := range []string{"delete", "warn", "ban", "dismiss"} {
			if c.status == 403 {
				b.do("POST", handle, c.by.token, m{"action": action}).want(403).says(c.says)
			}
		}
		if c.status == 200 {
			b.do("POST", handle, c.by.token, m{"action": "dismiss"}).want(200)
			continue
		}
		if c.of.id != boss.id {
			b.do("POST", handle, boss.token, m{"action": "dismiss"}).want(200) // nothing was done to it
		} else {
			b.do("POST", handle, second.token, m{"action": "dismiss"}).want(200)
		}
	}
	logs := b.do("GET", fmt.Sprint("/api/super-admin/logs?level=warning&module=reports&user_id=", mod.id), boss.token, nil).want(200)
	if logs.num("total") != 12 {
		t.Errorf("%s", logs.body)
	}
}

// TestTitlesSayWhatFailed checks errors whose titles could be taken for the state of a user.
func TestTitlesSayWhatFailed(t *testing.T) {
	w := open(t)
	boss := w.appoint(w.join("boss"), chat.RoleSuperAdmin)
	staff := fmt.Sprint("/api/super-admin/users/", boss.id)
	for _, c := range []struct {
		method, path string
		body         any
		title        string
	}{
		{"POST", staff + "/ban", nil, "could not ban the user"},
		{"POST", staff + "/unban", nil, "ban not lifted"},
		{"POST", "/api/super-admin/users/987654321/logout", nil, "could not log the user out"},
		{"POST", "/api/users/blocked", m{"user_id": 987654321}, "could not block the user"},
		{"DELETE", "/api/users/blocked/987654321", nil, "could not unblock the user"},
		{"POST", "/api/auth/login", m{"username": "boss", "password": "wrong password"}, "login failed"},
	} {
		if r := w.do(c.method, c.path, boss.token, c.body); r.status < 400 || r.at("error") != c.title {
			t.Errorf("%s %s: %d, want the title %q: %s", c.method, c.path, r.status, c.title, r.body)
		}
	}
}
