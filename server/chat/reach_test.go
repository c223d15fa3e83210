package chat_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// reads fails the test unless a user gets this text of a message.
func (n *node) reads(t *testing.T, user chat.Caller, id int64, text string) {
	t.Helper()
	if m, err := n.Message(t.Context(), user, id); err != nil || m.Content != text {
		t.Errorf("user %d reads %q, want %q: %v", user.UserID, m.Content, text, err)
	}
}

// typing returns how many typing events a reader gets.
func (n *node) typing(t *testing.T, by chat.Caller, where chat.Target, reader chat.Caller) int {
	t.Helper()
	before := len(n.told(reader, chat.EventTyping))
	if err := n.Typing(t.Context(), by, where, true); err != nil {
		t.Fatal(err)
	}
	return len(n.told(reader, chat.EventTyping)) - before
}

// TestEditNeedsConsentLikeNewMessage edits a message after a friendship has ended. A new
// message would need a request, so the edit is refused.
func TestEditNeedsConsentLikeNewMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := w.node(t, nil, contactsOnly)
		ann, ben := w.user(t), w.user(t)
		toAnn := chat.Target{ReceiverID: ann.UserID}
		if _, err := n.AddFriend(t.Context(), ann, ben.UserID); err != nil {
			t.Fatal(err)
		}
		m := n.send(t, ben, ann.UserID, "1")
		if got := n.typing(t, ben, toAnn, ann); got != 1 {
			t.Errorf("that a friend types, she is told %d times", got)
		}
		if err := n.Unfriend(t.Context(), ann, ben.UserID); err != nil {
			t.Fatal(err)
		}
		_, err := n.Edit(t.Context(), ben, m.ID, "edited")
		refused(t, "an edit", err, "only from contacts")
		if got := n.typing(t, ben, toAnn, ann); got != 0 {
			t.Errorf("that a stranger types, she is told %d times", got)
		}
		n.reads(t, ann, m.ID, "text 1")
		time.Sleep(time.Second)
		synctest.Wait()
		if got := n.told(ann, chat.EventMessageEdit); len(got) != 0 {
			t.Errorf("told %+v", got)
		}
		everybody := chat.Everybody
		if _, err := n.SetPrivacy(t.Context(), ann, chat.PrivacyChange{Messages: &everybody}); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Edit(t.Context(), ben, m.ID, "edited"); err != nil {
			t.Errorf("where he need not ask: %v", err)
		}
		n.reads(t, ann, m.ID, "edited")
	})
}

// TestEditsWhileRequestIsPending: the message of a pending request can be edited, that of a
// declined one cannot.
func TestEditsWhileRequestIsPending(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil, contactsOnly)
	ann, ben := w.user(t), w.user(t)
	m := n.send(t, ben, ann.UserID, "1")
	if _, err := n.Edit(t.Context(), ben, m.ID, "please"); err != nil {
		t.Fatal(err)
	}
	waiting := n.waiting(t, ann)
	if len(waiting) != 1 || waiting[0].Message.Content != "please" {
		t.Fatalf("waiting %+v", waiting)
	}
	if _, err := n.Decline(t.Context(), ann, waiting[0].ID); err != nil {
		t.Fatal(err)
	}
	_, err := n.Edit(t.Context(), ben, m.ID, "please!")
	refused(t, "an edit", err, "declined your request")
	n.reads(t, ben, m.ID, "please")
	if got := len(n.told(ann, chat.EventTyping)) + len(n.told(ann, chat.EventMessageEdit)); got != 0 {
		t.Errorf("she was told %d times", got)
	}
}

// TestEditIsRefusedAfterBlock also tries it on a node with stale caches.
func TestEditIsRefusedAfterBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		here, there := w.node(t, nil), w.node(t, nil)
		ann, ben := w.user(t), w.user(t)
		m, own := here.send(t, ben, ann.UserID, "1"), here.send(t, ann, ben.UserID, "2")
		there.reads(t, ben, m.ID, "text 1")
		here.block(t, ann, ben)
		for name, n := range map[string]*node{"here": here, "there": there} {
			if got, err := n.Edit(t.Context(), ben, m.ID, "edited"); err == nil {
				t.Errorf("%s: the blocked edits %+v", name, got)
			}
			if got, err := n.Edit(t.Context(), ann, own.ID, "edited"); err == nil {
				t.Errorf("%s: the blocker edits %+v", name, got)
			}
		}
		here.reads(t, ann, m.ID, "text 1")
		here.reads(t, ben, own.ID, "text 2")
		// Senders may recall their messages, but the other user gets no event.
		if _, err := here.Recall(t.Context(), ben, m.ID); err != nil {
			t.Error(err)
		}
		if _, err := here.Delete(t.Context(), ann, own.ID); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for who, typ := range map[chat.Caller]chat.EventType{ann: chat.EventMessageRecall, ben: chat.EventMessageDelete} {
			if got := here.told(who, typ); len(got) != 0 {
				t.Errorf("user %d was told %+v", who.UserID, got)
			}
		}
		if got := len(here.told(ben, chat.EventMessageRecall)) + len(here.told(ann, chat.EventMessageDelete)); got != 2 {
			t.Errorf("their own devices were told %d times", got)
		}
		here.reads(t, ann, m.ID, "")
		here.reads(t, ben, own.ID, "")
	})
}

// TestMutedMemberDoesNotType: nobody gets a typing event of a muted member.
func TestMutedMemberDoesNotType(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil)
	ann, ben := w.user(t), w.user(t)
	g := newGroup(t, n, ann, ben)
	if _, err := n.SetMuted(t.Context(), ann, g, ben.UserID, true); err != nil {
		t.Fatal(err)
	}
	if got := n.typing(t, ben, chat.Target{ChatID: g}, ann); got != 0 {
		t.Errorf("told %d times", got)
	}
}

// TestFileDeletionIsNotAnnouncedAfterBlock: the other user sees that a file was deleted only
// when they load the message.
func TestFileDeletionIsNotAnnouncedAfterBlock(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil)
	ann, ben, cat := w.user(t), w.user(t), w.user(t)
	f, err := n.Upload(t.Context(), ann, chat.Upload{Name: "f", Body: strings.NewReader("bytes")})
	if err != nil {
		t.Fatal(err)
	}
	var last chat.Message
	for _, to := range []chat.Caller{cat, ben} {
		m, err := n.Send(t.Context(), ann, chat.Draft{Target: chat.Target{ReceiverID: to.UserID}, Type: chat.TypeFile, FileID: f.ID})
		if err != nil {
			t.Fatal(err)
		}
		last = m
	}
	n.block(t, ann, ben)
	if err := n.DeleteFile(t.Context(), ann, f.ID); err != nil {
		t.Fatal(err)
	}
	if got := n.told(ben, chat.EventFileDelete); len(got) != 0 {
		t.Errorf("the blocked was told %+v", got)
	}
	if got := n.told(cat, chat.EventFileDelete); len(got) != 1 {
		t.Errorf("another was told %+v", got)
	}
	if m, err := n.Message(t.Context(), ben, last.ID); err != nil || !m.FileGone {
		t.Errorf("%+v, %v", m, err)
	}
}
