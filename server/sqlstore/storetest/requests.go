package storetest

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/onemeter/onemeter/server/chat"
)

// ask prepares a message of a to b, who accepts messages only from contacts.
func (w *world) ask(a, b int64) chat.Opened {
	w.Helper()
	return must[chat.Opened](w)(w.EnsureDirect(w.ctx(), chat.Opening{From: a, To: b, Ask: true, Limit: 10, At: w.now}))
}

// waiting lists the pending requests to a user.
func (w *world) waiting(user int64) []chat.Request {
	w.Helper()
	return must[[]chat.Request](w)(w.Requests(w.ctx(), user, 100, 0))
}

// membersOf returns the members of a conversation, and those of them for whom the next
// message counts as a first one.
func (w *world) membersOf(id int64) (in, closed []int64) {
	w.Helper()
	membership := must[chat.Membership](w)(w.Membership(w.ctx(), id))
	return membership.UserIDs(), membership.Closed
}

func testPrivacy(w *world) {
	u := w.users(3)
	get := func() map[int64]chat.Privacy {
		w.Helper()
		return must[map[int64]chat.Privacy](w)(w.Privacy(w.ctx(), append(u, 1<<40)))
	}
	equal(w, "before any choice", get(), map[int64]chat.Privacy{})
	contacts, everybody := chat.Contacts, chat.Everybody
	w.ok(w.SetPrivacy(w.ctx(), u[0], chat.PrivacyChange{Messages: &contacts}))
	w.ok(w.SetPrivacy(w.ctx(), u[1], chat.PrivacyChange{Groups: &contacts, Calls: &everybody}))
	w.ok(w.SetPrivacy(w.ctx(), u[0], chat.PrivacyChange{Calls: &contacts}))
	w.ok(w.SetPrivacy(w.ctx(), u[0], chat.PrivacyChange{}))
	w.is(w.SetPrivacy(w.ctx(), 1<<40, chat.PrivacyChange{Messages: &contacts}), chat.ErrNotFound)
	equal(w, "settings that a change leaves out", get(), map[int64]chat.Privacy{
		u[0]: {Messages: chat.Contacts, Calls: chat.Contacts}, u[1]: {Groups: chat.Contacts, Calls: chat.Everybody},
	})
	equal(w, "privacy of no user", must[map[int64]chat.Privacy](w)(w.Privacy(w.ctx(), nil)), map[int64]chat.Privacy{})
}

// testMessageRequests: messages of a stranger are stored, but the receiver is not a member until
// they accept.
func testMessageRequests(w *world) {
	u := w.users(2)
	o := w.ask(u[0], u[1])
	want := chat.Request{ID: o.Asked.ID, UserID: u[1], FromID: u[0], Kind: chat.RequestMessage, ChatID: o.ConversationID, CreatedAt: w.stored()}
	equal(w, "the request", *o.Asked, want)
	w.send(o.ConversationID, u[0], "one")
	equal(w, "the second message makes no request", w.ask(u[0], u[1]), chat.Opened{ConversationID: o.ConversationID})
	last := w.send(o.ConversationID, u[0], "two")
	equal(w, "seq of the second message", last.Seq, 2)
	equal(w, "receiver of the message", last.ReceiverID, u[1])
	in, closed := w.membersOf(o.ConversationID)
	equal(w, "members", in, u[:1])
	equal(w, "closed for", closed, nil)
	equal(w, "pair", must[chat.Membership](w)(w.Membership(w.ctx(), o.ConversationID)).Pair, chat.PairOf(u[0], u[1]))
	list := w.waiting(u[1])
	equal(w, "last message of the request", list[0].Message.Content, "two")
	list[0].Message = nil
	equal(w, "waiting", list, []chat.Request{want})
	equal(w, "pending requests to the sender", w.waiting(u[0]), nil)
	equal(w, "dialogs of the receiver", len(must[[]chat.Dialog](w)(w.Dialogs(w.ctx(), u[1], 10, 0))), 0)
	equal(w, "the sender's dialog", len(must[[]chat.Dialog](w)(w.Dialogs(w.ctx(), u[0], 10, 0))), 1)
	equal(w, "unread messages before the request is accepted", must[int64](w)(w.Unread(w.ctx(), u[1])), 0)
	equal(w, "relation before the request is accepted", w.relation(u[0], u[1]), chat.Relation{})
	_, total := w.history(chat.MessageQuery{UserID: u[1], ConversationID: o.ConversationID, Limit: 10})
	equal(w, "messages for the receiver", total, 0)

	_, err := w.Request(w.ctx(), u[0], want.ID)
	w.is(err, chat.ErrNotFound)
	equal(w, "Request by id", must[chat.Request](w)(w.Request(w.ctx(), u[1], want.ID)), want)
	w.ok(w.AcceptRequest(w.ctx(), want, w.now))
	w.is(w.AcceptRequest(w.ctx(), want, w.now), chat.ErrNotFound)
	w.is(w.DeclineRequest(w.ctx(), want), chat.ErrNotFound)
	equal(w, "friends", w.relation(u[1], u[0]), chat.Relation{Added: true, Together: true})
	equal(w, "unread messages after the request was accepted", must[int64](w)(w.Unread(w.ctx(), u[1])), 2)
	contents, _ := w.history(chat.MessageQuery{UserID: u[1], ConversationID: o.ConversationID, Limit: 10})
	equal(w, "history after the request was accepted", contents, []string{"two", "one"})
	equal(w, "pending requests", w.waiting(u[1]), nil)
	equal(w, "request for a message after the acceptance", w.ask(u[0], u[1]).Asked, nil)
}

// testMessageRequestsAcceptedByReply: a reply accepts the request, and so does adding the stranger as a
// friend.
func testMessageRequestsAcceptedByReply(w *world) {
	u := w.users(3)
	o := w.ask(u[0], u[1])
	w.send(o.ConversationID, u[0], "hello")
	back := w.ask(u[1], u[0])
	equal(w, "request that the reply accepts", back.Accepted.ID, o.Asked.ID)
	equal(w, "request for the reply", back.Asked, nil)
	equal(w, "friends", w.relation(u[1], u[0]).Added, true)
	equal(w, "seq of the reply", w.send(o.ConversationID, u[1], "hello").Seq, 2)

	o = w.ask(u[0], u[2])
	w.ok(w.Befriend(w.ctx(), u[0], u[2], w.now)) // the stranger adds the receiver: this accepts nothing
	in, _ := w.membersOf(o.ConversationID)
	equal(w, "members while the request is pending", in, u[:1])
	w.ok(w.Befriend(w.ctx(), u[2], u[0], w.now))
	in, _ = w.membersOf(o.ConversationID)
	equal(w, "members", in, []int64{u[0], u[2]})
	equal(w, "pending requests", w.waiting(u[2]), nil)
}

func testMessageRequestsDeclined(w *world) {
	u := w.users(2)
	o := w.ask(u[0], u[1])
	w.send(o.ConversationID, u[0], "hello")
	w.ok(w.DeclineRequest(w.ctx(), *o.Asked))
	w.is(w.AcceptRequest(w.ctx(), *o.Asked, w.now), chat.ErrNotFound)
	refused := func() error {
		w.Helper()
		return must[[]chat.Appended](w)(w.Append(w.ctx(), []chat.NewMessage{w.message(o.ConversationID, u[0], "x")}))[0].Err
	}
	w.is(refused(), chat.ErrNotFound)
	_, err := w.EnsureDirect(w.ctx(), chat.Opening{From: u[0], To: u[1], Ask: true, At: w.now})
	w.is(err, chat.ErrDeclined)
	equal(w, "pending requests after one was declined", w.waiting(u[1]), nil)
	w.block(u[1], u[0])
	w.ok(w.Unblock(w.ctx(), u[1], u[0]))
	w.ok(refused()) // the block has deleted the declined request
	again := w.ask(u[0], u[1])
	w.ok(w.DeclineRequest(w.ctx(), *again.Asked))
	w.is(refused(), chat.ErrNotFound)
	equal(w, "request that the reply accepts after it was declined", w.ask(u[1], u[0]).Accepted, nil)
	w.send(o.ConversationID, u[1], "I changed my mind")
	w.ok(refused())
	equal(w, "friends", w.relation(u[1], u[0]).Added, true)
}

// testMessageRequestsAfterUnfriend: after the end of a friendship, the next message counts as a first one.
func testMessageRequestsAfterUnfriend(w *world) {
	u := w.users(2)
	d := w.direct(u[0], u[1])
	w.send(d, u[0], "hello")
	equal(w, "request in a conversation that exists", w.ask(u[0], u[1]).Asked, nil)
	w.ok(w.Befriend(w.ctx(), u[1], u[0], w.now))
	w.ok(w.Unfriend(w.ctx(), u[0], u[1]))
	in, closed := w.membersOf(d)
	equal(w, "members", in, u)
	equal(w, "closed for", closed, u)
	o := w.ask(u[0], u[1])
	equal(w, "request after the end of the friendship", o.Asked.ChatID, d)
	in, closed = w.membersOf(d)
	equal(w, "members while the request is pending", in, u[:1])
	equal(w, "closed for, while the request is pending", closed, nil)
	w.ok(w.AcceptRequest(w.ctx(), *o.Asked, w.now))
	w.ok(w.Unfriend(w.ctx(), u[0], u[1]))
	w.direct(u[0], u[1]) // without a request, because the receiver accepts messages from everybody
	in, _ = w.membersOf(d)
	equal(w, "members after a message without a request", in, u)
	w.block(u[1], u[0])
	w.ok(w.Unblock(w.ctx(), u[1], u[0]))
	equal(w, "receiver of the request after a block", w.ask(u[0], u[1]).Asked.UserID, u[1])
}

// testCallRequests tests requests to call.
func testCallRequests(w *world) {
	u := w.users(4)
	r := chat.Request{UserID: u[0], FromID: u[1], Kind: chat.RequestCall, CreatedAt: w.now}
	ask := func(r chat.Request) (chat.Request, bool, error) { return w.Ask(w.ctx(), r, 10) }
	first, made, err := ask(r)
	w.ok(err)
	equal(w, "the first request is new", made, true)
	again, made, err := ask(r)
	w.ok(err)
	equal(w, "the second one is not new", made, false)
	equal(w, "the second one is the first", again, first)
	equal(w, "waiting", w.waiting(u[0]), []chat.Request{first})
	w.ok(w.AcceptRequest(w.ctx(), first, w.now))
	equal(w, "friends", w.relation(u[0], u[1]), chat.Relation{Added: true})
	r.FromID = u[2]
	second, _, err := ask(r)
	w.ok(err)
	w.ok(w.DeclineRequest(w.ctx(), second))
	_, _, err = ask(r)
	w.is(err, chat.ErrDeclined)
	w.ok(w.Befriend(w.ctx(), u[0], u[2], w.now)) // deletes the declined request
	_, made, err = ask(r)
	w.ok(err)
	equal(w, "a request after the declined one was deleted is new", made, true)
	w.block(u[0], u[2])
	_, _, err = ask(r)
	w.is(err, chat.ErrBlocked)
	equal(w, "pending requests after a block", w.waiting(u[0]), nil)
	r.FromID = 1 << 40
	_, _, err = ask(r)
	w.is(err, chat.ErrNotFound)
}

func testGroupRequests(w *world) {
	u := w.users(5)
	g, other := w.group(u[0], u[1]), w.group(u[4])
	ask := func(from, to, chatID int64) (chat.Request, error) {
		r, _, err := w.Ask(w.ctx(), chat.Request{UserID: to, FromID: from, Kind: chat.RequestGroup, ChatID: chatID, CreatedAt: w.now}, 10)
		return r, err
	}
	_, err := ask(u[0], u[2], other)
	w.is(err, chat.ErrNotFound) // not a member
	r, err := ask(u[0], u[2], g)
	w.ok(err)
	in, _ := w.membersOf(g)
	equal(w, "members before the request is accepted", in, u[:2])
	accept := func(r chat.Request, decide func(chat.Member, *chat.Member) error) error {
		_, err := w.ChangeMember(w.ctx(), chat.MemberChange{ConversationID: g, ActorID: r.FromID, UserID: r.UserID, Request: r.ID, Limit: 3, Decide: decide})
		return err
	}
	join := func(_ chat.Member, m *chat.Member) error { m.Role = chat.RoleMember; return nil }
	no := errors.New("no")
	w.is(accept(r, func(chat.Member, *chat.Member) error { return no }), no)
	equal(w, "pending requests after a refusal", len(w.waiting(u[2])), 1)
	w.ok(accept(r, join))
	w.is(accept(r, join), chat.ErrNotFound)
	in, _ = w.membersOf(g)
	equal(w, "members", in, u[:3])
	full, err := ask(u[0], u[3], g)
	w.ok(err)
	w.is(accept(full, join), chat.ErrConflict)
	equal(w, "pending requests after a conflict", w.waiting(u[3]), []chat.Request{full})
	w.ok(w.Befriend(w.ctx(), u[3], u[0], w.now))
	equal(w, "pending requests to a group after Befriend", len(w.waiting(u[3])), 1)
	w.ok(w.DeclineRequest(w.ctx(), full))
	_, err = ask(u[0], u[3], g)
	w.is(err, chat.ErrDeclined)
	_, err = ask(u[1], u[3], g)
	w.ok(err)
}

func testRequestsAreLimited(w *world) {
	u := w.users(20)
	var asked, full atomic.Int32
	var wg sync.WaitGroup
	for _, from := range u[1:] {
		wg.Go(func() {
			_, err := w.EnsureDirect(w.ctx(), chat.Opening{From: from, To: u[0], Ask: true, Limit: 5, At: w.now})
			switch {
			case err == nil:
				asked.Add(1)
			case errors.Is(err, chat.ErrConflict):
				full.Add(1)
			default:
				w.Error(err)
			}
		})
	}
	wg.Wait()
	equal(w, "asked and refused", []int32{asked.Load(), full.Load()}, []int32{5, 14})
	equal(w, "waiting", len(w.waiting(u[0])), 5)
	for _, from := range u[1:] {
		_, err := w.FindDirect(w.ctx(), chat.PairOf(from, u[0]))
		waits := false
		for _, r := range w.waiting(u[0]) {
			waits = waits || r.FromID == from
		}
		if waits != (err == nil) {
			w.Errorf("user %d has a pending request: %v; error of their conversation: %v", from, waits, err)
		}
	}
	page := must[[]chat.Request](w)(w.Requests(w.ctx(), u[0], 2, 2))
	equal(w, "pages, the newest first", []chat.Request{page[0], page[1]}, w.waiting(u[0])[2:4])
	_, _, err := w.Ask(w.ctx(), chat.Request{UserID: u[0], FromID: u[1], Kind: chat.RequestCall}, 5)
	w.is(err, chat.ErrConflict)
	w.ok(w.DeclineRequest(w.ctx(), w.waiting(u[0])[0]))
	_, _, err = w.Ask(w.ctx(), chat.Request{UserID: u[0], FromID: u[1], Kind: chat.RequestCall}, 5)
	w.ok(err)
}

// testAnswersUnderConcurrency accepts and declines at once: one answer succeeds.
func testAnswersUnderConcurrency(w *world) {
	for range 20 {
		u := w.users(2)
		o := w.ask(u[0], u[1])
		w.send(o.ConversationID, u[0], "hello")
		var accepted, declined atomic.Int32
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				answer, count := func() error { return w.AcceptRequest(w.ctx(), *o.Asked, w.now) }, &accepted
				if i%2 == 0 {
					answer, count = func() error { return w.DeclineRequest(w.ctx(), *o.Asked) }, &declined
				}
				if err := answer(); err == nil {
					count.Add(1)
				} else if !errors.Is(err, chat.ErrNotFound) {
					w.Error(err)
				}
			})
		}
		wg.Wait()
		equal(w, "answers", accepted.Load()+declined.Load(), 1)
		equal(w, "pending requests", w.waiting(u[1]), nil)
		r := must[[]chat.Appended](w)(w.Append(w.ctx(), []chat.NewMessage{w.message(o.ConversationID, u[0], "x")}))[0]
		equal(w, "the sender may write", r.Err == nil, accepted.Load() == 1)
		equal(w, "unread", must[int64](w)(w.Unread(w.ctx(), u[1])), 2*int64(accepted.Load()))
	}
}
