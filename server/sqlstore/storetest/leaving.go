package storetest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

func testDeleteUser(w *world) {
	in := chat.User{Phone: "+4912345", Username: "Ada", Nickname: "Countess", Bio: "bio", Avatar: "a.png", Role: "admin", LastSeen: w.now, CreatedAt: w.now}
	u := must[chat.User](w)(w.CreateUser(w.ctx(), in, "hash")).ID
	friend, fan := w.user(), w.user()
	w.ok(w.Befriend(w.ctx(), u, friend, w.now))
	w.ok(w.Befriend(w.ctx(), fan, u, w.now))
	w.session(u, "one", 0)
	w.session(u, "two", 0)
	w.session(friend, "other", 0)
	w.ok(w.StartTwoFactor(w.ctx(), u, []byte("secret"), w.now))
	w.device(u, "device", time.Hour)

	_, err := w.DeleteUser(w.ctx(), u, 7, w.now)
	w.is(err, chat.ErrNotFound)
	equal(w, "sessions", len(must[[]string](w)(w.DeleteUser(w.ctx(), u, 0, w.now))), 2)
	_, err = w.DeleteUser(w.ctx(), u, 1, w.now)
	w.is(err, chat.ErrNotFound)
	equal(w, "the account after its deletion", must[[]chat.User](w)(w.Users(w.ctx(), []int64{u})),
		[]chat.User{{ID: u, Role: chat.RoleUser, CreatedAt: w.stored(), Deleted: true}})
	for _, login := range [][2]string{{"+4912345", ""}, {"", "ada"}} {
		_, err := w.UserByLogin(w.ctx(), login[0], login[1])
		w.is(err, chat.ErrNotFound)
	}
	_, err = w.LoginOf(w.ctx(), u)
	w.is(err, chat.ErrNotFound)
	_, err = w.TwoFactor(w.ctx(), u)
	w.is(err, chat.ErrNotFound)
	_, err = w.Device(w.ctx(), "device")
	w.is(err, chat.ErrNotFound)
	equal(w, "sessions", w.sessionIDs(u, 10, 0), nil)
	equal(w, "sessions of another user", w.sessionIDs(friend, 10, 0), []string{"other"})
	for _, q := range []string{"ada", "count", "+4912345"} {
		equal(w, "found by "+q, must[[]chat.User](w)(w.SearchUsers(w.ctx(), q, 10, 0)), nil)
	}
	for _, id := range []int64{u, friend, fan} {
		equal(w, "friends", must[[]chat.User](w)(w.Friends(w.ctx(), id, 10, 0)), nil)
	}

	gone, total, err := w.Accounts(w.ctx(), chat.AccountQuery{Status: chat.AccountGone, At: w.now, Limit: 10})
	w.ok(err)
	equal(w, "number of deleted accounts", total, 1)
	equal(w, "status of the deleted account", gone[0].Status, chat.AccountGone)
	_, total, err = w.Accounts(w.ctx(), chat.AccountQuery{Status: chat.AccountActive, At: w.now, Limit: 10})
	w.ok(err)
	equal(w, "number of active accounts", total, 2)

	// Nobody can add, block or write to the deleted account.
	w.is(w.Befriend(w.ctx(), friend, u, w.now), chat.ErrNotFound)
	w.is(w.Block(w.ctx(), friend, u, 10, w.now), chat.ErrNotFound)
	w.is(w.UpdateUser(w.ctx(), u, chat.Profile{Nickname: new("back")}), chat.ErrNotFound)
	w.ok(w.SetLastSeen(w.ctx(), []int64{u}, w.now))
	_, err = w.EnsureDirect(w.ctx(), chat.Opening{From: friend, To: u, At: w.now})
	w.is(err, chat.ErrNotFound)
	_, err = w.CreateGroup(w.ctx(), "group", friend, []int64{fan, u}, w.now)
	w.is(err, chat.ErrNotFound)
	_, err = w.change(w.group(friend), u, func(m *chat.Member) { m.Role = chat.RoleMember })
	w.is(err, chat.ErrNotFound)
	w.is(w.CreateSession(w.ctx(), chat.Session{ID: "late", UserID: u, RefreshHash: []byte("x")}, 0), chat.ErrNotFound)

	// Its phone number and username are free.
	again := must[chat.User](w)(w.CreateUser(w.ctx(), chat.User{Phone: in.Phone, Username: in.Username}, "hash")).ID
	equal(w, "the new account has another id", again != u, true)
	equal(w, "accounts that are not deleted completely", must[[]int64](w)(w.Leaving(w.ctx(), 0, 10)), []int64{u})
	w.ok(w.Left(w.ctx(), u))
	w.ok(w.Left(w.ctx(), u))
	equal(w, "accounts that are not deleted completely, after Left", must[[]int64](w)(w.Leaving(w.ctx(), 0, 10)), nil)
}

// testLastSuperAdminStays lets the only two super admins delete their accounts at once.
func testLastSuperAdminStays(w *world) {
	var ids []int64
	for i := range 2 {
		u := chat.User{Phone: fmt.Sprint("+4912345", i), Role: chat.RoleSuperAdmin, CreatedAt: w.now}
		ids = append(ids, must[chat.User](w)(w.CreateUser(w.ctx(), u, "hash")).ID)
	}
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i, id := range ids {
		wg.Go(func() { _, errs[i] = w.DeleteUser(w.ctx(), id, 0, w.now) })
	}
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs...), chat.ErrConflict) {
		w.Fatalf("errors %v, want one nil and one ErrConflict", errs)
	}
}

func testDeletedUsersConversations(w *world) {
	u := w.users(3)
	self, direct := w.direct(u[0], u[0]), w.direct(u[0], u[1])
	alone, shared := w.group(u[0], u[2]), w.group(u[0], u[1])
	w.leave(alone, u[2])
	for i := range 5 {
		for _, conversationID := range []int64{self, direct, alone, shared} {
			w.send(conversationID, u[0], fmt.Sprint("text ", i))
		}
	}
	must[[]string](w)(w.DeleteUser(w.ctx(), u[0], 0, w.now))
	w.leave(alone, u[0])
	w.leave(shared, u[0])

	equal(w, "direct conversations, the first", must[[]int64](w)(w.SilenceDirects(w.ctx(), u[0], 0, 1)), []int64{self})
	equal(w, "direct conversations after the first", must[[]int64](w)(w.SilenceDirects(w.ctx(), u[0], self, 10)), []int64{direct})
	equal(w, "direct conversations after the last", must[[]int64](w)(w.SilenceDirects(w.ctx(), u[0], direct, 10)), nil)
	for _, r := range must[[]chat.Appended](w)(w.Append(w.ctx(), []chat.NewMessage{w.message(direct, u[1], "to nobody"), w.message(direct, u[0], "from nobody")})) {
		w.is(r.Err, chat.ErrNotFound)
	}
	steps := 0
	for more := true; more; steps++ {
		more = must[bool](w)(w.EraseAlone(w.ctx(), u[0], 2, w.now))
	}
	equal(w, "steps", steps, 7) // three for each of two conversations, and one that finds nothing
	texts := func(conversationID, reader int64) (n int) {
		list, _, err := w.Messages(w.ctx(), chat.MessageQuery{UserID: reader, ConversationID: conversationID, Limit: 10, Whole: true})
		w.ok(err)
		for _, m := range list {
			if m.Content != "" {
				n++
			}
		}
		return n
	}
	equal(w, "texts in the note to self", texts(self, u[0]), 0)
	equal(w, "texts for the other user of the direct conversation", texts(direct, u[1]), 5)
	equal(w, "texts in a group with another member", texts(shared, u[1]), 5)
	must[chat.Member](w)(w.change(alone, u[2], func(m *chat.Member) { m.Role = chat.RoleMember })) // so that the messages can be read
	equal(w, "texts in a group without other members", texts(alone, u[2]), 0)

	must[[]string](w)(w.DeleteUser(w.ctx(), u[1], 0, w.now))
	for more := true; more; {
		more = must[bool](w)(w.EraseAlone(w.ctx(), u[1], 100, w.now))
	}
	equal(w, "texts in a direct conversation of two deleted users", texts(direct, u[1]), 0)
}

// testDeletionUnderConcurrency adds an account to groups, and writes to it, while it is
// deleted. Afterwards nobody can.
func testDeletionUnderConcurrency(w *world) {
	for range 5 {
		owner, user := w.user(), w.user()
		group := w.group(owner)
		var wg sync.WaitGroup
		for _, do := range []func() error{
			func() error { _, err := w.DeleteUser(w.ctx(), user, 0, w.now); return err },
			func() error { _, err := w.DeleteUser(w.ctx(), user, 0, w.now); return err },
			func() error { return w.Befriend(w.ctx(), owner, user, w.now) },
			func() error {
				_, err := w.change(group, user, func(m *chat.Member) { m.Role = chat.RoleMember })
				return err
			},
			func() error {
				_, err := w.CreateGroup(w.ctx(), "group", owner, []int64{user}, w.now)
				return err
			},
		} {
			wg.Go(func() {
				if err := do(); err != nil && !errors.Is(err, chat.ErrNotFound) {
					w.Error(err)
				}
			})
		}
		wg.Wait()
		equal(w, "friends", must[[]chat.User](w)(w.Friends(w.ctx(), owner, 10, 0)), nil)
		for _, g := range must[[]chat.Conversation](w)(w.Groups(w.ctx(), user, 10, 0)) { // from before the deletion: the service leaves them next
			w.leave(g.ID, user)
		}
		_, err := w.change(group, user, func(m *chat.Member) { m.Role = chat.RoleMember })
		w.is(err, chat.ErrNotFound)
	}
}

func testFilesAfter(w *world) {
	u := w.users(2)
	var ids []int64
	for i := range 3 {
		f := chat.File{OwnerID: u[0], Name: fmt.Sprint(i), Size: 3, ContentType: "a/b", SHA256: "00", Key: fmt.Sprint("key ", i), CreatedAt: w.now}
		f = must[chat.File](w)(w.CreateFile(w.ctx(), f, chat.Quota{}))
		ids = append(ids, f.ID)
		equal(w, "file", must[[]chat.File](w)(w.FilesAfter(w.ctx(), u[0], f.ID-1, 1)), []chat.File{f})
	}
	var got []int64
	for _, f := range must[[]chat.File](w)(w.FilesAfter(w.ctx(), u[0], ids[0], 10)) {
		got = append(got, f.ID)
	}
	equal(w, "after the first", got, ids[1:])
	equal(w, "files of a user without any", must[[]chat.File](w)(w.FilesAfter(w.ctx(), u[1], 0, 10)), nil)
}
