package ws

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// noticesUntilPong sends a ping and returns the notices before its answer.
func (c *client) noticesUntilPong() (texts []string) {
	c.t.Helper()
	c.send("ping", nil)
	for {
		switch f := c.next(); f.Type {
		case "notice":
			var n chat.Notice
			mustUnmarshal(c.t, f.Payload, &n)
			texts = append(texts, n.Message)
		case "pong":
			return texts
		}
	}
}

// noted waits until so many notices are left to send to a user.
func (w *world) noted(userID int64, left int) {
	w.t.Helper()
	w.await("the notices are recorded as sent", func() bool {
		got, err := w.store.Notices(context.Background(), userID, time.Time{}, 100)
		return err == nil && len(got) == left
	})
}

// Many notices are sent in parts, the oldest first. None is lost because a later one was sent live.
func TestManyNoticesAreSentInParts(t *testing.T) {
	w := newWorld(t, Config{})
	ann := w.user("ann")
	var all []string
	broadcast := func() {
		t.Helper()
		all = append(all, fmt.Sprint("notice ", len(all)))
		if _, err := w.svc.Broadcast(t.Context(), chat.Staff{}, all[len(all)-1]); err != nil {
			t.Fatal(err)
		}
	}
	for range 45 {
		broadcast()
	}
	first := w.dial(ann)
	if got := first.noticesUntilPong(); !slices.Equal(got, all[:20]) {
		t.Errorf("the first connection got %q", got)
	}
	w.noted(ann.User.ID, 25)
	broadcast()
	var live chat.Notice
	if first.want("notice", &live); live.Message != all[45] {
		t.Errorf("live came %q", live.Message)
	}
	if got := w.dial(ann).noticesUntilPong(); !slices.Equal(got, all[20:40]) {
		t.Errorf("the second connection got %q", got)
	}
	w.noted(ann.User.ID, 6)
	if got := w.dial(ann).noticesUntilPong(); !slices.Equal(got, all[40:]) {
		t.Errorf("the third connection got %q", got)
	}
	w.noted(ann.User.ID, 0)
}

// A broadcast is sent to all devices of users who are online, and to the others when they connect, but not again.
func TestNoticesAreSentOnce(t *testing.T) {
	w := newWorld(t, Config{})
	ann, ben := w.user("ann"), w.user("ben")
	phone, laptop := w.dial(ann), w.dial(ann)
	const text = `<script>alert("𠮷")</script>`
	sent, err := w.svc.Broadcast(t.Context(), chat.Staff{}, text)
	if err != nil {
		t.Fatal(err)
	}
	for _, device := range []*client{phone, laptop} {
		var n chat.Notice
		if device.want("notice", &n); n.ID != sent.ID || n.Message != text || n.Kind != chat.NoticeBroadcast {
			t.Errorf("got %+v, sent %+v", n, sent)
		}
	}
	w.noted(ann.User.ID, 0)
	if got := w.dial(ann).noticesUntilPong(); len(got) != 0 {
		t.Errorf("sent again: %q", got)
	}
	if _, err := w.svc.Broadcast(t.Context(), chat.Staff{}, "second"); err != nil {
		t.Fatal(err)
	}
	if got := w.dial(ben).noticesUntilPong(); len(got) != 2 || got[0] != text || got[1] != "second" {
		t.Errorf("a user who was offline got %q", got)
	}
	w.noted(ben.User.ID, 0)
	if got := w.dial(ben).noticesUntilPong(); len(got) != 0 {
		t.Errorf("sent again: %q", got)
	}
	if got := w.dial(w.user("cat")).noticesUntilPong(); len(got) != 0 {
		t.Errorf("a user who registered later got %q", got)
	}
}

// A ban closes the connections of the user, and no others.
func TestABanClosesSockets(t *testing.T) {
	w := newWorld(t, Config{})
	ann, ben := w.user("ann"), w.user("ben")
	hers, his := w.dial(ann), w.dial(ben)
	if _, _, err := w.svc.BanUser(t.Context(), chat.Staff{}, ben.User.ID, "spam", 0); err != nil {
		t.Fatal(err)
	}
	his.wantClosed(StatusSessionEnded)
	hers.noticesUntilPong()
}
