package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// session stores a session that was created at a time after now, for an account with epoch 0.
func (w *world) session(user int64, id string, after time.Duration) {
	w.Helper()
	w.ok(w.CreateSession(w.ctx(), chat.Session{
		ID: id, UserID: user, RefreshHash: []byte(id), CreatedAt: w.now.Add(after), ExpiresAt: w.now.Add(time.Hour),
	}, 0))
}

func (w *world) sessionIDs(user int64, limit, offset int) (ids []string) {
	w.Helper()
	for _, x := range must[[]chat.Session](w)(w.Sessions(w.ctx(), user, limit, offset)) {
		equal(w, "the session by id", must[chat.Session](w)(w.Session(w.ctx(), x.ID)), x)
		ids = append(ids, x.ID)
	}
	return ids
}

func testSessionsEnd(w *world) {
	u := w.users(2)
	for i, id := range []string{"a", "b", "c", "d"} {
		w.session(u[0], id, time.Duration(i)*time.Second)
	}
	w.session(u[1], "other", 0)
	equal(w, "newest first", w.sessionIDs(u[0], 3, 0), []string{"d", "c", "b"})
	equal(w, "second page", w.sessionIDs(u[0], 3, 3), []string{"a"})
	equal(w, "sessions of a user without any", w.sessionIDs(1<<40, 3, 0), nil)

	end := func(user int64, except string) []string {
		w.Helper()
		ids := must[[]string](w)(w.EndSessions(w.ctx(), user, except))
		slices.Sort(ids)
		return ids
	}
	equal(w, "sessions that ended, except b", end(u[0], "b"), []string{"a", "c", "d"})
	equal(w, "sessions left", w.sessionIDs(u[0], 10, 0), []string{"b"})
	equal(w, "sessions of another user", w.sessionIDs(u[1], 10, 0), []string{"other"})
	late := chat.Session{ID: "late", UserID: u[0], RefreshHash: []byte("x"), CreatedAt: w.now, ExpiresAt: w.now}
	w.is(w.CreateSession(w.ctx(), late, 0), chat.ErrNotFound) // a login that began before
	epoch := must[chat.Login](w)(w.LoginOf(w.ctx(), u[0])).Epoch
	w.ok(w.CreateSession(w.ctx(), late, epoch))
	equal(w, "all sessions that ended", end(u[0], ""), []string{"b", "late"})
	equal(w, "sessions that ended the second time", end(u[0], ""), nil)
	_, err := w.EndSessions(w.ctx(), 1<<40, "")
	w.is(err, chat.ErrNotFound)
	late.UserID = 1 << 40
	w.is(w.CreateSession(w.ctx(), late, 0), chat.ErrNotFound)

	change := func(epoch int64, hash string) ([]string, error) {
		return w.SetPassword(w.ctx(), u[1], epoch, hash, "stays")
	}
	w.session(u[1], "stays", 0)
	equal(w, "sessions that a new password ends", must[[]string](w)(change(0, "new hash")), []string{"other"})
	_, err = change(0, "of another who was at it, too")
	w.is(err, chat.ErrNotFound)
	got := must[chat.Login](w)(w.LoginOf(w.ctx(), u[1]))
	equal(w, "hash", got.PasswordHash, "new hash")
	equal(w, "epoch", got.Epoch, 1)
	equal(w, "sessions", w.sessionIDs(u[1], 10, 0), []string{"stays"})

	many := w.user()
	ids := []string{"nobody's"}
	for i := range 600 {
		ids = append(ids, fmt.Sprint("many ", i))
		w.session(many, ids[i+1], 0)
	}
	live := must[[]string](w)(w.LiveSessions(w.ctx(), ids))
	slices.Sort(live)
	equal(w, "live sessions", live, slices.Sorted(slices.Values(ids[1:])))
	equal(w, "live sessions of no ids", must[[]string](w)(w.LiveSessions(w.ctx(), nil)), nil)
	equal(w, "many", len(end(many, "many 7")), 599)
	equal(w, "one of many stays", w.sessionIDs(many, 10, 0), []string{"many 7"})
	equal(w, "one lives", must[[]string](w)(w.LiveSessions(w.ctx(), ids)), []string{"many 7"})
}

// testSessionsEndUnderConcurrency: no login that began before EndSessions has a session after
// it.
func testSessionsEndUnderConcurrency(w *world) {
	for round := range 10 {
		user := w.user()
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				x := chat.Session{ID: fmt.Sprint(round, " ", i), UserID: user, RefreshHash: []byte("x"), CreatedAt: w.now, ExpiresAt: w.now}
				if err := w.CreateSession(w.ctx(), x, 0); err != nil && !errors.Is(err, chat.ErrNotFound) {
					w.Error(err)
				}
			})
		}
		wg.Go(func() {
			if _, err := w.EndSessions(w.ctx(), user, ""); err != nil {
				w.Error(err)
			}
		})
		wg.Wait()
		equal(w, "sessions left after EndSessions", w.sessionIDs(user, 10, 0), nil)
	}
}
