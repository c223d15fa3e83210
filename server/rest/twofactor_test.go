package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/onemeter/onemeter/server/auth"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/limit/memlimit"
	"github.com/onemeter/onemeter/server/rest"
)

// A clock is set by the test. It begins at the start of the 30 seconds of a code.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(time.Now().Unix() / 30 * 30)
	return c
}
func (c *clock) now() time.Time          { return time.Unix(c.at.Load(), 0) }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d / time.Second)) }

// twoFactorWorld is a world with two-factor login, which required says who must have.
func twoFactorWorld(t *testing.T, required chat.TwoFactorRequired) (*world, *clock) {
	t.Helper()
	c := newClock()
	codes, err := auth.NewCodes([]byte(secret), "Onemeter")
	must(t, err)
	return open(t, func(cc *chat.Config, _ *rest.Config) {
		cc.Now, cc.Codes, cc.RequireTwoFactor = c.now, codes, required
		cc.CodeTries = memlimit.New[int64](.0001, 40, 1000)
	}), c
}

// code returns the code that an authenticator shows now.
func (c *clock) code(t *testing.T, secret string) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, c.now())
	must(t, err)
	return code
}

// enroll turns two-factor login on for u, and moves the clock to the next code.
func (w *world) enroll(t *testing.T, c *clock, u user) (secret string, backup []string) {
	t.Helper()
	secret = text(w.do("POST", "/api/2fa/enable", u.token, m{"password": u.pass}).want(200).at("data", "secret"))
	r := w.do("POST", "/api/2fa/verify", u.token, m{"code": c.code(t, secret)}).want(200)
	for i := range r.list("data", "backup_codes") {
		backup = append(backup, text(r.at("data", "backup_codes", i)))
	}
	c.advance(30 * time.Second)
	return secret, backup
}

// half logs in with the password and returns the login token.
func (w *world) half(u user) string {
	w.Helper()
	r := w.do("POST", "/api/auth/login", "", m{"username": u.name, "password": u.pass}).want(200)
	if r.at("data", "two_factor") != true || r.at("data", "token") != nil || r.at("data", "refresh_token") != nil || r.num("data", "expires_in") != 300 {
		w.Fatalf("%s", r.body)
	}
	return text(r.at("data", "login_token"))
}

func (w *world) second(token, code string) reply {
	w.Helper()
	return w.do("POST", "/api/auth/login/2fa", "", m{"login_token": token, "code": code})
}

func TestTwoFactorLogin(t *testing.T) {
	w, c := twoFactorWorld(t, "")
	ann := w.join("ann")
	other := w.login(ann, "other")
	status := func(enabled bool, codes int64) {
		t.Helper()
		r := w.do("GET", "/api/2fa/status", ann.token, nil).want(200)
		if r.at("data", "enabled") != enabled || r.num("data", "backup_codes") != codes || r.at("data", "required") != false {
			t.Errorf("%s", r.body)
		}
	}
	status(false, 0)
	w.do("POST", "/api/2fa/verify", ann.token, m{"code": "123456"}).want(409).says("/api/2fa/enable")
	w.do("POST", "/api/2fa/enable", ann.token, m{"password": ann.pass}).want(200)
	r := w.do("POST", "/api/2fa/enable", ann.token, m{"password": ann.pass}).want(200)
	key := text(r.at("data", "secret"))
	if link := text(r.at("data", "otpauth_url")); !strings.HasPrefix(link, "otpauth://totp/Onemeter:ann?") || !strings.Contains(link, "secret="+key) {
		t.Errorf("%s", r.body)
	}
	status(false, 0)
	w.login(ann, "nothing is asked for yet")
	w.do("POST", "/api/2fa/verify", ann.token, m{"code": "000000"}).want(403).says("clock of the authenticator")
	r = w.do("POST", "/api/2fa/verify", ann.token, m{"code": c.code(t, key)}).want(200)
	backup := r.list("data", "backup_codes")
	status(true, 10)
	w.do("GET", "/api/users/me", other.token, nil).want(401) // a session without a second factor
	w.do("GET", "/api/users/me", ann.token, nil).want(200)
	w.do("POST", "/api/2fa/enable", ann.token, m{"password": ann.pass}).want(409)
	w.do("POST", "/api/2fa/verify", ann.token, m{"code": c.code(t, key)}).want(409)

	w.second(w.half(ann), c.code(t, key)).want(401).says("used before") // when it was verified
	c.advance(30 * time.Second)
	token := w.half(ann)
	w.second(token, "000000").want(401)
	r = w.second(token, c.code(t, key)).want(200)
	now := userOf(r, "ann", ann.phone)
	if r.at("data", "device_token") != nil || now.id != ann.id {
		t.Errorf("%s", r.body)
	}
	w.do("GET", "/api/users/me", now.token, nil).want(200)
	w.second(token, c.code(t, key)).want(401) // the same code again
	w.second(w.half(ann), c.code(t, key)).want(401)

	lower := strings.ToLower(strings.ReplaceAll(text(backup[3]), "-", ""))
	w.second(w.half(ann), lower).want(200)
	w.second(w.half(ann), text(backup[3])).want(401)
	status(true, 9)
	w.do("POST", "/api/2fa/regenerate-backup-codes", ann.token, m{"code": text(backup[4])}).want(200)
	w.second(w.half(ann), text(backup[5])).want(401)
	status(true, 10)
}

func TestOfManyLoginsWithOneCodeOneWorks(t *testing.T) {
	w, c := twoFactorWorld(t, "")
	ann := w.join("ann")
	key, backup := w.enroll(t, c, ann)
	for _, code := range []string{c.code(t, key), backup[0]} {
		var wg sync.WaitGroup
		var good atomic.Int64
		for range 8 {
			token := w.half(ann)
			wg.Go(func() {
				if w.second(token, code).status == http.StatusOK {
					good.Add(1)
				}
			})
		}
		wg.Wait()
		if good.Load() != 1 {
			t.Errorf("%q was good %d times", code, good.Load())
		}
	}
}

func TestLoginTokensAreGoodForAWhile(t *testing.T) {
	w, c := twoFactorWorld(t, "")
	ann, ben := w.join("ann"), w.join("ben")
	key, _ := w.enroll(t, c, ann)
	bens, _ := w.enroll(t, c, ben)
	token := w.half(ann)
	for _, bad := range []string{"x", ".", "1.0.9999999999.", token + "x", token[:len(token)-1], "9" + token, strings.Repeat("x", 10000), ann.token, ann.refresh} {
		w.second(bad, c.code(t, key)).want(401).says("log in again with the password")
	}
	for _, body := range []any{m{"login_token": token}, m{"code": "123456"}, m{}, "[]", m{"login_token": token, "code": 123456},
		m{"login_token": token, "code": "123456", "password": "x"}} {
		w.do("POST", "/api/auth/login/2fa", "", body).want(400)
	}
	for _, garbage := range []string{"x", "12345", "1234567", "１２３４５６", "\x00", strings.Repeat("A", 16), strings.Repeat("9", 10000), c.code(t, bens)} {
		w.second(token, garbage).want(401)
	}
	w.do("GET", "/api/users/me", token, nil).want(401)
	c.advance(299 * time.Second)
	w.second(w.half(ann), c.code(t, key)).want(200)
	c.advance(30 * time.Second)
	w.second(token, c.code(t, key)).want(401).says("expired")

	token = w.half(ann)
	fresh := w.half(ann)
	r := w.second(fresh, c.code(t, key)).want(200)
	w.do("PUT", passwordPath, text(r.at("data", "token")), m{"old_password": ann.pass, "new_password": "another one"}).want(200)
	c.advance(30 * time.Second)
	w.second(token, c.code(t, key)).want(401).says("the account has changed")
}

func TestCodesAreLimited(t *testing.T) {
	codes, err := auth.NewCodes([]byte(secret), "Onemeter")
	must(t, err)
	c := newClock()
	var told []chat.TwoFactorEvent
	w := open(t, func(cc *chat.Config, _ *rest.Config) {
		cc.Now, cc.Codes, cc.CodeTries = c.now, codes, memlimit.New[int64](.0001, 6, 1000)
		cc.Hooks.TwoFactor = func(_ context.Context, e chat.TwoFactorEvent) { told = append(told, e) }
	})
	ann, ben := w.join("ann"), w.join("ben")
	key, _ := w.enroll(t, c, ann) // takes one
	for range 3 {
		w.second(w.half(ann), "000000").want(401)
	}
	w.do("POST", "/api/2fa/disable", ann.token, m{"password": ann.pass, "code": "000000"}).want(403)
	w.do("POST", "/api/2fa/regenerate-backup-codes", ann.token, m{"code": "000000"}).want(403)
	r := w.second(w.half(ann), c.code(t, key)).want(429)
	if r.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	w.do("POST", "/api/2fa/disable", ann.token, m{"password": ann.pass, "code": c.code(t, key)}).want(429)
	const no, locked = chat.TwoFactorRefused, chat.TwoFactorLocked
	if want := []chat.TwoFactorEvent{chat.TwoFactorEnabled, no, no, no, no, no, locked, locked}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	w.enroll(t, c, ben) // others may
}

// TestWhoUsesUpTheTriesLocksNobodyOut: somebody who knows the password tries codes all the time. The owner still gets in
// by a backup code and from a trusted device, changes the password, and so ends it.
func TestWhoUsesUpTheTriesLocksNobodyOut(t *testing.T) {
	codes, err := auth.NewCodes([]byte(secret), "Onemeter")
	must(t, err)
	c := newClock()
	w := open(t, func(cc *chat.Config, _ *rest.Config) {
		cc.Now, cc.Codes, cc.CodeTries = c.now, codes, memlimit.New[int64](.0001, 4, 1000)
	})
	ann := w.join("ann")
	key, backup := w.enroll(t, c, ann) // takes one
	r := w.do("POST", "/api/auth/login/2fa", "", m{"login_token": w.half(ann), "code": c.code(t, key), "trust_device": true}).want(200)
	device := text(r.at("data", "device_token"))
	attacker := w.half(ann)
	for range 2 {
		w.second(attacker, "000000").want(401)
	}
	for range 20 {
		w.second(attacker, "000000").want(429).says("too many codes: try again in ").says(", or use a backup code now")
	}
	w.second(attacker, strings.Repeat("A", 16)).want(401) // what looks like a backup code is checked, and wrong
	if r := w.do("POST", "/api/auth/login", "", m{"username": "ann", "password": ann.pass, "device_token": device}).want(200); r.at("data", "token") == nil {
		t.Errorf("from a trusted device: %s", r.body)
	}
	now := userOf(w.second(w.half(ann), backup[0]).want(200), "ann", ann.phone)
	w.second(w.half(ann), backup[0]).want(401) // good once
	w.do("POST", "/api/2fa/regenerate-backup-codes", now.token, m{"code": backup[1]}).want(200)
	w.do("PUT", passwordPath, now.token, m{"old_password": ann.pass, "new_password": "another one"}).want(200)
	w.second(attacker, "000000").want(401).says("log in again with the password")
}

// TestSettingUpTwoFactorTakesThePassword: who has found a device that is logged in
// does not lock its user out.
func TestSettingUpTwoFactorTakesThePassword(t *testing.T) {
	w, _ := twoFactorWorld(t, "")
	ann := w.join("ann")
	enable := func(body any) reply { return w.do("POST", "/api/2fa/enable", ann.token, body) }
	for _, body := range []any{nil, m{}, m{"password": ""}, m{"password": strings.Repeat("x", 1025)}, m{"password": 7}, m{"code": "123456"}, "{", "\xff"} {
		enable(body).want(400)
	}
	enable(m{"password": "not hers"}).want(403).says("password is wrong")
	w.do("POST", "/api/2fa/verify", ann.token, m{"code": "123456"}).want(409).says("ask for a secret first")
	enable(m{"password": ann.pass}).want(200)
}

// TestALostSecondFactorIsReset by a super admin, for others and not for himself.
func TestALostSecondFactorIsReset(t *testing.T) {
	w, c := twoFactorWorld(t, "")
	boss, admin, ann := w.appoint(w.join("boss"), chat.RoleSuperAdmin), w.appoint(w.join("admin1"), chat.RoleAdministrator), w.join("ann")
	reset := func(by, of user) reply {
		return w.do("POST", fmt.Sprint("/api/super-admin/users/", of.id, "/reset-2fa"), by.token, nil)
	}
	reset(boss, ann).want(409).says("it is off already")
	key, _ := w.enroll(t, c, ann)
	w.enroll(t, c, boss)
	r := w.do("POST", "/api/auth/login/2fa", "", m{"login_token": w.half(ann), "code": c.code(t, key), "trust_device": true}).want(200)
	device := text(r.at("data", "device_token"))
	reset(admin, ann).want(403).says("the role super_admin is required")
	reset(boss, boss).want(403).says("yourself")
	w.half(ann)
	if r := reset(boss, ann).want(200); r.num("data", "sessions_ended") != 2 || r.num("data", "user_id") != ann.id {
		t.Errorf("%s", r.body)
	}
	w.do("GET", "/api/users/me", ann.token, nil).want(401)
	reset(boss, ann).want(409)
	reset(boss, user{id: 987654321}).want(404)
	ann.token = w.login(ann, "with the password alone").token
	w.enroll(t, c, ann)
	if r := w.do("POST", "/api/auth/login", "", m{"username": "ann", "password": ann.pass, "device_token": device}).want(200); r.at("data", "two_factor") != true {
		t.Errorf("a device that was trusted before is: %s", r.body)
	}
	logs := w.do("GET", fmt.Sprint("/api/super-admin/logs?level=info&target=user:", ann.id), boss.token, nil).want(200)
	if logs.num("total") != 1 || logs.at("data", 0, "message") != "two-factor login reset" || logs.num("data", 0, "user_id") != boss.id {
		t.Errorf("%s", logs.body)
	}
}

func TestTwoFactorIsTurnedOff(t *testing.T) {
	w, c := twoFactorWorld(t, "")
	ann := w.join("ann")
	const path = "/api/2fa/disable"
	w.do("POST", path, ann.token, m{"password": ann.pass, "code": "123456"}).want(409).says("is off")
	key, backup := w.enroll(t, c, ann)
	for _, body := range []any{m{"password": "not hers", "code": c.code(t, key)}, m{"password": ann.pass, "code": "000000"}} {
		w.do("POST", path, ann.token, body).want(403)
	}
	for _, body := range []any{m{"password": ann.pass}, m{"code": c.code(t, key)}, m{}, "{"} {
		w.do("POST", path, ann.token, body).want(400)
	}
	other := userOf(w.second(w.half(ann), backup[0]).want(200), "ann", ann.phone)
	w.do("POST", path, ann.token, m{"password": ann.pass, "code": c.code(t, key)}).want(200)
	w.do("GET", "/api/users/me", other.token, nil).want(401)
	w.do("GET", "/api/users/me", ann.token, nil).want(200)
	w.login(ann, "with the password")
	w.do("POST", "/api/2fa/regenerate-backup-codes", ann.token, m{"code": backup[1]}).want(409)
	if again, _ := w.enroll(t, c, ann); again == key {
		t.Error("the same secret again")
	}
	w.second(w.half(ann), backup[1]).want(401)
}

func TestTrustedDevices(t *testing.T) {
	w, c := twoFactorWorld(t, "")
	ann, ben := w.join("ann"), w.join("ben")
	key, _ := w.enroll(t, c, ann)
	w.enroll(t, c, ben)
	trust := func() (user, string) {
		t.Helper()
		c.advance(30 * time.Second)
		r := w.do("POST", "/api/auth/login/2fa", "", m{"login_token": w.half(ann), "code": c.code(t, key), "trust_device": true}, "User-Agent", "laptop").want(200)
		return userOf(r, "ann", ann.phone), text(r.at("data", "device_token"))
	}
	logins := func(u user, device string) bool {
		t.Helper()
		r := w.do("POST", "/api/auth/login", "", m{"username": u.name, "password": u.pass, "device_token": device}).want(200)
		return r.at("data", "two_factor") == nil
	}
	now, device := trust()
	for range 2 {
		if !logins(ann, device) {
			t.Error("the device is not trusted")
		}
	}
	w.do("POST", "/api/auth/login", "", m{"username": "ann", "password": "wrong", "device_token": device}).want(401)
	for _, bad := range []string{"", "x", ".", device + "x", device[:len(device)-1], strings.Split(device, ".")[0] + ".", strings.Repeat("x.", 5000)} {
		if logins(ann, bad) {
			t.Errorf("%q is trusted", bad)
		}
	}
	if logins(ben, device) {
		t.Error("ann's device is trusted by ben")
	}
	r := w.do("GET", "/api/2fa/devices", now.token, nil).want(200)
	id := text(r.at("data", 0, "id"))
	if len(r.list("data")) != 1 || text(r.at("data", 0, "device")) != "laptop" || strings.Contains(string(r.body), strings.Split(device, ".")[1]) {
		t.Errorf("%s", r.body)
	}
	w.do("DELETE", "/api/2fa/devices/"+id, ben.token, nil).want(404)
	if !logins(ann, device) {
		t.Error("another removed the device")
	}
	w.do("DELETE", "/api/2fa/devices/"+id, now.token, nil).want(200)
	w.do("DELETE", "/api/2fa/devices/"+id, now.token, nil).want(404)
	if logins(ann, device) {
		t.Error("a device that was removed is trusted")
	}
	_, device = trust()
	c.advance(30*24*time.Hour - time.Second)
	if !logins(ann, device) {
		t.Error("not trusted for 30 days")
	}
	c.advance(time.Second)
	if logins(ann, device) {
		t.Error("trusted for more than 30 days")
	}
	now, device = trust()
	w.do("PUT", passwordPath, now.token, m{"old_password": ann.pass, "new_password": "another one"}).want(200)
	ann.pass = "another one"
	if logins(ann, device) {
		t.Error("trusted after a new password")
	}
}

// TestTwoFactorCanBeRequired checks that a user without two-factor login can only set it up.
func TestTwoFactorCanBeRequired(t *testing.T) {
	w, c := twoFactorWorld(t, chat.TwoFactorAll)
	ann := w.join("ann")
	allowed := map[string]bool{
		"GET /api/users/me": true, "POST /api/auth/logout": true, "GET /api/auth/validate": true, "GET /api/2fa/status": true,
		"POST /api/2fa/enable": true, "POST /api/2fa/verify": true, "POST /api/2fa/disable": true,
		"POST /api/2fa/regenerate-backup-codes": true, "GET /api/2fa/devices": true, "DELETE /api/2fa/devices/:id": true,
	}
	for _, route := range w.server.Routes() {
		method, path, _ := strings.Cut(route, " ")
		if method == "HEAD" || allowed[route] || !strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, "/api/auth/") {
			continue
		}
		path = strings.NewReplacer(":id", "1", ":user_id", "2").Replace(path)
		w.do(method, path, ann.token, nil).want(403).says("/api/2fa/enable")
	}
	w.do("GET", "/api/users/me", ann.token, nil).want(200)
	if r := w.do("GET", "/api/auth/validate", ann.token, nil); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	ann.token = text(w.do("POST", "/api/auth/refresh", ann.refresh, nil).want(200).at("data", "token"))
	w.do("GET", "/api/chats", ann.token, nil).want(403)
	if r := w.do("GET", "/api/2fa/status", ann.token, nil).want(200); r.at("data", "required") != true {
		t.Errorf("%s", r.body)
	}
	key, _ := w.enroll(t, c, ann)
	w.do("GET", "/api/chats", ann.token, nil).want(200)
	w.do("POST", "/api/2fa/disable", ann.token, m{"password": ann.pass, "code": c.code(t, key)}).want(403).says("this server requires two-factor login")
	r := w.second(w.half(ann), c.code(t, key)).want(200)
	w.do("GET", "/api/chats", text(r.at("data", "token")), nil).want(200)
	w.do("POST", "/api/auth/logout", ann.token, nil).want(200)
}

// TestTwoFactorCanBeRequiredOfAdmins checks that it is required for every role except user.
func TestTwoFactorCanBeRequiredOfAdmins(t *testing.T) {
	w, _ := twoFactorWorld(t, chat.TwoFactorAdmins)
	ann := w.join("ann")
	w.do("GET", "/api/chats", ann.token, nil).want(200)
	hash, err := auth.NewHasherAt(cheap).Hash(t.Context(), "secret-mod")
	must(t, err)
	_, err = w.store.CreateUser(t.Context(), chat.User{Phone: "99999", Username: "mod", Role: "moderator"}, hash)
	must(t, err)
	mod := w.login(user{name: "mod", pass: "secret-mod"}, "")
	w.do("GET", "/api/chats", mod.token, nil).want(403).says("two-factor login required")
}
