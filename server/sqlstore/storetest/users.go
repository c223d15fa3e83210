package storetest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

func testUsers(w *world) {
	in := chat.User{
		Phone: "+4912345", Username: "Ada", Nickname: "Ada 𠮷 😀", Bio: "bio", Avatar: "a.png",
		Role: chat.RoleUser, LastSeen: w.now, CreatedAt: w.now,
	}
	u := must[chat.User](w)(w.CreateUser(w.ctx(), in, "secret hash"))
	want := in
	want.ID, want.LastSeen, want.CreatedAt = u.ID, w.stored(), w.stored()
	if u.ID <= 0 {
		w.Fatalf("the new account has id %d, want a positive one", u.ID)
	}
	equal(w, "created", u, want)

	for _, login := range [][2]string{{"+4912345", ""}, {"", "Ada"}, {"", "aDA"}} {
		got := must[chat.Login](w)(w.UserByLogin(w.ctx(), login[0], login[1]))
		equal(w, "by login", got, chat.Login{User: want, PasswordHash: "secret hash"})
		equal(w, "by id", must[chat.Login](w)(w.LoginOf(w.ctx(), u.ID)), got)
	}
	for _, login := range [][2]string{{"4912345", ""}, {"", "Ad"}, {"", "%"}, {"", ""}, {"", "Ada "}} {
		_, err := w.UserByLogin(w.ctx(), login[0], login[1])
		w.is(err, chat.ErrNotFound)
	}

	bare := must[chat.User](w)(w.CreateUser(w.ctx(), chat.User{Phone: "+4912346"}, "h"))
	equal(w, "in order, with repeats, strangers left out",
		must[[]chat.User](w)(w.Users(w.ctx(), []int64{bare.ID, 1 << 40, u.ID, -1, bare.ID})), []chat.User{bare, want, bare})
	equal(w, "none", must[[]chat.User](w)(w.Users(w.ctx(), nil)), nil)

	want.Nickname, want.Bio, want.Avatar = "Lovelace", "", "b.png"
	w.ok(w.UpdateUser(w.ctx(), u.ID, chat.Profile{Nickname: &want.Nickname, Bio: &want.Bio, Avatar: &want.Avatar}))
	w.ok(w.UpdateUser(w.ctx(), u.ID, chat.Profile{}))
	want.LastSeen = w.stored().Add(time.Hour)
	w.ok(w.SetLastSeen(w.ctx(), []int64{u.ID}, w.now.Add(time.Hour)))
	w.ok(w.SetLastSeen(w.ctx(), []int64{u.ID}, w.now)) // earlier: ignored
	equal(w, "updated", must[[]chat.User](w)(w.Users(w.ctx(), []int64{u.ID})), []chat.User{want})
	w.is(w.UpdateUser(w.ctx(), 1<<40, chat.Profile{}), chat.ErrNotFound)

	many := w.users(300)
	w.ok(w.SetLastSeen(w.ctx(), nil, w.now))
	w.ok(w.SetLastSeen(w.ctx(), append(many, 1<<40), w.now))
	seen := 0
	for _, u := range must[[]chat.User](w)(w.Users(w.ctx(), many)) {
		if u.LastSeen.Equal(w.stored()) {
			seen++
		}
	}
	equal(w, "many", seen, len(many))
}

// testUpdatesUnderConcurrency changes the fields of a profile at once, each in its own goroutine.
func testUpdatesUnderConcurrency(w *world) {
	id := w.user()
	for round := range 20 {
		text := fmt.Sprint(round)
		var wg sync.WaitGroup
		for _, p := range []chat.Profile{{Nickname: &text}, {Bio: &text}, {Avatar: &text}} {
			wg.Go(func() {
				if err := w.UpdateUser(w.ctx(), id, p); err != nil {
					w.Error(err)
				}
			})
		}
		wg.Wait()
		u := must[[]chat.User](w)(w.Users(w.ctx(), []int64{id}))[0]
		equal(w, "the profile after all changes", []string{u.Nickname, u.Bio, u.Avatar}, []string{text, text, text})
	}
}

func testUsersAreUnique(w *world) {
	create := func(phone, username string) error {
		_, err := w.CreateUser(w.ctx(), chat.User{Phone: phone, Username: username}, "h")
		return err
	}
	w.ok(create("+10000", "Bob"))
	w.is(create("+10000", "other"), chat.ErrConflict)
	w.is(create("+10001", "bOB"), chat.ErrConflict)
	w.ok(create("+10001", ""))
	w.ok(create("+10002", "")) // usernames are optional
	w.ok(create("+10003", "bob."))
	w.ok(create("+10004", "Ünal"))
	for i, same := range []string{"ünal", "ÜNAL", "u\u0308nal", "ｂｏｂ"} {
		w.is(create(fmt.Sprint("+1001", i), same), chat.ErrConflict)
		_, err := w.UserByLogin(w.ctx(), "", same)
		w.ok(err)
	}
	w.ok(create("+10005", "unal"))
}

func testSearchUsers(w *world) {
	var ids []int64
	for _, u := range []chat.User{
		{Phone: "+20000", Username: "percent", Nickname: "100% real"},
		{Phone: "+20001", Username: "under_score", Nickname: "Ärger Ωmega"},
		{Phone: "+20002", Username: "Percy", Nickname: `back\slash`},
		{Phone: "+20003", Nickname: "nobody"},
	} {
		ids = append(ids, must[chat.User](w)(w.CreateUser(w.ctx(), u, "h")).ID)
	}
	for q, want := range map[string][]int64{
		"PERC": {ids[0], ids[2]}, "%": {ids[0]}, "_": {ids[1]}, `\`: {ids[2]}, "ärger ω": {ids[1]},
		"+20003": {ids[3]}, "2000": nil, "nosuch": nil, "": nil, "'": nil, "\x00": nil,
	} {
		var got []int64
		for _, u := range must[[]chat.User](w)(w.SearchUsers(w.ctx(), q, 10, 0)) {
			got = append(got, u.ID)
		}
		slices.Sort(got)
		equal(w, "search "+q, got, want)
	}
	equal(w, "limit", len(must[[]chat.User](w)(w.SearchUsers(w.ctx(), "perc", 1, 0))), 1)
	first := must[[]chat.User](w)(w.SearchUsers(w.ctx(), "perc", 1, 0))
	second := must[[]chat.User](w)(w.SearchUsers(w.ctx(), "perc", 1, 1))
	equal(w, "pages", map[int64]bool{first[0].ID: true, second[0].ID: true}, map[int64]bool{ids[0]: true, ids[2]: true})
	equal(w, "after the last page", must[[]chat.User](w)(w.SearchUsers(w.ctx(), "perc", 1, 2)), nil)
	equal(w, "the phone is on the first page", must[[]chat.User](w)(w.SearchUsers(w.ctx(), "+20003", 1, 1)), nil)

	nickname := "Somebody"
	w.ok(w.UpdateUser(w.ctx(), ids[3], chat.Profile{Nickname: &nickname}))
	w.ok(w.UpdateUser(w.ctx(), ids[3], chat.Profile{Bio: new("nobody")}))
	equal(w, "new name", len(must[[]chat.User](w)(w.SearchUsers(w.ctx(), "someBODY", 10, 0))), 1)
	equal(w, "old name", len(must[[]chat.User](w)(w.SearchUsers(w.ctx(), "nobody", 10, 0))), 0)
}

func testFriends(w *world) {
	u := w.users(4)
	befriend := func(a, b int64) { w.Helper(); w.ok(w.Befriend(w.ctx(), a, b, w.now)) }
	befriend(u[0], u[2])
	befriend(u[0], u[2]) // is idempotent
	befriend(u[1], u[0])
	befriend(u[0], u[1]) // in both directions: still one friend
	w.is(w.Befriend(w.ctx(), u[0], 1<<40, w.now), chat.ErrNotFound)

	friends := func(id int64, limit int) (ids []int64) {
		for _, f := range must[[]chat.User](w)(w.Friends(w.ctx(), id, limit, 0)) {
			ids = append(ids, f.ID)
		}
		return ids
	}
	equal(w, "friends", friends(u[0], 10), []int64{u[1], u[2]})
	equal(w, "added by another", friends(u[2], 10), []int64{u[0]})
	equal(w, "friends of a user without any", friends(u[3], 10), nil)
	equal(w, "limit", friends(u[0], 1), []int64{u[1]})
	equal(w, "second page", must[[]chat.User](w)(w.Friends(w.ctx(), u[0], 1, 1))[0].ID, u[2])
	equal(w, "after the last", must[[]chat.User](w)(w.Friends(w.ctx(), u[0], 1, 2)), nil)
	after := func(id int64, limit int) (ids []int64) {
		for _, f := range must[[]chat.User](w)(w.FriendsAfter(w.ctx(), u[0], id, limit)) {
			ids = append(ids, f.ID)
		}
		return ids
	}
	equal(w, "by id", after(0, 1), []int64{u[1]})
	equal(w, "by id, the rest", after(u[1], 10), []int64{u[2]})
	equal(w, "by id, behind the last", after(u[2], 10), nil)
	equal(w, "added by", must[map[int64]bool](w)(w.AddedBy(w.ctx(), u[0], u)), map[int64]bool{u[1]: true})
	equal(w, "added by none", must[map[int64]bool](w)(w.AddedBy(w.ctx(), u[0], nil)), map[int64]bool{})
}

func testSessions(w *world) {
	id := w.user()
	x := chat.Session{ID: strings.Repeat("s", 64), UserID: id, RefreshHash: []byte{0, 1, 255}, CreatedAt: w.now, ExpiresAt: w.now.Add(time.Hour),
		Device: "Browser 𠮷", Addr: "2001:db8::1", SecondFactor: true}
	w.ok(w.CreateSession(w.ctx(), x, 0))
	w.is(w.CreateSession(w.ctx(), x, 0), chat.ErrConflict)
	x.CreatedAt, x.ExpiresAt = w.stored(), w.stored().Add(time.Hour)
	equal(w, "session", must[chat.Session](w)(w.Session(w.ctx(), x.ID)), x)

	next := []byte("next")
	w.is(w.RotateSession(w.ctx(), x.ID, []byte("wrong"), next, w.now, w.now), chat.ErrNotFound)
	w.is(w.RotateSession(w.ctx(), "nobody", x.RefreshHash, next, w.now, w.now), chat.ErrNotFound)
	w.ok(w.RotateSession(w.ctx(), x.ID, x.RefreshHash, next, w.now.Add(time.Hour), w.now.Add(2*time.Hour)))
	w.is(w.RotateSession(w.ctx(), x.ID, x.RefreshHash, next, w.now, w.now), chat.ErrNotFound) // spent
	x.RefreshHash, x.RotatedAt, x.ExpiresAt = next, w.stored().Add(time.Hour), w.stored().Add(2*time.Hour)
	equal(w, "rotated", must[chat.Session](w)(w.Session(w.ctx(), x.ID)), x)

	w.ok(w.DeleteSession(w.ctx(), x.ID))
	_, err := w.Session(w.ctx(), x.ID)
	w.is(err, chat.ErrNotFound)
	w.is(w.RotateSession(w.ctx(), x.ID, next, next, w.now, w.now), chat.ErrNotFound)
	w.ok(w.DeleteSession(w.ctx(), x.ID)) // no error if it does not exist
}

func testExpiredSessions(w *world) {
	id := w.user()
	const old = 600
	create := func(i int, expires time.Duration) string {
		x := chat.Session{ID: fmt.Sprint("session ", i), UserID: id, RefreshHash: []byte("hash"), CreatedAt: w.now, ExpiresAt: w.now.Add(expires)}
		w.ok(w.CreateSession(w.ctx(), x, 0))
		return x.ID
	}
	for i := range old {
		create(i, -time.Duration(1+i*7%old)*time.Second) // in random order
	}
	onTime, alive := create(old, 0), create(old+1, time.Hour)
	last := create(old+2, -time.Millisecond)
	prune := func(limit, want int) {
		w.Helper()
		equal(w, "deleted", must[int](w)(w.DeleteExpiredSessions(w.ctx(), w.now, limit)), want)
	}
	prune(0, 0)
	prune(1, 1)
	prune(500, 500)
	// It still exists, because the oldest ones were deleted first.
	w.ok(w.RotateSession(w.ctx(), last, []byte("hash"), []byte("hash"), w.now, w.now.Add(-time.Microsecond)))
	prune(1000, 100)
	prune(1000, 0)
	_, err := w.Session(w.ctx(), last)
	w.is(err, chat.ErrNotFound)
	for _, id := range []string{onTime, alive} {
		must[chat.Session](w)(w.Session(w.ctx(), id))
	}
}
