package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

func testTwoFactor(w *world) {
	u := w.users(2)
	w.session(u[0], "keeps", 0)
	w.session(u[0], "goes", 0)
	w.session(u[1], "other", 0)
	_, err := w.TwoFactor(w.ctx(), u[0])
	w.is(err, chat.ErrNotFound)
	w.is(w.StartTwoFactor(w.ctx(), 1<<40, []byte("x"), w.now), chat.ErrNotFound)
	w.ok(w.StartTwoFactor(w.ctx(), u[0], []byte("first"), w.now))
	w.ok(w.StartTwoFactor(w.ctx(), u[0], []byte{0, 255}, w.now)) // replaces the first one
	equal(w, "a secret that is not active yet", must[chat.TwoFactor](w)(w.TwoFactor(w.ctx(), u[0])), chat.TwoFactor{Secret: []byte{0, 255}})
	w.is(w.UseStep(w.ctx(), u[0], 5), chat.ErrNotFound)
	w.is(w.SetBackupCodes(w.ctx(), u[0], nil), chat.ErrNotFound)
	_, err = w.StopTwoFactor(w.ctx(), u[0], "")
	w.is(err, chat.ErrNotFound)
	equal(w, "TwoFactor of the login before the activation", must[chat.Login](w)(w.LoginOf(w.ctx(), u[0])).TwoFactor, false)

	start := chat.TwoFactorStart{UserID: u[0], Secret: []byte("first"), Step: 10, BackupCodes: [][]byte{[]byte("a"), []byte("b")}, Keep: "keeps"}
	_, err = w.ActivateTwoFactor(w.ctx(), start)
	w.is(err, chat.ErrNotFound)
	start.Secret = []byte{0, 255}
	equal(w, "sessions that end", must[[]string](w)(w.ActivateTwoFactor(w.ctx(), start)), []string{"goes"})
	_, err = w.ActivateTwoFactor(w.ctx(), start)
	w.is(err, chat.ErrNotFound)
	w.is(w.StartTwoFactor(w.ctx(), u[0], []byte("x"), w.now), chat.ErrConflict)
	equal(w, "the activated second factor", must[chat.TwoFactor](w)(w.TwoFactor(w.ctx(), u[0])), chat.TwoFactor{Secret: []byte{0, 255}, Active: true, BackupCodes: 2})
	equal(w, "TwoFactor of the login after the activation", must[chat.Login](w)(w.LoginOf(w.ctx(), u[0])).TwoFactor, true)
	equal(w, "TwoFactor of another login", must[chat.Login](w)(w.LoginOf(w.ctx(), u[1])).TwoFactor, false)
	equal(w, "the session", must[chat.Session](w)(w.Session(w.ctx(), "keeps")).SecondFactor, true)

	w.is(w.UseStep(w.ctx(), u[0], 10), chat.ErrNotFound) // used for the activation
	w.ok(w.UseStep(w.ctx(), u[0], 12))
	w.is(w.UseStep(w.ctx(), u[0], 12), chat.ErrNotFound)
	w.is(w.UseStep(w.ctx(), u[0], 11), chat.ErrNotFound)
	w.ok(w.UseStep(w.ctx(), u[0], 13))
	w.is(w.UseBackupCode(w.ctx(), u[1], []byte("a")), chat.ErrNotFound)
	w.ok(w.UseBackupCode(w.ctx(), u[0], []byte("a")))
	w.is(w.UseBackupCode(w.ctx(), u[0], []byte("a")), chat.ErrNotFound)
	w.ok(w.SetBackupCodes(w.ctx(), u[0], [][]byte{[]byte("c")}))
	w.is(w.UseBackupCode(w.ctx(), u[0], []byte("b")), chat.ErrNotFound)
	w.ok(w.UseBackupCode(w.ctx(), u[0], []byte("c")))

	w.device(u[0], "d", time.Hour)
	equal(w, "sessions that end", must[[]string](w)(w.StopTwoFactor(w.ctx(), u[0], "keeps")), nil)
	equal(w, "the session, again", must[chat.Session](w)(w.Session(w.ctx(), "keeps")).SecondFactor, false)
	_, err = w.Device(w.ctx(), "d")
	w.is(err, chat.ErrNotFound)
	_, err = w.StopTwoFactor(w.ctx(), u[0], "")
	w.is(err, chat.ErrNotFound)
	_, err = w.TwoFactor(w.ctx(), u[0])
	w.is(err, chat.ErrNotFound)
	equal(w, "sessions of another user", w.sessionIDs(u[1], 10, 0), []string{"other"})
	w.ok(w.StartTwoFactor(w.ctx(), u[0], []byte("anew"), w.now))
}

// device returns a trusted device with this lifetime.
func (w *world) device(user int64, id string, life time.Duration) chat.TrustedDevice {
	w.Helper()
	d := chat.TrustedDevice{ID: id, UserID: user, TokenHash: []byte(id), Device: "ü", IP: "::1", CreatedAt: w.now, ExpiresAt: w.now.Add(life)}
	w.ok(w.CreateTrustedSession(w.ctx(), w.sessionFor(d), d, must[chat.Login](w)(w.LoginOf(w.ctx(), user)).Epoch))
	w.ok(w.DeleteSession(w.ctx(), w.sessionFor(d).ID))
	d.CreatedAt, d.ExpiresAt = w.stored(), w.stored().Add(life)
	return d
}

// sessionFor returns a session for a trusted device.
func (w *world) sessionFor(d chat.TrustedDevice) chat.Session {
	return chat.Session{ID: "with " + d.ID, UserID: d.UserID, RefreshHash: []byte("x"), CreatedAt: w.now, ExpiresAt: w.now.Add(time.Hour), SecondFactor: true}
}

func testTrustedDevices(w *world) {
	u := w.users(2)
	old := w.device(u[0], "old", 0)
	equal(w, "device", must[chat.TrustedDevice](w)(w.Device(w.ctx(), "old")), old)
	a, b := w.device(u[0], "a", time.Hour), w.device(u[0], "b", 2*time.Hour)
	other := w.device(u[1], "other", time.Hour)
	equal(w, "expired ones are deleted", must[[]chat.TrustedDevice](w)(w.Devices(w.ctx(), u[0], 10, 0)), []chat.TrustedDevice{a, b})
	equal(w, "page", must[[]chat.TrustedDevice](w)(w.Devices(w.ctx(), u[0], 1, 1)), []chat.TrustedDevice{b})
	trust := func(id string, user, epoch int64) error {
		d := chat.TrustedDevice{ID: id, UserID: user, TokenHash: []byte("x")}
		return w.CreateTrustedSession(w.ctx(), w.sessionFor(d), d, epoch)
	}
	w.is(trust("a", u[1], 0), chat.ErrConflict)
	w.is(trust("x", 1<<40, 0), chat.ErrNotFound)
	w.is(trust("x", u[1], 1), chat.ErrNotFound) // all sessions have ended since
	equal(w, "sessions after a refused device", w.sessionIDs(u[1], 10, 0), nil)
	w.ok(trust("x", u[1], 0))
	equal(w, "a session with a device", w.sessionIDs(u[1], 10, 0), []string{"with x"})
	w.ok(w.DeleteDevice(w.ctx(), u[1], "x"))
	w.is(w.DeleteDevice(w.ctx(), u[0], "other"), chat.ErrNotFound)
	w.ok(w.DeleteDevice(w.ctx(), u[0], "a"))
	w.is(w.DeleteDevice(w.ctx(), u[0], "a"), chat.ErrNotFound)
	must[[]string](w)(w.SetPassword(w.ctx(), u[0], 0, "hash", ""))
	w.is(trust("late", u[0], 0), chat.ErrNotFound) // a login that began before the new password
	equal(w, "devices after a new password", must[[]chat.TrustedDevice](w)(w.Devices(w.ctx(), u[0], 10, 0)), nil)
	equal(w, "device of another user", must[chat.TrustedDevice](w)(w.Device(w.ctx(), "other")), other)
}

// testCodesWorkOnce lets many logins use one code, and one backup code, at once.
func testCodesWorkOnce(w *world) {
	u := w.user()
	w.ok(w.StartTwoFactor(w.ctx(), u, []byte("secret"), w.now))
	must[[]string](w)(w.ActivateTwoFactor(w.ctx(), chat.TwoFactorStart{UserID: u, Secret: []byte("secret")}))
	for round := range int64(5) {
		code := fmt.Append(nil, "code ", round)
		w.ok(w.SetBackupCodes(w.ctx(), u, [][]byte{code}))
		for name, use := range map[string]func() error{
			"step":        func() error { return w.UseStep(w.ctx(), u, round+1) },
			"backup code": func() error { return w.UseBackupCode(w.ctx(), u, code) },
		} {
			var wg sync.WaitGroup
			var good atomic.Int64
			for range 8 {
				wg.Go(func() {
					if err := use(); err == nil {
						good.Add(1)
					} else if !errors.Is(err, chat.ErrNotFound) {
						w.Error(err)
					}
				})
			}
			wg.Wait()
			equal(w, name+" was good so often", good.Load(), 1)
		}
	}
}
