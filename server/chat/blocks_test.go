package chat_test

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

func (n *node) block(t *testing.T, by, other chat.Caller) {
	t.Helper()
	if _, err := n.Block(t.Context(), by, other.UserID); err != nil {
		t.Fatal(err)
	}
}

// told returns the delivered events of a type for a user.
func (n *node) told(user chat.Caller, typ chat.EventType) (events []chat.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.events {
		if e.Type == typ && slices.Contains(e.To, user.UserID) {
			events = append(events, e)
		}
	}
	return events
}

// refused fails the test unless err is Forbidden and says why.
func refused(t *testing.T, what string, err error, why string) {
	t.Helper()
	if chat.KindOf(err) != chat.KindForbidden || !strings.Contains(err.Error(), why) {
		t.Errorf("%s: %v, want one that says %q", what, err, why)
	}
}

// TestBlockedUserCannotReachBlocker tries every way, on the node of the block and on one
// with stale caches.
func TestBlockedUserCannotReachBlocker(t *testing.T) {
	w := newWorld(t)
	here, there := w.node(t, nil), w.node(t, nil)
	ann, ben, cat := w.user(t), w.user(t), w.user(t)
	here.send(t, ben, ann.UserID, "before")
	there.send(t, ben, ann.UserID, "from there")
	g := newGroup(t, here, ben, cat)
	here.block(t, ann, ben)
	for name, n := range map[string]*node{"here": here, "there": there} {
		draft := chat.Draft{Target: chat.Target{ReceiverID: ann.UserID}, Content: "x"}
		_, err := n.Send(t.Context(), ben, draft)
		if chat.KindOf(err) != chat.KindForbidden {
			t.Errorf("%s: a message: %v", name, err)
		}
		draft.Target = chat.Target{ReceiverID: ben.UserID}
		if _, err = n.Send(t.Context(), ann, draft); chat.KindOf(err) != chat.KindForbidden {
			t.Errorf("%s: the blocker writes: %v", name, err)
		}
	}
	_, err := here.Send(t.Context(), ben, chat.Draft{Target: chat.Target{ReceiverID: ann.UserID}, Content: "x"})
	refused(t, "a message", err, "has blocked you")
	_, err = here.Send(t.Context(), ann, chat.Draft{Target: chat.Target{ReceiverID: ben.UserID}, Content: "x"})
	refused(t, "the blocker's message", err, "unblock them first")
	refused(t, "a call", here.MayCall(t.Context(), ben.UserID, ann.UserID), "has blocked you")
	refused(t, "the blocker's call", here.MayCall(t.Context(), ann.UserID, ben.UserID), "unblock them first")
	_, err = here.AddMember(t.Context(), ben, g, ann.UserID)
	refused(t, "into a group", err, "has blocked you")
	_, err = here.CreateGroup(t.Context(), ben, "g", []int64{cat.UserID, ann.UserID})
	refused(t, "a new group", err, "has blocked you")
	_, err = here.AddFriend(t.Context(), ben, ann.UserID)
	refused(t, "a friend", err, "has blocked you")
	if page, err := here.Messages(t.Context(), ann, chat.History{Target: chat.Target{ReceiverID: ben.UserID}}); err != nil || page.Total != 2 {
		t.Errorf("%d messages are there, %v", page.Total, err)
	}
	// A retry of an earlier message succeeds.
	if m := here.send(t, ben, ann.UserID, "before"); m.Seq != 1 {
		t.Errorf("a retry is seq %d", m.Seq)
	}
}

// TestBlockBeforeFirstMessage: a refused first message leaves no empty conversation.
func TestBlockBeforeFirstMessage(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil)
	ann, ben := w.user(t), w.user(t)
	n.block(t, ann, ben)
	_, err := n.Send(t.Context(), ben, chat.Draft{Target: chat.Target{ReceiverID: ann.UserID}, Content: "x", ClientMsgID: "1"})
	refused(t, "the first message", err, "has blocked you")
	for _, u := range []chat.Caller{ann, ben} {
		if d, err := n.Dialogs(t.Context(), u, chat.Paging{}); err != nil || len(d.Items) != 0 {
			t.Errorf("dialogs %+v, %v", d.Items, err)
		}
	}
	if err := n.Unblock(t.Context(), ann, ben.UserID); err != nil {
		t.Fatal(err)
	}
	n.send(t, ben, ann.UserID, "1")
	n.send(t, ann, ben.UserID, "2")
}

func TestGroupsContinueAfterBlock(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil)
	ann, ben := w.user(t), w.user(t)
	g := newGroup(t, n, ann, ben)
	n.block(t, ann, ben)
	for _, u := range []chat.Caller{ann, ben} {
		if _, err := n.Send(t.Context(), u, chat.Draft{Target: chat.Target{ChatID: g}, Content: "x"}); err != nil {
			t.Error(err)
		}
	}
	n.delivered(t, 2)
	if got := len(n.told(ann, chat.EventMessageNew)); got != 2 {
		t.Errorf("the blocker was told of %d messages of the group", got)
	}
}

// TestBlockEndsFriendship: an unblock does not restore it.
func TestBlockEndsFriendship(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil)
	ann, ben := w.user(t), w.user(t)
	for _, pair := range [][2]chat.Caller{{ann, ben}, {ben, ann}} {
		if _, err := n.AddFriend(t.Context(), pair[0], pair[1].UserID); err != nil {
			t.Fatal(err)
		}
	}
	n.block(t, ann, ben)
	n.block(t, ann, ben)
	_, err := n.AddFriend(t.Context(), ann, ben.UserID)
	refused(t, "a friend whom one has blocked", err, "unblock them first")
	if err := n.Unblock(t.Context(), ann, ben.UserID); err != nil {
		t.Fatal(err)
	}
	for _, u := range []chat.Caller{ann, ben} {
		if f, err := n.Friends(t.Context(), u, chat.Paging{}); err != nil || len(f.Items) != 0 {
			t.Errorf("friends %+v, %v", f.Items, err)
		}
	}
	for what, err := range map[string]error{
		"unblocked twice":     n.Unblock(t.Context(), ann, ben.UserID),
		"not a friend":        n.Unfriend(t.Context(), ann, ben.UserID),
		"unblocked a nobody":  n.Unblock(t.Context(), ann, 4711),
		"unfriended a nobody": n.Unfriend(t.Context(), ann, 4711),
	} {
		if chat.KindOf(err) != chat.KindNotFound {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := n.Block(t.Context(), ann, ann.UserID); chat.KindOf(err) != chat.KindInvalid {
		t.Errorf("oneself: %v", err)
	}
	if _, err := n.Block(t.Context(), ann, 4711); chat.KindOf(err) != chat.KindNotFound {
		t.Errorf("nobody: %v", err)
	}
}

func TestOtherDevicesAreNotifiedOfBlock(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil)
	ann, ben := w.user(t), w.user(t)
	ann.Conn = 7
	n.block(t, ann, ben)
	if err := n.Unblock(t.Context(), ann, ben.UserID); err != nil {
		t.Fatal(err)
	}
	if _, err := n.AddFriend(t.Context(), ben, ann.UserID); err != nil {
		t.Fatal(err)
	}
	if err := n.Unfriend(t.Context(), ann, ben.UserID); err != nil {
		t.Fatal(err)
	}
	var changes []chat.RelationChange
	for _, e := range n.told(ann, chat.EventUserUpdate) {
		u := e.Payload.(chat.UserUpdated)
		if changes = append(changes, u.Change); u.UserID != ben.UserID || e.Except != 7 || len(e.To) != 1 {
			t.Errorf("%+v", e)
		}
	}
	want := []chat.RelationChange{chat.RelationBlocked, chat.RelationUnblocked, chat.RelationUnfriended}
	if !slices.Equal(changes, want) {
		t.Errorf("told %v, want %v", changes, want)
	}
	if got := n.told(ben, chat.EventUserUpdate); len(got) != 0 {
		t.Errorf("the other was told %+v", got)
	}
}

// TestBlockedUserDoesNotSeePresenceOfBlocker checks everything that shows presence or
// typing.
func TestBlockedUserDoesNotSeePresenceOfBlocker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := w.node(t, nil)
		ann, ben, cat := w.user(t), w.user(t), w.user(t)
		g := newGroup(t, n, cat, ann, ben)
		n.send(t, ann, ben.UserID, "1")
		n.come(t, ann, ben)
		n.presence(t)
		n.block(t, ann, ben)
		// The blocked user gets one event: the blocker went offline.
		if got := n.presence(t); len(got) != 1 || got[0].IsOnline || got[0].UserID != ann.UserID || !got[0].LastSeen.IsZero() {
			t.Errorf("told %+v", got)
		}
		seen := func(viewer chat.Caller) (users []chat.User) {
			t.Helper()
			d, err := n.Dialogs(t.Context(), viewer, chat.Paging{})
			if err != nil {
				t.Fatal(err)
			}
			m, err := n.Members(t.Context(), viewer, g, chat.Paging{})
			if err != nil {
				t.Fatal(err)
			}
			page, err := n.Messages(t.Context(), viewer, chat.History{})
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range d.Items {
				if d.Peer != nil {
					users = append(users, *d.Peer, *d.LastMessage.Sender)
				}
			}
			for _, m := range m.Items {
				users = append(users, *m.User)
			}
			for _, m := range page.Messages {
				users = append(users, *m.Sender)
			}
			return users
		}
		hidden := func(of, from chat.Caller) (yes, no int) {
			t.Helper()
			for _, u := range seen(from) {
				switch {
				case u.ID != of.UserID:
				case u.Online || !u.LastSeen.IsZero():
					no++
				default:
					yes++
				}
			}
			return yes, no
		}
		if yes, no := hidden(ann, ben); yes != 4 || no != 0 {
			t.Errorf("the blocked sees the blocker %d times, and %d times not", no, yes)
		}
		if yes, no := hidden(ben, ann); yes != 0 || no == 0 {
			t.Errorf("the blocker sees the blocked %d times, and %d times not", no, yes)
		}
		n.goes(t, ann)
		n.come(t, ann)
		time.Sleep(time.Second)
		synctest.Wait()
		for _, target := range []chat.Target{{ChatID: g}, {ReceiverID: ben.UserID}} {
			if err := n.Typing(t.Context(), ann, target, true); err != nil {
				t.Fatal(err)
			}
		}
		if err := n.Typing(t.Context(), ben, chat.Target{ReceiverID: ann.UserID}, true); err != nil {
			t.Fatal(err)
		}
		for _, typ := range []chat.EventType{chat.EventPresence, chat.EventTyping} {
			if got := n.told(ben, typ); len(got) != 0 {
				t.Errorf("the blocked was told %+v", got)
			}
			if got := n.told(cat, typ); len(got) != 1 {
				t.Errorf("another was told %+v", got)
			}
		}
		if got := n.told(ann, chat.EventTyping); len(got) != 0 {
			t.Errorf("the blocker was told %+v", got)
		}
		if err := n.Unblock(t.Context(), ann, ben.UserID); err != nil {
			t.Fatal(err)
		}
		if yes, no := hidden(ann, ben); yes != 0 || no != 4 {
			t.Errorf("unblocked, he is seen %d times, and %d times not", no, yes)
		}
	})
}

// TestNoMessageIsStoredAfterBlock blocks a user who is sending messages from two nodes.
func TestNoMessageIsStoredAfterBlock(t *testing.T) {
	w := newWorld(t)
	here, there := w.node(t, nil), w.node(t, nil)
	for range 10 {
		ann, ben := w.user(t), w.user(t)
		target := chat.Target{ReceiverID: ann.UserID}
		var stored atomic.Int64
		var writers, begun sync.WaitGroup
		begun.Add(4)
		for i := range 4 {
			n := []*node{here, there}[i%2]
			writers.Go(func() {
				begin := sync.OnceFunc(begun.Done)
				defer begin()
				for {
					_, err := n.Send(t.Context(), ben, chat.Draft{Target: target, Content: "x"})
					begin()
					if err != nil {
						if chat.KindOf(err) != chat.KindForbidden {
							t.Error(err)
						}
						return
					}
					stored.Add(1)
				}
			})
		}
		begun.Wait()
		here.block(t, ann, ben)
		page, err := here.Messages(t.Context(), ann, chat.History{Target: chat.Target{ReceiverID: ben.UserID}})
		if err != nil {
			t.Fatal(err)
		}
		writers.Wait()
		if stored.Load() != page.Total {
			t.Errorf("%d messages were stored, %d before the block", stored.Load(), page.Total)
		}
	}
}
