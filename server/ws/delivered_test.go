package ws

import (
	"fmt"
	"testing"

	"github.com/onemeter/onemeter/server/chat"
)

// The sender's devices get message.delivered, one for several messages, when a receiver is online and when a receiver
// syncs later. The receiver's devices get none.
func TestTheSenderGetsMessageDelivered(t *testing.T) {
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
				t.Fatalf("got %+v after seq %d", d, last)
			}
			last = d.Seq
		}
	}
	if frames > burst { // one per message and device would be twice as many
		t.Errorf("%d frames for %d messages on two devices", frames, burst)
	}
	for _, c := range []*client{b, second} {
		c.send("ping", nil)
		for f := c.next(); f.Type != "pong"; f = c.next() {
			if f.Type != "message.new" {
				t.Errorf("the receiver got %s", f.Type)
			}
		}
	}
	// Cat was offline, and receives the messages with sync. The second sync sends no frame.
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
		t.Errorf("by HTTP: %+v", d)
	}
}

// A note to self and a message to a group send no message.delivered. A group's receipts tell who has received it.
func TestNotesToSelfAndGroupsSendNoMessageDelivered(t *testing.T) {
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
				t.Errorf("got %s", f.Payload)
			}
		}
	}
}
