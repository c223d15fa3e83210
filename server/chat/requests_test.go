package chat_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/limit/memlimit"
)

// contactsOnly sets the default of all privacy settings to contacts.
func contactsOnly(c *chat.Config) { c.ContactsOnly = true }

// waiting lists the pending requests of a user.
func (n *node) waiting(t *testing.T, user chat.Caller) []chat.Request {
	t.Helper()
	part, err := n.Requests(t.Context(), user, chat.Paging{})
	if err != nil {
		t.Fatal(err)
	}
	return part.Items
}

// write sends a text of a user to another.
func (n *node) write(ctx context.Context, from, to chat.Caller, text string) (chat.Message, error) {
	return n.Send(ctx, from, chat.Draft{Target: chat.Target{ReceiverID: to.UserID}, Content: text})
}

// quiet fails the test if a user has any conversation or message.
func (n *node) quiet(t *testing.T, user chat.Caller) {
	t.Helper()
	if d, err := n.Dialogs(t.Context(), user, chat.Paging{}); err != nil || len(d.Items) != 0 {
		t.Errorf("dialogs %+v, %v", d.Items, err)
	}
	if u, err := n.Unread(t.Context(), user); err != nil || u != 0 {
		t.Errorf("%d unread, %v", u, err)
	}
	if p, err := n.Messages(t.Context(), user, chat.History{}); err != nil || p.Total != 0 {
		t.Errorf("%d messages, %v", p.Total, err)
	}
	if got := n.told(user, chat.EventMessageNew); len(got) != 0 {
		t.Errorf("told of messages: %+v", got)
	}
}

// TestMessageRequest writes to a user who accepts messages only from contacts. The sender
// sees no difference, and the receiver gets one request.
func TestMessageRequest(t *testing.T) {
	w := newWorld(t)
	n, there := w.node(t, nil, contactsOnly), w.node(t, nil, contactsOnly)
	ann, ben := w.user(t), w.user(t)
	ann.Conn = 7
	for i := int64(1); i <= 3; i++ {
		m, err := []*node{n, there, n}[i-1].write(t.Context(), ben, ann, "hello")
		if err != nil || m.Seq != i || m.ReceiverID != ann.UserID || m.Status != chat.StatusSent {
			t.Fatalf("%+v, %v", m, err)
		}
	}
	n.delivered(t, 2) // the sender's own devices
	n.quiet(t, ann)
	told := n.told(ann, chat.EventRequest)
	waiting := n.waiting(t, ann)
	if len(told) != 1 || len(waiting) != 1 {
		t.Fatalf("told %+v, waiting %+v", told, waiting)
	}
	if r := told[0].Payload.(chat.RequestMade).Request; r.ID != waiting[0].ID || r.Kind != chat.RequestMessage ||
		r.FromID != ben.UserID || r.From.ID != ben.UserID || r.Message.Seq != 1 || r.Message.Content != "hello" {
		t.Errorf("told %+v", r)
	}
	if r := waiting[0]; r.Message.Seq != 3 || r.Message.Content != "hello" || r.ChatID != 0 {
		t.Errorf("waiting %+v", r)
	}
	if page, err := n.Messages(t.Context(), ann, chat.History{Target: chat.Target{ReceiverID: ben.UserID}}); err != nil || page.Total != 0 {
		t.Errorf("the asked reads %+v, %v", page, err)
	}
	if err := n.Typing(t.Context(), ben, chat.Target{ReceiverID: ann.UserID}, true); err != nil || len(n.told(ann, chat.EventTyping)) != 0 {
		t.Errorf("typing %v, %+v", err, n.told(ann, chat.EventTyping))
	}
	if chat.KindOf(n.MayCall(t.Context(), ben.UserID, ann.UserID)) != chat.KindForbidden {
		t.Error("a stranger may call")
	}
	if _, err := n.Accept(t.Context(), ann, waiting[0].ID); err != nil {
		t.Fatal(err)
	}
	if got := n.waiting(t, ann); len(got) != 0 {
		t.Errorf("of a friend, there waits %+v", got)
	}
	d, err := n.Dialogs(t.Context(), ann, chat.Paging{})
	if err != nil || len(d.Items) != 1 || d.Items[0].UnreadCount != 3 || d.Items[0].LastMessage.Seq != 3 {
		t.Errorf("dialogs %+v, %v", d.Items, err)
	}
	if friends, err := n.Friends(t.Context(), ann, chat.Paging{}); err != nil || len(friends.Items) != 1 {
		t.Errorf("friends %+v, %v", friends.Items, err)
	}
	if got := n.told(ann, chat.EventRequestUpdate); len(got) == 0 || got[0].Except != 7 || got[0].Payload.(chat.RequestUpdated).Change != chat.RequestWasAccepted {
		t.Errorf("other devices were told %+v", got)
	}
	if m, err := n.write(t.Context(), ben, ann, "again"); err != nil || m.Seq != 4 {
		t.Errorf("%+v, %v", m, err)
	}
	n.delivered(t, 4) // one of them was sent there and loaded
	if got := n.told(ann, chat.EventMessageNew); len(got) != 1 {
		t.Errorf("told of %d messages", len(got))
	}
	if err := n.MayCall(t.Context(), ben.UserID, ann.UserID); err != nil {
		t.Error(err)
	}
}

func TestDeclinedMessageRequest(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil, contactsOnly)
	ann, ben := w.user(t), w.user(t)
	if _, err := n.write(t.Context(), ben, ann, "hello"); err != nil {
		t.Fatal(err)
	}
	id := n.waiting(t, ann)[0].ID
	if _, err := n.Decline(t.Context(), ann, id); err != nil {
		t.Fatal(err)
	}
	_, err := n.write(t.Context(), ben, ann, "please")
	refused(t, "after it was declined", err, "declined your request")
	n.quiet(t, ann)
	if got := n.waiting(t, ann); len(got) != 0 {
		t.Errorf("waiting %+v", got)
	}
	for _, answer := range []func(context.Context, chat.Caller, int64) (chat.Request, error){n.Accept, n.Decline} {
		if _, err := answer(t.Context(), ann, id); chat.KindOf(err) != chat.KindNotFound {
			t.Errorf("answered again: %v", err)
		}
	}
	// By writing themself, the user accepts the request after all.
	if m, err := n.write(t.Context(), ann, ben, "I am sorry"); err != nil || m.Seq != 2 {
		t.Errorf("%+v, %v", m, err)
	}
	if m, err := n.write(t.Context(), ben, ann, "thanks"); err != nil || m.Seq != 3 {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestReplyAcceptsMessageRequest(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil, contactsOnly)
	ann, ben := w.user(t), w.user(t)
	if _, err := n.write(t.Context(), ben, ann, "hello"); err != nil {
		t.Fatal(err)
	}
	if m, err := n.write(t.Context(), ann, ben, "hello"); err != nil || m.Seq != 2 {
		t.Fatalf("%+v, %v", m, err)
	}
	if got := append(n.waiting(t, ann), n.waiting(t, ben)...); len(got) != 0 {
		t.Errorf("waiting %+v", got)
	}
	if d, err := n.Dialogs(t.Context(), ann, chat.Paging{}); err != nil || len(d.Items) != 1 {
		t.Errorf("dialogs %+v, %v", d.Items, err)
	}
	if got := n.told(ann, chat.EventRequestUpdate); len(got) != 1 {
		t.Errorf("told %+v", got)
	}
}

// TestPrivacyAppliesToNewConversations: existing conversations and groups continue.
func TestPrivacyAppliesToNewConversations(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil)
	ann, ben, cat := w.user(t), w.user(t), w.user(t)
	contacts, everybody, other := chat.Contacts, chat.Everybody, chat.Audience("friends")
	want := chat.Privacy{Messages: chat.Everybody, Groups: chat.Everybody, Calls: chat.Everybody}
	if p, err := n.Privacy(t.Context(), ann); err != nil || p != want {
		t.Errorf("%+v, %v", p, err)
	}
	n.send(t, ben, ann.UserID, "1")
	want.Messages = chat.Contacts
	if p, err := n.SetPrivacy(t.Context(), ann, chat.PrivacyChange{Messages: &contacts}); err != nil || p != want {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := n.SetPrivacy(t.Context(), ann, chat.PrivacyChange{Calls: &contacts, Groups: &other}); chat.KindOf(err) != chat.KindInvalid {
		t.Errorf("an audience that there is not: %v", err)
	}
	n.send(t, ben, ann.UserID, "2")
	n.send(t, cat, ann.UserID, "3")
	if got := n.waiting(t, ann); len(got) != 1 || got[0].FromID != cat.UserID {
		t.Errorf("waiting %+v", got)
	}
	if g, err := n.CreateGroup(t.Context(), cat, "g", []int64{ann.UserID}); err != nil || len(g.Members) != 2 {
		t.Errorf("a group: %+v, %v", g, err)
	}
	// After the end of a friendship, the next message counts as a first one.
	if _, err := n.AddFriend(t.Context(), ann, ben.UserID); err != nil {
		t.Fatal(err)
	}
	if err := n.Unfriend(t.Context(), ben, ann.UserID); err != nil {
		t.Fatal(err)
	}
	n.send(t, ben, ann.UserID, "4")
	if got := n.waiting(t, ann); len(got) != 2 || got[0].FromID != ben.UserID || got[0].Message.Seq != 3 {
		t.Errorf("waiting %+v", got)
	}
	server := w.node(t, nil, contactsOnly)
	if p, err := server.Privacy(t.Context(), ann); err != nil || p != (chat.Privacy{Messages: chat.Contacts, Groups: chat.Contacts, Calls: chat.Contacts}) {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := server.SetPrivacy(t.Context(), ann, chat.PrivacyChange{Messages: &everybody}); err != nil {
		t.Fatal(err)
	}
	dan := w.user(t)
	server.send(t, dan, ann.UserID, "5")
	if got := server.told(ann, chat.EventRequest); len(got) != 0 {
		t.Errorf("told %+v", got)
	}
}

func TestGroupRequest(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil, contactsOnly)
	ann, ben, cat := w.user(t), w.user(t), w.user(t)
	for _, u := range []chat.Caller{ann, cat} {
		if _, err := n.AddFriend(t.Context(), u, ben.UserID); err != nil {
			t.Fatal(err)
		}
	}
	dan, eve := w.user(t), w.user(t)
	g, err := n.CreateGroup(t.Context(), ben, "g", []int64{ann.UserID, dan.UserID})
	if err != nil || len(g.Members) != 2 || g.MemberCount != 2 || !slices.Equal(g.Invited, []int64{dan.UserID}) {
		t.Fatalf("%+v, %v", g, err)
	}
	for range 2 { // it is idempotent
		m, err := n.AddMember(t.Context(), ben, g.ID, eve.UserID)
		if err != nil || !m.Invited || m.Role != "" {
			t.Errorf("%+v, %v", m, err)
		}
	}
	if m, err := n.AddMember(t.Context(), ben, g.ID, cat.UserID); err != nil || m.Invited || m.Role != chat.RoleMember {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := n.AddMember(t.Context(), ann, g.ID, w.user(t).UserID); chat.KindOf(err) != chat.KindForbidden {
		t.Errorf("a member asks: %v", err)
	}
	if _, err := n.AddMember(t.Context(), ben, g.ID, 4711); chat.KindOf(err) != chat.KindNotFound {
		t.Errorf("nobody is asked: %v", err)
	}
	for _, u := range []chat.Caller{dan, eve} {
		told, r := n.told(u, chat.EventRequest), n.waiting(t, u)
		if len(told) != 1 || len(r) != 1 || r[0].Kind != chat.RequestGroup || r[0].Chat.Title != "g" || r[0].ChatID != g.ID || r[0].FromID != ben.UserID {
			t.Fatalf("told %+v, waiting %+v", told, r)
		}
		if _, err := n.Members(t.Context(), u, g.ID, chat.Paging{}); chat.KindOf(err) != chat.KindNotFound {
			t.Errorf("a member already: %v", err)
		}
	}
	if _, err := n.Accept(t.Context(), dan, n.waiting(t, eve)[0].ID); chat.KindOf(err) != chat.KindNotFound {
		t.Errorf("another's request: %v", err)
	}
	if _, err := n.Accept(t.Context(), dan, n.waiting(t, dan)[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Decline(t.Context(), eve, n.waiting(t, eve)[0].ID); err != nil {
		t.Fatal(err)
	}
	if m, err := n.Members(t.Context(), dan, g.ID, chat.Paging{}); err != nil || len(m.Items) != 4 {
		t.Errorf("%+v, %v", m, err)
	}
	_, err = n.AddMember(t.Context(), ben, g.ID, eve.UserID)
	refused(t, "after it was declined", err, "declined your request")
}

// TestGroupRequestEndsWithInviter: if the inviter leaves or the user is banned, the request
// cannot be accepted.
func TestGroupRequestEndsWithInviter(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil, contactsOnly)
	owner, admin, ann := w.user(t), w.user(t), w.user(t)
	if _, err := n.AddFriend(t.Context(), admin, owner.UserID); err != nil {
		t.Fatal(err)
	}
	g, err := n.CreateGroup(t.Context(), owner, "g", []int64{admin.UserID})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.SetAdmin(t.Context(), owner, g.ID, admin.UserID, true); err != nil {
		t.Fatal(err)
	}
	if _, err := n.AddMember(t.Context(), admin, g.ID, ann.UserID); err != nil {
		t.Fatal(err)
	}
	leave(t, n, admin, g.ID)
	id := n.waiting(t, ann)[0].ID
	if _, err := n.Accept(t.Context(), ann, id); chat.KindOf(err) != chat.KindNotFound {
		t.Errorf("accepted: %v", err)
	}
	if _, err := n.Decline(t.Context(), ann, id); err != nil {
		t.Error(err)
	}
}

func TestCallRequest(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil, contactsOnly)
	ann, ben := w.user(t), w.user(t)
	for range 2 {
		refused(t, "a call", n.MayCall(t.Context(), ben.UserID, ann.UserID), "only from contacts")
	}
	told, waiting := n.told(ann, chat.EventRequest), n.waiting(t, ann)
	if len(told) != 1 || len(waiting) != 1 || waiting[0].Kind != chat.RequestCall || waiting[0].FromID != ben.UserID {
		t.Fatalf("told %+v, waiting %+v", told, waiting)
	}
	if _, err := n.Decline(t.Context(), ann, waiting[0].ID); err != nil {
		t.Fatal(err)
	}
	refused(t, "after it was declined", n.MayCall(t.Context(), ben.UserID, ann.UserID), "declined")
	if _, err := n.AddFriend(t.Context(), ann, ben.UserID); err != nil {
		t.Fatal(err)
	}
	if err := n.MayCall(t.Context(), ben.UserID, ann.UserID); err != nil {
		t.Error(err)
	}
}

// TestRequestLimit counts users, not messages.
func TestRequestLimit(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil, contactsOnly, func(c *chat.Config) { c.NewRequests = memlimit.New[int64](0.0001, 2, 100) })
	ben := w.user(t)
	people := []chat.Caller{w.user(t), w.user(t), w.user(t)}
	for _, p := range people[:2] {
		for range 3 {
			if _, err := n.write(t.Context(), ben, p, "hello"); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, err := n.write(t.Context(), ben, people[2], "hello")
	if chat.KindOf(err) != chat.KindRateLimited {
		t.Errorf("a third: %v", err)
	}
	if err := n.MayCall(t.Context(), ben.UserID, people[2].UserID); chat.KindOf(err) != chat.KindRateLimited {
		t.Errorf("a third, called: %v", err)
	}
	if got := n.waiting(t, people[2]); len(got) != 0 {
		t.Errorf("waiting %+v", got)
	}
	if _, err := n.AddFriend(t.Context(), people[2], ben.UserID); err != nil {
		t.Fatal(err)
	}
	if _, err := n.write(t.Context(), ben, people[2], "hello"); err != nil {
		t.Errorf("a friend: %v", err)
	}
}

// TestConcurrentAnswersToRequest accepts and declines from two devices while the stranger
// sends more messages. One answer wins, on every node.
func TestConcurrentAnswersToRequest(t *testing.T) {
	w := newWorld(t)
	here, there := w.node(t, nil, contactsOnly), w.node(t, nil, contactsOnly)
	for range 20 {
		ann, ben := w.user(t), w.user(t)
		if _, err := here.write(t.Context(), ben, ann, "first"); err != nil {
			t.Fatal(err)
		}
		id := here.waiting(t, ann)[0].ID
		var accepted, declined error
		var stored atomic.Int64
		var writer sync.WaitGroup
		stop := make(chan struct{})
		writer.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				_, err := there.write(t.Context(), ben, ann, "more")
				switch chat.KindOf(err) {
				case "":
					stored.Add(1)
				case chat.KindForbidden:
				default:
					t.Error(err)
				}
			}
		})
		both(func() { _, accepted = here.Accept(t.Context(), ann, id) }, func() { _, declined = there.Decline(t.Context(), ann, id) })
		close(stop)
		writer.Wait()
		if (accepted == nil) == (declined == nil) {
			t.Fatalf("accepted: %v, declined: %v", accepted, declined)
		}
		d, err := here.Dialogs(t.Context(), ann, chat.Paging{})
		if err != nil {
			t.Fatal(err)
		}
		if accepted != nil {
			if len(d.Items) != 0 || chat.KindOf(accepted) != chat.KindNotFound {
				t.Errorf("declined: %+v, %v", d.Items, accepted)
			}
			continue
		}
		if len(d.Items) != 1 || d.Items[0].LastSeq != stored.Load()+1 || d.Items[0].UnreadCount != stored.Load()+1 {
			t.Errorf("accepted: %+v, of %d messages", d.Items, stored.Load()+1)
		}
	}
}

// TestSendQueriesNoRelations counts the queries of a message in a conversation with a
// pending request, and in one without.
func TestSendQueriesNoRelations(t *testing.T) {
	w := newWorld(t)
	asked := &askCounter{}
	n := w.node(t, nil, contactsOnly, func(c *chat.Config) { asked.Store = c.Store; c.Store = asked })
	ann, ben, cat := w.user(t), w.user(t), w.user(t)
	if _, err := n.AddFriend(t.Context(), cat, ben.UserID); err != nil {
		t.Fatal(err)
	}
	for _, to := range []chat.Caller{ann, cat} {
		if _, err := n.write(t.Context(), ben, to, "first"); err != nil {
			t.Fatal(err)
		}
		before := asked.n.Load()
		for range 10 {
			if _, err := n.write(t.Context(), ben, to, "more"); err != nil {
				t.Fatal(err)
			}
		}
		if more := asked.n.Load() - before; more != 0 {
			t.Errorf("10 messages asked %d times", more)
		}
	}
}

// An askCounter counts queries of relations.
type askCounter struct {
	chat.Store
	n atomic.Int64
}

func (c *askCounter) Privacy(ctx context.Context, ids []int64) (map[int64]chat.Privacy, error) {
	c.n.Add(1)
	return c.Store.Privacy(ctx, ids)
}

func (c *askCounter) AddedBy(ctx context.Context, id int64, ids []int64) (map[int64]bool, error) {
	c.n.Add(1)
	return c.Store.AddedBy(ctx, id, ids)
}

func (c *askCounter) Relation(ctx context.Context, a, b int64) (chat.Relation, error) {
	c.n.Add(1)
	return c.Store.Relation(ctx, a, b)
}

func (c *askCounter) Blocks(ctx context.Context, id int64) (chat.Blocks, error) {
	c.n.Add(1)
	return c.Store.Blocks(ctx, id)
}

func (c *askCounter) EnsureDirect(ctx context.Context, o chat.Opening) (chat.Opened, error) {
	c.n.Add(1)
	return c.Store.EnsureDirect(ctx, o)
}

func (c *askCounter) Membership(ctx context.Context, id int64) (chat.Membership, error) {
	c.n.Add(1)
	return c.Store.Membership(ctx, id)
}
