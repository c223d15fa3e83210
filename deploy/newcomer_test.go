package deploy

import (
	"fmt"
	"net/http"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/onemeter/onemeter/internal/imclient"
)

// welcome has somebody come who does what people do seldom, and leave again:
// Alice, who is of the staff, and Bob, who wants to be asked, meet him.
func (w *town) welcome() {
	dan := w.newcomer()
	w.ask(dan)
	w.secure(dan)
	w.judge(dan)
	dan.want(http.StatusOK, "DELETE", "/api/users/me", object{"password": password}, nil)
}

// newcomer registers somebody on Carol's node, without a connection.
func (w *town) newcomer() *person {
	w.carol.t.Helper()
	p := &person{t: w.carol.t, phone: fmt.Sprint(20000 + w.rounds)}
	var err error
	if p.Account, err = imclient.Register(p.t.Context(), w.carol.URL, imclient.Profile{Phone: p.phone, Password: password}); err != nil {
		p.t.Fatal(err)
	}
	return p
}

// ask has a stranger write to Bob, who accepts, blocks and unblocks him; a file
// is deleted, and messages are searched.
func (w *town) ask(dan *person) {
	dan.want(http.StatusOK, "POST", "/api/messages", object{"receiver_id": w.bob.ID, "content": "may I?"}, nil)
	var waiting []struct{ ID int64 }
	w.bob.want(http.StatusOK, "GET", "/api/requests", nil, &waiting)
	if len(waiting) != 1 {
		w.bob.t.Fatalf("%d requests wait, want 1", len(waiting))
	}
	w.bob.want(http.StatusOK, "POST", fmt.Sprintf("/api/requests/%d/accept", waiting[0].ID), nil, nil)
	w.bob.want(http.StatusOK, "GET", "/api/messages/search?q=may", nil, nil)
	w.bob.want(http.StatusCreated, "POST", "/api/users/blocked", object{"user_id": dan.ID}, nil)
	w.bob.want(http.StatusOK, "DELETE", fmt.Sprint("/api/users/blocked/", dan.ID), nil, nil)
	w.bob.want(http.StatusOK, "DELETE", fmt.Sprint("/api/files/", w.bob.upload("soon gone")), nil, nil)
}

// secure changes a password, turns two-factor login on and off, and exports.
func (w *town) secure(dan *person) {
	dan.want(http.StatusOK, "PUT", "/api/users/me/password", object{"old_password": password, "new_password": "other " + password}, nil)
	dan.want(http.StatusOK, "PUT", "/api/users/me/password", object{"old_password": "other " + password, "new_password": password}, nil)
	var told struct{ Secret string }
	dan.want(http.StatusOK, "POST", "/api/2fa/enable", object{"password": password}, &told)
	code, err := totp.GenerateCode(told.Secret, time.Now())
	if err != nil {
		dan.t.Fatal(err)
	}
	var spare struct {
		Codes []string `json:"backup_codes"`
	}
	dan.want(http.StatusOK, "POST", "/api/2fa/verify", object{"code": code}, &spare)
	dan.want(http.StatusUnauthorized, "POST", "/api/auth/login", object{"phone": dan.phone, "password": "not " + password}, nil)
	dan.want(http.StatusUnauthorized, "POST", "/api/auth/login/2fa", object{"login_token": dan.half(), "code": "000000"}, nil)
	dan.want(http.StatusOK, "POST", "/api/auth/login/2fa", object{"login_token": dan.half(), "code": spare.Codes[0]}, nil)
	dan.want(http.StatusOK, "GET", "/api/users/me/export", nil, nil)
}

// half logs in with the password, and returns what the code is sent with.
func (p *person) half() string {
	p.t.Helper()
	var told struct {
		Token string `json:"login_token"`
	}
	p.want(http.StatusOK, "POST", "/api/auth/login", object{"phone": p.phone, "password": password}, &told)
	return told.Token
}

// replay uses Eve's refresh token, and again once the server no longer takes that for a
// retry; then her session ends, and she logs in again.
func (w *town) replay() {
	switch {
	case w.spent.IsZero():
		w.eve.want(http.StatusOK, "POST", "/api/auth/refresh", object{"refresh_token": w.eve.Refresh}, nil)
		w.spent = time.Now()
	case time.Since(w.spent) > grace:
		w.eve.want(http.StatusUnauthorized, "POST", "/api/auth/refresh", object{"refresh_token": w.eve.Refresh}, nil)
		w.eve.Refresh, w.spent = w.eve.login(), time.Time{}
	}
}

// grace is longer than the server answers a spent refresh token as a retry.
const grace = 11 * time.Second

// login opens another session, and returns its refresh token.
func (p *person) login() string {
	p.t.Helper()
	var told struct {
		Refresh string `json:"refresh_token"`
	}
	p.want(http.StatusOK, "POST", "/api/auth/login", object{"phone": p.phone, "password": password}, &told)
	return told.Refresh
}

// judge has the newcomer reported, warned and banned, and a notice sent to all.
func (w *town) judge(dan *person) {
	var report struct{ ID int64 }
	w.bob.want(http.StatusCreated, "POST", "/api/moderation/reports", object{"user_id": dan.ID, "reason": "loud"}, &report)
	w.alice.want(http.StatusOK, "POST", fmt.Sprintf("/api/moderation/reports/%d/handle", report.ID), object{"action": "warn"}, nil)
	w.alice.want(http.StatusCreated, "POST", "/api/super-admin/broadcast", object{"message": "be quiet"}, nil)
	w.alice.want(http.StatusOK, "POST", fmt.Sprintf("/api/super-admin/users/%d/ban", w.banned.ID), object{"duration": 60}, nil)
	w.alice.want(http.StatusOK, "POST", fmt.Sprintf("/api/super-admin/users/%d/unban", w.banned.ID), nil, nil)
}
