package storetest

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

func testStatuses(w *world) {
	u := w.users(3)
	d, g, self := w.direct(u[0], u[1]), w.group(u[0], u[1], u[2]), w.direct(u[2], u[2])
	one, two := w.send(d, u[0], "one"), w.send(d, u[0], "two")
	at := func(m chat.Message, want chat.Status) {
		w.Helper()
		equal(w, "status of "+m.Content, w.status(m.ID), want)
	}
	w.advance(d, u[0], 2, 2) // the sender's own marks do not count
	at(one, chat.StatusSent)
	w.advance(d, u[1], 0, 1)
	at(one, chat.StatusDelivered)
	at(two, chat.StatusSent)
	w.advance(d, u[1], 1, 2)
	at(one, chat.StatusRead)
	at(two, chat.StatusDelivered)
	w.ok(w.EditMessage(w.ctx(), one.ID, "one", w.now))
	at(one, chat.StatusEdited)
	w.ok(w.RetractMessage(w.ctx(), one.ID, true, w.now))
	at(one, chat.StatusRecalled)
	list, _, err := w.Messages(w.ctx(), chat.MessageQuery{UserID: u[0], ConversationID: d, Limit: 2})
	w.ok(err)
	equal(w, "in a list", []chat.Status{list[0].Status, list[1].Status}, []chat.Status{chat.StatusDelivered, chat.StatusRecalled})

	post := w.send(g, u[0], "post")
	w.advance(g, u[1], 0, 1)
	at(post, chat.StatusSent) // in a group it is never delivered
	w.advance(g, u[2], 1, 0)
	at(post, chat.StatusRead)
	w.leave(g, u[2])
	at(post, chat.StatusRead) // it stays read after the reader has left

	note := w.send(self, u[2], "note")
	w.advance(self, u[2], 1, 1)
	at(note, chat.StatusSent)
}

func testMarksNeverGoBack(w *world) {
	u := w.users(2)
	d := w.direct(u[0], u[1])
	for i := range 4 {
		w.send(d, u[0], fmt.Sprint(i))
	}
	unread := func(want int64) { w.Helper(); equal(w, "unread", must[int64](w)(w.Unread(w.ctx(), u[1])), want) }
	w.ok(w.Advance(w.ctx(), nil))
	unread(4)
	w.ok(w.Advance(w.ctx(), []chat.Mark{
		{ConversationID: d, UserID: u[1], Read: 3},
		{ConversationID: d, UserID: u[1], Read: 2, Delivered: 4},
		{ConversationID: d, UserID: u[1]},
		{ConversationID: d, UserID: u[1], Read: -5, Delivered: -5},
		{ConversationID: d, UserID: 1 << 40, Read: 4}, // not a member: ignored
		{ConversationID: 1 << 40, UserID: u[1], Read: 4},
	}))
	unread(1)
	w.advance(d, u[1], 1, 1)
	unread(1)
	w.advance(d, u[1], math.MaxInt64, math.MaxInt64) // limited to the last message
	unread(0)
	next := w.send(d, u[0], "next")
	unread(1)
	equal(w, "status of a message after a mark beyond it", next.Status, chat.StatusSent)
	equal(w, "stored status of a message after a mark beyond it", w.status(next.ID), chat.StatusSent)
}

func testEditAndRetract(w *world) {
	u := w.users(2)
	d := w.direct(u[0], u[1])
	f := must[chat.File](w)(w.CreateFile(w.ctx(), chat.File{OwnerID: u[0], Key: "k"}, chat.Quota{}))
	n := chat.NewMessage{ConversationID: d, SenderID: u[0], Content: "first", Type: chat.TypeFile, FileID: f.ID, ClientMsgID: "c", CreatedAt: w.now}
	m, other := w.sendAll(n, w.message(d, u[0], "other"))[0], w.send(d, u[1], "third")
	later := w.now.Add(time.Minute)

	w.ok(w.EditMessage(w.ctx(), m.ID, "second 𠮷", later))
	m.Content, m.Edited, m.Status, m.UpdatedAt = "second 𠮷", true, chat.StatusEdited, w.stored().Add(time.Minute)
	equal(w, "edited", must[chat.Message](w)(w.Message(w.ctx(), m.ID)), m)

	w.ok(w.RetractMessage(w.ctx(), m.ID, true, later))
	m.Content, m.FileID, m.Recalled, m.Status = "", 0, true, chat.StatusRecalled
	equal(w, "recalled", must[chat.Message](w)(w.Message(w.ctx(), m.ID)), m)

	w.ok(w.RetractMessage(w.ctx(), other.ID, false, later))
	got := must[chat.Message](w)(w.Message(w.ctx(), other.ID))
	equal(w, "deleted", fmt.Sprint(got.Content, got.Deleted, got.Recalled, got.Seq), fmt.Sprint("", true, false, 3))

	for _, id := range []int64{m.ID, other.ID, 1 << 40, 0, -1} {
		w.is(w.EditMessage(w.ctx(), id, "x", later), chat.ErrNotFound)
		w.is(w.RetractMessage(w.ctx(), id, true, later), chat.ErrNotFound)
		w.is(w.RetractMessage(w.ctx(), id, false, later), chat.ErrNotFound)
	}
	_, err := w.Message(w.ctx(), 1<<40)
	w.is(err, chat.ErrNotFound)
	equal(w, "seqs after retractions", w.send(d, u[0], "fourth").Seq, 4)
}

// testEditGuardsMembership: an edit is refused if Append would refuse a message.
func testEditGuardsMembership(w *world) {
	u := w.users(3)
	g, d := w.group(u[0], u[1], u[2]), w.direct(u[0], u[1])
	inGroup, direct := w.send(g, u[1], "one"), w.send(d, u[1], "two")
	edit := func(what string, m chat.Message, want error) {
		w.Helper()
		err := w.EditMessage(w.ctx(), m.ID, what, w.now)
		if want != nil {
			w.is(err, want)
		} else {
			w.ok(err)
			m.Content = what
		}
		equal(w, what, must[chat.Message](w)(w.Message(w.ctx(), m.ID)).Content, m.Content)
	}
	w.put(chat.Member{ConversationID: g, UserID: u[1], Role: chat.RoleMember, Muted: true})
	edit("muted", inGroup, chat.ErrNotFound)
	w.put(chat.Member{ConversationID: g, UserID: u[1], Role: chat.RoleMember})
	edit("unmuted", inGroup, nil)
	w.ok(w.Block(w.ctx(), u[0], u[1], 10, w.now))
	edit("blocked", direct, chat.ErrNotFound)
	w.ok(w.Unblock(w.ctx(), u[0], u[1]))
	edit("unblocked", direct, nil)
	w.leave(g, u[1])
	edit("gone", must[chat.Message](w)(w.Message(w.ctx(), inGroup.ID)), chat.ErrNotFound)
}

func testPages(w *world) {
	u := w.users(2)
	d, g := w.direct(u[0], u[1]), w.group(u[0])
	for i := range 10 {
		w.send(d, u[i%2], fmt.Sprint("d", i+1))
		if i%3 == 0 {
			w.send(g, u[0], fmt.Sprint("g", i+1))
		}
	}
	for _, c := range []struct {
		name  string
		q     chat.MessageQuery
		want  string
		total int64
	}{
		{"newest", chat.MessageQuery{ConversationID: d, Limit: 3}, "d10 d9 d8", 10},
		{"offset", chat.MessageQuery{ConversationID: d, Limit: 3, Offset: 8}, "d2 d1", 10},
		{"past the end", chat.MessageQuery{ConversationID: d, Limit: 3, Offset: 10}, "", 10},
		{"far past the end", chat.MessageQuery{ConversationID: d, Limit: 3, Offset: math.MaxInt32}, "", 10},
		{"ascending", chat.MessageQuery{ConversationID: d, Ascending: true, Limit: 2}, "d1 d2", 10},
		{"after seq", chat.MessageQuery{ConversationID: d, Ascending: true, AfterSeq: 7, Limit: 2}, "d8 d9", 3},
		{"before seq", chat.MessageQuery{ConversationID: d, BeforeSeq: 5, Limit: 3}, "d4 d3 d2", 4},
		{"before seq and offset", chat.MessageQuery{ConversationID: d, BeforeSeq: 5, Limit: 3, Offset: 3}, "d1", 4},
		{"before the first", chat.MessageQuery{ConversationID: d, BeforeSeq: 1, Limit: 3}, "", 0},
		{"before any", chat.MessageQuery{ConversationID: d, BeforeSeq: math.MaxInt64, Limit: 2}, "d10 d9", 10},
		{"after seq and offset", chat.MessageQuery{ConversationID: d, Ascending: true, AfterSeq: 7, Limit: 2, Offset: 2}, "d10", 3},
		{"after the last", chat.MessageQuery{ConversationID: d, Ascending: true, AfterSeq: 10, Limit: 2}, "", 0},
		{"after any", chat.MessageQuery{ConversationID: d, Ascending: true, AfterSeq: math.MaxInt64, Limit: 2}, "", 0},
		{"after a negative one", chat.MessageQuery{ConversationID: d, Ascending: true, AfterSeq: -3, Limit: 2}, "d1 d2", 10},
		{"all conversations", chat.MessageQuery{Limit: 4}, "g10 d10 d9 d8", 14},
		{"all, offset", chat.MessageQuery{Limit: 4, Offset: 11}, "d2 g1 d1", 14},
		{"all, past the end", chat.MessageQuery{Limit: 4, Offset: 14}, "", 14},
		{"no limit is no message", chat.MessageQuery{ConversationID: d}, "", 10},
	} {
		c.q.UserID = u[0]
		got, total := w.history(c.q)
		equal(w, c.name, strings.Join(got, " "), c.want)
		equal(w, c.name+", total", total, c.total)
	}
}

func testPagesAreForMembers(w *world) {
	u := w.users(3)
	g := w.group(u[0], u[1])
	w.send(g, u[0], "secret")
	w.put(chat.Member{ConversationID: g, UserID: u[1], Banned: true})
	w.put(chat.Member{ConversationID: g, UserID: u[2]})
	w.leave(g, u[2])
	for _, id := range []int64{u[1], u[2], 1 << 40, 0} {
		for _, q := range []chat.MessageQuery{{}, {ConversationID: g}, {ConversationID: g, Ascending: true}} {
			q.UserID, q.Limit = id, 10
			got, total := w.history(q)
			equal(w, "messages", got, nil)
			equal(w, "total", total, 0)
		}
		equal(w, "dialogs", len(must[[]chat.Dialog](w)(w.Dialogs(w.ctx(), id, 10, 0))), 0)
		equal(w, "unread", must[int64](w)(w.Unread(w.ctx(), id)), 0)
	}
	got, total := w.history(chat.MessageQuery{UserID: u[0], ConversationID: 1 << 40, Limit: 10})
	equal(w, "no such conversation", len(got)+int(total), 0)
}

// testSince lists messages of all conversations by id.
func testSince(w *world) {
	before := func(at time.Time) int64 { return must[int64](w)(w.MessageIDBefore(w.ctx(), at)) }
	equal(w, "MessageIDBefore without messages", before(w.now), 0)
	a, b := w.user(), w.user()
	conversationIDs := []int64{w.direct(a, b), w.group(a, b)}
	var sent []chat.MessagePlace
	for i := range 5 {
		w.now = w.now.Add(time.Second)
		m := w.send(conversationIDs[i%2], a, "x")
		sent = append(sent, chat.MessagePlace{ID: m.ID, ConversationID: m.ConversationID, Seq: m.Seq, CreatedAt: m.CreatedAt})
	}
	var got []chat.MessagePlace
	for after := int64(0); ; after = got[len(got)-1].ID {
		page := must[[]chat.MessagePlace](w)(w.Since(w.ctx(), after, 2))
		if got = append(got, page...); len(page) < 2 {
			break
		}
	}
	equal(w, "messages", got, sent)
	last := int64(0)
	for _, m := range sent {
		equal(w, "MessageIDBefore the time of a message", before(m.CreatedAt), last)
		equal(w, "MessageIDBefore a moment after a message", before(m.CreatedAt.Add(time.Microsecond)), m.ID)
		last = m.ID
	}
}

func testUnread(w *world) {
	u := w.users(3)
	d, g := w.direct(u[0], u[1]), w.group(u[2], u[0], u[1])
	unread := func(id, want int64) { w.Helper(); equal(w, "unread", must[int64](w)(w.Unread(w.ctx(), id)), want) }
	unread(u[0], 0)
	w.send(d, u[0], "mine")
	gone := w.send(d, u[1], "theirs")
	w.send(g, u[2], "group 1")
	w.send(g, u[2], "group 2")
	unread(u[0], 3)
	unread(u[1], 3)
	unread(u[2], 0)
	w.advance(g, u[0], 1, 9)
	unread(u[0], 2)
	w.ok(w.RetractMessage(w.ctx(), gone.ID, false, w.now))
	unread(u[0], 1)
	w.leave(g, u[0])
	unread(u[0], 0)
	for _, member := range w.users(100) { // more than one statement handles
		w.send(w.direct(u[0], member), member, "one")
		w.send(w.direct(u[0], member), member, "two")
	}
	unread(u[0], 200)
	page := must[[]chat.Dialog](w)(w.Dialogs(w.ctx(), u[0], 1000, 0))
	for _, dialog := range page[:100] {
		equal(w, "unread in a dialog", dialog.UnreadCount, 2)
	}
}

func testFiles(w *world) {
	id := w.user()
	in := chat.File{
		OwnerID: id, Name: "../𠮷 😀\x00.png", Size: 1 << 40, ContentType: "image/png",
		SHA256: strings.Repeat("ab", 32), Key: "ab/cd", CreatedAt: w.now,
	}
	f := must[chat.File](w)(w.CreateFile(w.ctx(), in, chat.Quota{}))
	want := in
	want.ID, want.CreatedAt = f.ID, w.stored()
	equal(w, "created", f, want)
	equal(w, "read back", must[chat.File](w)(w.File(w.ctx(), f.ID)), want)
	_, err := w.File(w.ctx(), 1<<40)
	w.is(err, chat.ErrNotFound)
	_, err = w.CreateFile(w.ctx(), chat.File{OwnerID: 1 << 40}, chat.Quota{})
	w.is(err, chat.ErrNotFound)
}

func testMayRead(w *world) {
	u := w.users(4)
	f := must[chat.File](w)(w.CreateFile(w.ctx(), chat.File{OwnerID: u[0], Key: "k"}, chat.Quota{}))
	g, d := w.group(u[0], u[1], u[2]), w.direct(u[0], u[1])
	may := func(want ...bool) {
		w.Helper()
		for i, id := range u {
			equal(w, fmt.Sprint("user ", i), must[bool](w)(w.MayRead(w.ctx(), f.ID, id)), want[i])
		}
	}
	post := func(conversation int64) int64 {
		return w.sendAll(chat.NewMessage{ConversationID: conversation, SenderID: u[0], Type: chat.TypeFile, FileID: f.ID, CreatedAt: w.now})[0].ID
	}
	may(true, false, false, false)
	inGroup := post(g)
	may(true, true, true, false)
	w.put(chat.Member{ConversationID: g, UserID: u[2], Banned: true})
	may(true, true, false, false)
	inDirect := post(d)
	w.ok(w.RetractMessage(w.ctx(), inGroup, false, w.now))
	may(true, true, false, false)
	w.ok(w.RetractMessage(w.ctx(), inDirect, true, w.now))
	may(true, false, false, false)
	equal(w, "no such file", must[bool](w)(w.MayRead(w.ctx(), 1<<40, u[0])), false)
}

// garbage is valid UTF-8 that has broken stores before.
var garbage = []string{
	"", " ", "\x00", "a\x00b", "\x00\x00", "𠮷野家 😀👨‍👩‍👧‍👦", "e\u0301 \u00e9", "\ufeffbom", "\u202eabc\u202c",
	"'; DROP TABLE messages; --", `\`, `\'`, "%", "_", "?", "$1", ":x", "\r\n\t", "\u2028\u2029", "\U0010ffff", "ﷺ",
	"NULL", "\"", "`", "\ufffd", "İı", strings.Repeat("𠮷", 16<<10), strings.Repeat("x", 1<<20),
}

func testGarbage(w *world) {
	u := w.users(2)
	d := w.direct(u[0], u[1])
	var batch []chat.NewMessage
	for _, text := range garbage {
		n := w.message(d, u[0], text)
		if len(text) <= 128 {
			n.ClientMsgID = text
		}
		batch = append(batch, n)
	}
	stored := w.sendAll(batch...)
	for i, text := range garbage {
		m := must[chat.Message](w)(w.Message(w.ctx(), stored[i].ID))
		equal(w, "content", m.Content, text)
		equal(w, "client_msg_id", m.ClientMsgID, batch[i].ClientMsgID)
		w.ok(w.EditMessage(w.ctx(), m.ID, text+"!", w.now))
		equal(w, "edited", must[chat.Message](w)(w.Message(w.ctx(), m.ID)).Content, text+"!")
		if len(text) > 128 {
			continue
		}
		must[[]chat.User](w)(w.SearchUsers(w.ctx(), text, 10, 0))
		nick := must[chat.User](w)(w.CreateUser(w.ctx(), chat.User{Phone: fmt.Sprint("+3", 10000+i), Nickname: text}, text))
		equal(w, "nickname", must[[]chat.User](w)(w.Users(w.ctx(), []int64{nick.ID}))[0].Nickname, text)
		g := must[chat.Conversation](w)(w.CreateGroup(w.ctx(), text, u[0], nil, w.now))
		equal(w, "title", must[chat.Membership](w)(w.Membership(w.ctx(), g.ID)).Conversation.Title, text)
		_, err := w.Session(w.ctx(), text)
		w.is(err, chat.ErrNotFound)
	}
	again := must[[]chat.Appended](w)(w.Append(w.ctx(), batch))
	for i, r := range again {
		equal(w, fmt.Sprintf("duplicate of %.20q", garbage[i]), r.Duplicate, batch[i].ClientMsgID != "")
	}
}

// testCancelled: every method returns the error of a cancelled context.
func testCancelled(w *world) {
	ctx, cancel := context.WithCancel(w.ctx())
	cancel()
	u := w.users(2)
	for name, call := range map[string]func() error{
		"CreateUser":            func() error { _, err := w.CreateUser(ctx, chat.User{Phone: "+99999"}, ""); return err },
		"UserByLogin":           func() error { _, err := w.UserByLogin(ctx, "x", ""); return err },
		"Users":                 func() error { _, err := w.Users(ctx, u); return err },
		"UpdateUser":            func() error { return w.UpdateUser(ctx, u[0], chat.Profile{}) },
		"DeleteExpiredSessions": func() error { _, err := w.DeleteExpiredSessions(ctx, w.now, 1); return err },
		"Sessions":              func() error { _, err := w.Sessions(ctx, u[0], 1, 0); return err },
		"SetPassword":           func() error { _, err := w.SetPassword(ctx, u[0], 0, "", ""); return err },
		"TwoFactor":             func() error { _, err := w.TwoFactor(ctx, u[0]); return err },
		"UseStep":               func() error { return w.UseStep(ctx, u[0], 1) },
		"Device":                func() error { _, err := w.Device(ctx, "x"); return err },
		"EndSessions":           func() error { _, err := w.EndSessions(ctx, u[0], ""); return err },
		"SearchUsers":           func() error { _, err := w.SearchUsers(ctx, "x", 1, 0); return err },
		"Session":               func() error { _, err := w.Session(ctx, "x"); return err },
		"RenameGroup":           func() error { return w.RenameGroup(ctx, 1, u[0], "x", nil) },
		"DeleteGroup":           func() error { _, err := w.DeleteGroup(ctx, 1, u[0], nil); return err },
		"RemoveGroup":           func() error { _, err := w.RemoveGroup(ctx, chat.Removal{ID: 1}); return err },
		"RemoveMessage":         func() error { return w.RemoveMessage(ctx, chat.Removal{ID: 1}) },
		"AddNotice":             func() error { _, err := w.AddNotice(ctx, chat.Notice{}, chat.AuditEntry{}); return err },
		"PurgeGroups":           func() error { _, err := w.PurgeGroups(ctx, 1); return err },
		"Privacy":               func() error { _, err := w.Privacy(ctx, u); return err },
		"SetPrivacy":            func() error { return w.SetPrivacy(ctx, u[0], chat.PrivacyChange{}) },
		"Ask":                   func() error { _, _, err := w.Ask(ctx, chat.Request{UserID: u[0], FromID: u[1]}, 1); return err },
		"Requests":              func() error { _, err := w.Requests(ctx, u[0], 1, 0); return err },
		"Request":               func() error { _, err := w.Request(ctx, u[0], 1); return err },
		"AcceptRequest":         func() error { return w.AcceptRequest(ctx, chat.Request{UserID: u[0], FromID: u[1]}, w.now) },
		"DeclineRequest":        func() error { return w.DeclineRequest(ctx, chat.Request{UserID: u[0], FromID: u[1]}) },
		"Befriend":              func() error { return w.Befriend(ctx, u[0], u[1], w.now) },
		"Unfriend":              func() error { return w.Unfriend(ctx, u[0], u[1]) },
		"Block":                 func() error { return w.Block(ctx, u[0], u[1], 1, w.now) },
		"Unblock":               func() error { return w.Unblock(ctx, u[0], u[1]) },
		"Blocked":               func() error { _, err := w.Blocked(ctx, u[0], 1, 0); return err },
		"Blocks":                func() error { _, err := w.Blocks(ctx, u[0]); return err },
		"Relation":              func() error { _, err := w.Relation(ctx, u[0], u[1]); return err },
		"EnsureDirect":          func() error { _, err := w.EnsureDirect(ctx, chat.Opening{From: u[0], To: u[1]}); return err },
		"CreateGroup":           func() error { _, err := w.CreateGroup(ctx, "x", u[0], nil, w.now); return err },
		"Membership":            func() error { _, err := w.Membership(ctx, 1); return err },
		"ChangeMember":          func() error { _, err := w.ChangeMember(ctx, chat.MemberChange{ConversationID: 1}); return err },
		"Dialogs":               func() error { _, err := w.Dialogs(ctx, u[0], 1, 0); return err },
		"Advance":               func() error { return w.Advance(ctx, []chat.Mark{{ConversationID: 1, UserID: u[0], Read: 1}}) },
		"Message":               func() error { _, err := w.Message(ctx, 1); return err },
		"Messages":              func() error { _, _, err := w.Messages(ctx, chat.MessageQuery{UserID: u[0]}); return err },
		"ReadUpTo":              func() error { _, err := w.ReadUpTo(ctx, 1, u); return err },
		"DialogsAfter":          func() error { _, err := w.DialogsAfter(ctx, u[0], 0, 1); return err },
		"FriendsAfter":          func() error { _, err := w.FriendsAfter(ctx, u[0], 0, 1); return err },
		"EditMessage":           func() error { return w.EditMessage(ctx, 1, "", w.now) },
		"Unread":                func() error { _, err := w.Unread(ctx, u[0]); return err },
		"MayRead":               func() error { _, err := w.MayRead(ctx, 1, u[0]); return err },
	} {
		err := call()
		w.is(err, context.Canceled)
		equal(w, name, chat.KindOf(err), chat.KindUnavailable)
	}
}

// testReceipts: the times are those of each mark's last move.
func testReceipts(w *world) {
	u := w.users(5)
	g := w.group(u[0], u[1], u[2], u[3])
	w.now = w.now.Add(time.Minute)
	one, two := w.send(g, u[0], "one"), w.send(g, u[0], "two")
	w.put(chat.Member{ConversationID: g, UserID: u[4], JoinedAt: w.now.Add(time.Minute)}) // all earlier messages count as read
	receipts := func(m chat.Message) []chat.Receipt {
		w.Helper()
		return must[[]chat.Receipt](w)(w.Receipts(w.ctx(), g, m.Seq, m.CreatedAt.Add(time.Millisecond)))
	}
	equal(w, "receipts before any mark", receipts(one), nil)
	at := func(n int) time.Time { return w.stored().Add(time.Duration(n) * time.Second) }
	w.ok(w.Advance(w.ctx(), []chat.Mark{
		{ConversationID: g, UserID: u[1], Read: 1, Delivered: 2, At: at(1)},
		{ConversationID: g, UserID: u[2], Delivered: 1, At: at(2)},
	}))
	equal(w, "receipts of the first message", receipts(one), []chat.Receipt{
		{UserID: u[1], Read: true, ReadAt: at(1), DeliveredAt: at(1)}, {UserID: u[2], DeliveredAt: at(2)},
	})
	equal(w, "receipts of the second message", receipts(two), []chat.Receipt{{UserID: u[1], DeliveredAt: at(1)}})
	w.ok(w.Advance(w.ctx(), []chat.Mark{
		{ConversationID: g, UserID: u[1], Read: 1, Delivered: 1, At: at(3)}, // moves nothing
		{ConversationID: g, UserID: u[2], Read: 2, At: at(4)},
		{ConversationID: g, UserID: u[3], Read: 2},
	}))
	equal(w, "receipts of the first message, after more marks", receipts(one), []chat.Receipt{
		{UserID: u[1], Read: true, ReadAt: at(1), DeliveredAt: at(1)},
		{UserID: u[2], Read: true, ReadAt: at(4), DeliveredAt: at(2)},
		{UserID: u[3], Read: true},
	})
	w.leave(g, u[2])
	equal(w, "receipts after a member left", len(receipts(one)), 2)
	equal(w, "a conversation that does not exist, or none", must[[]chat.Receipt](w)(w.Receipts(w.ctx(), 1<<40, 1, w.now)), nil)
}

// testReadUpTo: the user themself, and members who have blocked the user, do not count.
func testReadUpTo(w *world) {
	u := w.users(4)
	g, d, none := w.group(u[0], u[1], u[2], u[3]), w.direct(u[0], u[1]), w.group(u[0])
	for range 3 {
		w.send(g, u[0], "post")
		w.send(d, u[0], "word")
		w.send(none, u[0], "alone")
	}
	read := func(user int64) map[int64]int64 {
		w.Helper()
		return must[map[int64]int64](w)(w.ReadUpTo(w.ctx(), user, []int64{g, d, 1 << 40}))
	}
	for i, seq := range []int64{3, 2, 1} {
		w.advance(g, u[i], seq, seq)
		w.advance(d, u[i], seq, seq)
	}
	equal(w, "read by others", read(u[0]), map[int64]int64{g: 2, d: 2})
	equal(w, "read by others, for another member", read(u[3]), map[int64]int64{g: 3, d: 3})
	w.ok(w.Block(w.ctx(), u[1], u[0], 10, w.now))
	equal(w, "read by others, after one of them blocked the user", read(u[0]), map[int64]int64{g: 1}) // d has no other member
	w.ok(w.Block(w.ctx(), u[0], u[2], 10, w.now))
	equal(w, "read by others, after the user blocked one of them", read(u[0])[g], int64(1))
	equal(w, "a conversation that does not exist, or none", must[map[int64]int64](w)(w.ReadUpTo(w.ctx(), u[0], nil)), map[int64]int64{})
}
