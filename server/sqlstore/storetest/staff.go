package storetest

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

func testAccounts(w *world) {
	var ids []int64
	for i, name := range []string{"Ann", "bANNer", "Käthe", "", "Zoë"} {
		ids = append(ids, must[chat.User](w)(w.CreateUser(w.ctx(), chat.User{
			Phone: fmt.Sprintf("+49%05d", i), Username: name, Nickname: "nick" + fmt.Sprint(i), Role: chat.RoleUser, CreatedAt: w.now,
		}, "h")).ID)
	}
	w.role(ids[0], chat.RoleModerator)
	until := w.stored().Add(time.Hour)
	w.stand(ids[1], func(to *chat.Standing) { to.Ban = &chat.Ban{Reason: "spam", Until: until, CreatedAt: w.stored()} })
	w.stand(ids[2], func(to *chat.Standing) { to.Ban = &chat.Ban{CreatedAt: w.stored()} })

	list := func(q chat.AccountQuery) (found []int64, total int64) {
		w.Helper()
		if q.At.IsZero() {
			q.At = w.now
		}
		if q.Limit == 0 {
			q.Limit = 10
		}
		got, total, err := w.Accounts(w.ctx(), q)
		w.ok(err)
		for _, a := range got {
			found = append(found, a.ID)
		}
		return found, total
	}
	for _, c := range []struct {
		q    chat.AccountQuery
		want []int64
	}{
		{chat.AccountQuery{}, []int64{ids[4], ids[3], ids[2], ids[1], ids[0]}},
		{chat.AccountQuery{Name: "ANN"}, []int64{ids[1], ids[0]}},
		{chat.AccountQuery{Name: "nick3"}, []int64{ids[3]}},
		{chat.AccountQuery{Name: "%"}, nil},
		{chat.AccountQuery{Phone: "+49"}, []int64{ids[4], ids[3], ids[2], ids[1], ids[0]}},
		{chat.AccountQuery{Phone: "+4900002"}, []int64{ids[2]}},
		{chat.AccountQuery{Phone: "00002"}, nil},
		{chat.AccountQuery{Role: chat.RoleModerator}, []int64{ids[0]}},
		{chat.AccountQuery{Status: chat.AccountBanned}, []int64{ids[2], ids[1]}},
		{chat.AccountQuery{Status: chat.AccountBanned, At: until}, []int64{ids[2]}},
		{chat.AccountQuery{Status: chat.AccountActive}, []int64{ids[4], ids[3], ids[0]}},
		{chat.AccountQuery{Status: chat.AccountGone}, nil},
		{chat.AccountQuery{Status: chat.AccountBanned, Name: "ann", Phone: "+49", Role: chat.RoleUser}, []int64{ids[1]}},
	} {
		got, total := list(c.q)
		equal(w, fmt.Sprintf("%+v", c.q), got, c.want)
		equal(w, "total", total, int64(len(c.want)))
	}
	_, total := list(chat.AccountQuery{Count: 3})
	equal(w, "total, limited by Count", total, 3)
	_, total = list(chat.AccountQuery{Count: 3, Role: chat.RoleModerator})
	equal(w, "total, below Count", total, 1)
	got, total := list(chat.AccountQuery{Limit: 2, Offset: 4})
	equal(w, "last page", []any{got, total}, []any{[]int64{ids[0]}, int64(5)})
	accounts, _, err := w.Accounts(w.ctx(), chat.AccountQuery{Name: "banner", At: w.now, Limit: 1})
	w.ok(err)
	equal(w, "ban", accounts[0].Ban, &chat.Ban{Reason: "spam", Until: until, CreatedAt: w.stored()})
	equal(w, "status", accounts[0].Status, chat.AccountBanned)
}

func testNumbers(w *world) {
	u := w.users(3)
	w.now = w.now.Add(-48 * time.Hour)
	u = append(u, w.users(2)...)
	old := w.group(u[3], u[4])
	w.send(old, u[3], "long ago")
	w.now = w.now.Add(48 * time.Hour)
	w.send(old, u[3], "today")
	w.send(w.direct(u[0], u[1]), u[0], "today, too")
	w.ok(w.SetLastSeen(w.ctx(), u[2:4], w.now))
	w.stand(u[0], func(to *chat.Standing) { to.Ban = &chat.Ban{CreatedAt: w.now} })
	w.stand(u[1], func(to *chat.Standing) { to.Ban = &chat.Ban{Until: w.now, CreatedAt: w.now} })
	must[chat.File](w)(w.CreateFile(w.ctx(), chat.File{OwnerID: u[0], Size: 1000, Key: "k"}, chat.Quota{}))
	w.report(u[0], u[1], 0)
	n := must[chat.Numbers](w)(w.Numbers(w.ctx(), chat.Day{Now: w.now, Midnight: w.now.UTC().Truncate(24 * time.Hour)}))
	equal(w, "numbers", n, chat.Numbers{
		Users: 5, Chats: 2, Messages: 3, MessagesToday: 2, NewUsersToday: 3, ActiveToday: 2, Storage: 1000, BannedUsers: 1, PendingReports: 1,
	})
}

// report stores a report about a message, or about a user if message is 0.
func (w *world) report(by, about, message int64) chat.Report {
	w.Helper()
	r, made, err := w.CreateReport(w.ctx(), chat.Report{
		ReporterID: by, UserID: about, MessageID: message, Reason: "spam", Comment: "<i>𠮷</i>", Content: "what was said", CreatedAt: w.now,
	}, 50)
	w.ok(err)
	if !made {
		w.Fatal("CreateReport returned an older report")
	}
	return r
}

func (w *world) handle(id int64, action chat.ReportAction) error {
	_, err := w.HandleReport(w.ctx(), chat.Handling{ReportID: id, Action: action, By: 9, At: w.now, Entry: chat.AuditEntry{Module: chat.ModuleReports, CreatedAt: w.now}})
	return err
}

func testReports(w *world) {
	u := w.users(3)
	first := w.report(u[0], u[1], 5)
	equal(w, "made", first, chat.Report{
		ID: first.ID, ReporterID: u[0], UserID: u[1], MessageID: 5, Reason: "spam", Comment: "<i>𠮷</i>", Content: "what was said",
		Status: chat.ReportPending, CreatedAt: w.stored(),
	})
	same, made, err := w.CreateReport(w.ctx(), chat.Report{ReporterID: u[0], UserID: u[1], MessageID: 5, Reason: "again"}, 50)
	w.ok(err)
	equal(w, "the same", []any{same, made}, []any{first, false})
	second := w.report(u[0], u[1], 0)
	third := w.report(u[2], u[1], 5)
	_, _, err = w.CreateReport(w.ctx(), chat.Report{ReporterID: u[0], UserID: u[2]}, 2)
	w.is(err, chat.ErrConflict)
	_, _, err = w.CreateReport(w.ctx(), chat.Report{ReporterID: u[0], UserID: 1 << 40}, 50)
	w.is(err, chat.ErrNotFound)

	equal(w, "pending", w.backlog().Reports, chat.Waiting{N: 3, Since: w.stored()})
	w.ok(w.handle(second.ID, chat.ReportWarn))
	w.is(w.handle(second.ID, chat.ReportBan), chat.ErrConflict)
	w.is(w.handle(1<<40, chat.ReportBan), chat.ErrNotFound)
	again := w.report(u[0], u[1], 0) // a new one, because the earlier one was handled
	w.ok(w.handle(again.ID, chat.ReportDismiss))

	got := must[chat.Report](w)(w.Report(w.ctx(), second.ID))
	second.Status, second.Action, second.HandledBy, second.HandledAt = chat.ReportDone, chat.ReportWarn, 9, w.stored()
	equal(w, "handled", got, second)
	list := func(q chat.ReportQuery) (ids []int64) {
		w.Helper()
		if q.Limit == 0 {
			q.Limit = 10
		}
		reports, _, err := w.Reports(w.ctx(), q)
		w.ok(err)
		for _, r := range reports {
			ids = append(ids, r.ID)
		}
		return ids
	}
	equal(w, "waiting, the oldest first", list(chat.ReportQuery{}), []int64{first.ID, third.ID})
	equal(w, "second page", list(chat.ReportQuery{Limit: 1, Offset: 1}), []int64{third.ID})
	equal(w, "handled, the newest first", list(chat.ReportQuery{Handled: true, UserID: u[1]}), []int64{again.ID, second.ID})
	equal(w, "reports of another user", list(chat.ReportQuery{UserID: u[2]}), nil)
	a := must[chat.Analysis](w)(w.Analysis(w.ctx(), u[1]))
	equal(w, "analysis", a, chat.Analysis{Reported: 4, Violations: 1})
	entries, total, err := w.Audit(w.ctx(), chat.AuditQuery{Module: chat.ModuleReports, BeforeID: 1 << 62, Limit: 10})
	w.ok(err)
	equal(w, "in the audit", []int{len(entries), int(total)}, []int{2, 2})
}

// testReportsUnderConcurrency handles one report from many goroutines: one succeeds.
func testReportsUnderConcurrency(w *world) {
	u := w.users(2)
	r := w.report(u[0], u[1], 0)
	var wg sync.WaitGroup
	var first atomic.Int32
	for range 8 {
		wg.Go(func() {
			_, err := w.HandleReport(w.ctx(), chat.Handling{
				ReportID: r.ID, Action: chat.ReportWarn, At: w.now, Entry: chat.AuditEntry{CreatedAt: w.now},
				Notice: &chat.Notice{UserID: u[1], Kind: chat.NoticeWarning, Message: "do not", CreatedAt: w.now},
			})
			if err == nil {
				first.Add(1)
			} else {
				w.is(err, chat.ErrConflict)
			}
		})
	}
	wg.Wait()
	equal(w, "handled", first.Load(), 1)
	equal(w, "warned", len(must[[]chat.Notice](w)(w.Notices(w.ctx(), u[1], time.Time{}, 10))), 1)
}

func testNotices(w *world) {
	u := w.users(300)
	at := w.now
	tell := func(user int64, text string) chat.Notice {
		w.Helper()
		at = at.Add(time.Second)
		return must[chat.Notice](w)(w.AddNotice(w.ctx(), chat.Notice{UserID: user, Kind: chat.NoticeBroadcast, Message: text, CreatedAt: at}, w.entry(text)))
	}
	untold := func(user int64) (texts string) {
		w.Helper()
		for _, n := range must[[]chat.Notice](w)(w.Notices(w.ctx(), user, w.now, 3)) {
			texts += n.Message
		}
		return texts
	}
	mark := func(users []int64, after, upTo chat.Notice) {
		w.Helper()
		w.ok(w.MarkNotices(w.ctx(), users, chat.Told{After: after.ID, UpTo: upTo.ID}, w.now))
	}
	none := chat.Notice{}
	a := tell(0, "a")
	b := tell(u[0], "b")
	equal(w, "in the audit", w.audited(), []string{"b", "a"})
	equal(w, "stored", b, chat.Notice{ID: b.ID, UserID: u[0], Kind: chat.NoticeBroadcast, Message: "b", CreatedAt: w.stored().Add(2 * time.Second)})
	equal(w, "notices of the user and of all, the oldest first", untold(u[0]), "ab")
	equal(w, "notices of all", untold(u[1]), "a")
	mark(append(u[1:], 1<<40), none, a)
	mark(u[:1], none, b)
	mark(u[:1], none, a) // never moves back
	mark(nil, none, a)
	equal(w, "notices left after all are marked", untold(u[0])+untold(u[1])+untold(u[299]), "")
	c := tell(0, "c")
	for _, text := range strings.Split("def", "") {
		tell(0, text)
	}
	equal(w, "notices, limited to 3", untold(u[0]), "cde")
	g := tell(u[1], "g")
	mark(u[:1], g, g) // g is for another user
	mark(u[1:2], chat.Notice{ID: g.ID - 1}, g)
	equal(w, "notices after only the last was marked", untold(u[1]), "cde")
	mark(u[:2], chat.Notice{ID: c.ID - 1}, c)
	equal(w, "notices after the next was marked", untold(u[0])+untold(u[1]), "defdef")
	mark(u[:2], c, g)
	equal(w, "notices after all others were marked", untold(u[0])+untold(u[1]), "")
	h := tell(0, "h")
	w.now = at.Add(-time.Millisecond)
	mark(u[2:3], chat.Notice{ID: h.ID - 1}, h) // earlier ones are too old to be sent
	equal(w, "notices left after the only recent one was marked", untold(u[2]), "")
	w.now = at.Add(time.Second)
	equal(w, "notices from before the account existed", untold(w.user()), "")
	equal(w, "notices that are too old", untold(u[0]), "")
}

func testModeration(w *world) {
	u := w.users(3)
	g, d := w.group(u[0], u[1]), w.direct(u[1], u[2])
	var ids []int64
	for i := range 6 {
		conversationID, from := g, u[i%2]
		if i >= 4 {
			conversationID, from = d, u[1]
		}
		ids = append(ids, w.send(conversationID, from, fmt.Sprint(i)).ID)
	}
	w.leave(g, u[1])
	read := func(q chat.ModerationQuery) (texts string) {
		w.Helper()
		if q.BeforeID == 0 {
			q.BeforeID = 1 << 62
		}
		found := must[chat.Found](w)(w.AllMessages(w.ctx(), q))
		for _, m := range found.Messages {
			texts += m.Content
		}
		if found.Next != 0 {
			texts += "+"
			equal(w, "next", found.Next, found.Messages[len(found.Messages)-1].ID)
		}
		return texts
	}
	equal(w, "all", read(chat.ModerationQuery{Limit: 10}), "543210")
	equal(w, "limit", read(chat.ModerationQuery{Limit: 2}), "54+")
	equal(w, "before", read(chat.ModerationQuery{Limit: 2, BeforeID: ids[4]}), "32+")
	equal(w, "of a chat", read(chat.ModerationQuery{Limit: 3, ConversationID: g}), "321+")
	equal(w, "of a chat, before", read(chat.ModerationQuery{Limit: 3, ConversationID: g, BeforeID: ids[2]}), "10")
	equal(w, "of a chat that does not exist", read(chat.ModerationQuery{Limit: 3, ConversationID: 1 << 40}), "")
	equal(w, "of a sender, before", read(chat.ModerationQuery{Limit: 2, SenderID: u[1], BeforeID: ids[5]}), "43+")
	equal(w, "of a sender who left", read(chat.ModerationQuery{Limit: 10, SenderID: u[1]}), "5431")
	equal(w, "of a sender in a chat", read(chat.ModerationQuery{Limit: 10, SenderID: u[1], ConversationID: g}), "31")
	equal(w, "of a sender who does not exist", read(chat.ModerationQuery{Limit: 10, SenderID: 1 << 40}), "")
	equal(w, "analysis", must[chat.Analysis](w)(w.Analysis(w.ctx(), u[1])), chat.Analysis{Messages: 4, Chats: 1})

	other := w.group(u[0])
	chats := func(q chat.GroupQuery) (ids []int64, total int64) {
		w.Helper()
		got, total, err := w.Chats(w.ctx(), q)
		w.ok(err)
		for _, c := range got {
			ids = append(ids, c.ID)
			equal(w, "members", c.MemberCount, 1)
		}
		return ids, total
	}
	got, total := chats(chat.GroupQuery{Limit: 10})
	equal(w, "groups", []any{got, total}, []any{[]int64{other, g}, int64(2)})
	got, total = chats(chat.GroupQuery{Limit: 1, Offset: 1, Title: "a gr"})
	equal(w, "second page", []any{got, total}, []any{[]int64{g}, int64(2)})
	got, total = chats(chat.GroupQuery{Limit: 1, Title: "b"})
	equal(w, "groups with another title", []any{len(got), total}, []any{0, int64(0)})
	must[[]int64](w)(w.DeleteGroup(w.ctx(), other, 0, func(chat.Member) error { return nil }))
	got, _ = chats(chat.GroupQuery{Limit: 10})
	equal(w, "groups after one was deleted", got, []int64{g})
}
