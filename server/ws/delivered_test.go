package ws

import (
	"fmt"
	"testing"

	"github.com/onemeter/onemeter/server/chat"
)

// TestTheSenderIsToldOfDelivery sends a burst to one who is there and to one who
// asks later: the sender's devices are told, once for many, and the receiver's not.
func TestTheSenderIsToldOfDelivery(t *testing.T) {
	w := newWorld(t, Config{})
	ann, bob, cat := w.user("ann"), w.user("bob"), w.user("cat")
	phone, laptop, b, second := w.dial(ann), w.dial(ann), w.dial(bob), w.dial(bob)
	const burst = 50
	for i := range burst {
		phone.send("message.send", map[string]any{"receiver_id": bob.User.ID, "content": fmt.Sprint(i)})
		phone.send("message.send", map[string]any{"receiver_id": cat.User.ID, "content": fmt.Sprint(i)})
	}
	frames := 0
	for _, c := range []*client{phone, laptop} {
		for last := int64(0); last < burst; frames++ {
			var d chat.MessageDelivered
			c.want("message.delivered", &d)
			if d.Seq <= last || d.DeliveredTo != bob.User.ID || d.ReceiverID != bob.User.ID || d.SenderID != ann.User.ID || d.DeliveredAt.IsZero() {
				t.Fatalf("after %d comes %+v", last, d)
			}
			last = d.Seq
		}
	}
	if frames > burst { // of 100, had each its own
		t.Errorf("%d frames for %d messages on two devices", frames, burst)
	}
	for _, c := range []*client{b, second} {
		c.send("ping", nil)
		for f := c.next(); f.Type != "pong"; f = c.next() {
			if f.Type != "message.new" {
				t.Errorf("the receiver is told %s", f.Type)
			}
		}
	}
	// Cat was not there: who asks has got it. Twice is told once.
	late := w.dial(cat)
	for range 2 {
		late.send("sync", map[string]any{"receiver_id": ann.User.ID, "limit": 30})
		late.want("sync")
	}
	var d chat.MessageDelivered
	phone.want("message.delivered", &d)
	if d.DeliveredTo != cat.User.ID || d.Seq != 30 {
		t.Errorf("by sync: %+v", d)
	}
	page, err := w.svc.Messages(t.Context(), chat.Caller{UserID: cat.User.ID}, chat.History{Target: chat.Target{ReceiverID: ann.User.ID}})
	if err != nil || len(page.Messages) != burst {
		t.Fatal(len(page.Messages), err)
	}
	phone.want("message.delivered", &d)
	if d.Seq != burst {
		t.Errorf("by asking: %+v", d)
	}
}

// TestNotesToSelfAndGroupsTellNoDelivery keeps frames from those who need
// none, and groups' receipts apart from ticks.
func TestNotesToSelfAndGroupsTellNoDelivery(t *testing.T) {
	w := newWorld(t, Config{})
	ann, bob := w.user("ann"), w.user("bob")
	me := chat.Caller{UserID: ann.User.ID}
	g, err := w.svc.CreateGroup(t.Context(), me, "team", []int64{bob.User.ID})
	if err != nil {
		t.Fatal(err)
	}
	a, other, b := w.dial(ann), w.dial(ann), w.dial(bob)
	a.send("message.send", map[string]any{"receiver_id": ann.User.ID, "content": "note"})
	a.want("message.ack")
	a.send("message.send", map[string]any{"chat_id": g.ID, "content": "hello"})
	var sent ack
	a.want("message.ack", &sent)
	b.want("message.new")
	w.await("the member's receipt", func() bool {
		r, err := w.svc.Receipts(t.Context(), me, sent.ID)
		return err == nil && len(r.DeliveredTo) == 1 && r.DeliveredTo[0].UserID == bob.User.ID && r.DeliveredTo[0].DeliveredAt != nil && len(r.ReadBy) == 0
	})
	b.send("message.read", map[string]any{"message_id": sent.ID})
	var read chat.MessageRead
	a.want("message.read", &read)
	if read.ReadBy != bob.User.ID || read.ChatID != g.ID || read.Seq != 1 {
		t.Errorf("%+v", read)
	}
	r, err := w.svc.Receipts(t.Context(), me, sent.ID)
	if err != nil || len(r.ReadBy) != 1 || r.ReadBy[0].ReadAt == nil {
		t.Errorf("%+v, %v", r, err)
	}
	for _, c := range []*client{a, other} {
		c.send("ping", nil)
		for f := c.next(); f.Type != "pong"; f = c.next() {
			if f.Type == "message.delivered" {
				t.Errorf("told %s", f.Payload)
			}
		}
	}
}
