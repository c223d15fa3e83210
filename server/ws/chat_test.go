package ws

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onemeter/onemeter/server/chat"
)

func TestTwoClientsChat(t *testing.T) {
	w := newWorld(t, Config{})
	ann, bob := w.user("ann"), w.user("bob")
	phone, laptop, other := w.dial(ann), w.dial(ann), w.dial(bob)

	phone.send("message.send", map[string]any{"receiver_id": bob.User.ID, "content": "hello", "client_msg_id": "m1"})
	var a ack
	phone.want("message.ack", &a)
	if a.ClientMsgID != "m1" || a.Seq != 1 || a.ID == 0 {
		t.Errorf("ack %+v", a)
	}
	for _, c := range []*client{laptop, other} {
		var n chat.MessageNew
		c.want("message.new", &n)
		if n.Message.ID != a.ID || n.Message.Content != "hello" || n.Sender.ID != ann.User.ID || n.Chat.Kind != chat.Direct {
			t.Errorf("message.new %+v", n)
		}
	}
	phone.send("message.send", map[string]any{"receiver_id": bob.User.ID, "content": "another", "client_msg_id": "m1"})
	var f failure
	if phone.want("error", &f); f.Code != Code(chat.KindConflict) || f.ClientMsgID != "m1" {
		t.Errorf("client_msg_id used again: %+v", f)
	}
	// The connection that sent it gets no message.new: the pong is next.
	phone.send("ping", nil)
	if f := phone.next(); f.Type != "pong" {
		t.Errorf("got %s %s after the ack", f.Type, f.Payload)
	}
	w.await("delivered", func() bool {
		m, err := w.svc.Message(context.Background(), chat.Caller{UserID: ann.User.ID}, a.ID)
		return err == nil && m.Status == chat.StatusDelivered
	})
}

// A frame has of the chat and the sender only what a client needs to show the message, even if the profile is long.
func TestFramesHaveOnlyWhatClientsShow(t *testing.T) {
	w := newWorld(t, Config{})
	ann, bob := w.user("ann"), w.user("bob")
	me := chat.Caller{UserID: ann.User.ID}
	bio := strings.Repeat("bio ", 100)
	if _, err := w.svc.UpdateMe(t.Context(), me, chat.Profile{Bio: &bio}); err != nil {
		t.Fatal(err)
	}
	g, err := w.svc.CreateGroup(t.Context(), me, "team", []int64{bob.User.ID})
	if err != nil {
		t.Fatal(err)
	}
	a, b := w.dial(ann), w.dial(bob)
	a.send("message.send", map[string]any{
		"chat_id": g.ID, "content": strings.Repeat("x", 128), "client_msg_id": "0b9f2b4e-7c1d-4e5f-8a6b-1c2d3e4f5a6b",
	})
	f := b.next()
	var n struct {
		Message map[string]any
		Chat    map[string]any
		Sender  map[string]any
	}
	if err := json.Unmarshal(f.Payload, &n); err != nil || f.Type != "message.new" {
		t.Fatal(f.Type, err)
	}
	if size := len(f.Payload); size > 520 {
		t.Errorf("%d bytes: %s", size, f.Payload)
	}
	chatWant := map[string]any{"id": float64(g.ID), "kind": "group", "title": "team"}
	senderWant := map[string]any{"id": float64(ann.User.ID), "username": "ann", "nickname": "ann"}
	if diff := cmp.Diff([]any{chatWant, senderWant}, []any{n.Chat, n.Sender}); diff != "" {
		t.Error(diff)
	}
	for _, field := range []string{"status", "is_edited", "is_recalled", "created_at", "updated_at", "chat_id", "seq"} {
		if _, ok := n.Message[field]; !ok {
			t.Errorf("the message has no %s", field)
		}
	}
	a.want("message.ack")
	a.send("message.edit", map[string]any{"message_id": n.Message["id"], "content": "y"})
	var edited struct {
		Message struct{ Sender map[string]any }
	}
	var page struct {
		Messages []struct{ Sender map[string]any }
	}
	b.want("message.edit", &edited)
	b.send("sync", map[string]any{"chat_id": g.ID})
	b.want("sync", &page)
	if diff := cmp.Diff([]any{senderWant, senderWant}, []any{edited.Message.Sender, page.Messages[0].Sender}); diff != "" {
		t.Error(diff)
	}
}

func TestCommands(t *testing.T) {
	w := newWorld(t, Config{})
	ann, bob := w.user("ann"), w.user("bob")
	a, b := w.dial(ann), w.dial(bob)
	send := func(content string) (id int64) {
		a.send("message.send", map[string]any{"receiver_id": bob.User.ID, "content": content})
		var n chat.MessageNew
		b.want("message.new", &n)
		a.want("message.ack")
		return n.Message.ID
	}
	id := send("one")

	a.send("message.edit", map[string]any{"message_id": id, "content": "uno"})
	for _, c := range []*client{a, b} {
		var e chat.MessageEdited
		if c.want("message.edit", &e); e.Message.Content != "uno" || !e.Message.Edited {
			t.Errorf("edited %+v", e)
		}
	}
	b.send("message.read", map[string]any{"id": id})
	for _, c := range []*client{a, b} {
		var r chat.MessageRead
		if c.want("message.read", &r); r.MessageID != id || r.ReadBy != bob.User.ID || r.ReadAt.IsZero() {
			t.Errorf("read %+v", r)
		}
	}
	a.send("message.recall", map[string]any{"message_id": id})
	for _, c := range []*client{a, b} {
		var g chat.MessageGone
		if c.want("message.recall", &g); g.MessageID != id || g.RecalledBy != ann.User.ID || g.RecalledAt == nil || g.DeletedAt != nil {
			t.Errorf("recalled %+v", g)
		}
	}
	second := send("two")
	a.send("message.delete", map[string]any{"message_id": second})
	for _, c := range []*client{a, b} {
		var g chat.MessageGone
		if c.want("message.delete", &g); g.MessageID != second || g.DeletedBy != ann.User.ID || g.DeletedAt == nil {
			t.Errorf("deleted %+v", g)
		}
	}
	a.send("typing", map[string]any{"receiver_id": bob.User.ID, "is_typing": true})
	var ty chat.TypingChanged
	if b.want("typing", &ty); ty.UserID != ann.User.ID || !ty.IsTyping {
		t.Errorf("typing %+v", ty)
	}
	a.send("presence", map[string]any{"is_online": false})
	var p chat.PresenceChanged
	if b.want("presence", &p); p.UserID != ann.User.ID || p.IsOnline {
		t.Errorf("presence %+v", p)
	}
}

func TestPresenceFollowsSockets(t *testing.T) {
	w := newWorld(t, Config{})
	ann, bob := w.user("ann"), w.user("bob")
	b := w.dial(bob)
	b.send("message.send", map[string]any{"receiver_id": ann.User.ID, "content": "are you there?"})
	b.want("message.ack")
	a := w.dial(ann)
	var p chat.PresenceChanged
	if b.want("presence", &p); p.UserID != ann.User.ID || !p.IsOnline {
		t.Errorf("presence %+v", p)
	}
	if s := w.hub.Stats(); s.OnlineUsers != 2 || s.Connections != 2 {
		t.Errorf("stats %+v", s)
	}
	_ = a.CloseNow() // without a close frame
	if b.want("presence", &p); p.UserID != ann.User.ID || p.IsOnline {
		t.Errorf("presence %+v", p)
	}
	if s := w.hub.Stats(); s.OnlineUsers != 1 || s.Connections != 1 {
		t.Errorf("stats %+v", s)
	}
}

// After each presence frame, a contact who asks gets the same, while devices connect, disconnect and send is_online.
func TestPresenceFramesAgreeWithSearch(t *testing.T) {
	w := newWorld(t, Config{})
	ann, bob := w.user("ann"), w.user("bob")
	b := w.dial(bob)
	b.send("message.send", map[string]any{"receiver_id": ann.User.ID, "content": "are you there?"})
	b.want("message.ack")
	frameSays := func(what string, online bool) {
		t.Helper()
		var p chat.PresenceChanged
		b.want("presence", &p)
		u, err := w.svc.SearchUsers(context.Background(), chat.Caller{UserID: bob.User.ID}, "ann", chat.Paging{})
		if err != nil || len(u.Items) != 1 || u.Items[0].Online != online || p.IsOnline != online {
			t.Errorf("%s: frame has %v, search %+v: %v", what, p.IsOnline, u, err)
		}
	}
	says := func(c *client, online bool) {
		c.send("presence", map[string]any{"is_online": online})
		c.send("ping", nil)
		c.want("pong")
	}
	phone := w.dial(ann)
	frameSays("the phone connects", true)
	says(phone, false)
	frameSays("the phone is away", false)
	says(phone, false)
	frameSays("that is repeated", false)
	laptop := w.dial(ann)
	frameSays("the laptop connects", true)
	says(phone, true)
	says(laptop, false)
	says(laptop, false) // the phone still counts
	frameSays("the phone is back", true)
	says(phone, false)
	frameSays("both are away", false)
	_ = laptop.CloseNow()
	says(phone, true)
	frameSays("the laptop disconnects while away", true)
	_ = phone.CloseNow()
	frameSays("the phone disconnects", false)
}

// A client that scrolls back syncs the messages before those it has. Each page is in ascending order.
func TestSyncBackward(t *testing.T) {
	w := newWorld(t, Config{})
	ann, bob := w.user("ann"), w.user("bob")
	const n = 8
	for range n {
		content := strings.Repeat("x", 60_000)
		if _, err := w.svc.Send(t.Context(), chat.Caller{UserID: ann.User.ID}, chat.Draft{Target: chat.Target{ReceiverID: bob.User.ID}, Content: content}); err != nil {
			t.Fatal(err)
		}
	}
	b := w.dial(bob)
	var read []int64
	more := true
	for before := int64(n); more; {
		b.send("sync", map[string]any{"receiver_id": ann.User.ID, "before_seq": before, "limit": 3})
		var s syncAnswer
		b.want("sync", &s)
		if s.BeforeSeq != before || s.ReceiverID != ann.User.ID {
			t.Fatalf("before_seq %d: got before_seq %d, receiver_id %d", before, s.BeforeSeq, s.ReceiverID)
		}
		page := []int64{}
		for _, m := range s.Messages {
			page = append(page, m.Seq)
		}
		read, before, more = append(page, read...), page[0], s.HasMore
	}
	if want := []int64{1, 2, 3, 4, 5, 6, 7}; !slices.Equal(read, want) {
		t.Errorf("read %v, want %v", read, want)
	}
	b.send("sync", map[string]any{"receiver_id": ann.User.ID, "before_seq": 5, "after_seq": 1})
	var refused failure
	if b.want("error", &refused); refused.Code != Code(chat.KindInvalid) || !strings.Contains(refused.Details, "not both") {
		t.Errorf("both: %+v", refused)
	}
}

// The size of a page of sync is that of its JSON, where one byte can become six. So the queue of a client that reads
// slowly has room for it, and for events that come meanwhile.
func TestTheSizeOfASyncPageIsThatOfItsJSON(t *testing.T) {
	const messages, size = 17, 63_000
	for char, most := range map[string]int{"<": 1 << 20 / size, "\x01": 1 << 20 / (6 * size), "\u2028": 1 << 20 / (2 * size)} {
		w := newWorld(t, Config{})
		ann, bob := w.user("ann"), w.user("bob")
		for range messages {
			_, err := w.svc.Send(t.Context(), chat.Caller{UserID: ann.User.ID}, chat.Draft{
				Target: chat.Target{ReceiverID: bob.User.ID}, Content: strings.Repeat(char, size/len(char)),
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		b := w.dial(bob)
		for after := int64(0); after < messages; {
			b.send("sync", map[string]any{"receiver_id": ann.User.ID, "after_seq": after})
			var page syncAnswer
			f := b.want("sync", &page)
			if n := len(page.Messages); n == 0 || n > most || len(f.Payload) > 1<<20+1<<10 || page.HasMore != (page.Messages[n-1].Seq < messages) {
				t.Fatalf("%q: %d messages in %d bytes after %d, more: %v", char, n, len(f.Payload), after, page.HasMore)
			}
			after = page.Messages[len(page.Messages)-1].Seq
		}
	}
}

// The queue of a client has room for several frames, whatever MaxFrame is.
func TestTheQueueGrowsWithTheFrames(t *testing.T) {
	if c := (Config{}).withDefaults(); c.QueueBytes != 4<<20 {
		t.Errorf("%d bytes by default", c.QueueBytes)
	}
	if c := (Config{MaxFrame: 8 << 20}).withDefaults(); c.QueueBytes < 2*6*c.MaxFrame {
		t.Errorf("%d bytes for frames of %d", c.QueueBytes, c.MaxFrame)
	}
}

func TestSync(t *testing.T) {
	w := newWorld(t, Config{})
	ann, bob := w.user("ann"), w.user("bob")
	a := w.dial(ann)
	const n = 25
	for i := range n {
		a.send("message.send", map[string]any{"receiver_id": bob.User.ID, "content": fmt.Sprint(i), "client_msg_id": fmt.Sprint(i)})
	}
	for i := range n {
		var got ack
		if a.want("message.ack", &got); got.Seq != int64(i+1) || got.ClientMsgID != fmt.Sprint(i) {
			t.Fatalf("ack %d: %+v", i, got)
		}
	}
	b := w.dial(bob)
	b.send("sync", map[string]any{"receiver_id": ann.User.ID, "after_seq": 5, "limit": 10})
	var s syncAnswer
	if b.want("sync", &s); s.ReceiverID != ann.User.ID || len(s.Messages) != 10 || !s.HasMore || s.Messages[0].Seq != 6 {
		t.Errorf("sync %+v", s)
	}
	f := func(payload map[string]any) string {
		b.send("sync", payload)
		return string(b.want("sync").Payload)
	}
	if got := f(map[string]any{"receiver_id": ann.User.ID, "after_seq": n}); !strings.Contains(got, `"messages":[]`) {
		t.Errorf("nothing to sync: %s", got)
	}
	b.send("sync", map[string]any{"receiver_id": ann.User.ID, "after_seq": 15})
	if b.want("sync", &s); len(s.Messages) != 10 || s.HasMore || s.Messages[9].Seq != n {
		t.Errorf("sync %+v", s)
	}
}
