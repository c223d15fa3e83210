package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

var errDecided = errors.New("decided against it")

// stand changes the standing of an account, as the operator.
func (w *world) stand(id int64, change func(*chat.Standing)) chat.Standing {
	w.Helper()
	after, _ := w.standAnd(id, chat.StandingChange{}, change)
	return after
}

// standAnd is stand with the other changes of c. It also returns the ended sessions.
func (w *world) standAnd(id int64, c chat.StandingChange, change func(*chat.Standing)) (chat.Standing, []string) {
	w.Helper()
	c.UserID, c.At = id, w.now
	c.Decide = func(_ chat.Standing, to *chat.Standing, _ int) (chat.AuditEntry, error) {
		change(to)
		return chat.AuditEntry{Level: chat.LevelInfo, Module: chat.ModuleUsers, Message: "changed", CreatedAt: w.now}, nil
	}
	after, sessions, err := w.ChangeStanding(w.ctx(), c)
	w.ok(err)
	slices.Sort(sessions)
	return after, sessions
}

func (w *world) role(id int64, role chat.AccountRole) {
	w.Helper()
	w.stand(id, func(to *chat.Standing) { to.Role = role })
}

func testStandings(w *world) {
	u := w.users(3)
	w.role(u[0], chat.RoleSuperAdmin)
	w.role(u[1], chat.RoleSuperAdmin)
	_, err := w.Ban(w.ctx(), u[1])
	w.is(err, chat.ErrNotFound)

	ban := chat.Ban{Reason: `<script>alert("𠮷")</script>`, Until: w.stored().Add(time.Hour), By: u[0], ByRole: chat.RoleSuperAdmin, CreatedAt: w.stored()}
	after := w.stand(u[1], func(to *chat.Standing) { to.Ban = &ban })
	equal(w, "banned", after, chat.Standing{UserID: u[1], Role: chat.RoleSuperAdmin, Ban: &ban})
	equal(w, "ban", must[chat.Ban](w)(w.Ban(w.ctx(), u[1])), ban)

	seen := func(actor, target int64, at time.Time) (a, b chat.Standing, others int) {
		w.Helper()
		_, _, err := w.ChangeStanding(w.ctx(), chat.StandingChange{ActorID: actor, UserID: target, At: at,
			Decide: func(x chat.Standing, y *chat.Standing, n int) (chat.AuditEntry, error) {
				a, b, others = x, *y, n
				y.Role, y.Ban = chat.RoleUser, nil
				return chat.AuditEntry{}, chat.Errorf(chat.KindForbidden, "no", "%v", errDecided)
			}})
		equal(w, "error of a refused change", chat.KindOf(err), chat.KindForbidden)
		return a, b, others
	}
	a, b, others := seen(u[1], u[0], w.now)
	equal(w, "actor", a, after)
	equal(w, "target", b, chat.Standing{UserID: u[0], Role: chat.RoleSuperAdmin})
	equal(w, "other super admins, without a banned one", others, 0)
	a, _, others = seen(u[1], u[0], w.now.Add(time.Hour))
	equal(w, "the ban is over", []any{a.Ban == nil, others}, []any{true, 1})
	a, _, others = seen(u[2], u[2], w.now)
	equal(w, "a plain user", []any{a.Role, others}, []any{chat.RoleUser, 1})
	a, _, _ = seen(0, u[2], w.now)
	equal(w, "the operator", a, chat.Operator())
	a, _, _ = seen(1<<40, u[2], w.now)
	equal(w, "target that does not exist", a, chat.Standing{UserID: 1 << 40, Role: chat.RoleUser})
	_, _, err = w.ChangeStanding(w.ctx(), chat.StandingChange{UserID: 1 << 40, At: w.now})
	w.is(err, chat.ErrNotFound)

	second := chat.Ban{CreatedAt: w.stored()}
	w.stand(u[1], func(to *chat.Standing) { to.Ban = &second })
	equal(w, "the second ban replaces the first", must[chat.Ban](w)(w.Ban(w.ctx(), u[1])), second)
	w.stand(u[1], func(to *chat.Standing) { to.Ban = nil })
	_, err = w.Ban(w.ctx(), u[1])
	w.is(err, chat.ErrNotFound)
	equal(w, "role", must[[]chat.User](w)(w.Users(w.ctx(), u))[0].Role, chat.RoleSuperAdmin)
}

// testStandingsEndSessions changes standings together with a change that ends sessions. Both
// are stored, or neither if Decide refuses.
func testStandingsEndSessions(w *world) {
	u := w.users(5)
	banned, reset, stopped, deleted, other := u[0], u[1], u[2], u[3], u[4]
	w.ok(w.StartTwoFactor(w.ctx(), stopped, []byte("secret"), w.now))
	must[[]string](w)(w.ActivateTwoFactor(w.ctx(), chat.TwoFactorStart{UserID: stopped, Secret: []byte("secret"), BackupCodes: [][]byte{[]byte("code")}}))
	for i, id := range u {
		epoch := must[chat.Login](w)(w.LoginOf(w.ctx(), id)).Epoch
		for _, name := range []string{"a", "b"} {
			x := chat.Session{ID: fmt.Sprint(name, i), UserID: id, RefreshHash: []byte(name), CreatedAt: w.now, ExpiresAt: w.now.Add(time.Hour)}
			w.ok(w.CreateSession(w.ctx(), x, epoch))
		}
		w.device(id, fmt.Sprint("device ", i), time.Hour)
	}
	changes := map[int64]chat.StandingChange{
		banned: {EndSessions: true}, reset: {PasswordHash: "new hash"}, stopped: {StopTwoFactor: true}, deleted: {Delete: true},
	}
	for i, id := range u[:4] {
		c := changes[id]
		c.UserID, c.At = id, w.now
		c.Decide = func(_ chat.Standing, to *chat.Standing, _ int) (chat.AuditEntry, error) {
			to.Ban = &chat.Ban{CreatedAt: w.now}
			return chat.AuditEntry{}, chat.Errorf(chat.KindForbidden, "no", "%v", errDecided)
		}
		before := must[chat.Login](w)(w.LoginOf(w.ctx(), id))
		_, _, err := w.ChangeStanding(w.ctx(), c)
		equal(w, "kind of a refused change", chat.KindOf(err), chat.KindForbidden)
		equal(w, "the login", must[chat.Login](w)(w.LoginOf(w.ctx(), id)), before)
		equal(w, "sessions", len(w.sessionIDs(id, 10, 0)), 2)

		after, sessions := w.standAnd(id, changes[id], func(to *chat.Standing) {
			equal(w, "epoch", to.Epoch, before.Epoch)
			equal(w, "two-factor login", to.TwoFactor, id == stopped)
			to.Role = chat.RoleModerator
		})
		equal(w, "standing after the change", after, chat.Standing{UserID: id, Role: chat.RoleModerator, Epoch: before.Epoch, TwoFactor: id == stopped})
		equal(w, "sessions that ended", sessions, []string{fmt.Sprint("a", i), fmt.Sprint("b", i)})
		equal(w, "sessions", w.sessionIDs(id, 10, 0), nil)
		devices := map[int64]int{banned: 1}[id]
		equal(w, "devices", len(must[[]chat.TrustedDevice](w)(w.Devices(w.ctx(), id, 10, 0))), devices)
		if id == deleted {
			_, err := w.LoginOf(w.ctx(), id)
			w.is(err, chat.ErrNotFound)
			continue
		}
		login := must[chat.Login](w)(w.LoginOf(w.ctx(), id))
		equal(w, "epoch of the login after the change", login.Epoch, before.Epoch+1)
		equal(w, "two-factor login is off", login.TwoFactor, false)
	}
	equal(w, "hash", must[chat.Login](w)(w.LoginOf(w.ctx(), reset)).PasswordHash, "new hash")
	equal(w, "accounts that are not deleted completely", must[[]int64](w)(w.Leaving(w.ctx(), 0, 10)), []int64{deleted})
	equal(w, "sessions of another user", len(w.sessionIDs(other, 10, 0)), 2)
	_, _, err := w.ChangeStanding(w.ctx(), chat.StandingChange{UserID: other, StopTwoFactor: true, At: w.now,
		Decide: func(chat.Standing, *chat.Standing, int) (chat.AuditEntry, error) {
			return chat.AuditEntry{Message: "not done", CreatedAt: w.now}, nil
		}})
	w.is(err, chat.ErrNotFound) // it is already off: nothing is stored, not even the audit entry
	_, total, err := w.Audit(w.ctx(), chat.AuditQuery{BeforeID: 1 << 62, Limit: 1})
	w.ok(err)
	equal(w, "entries", total, 4)
}

// testSupersUnderConcurrency lets super admins demote each other: one remains.
func testSupersUnderConcurrency(w *world) {
	u := w.users(4)
	for range 5 {
		for _, id := range u {
			w.role(id, chat.RoleSuperAdmin)
		}
		var wg sync.WaitGroup
		for i := range u {
			wg.Go(func() {
				_, _, err := w.ChangeStanding(w.ctx(), chat.StandingChange{ActorID: u[i], UserID: u[(i+1)%len(u)], At: w.now,
					Decide: func(actor chat.Standing, target *chat.Standing, others int) (chat.AuditEntry, error) {
						if actor.Role != chat.RoleSuperAdmin || others == 0 {
							return chat.AuditEntry{}, chat.Errorf(chat.KindConflict, "no", "it is the last one")
						}
						target.Role = chat.RoleUser
						return chat.AuditEntry{CreatedAt: w.now}, nil
					}})
				if err != nil && chat.KindOf(err) != chat.KindConflict {
					w.Error(err)
				}
			})
		}
		wg.Wait()
		left := 0
		for _, x := range must[[]chat.User](w)(w.Users(w.ctx(), u)) {
			if x.Role == chat.RoleSuperAdmin {
				left++
			}
		}
		if left == 0 {
			w.Fatal("no super admin is left")
		}
	}
}

// testNobodyActsOnDeleted: an account that was deleted while banned does not count in Numbers,
// and the staff cannot change it.
func testNobodyActsOnDeleted(w *world) {
	u := w.users(2)
	w.stand(u[0], func(to *chat.Standing) { to.Ban = &chat.Ban{CreatedAt: w.now} })
	must[chat.Notice](w)(w.AddNotice(w.ctx(), chat.Notice{UserID: u[0], Kind: chat.NoticeWarning, Message: "m", CreatedAt: w.now}, w.entry("warned")))
	w.ok(w.MarkNotices(w.ctx(), u, chat.Told{UpTo: 1}, w.now))
	must[[]string](w)(w.DeleteUser(w.ctx(), u[0], 0, w.now))
	_, _, err := w.ChangeStanding(w.ctx(), chat.StandingChange{UserID: u[0], At: w.now})
	w.is(err, chat.ErrNotFound)
	_, err = w.Ban(w.ctx(), u[0])
	w.is(err, chat.ErrNotFound)
	n := must[chat.Numbers](w)(w.Numbers(w.ctx(), chat.Day{Now: w.now, Midnight: w.now.Add(-time.Hour)}))
	equal(w, "numbers", n, chat.Numbers{Users: 1, NewUsersToday: 1})
	for status, want := range map[chat.AccountStatus][]int64{chat.AccountGone: u[:1], chat.AccountActive: u[1:], chat.AccountBanned: nil} {
		list, _, err := w.Accounts(w.ctx(), chat.AccountQuery{Status: status, Limit: 5, At: w.now})
		w.ok(err)
		var got []int64
		for _, a := range list {
			got = append(got, a.ID)
			equal(w, "status", a.Status, status)
		}
		equal(w, string(status), got, want)
	}
}

func testAudit(w *world) {
	who := []int64{0, 7, 8}
	for i := range 30 {
		e := chat.AuditEntry{Level: chat.LevelInfo, Module: chat.ModuleUsers, Message: "<b>done</b> 𠮷", UserID: who[i%3], Target: "user:1", IP: "2001:db8::1", CreatedAt: w.now}
		if i%2 == 1 {
			e.Level, e.Module, e.Target = chat.LevelWarning, chat.ModuleAccess, ""
		}
		w.ok(w.AddAudit(w.ctx(), e))
	}
	list := func(q chat.AuditQuery) ([]chat.AuditEntry, int64) {
		w.Helper()
		if q.BeforeID == 0 {
			q.BeforeID = 1 << 62
		}
		got, total, err := w.Audit(w.ctx(), q)
		w.ok(err)
		for i := 1; i < len(got); i++ {
			if got[i].ID >= got[i-1].ID {
				w.Fatal("Audit does not list the newest entry first")
			}
		}
		return got, total
	}
	all, total := list(chat.AuditQuery{Limit: 100})
	equal(w, "all", []int{len(all), int(total)}, []int{30, 30})
	want := chat.AuditEntry{ID: all[29].ID, Level: chat.LevelInfo, Module: chat.ModuleUsers, Message: "<b>done</b> 𠮷", Target: "user:1", IP: "2001:db8::1", CreatedAt: w.stored()}
	equal(w, "the first", all[29], want)
	part, total := list(chat.AuditQuery{Limit: 10, Offset: 25})
	equal(w, "the last page", []int{len(part), int(total)}, []int{5, 30})
	operator, seven := int64(0), int64(7)
	for _, c := range []struct {
		q    chat.AuditQuery
		want int64
	}{
		{chat.AuditQuery{Level: chat.LevelWarning}, 15},
		{chat.AuditQuery{Module: chat.ModuleUsers}, 15},
		{chat.AuditQuery{UserID: &operator}, 10},
		{chat.AuditQuery{UserID: &seven, Level: chat.LevelInfo, Module: chat.ModuleUsers, Target: "user:1"}, 5},
		{chat.AuditQuery{Target: "user:1"}, 15},
		{chat.AuditQuery{Target: "user:10"}, 0},
		{chat.AuditQuery{Level: "' OR 1=1"}, 0},
		{chat.AuditQuery{BeforeID: all[19].ID}, 10},
	} {
		c.q.Limit = 3
		if got, total := list(c.q); total != c.want || len(got) != int(min(c.want, 3)) {
			w.Fatalf("%+v: %d entries of %d, want %d in all", c.q, len(got), total, c.want)
		}
	}
}
