package ws

import (
	"testing"

	"github.com/onemeter/onemeter/server/chat"
)

// If a user deletes a message or a dialog for themselves, the other side gets no frame, and the user gets no edits of
// the message any more.
func TestDeletingForMeIsSentToMyDevicesOnly(t *testing.T) {
	w := newWorld(t, Config{})
	ann, bob := w.user("ann"), w.user("bob")
	a, phone, laptop := w.dial(ann), w.dial(bob), w.dial(bob)
	var ids []int64
	for _, content := range []string{"one", "two"} {
		a.send("message.send", map[string]any{"receiver_id": bob.User.ID, "content": content})
		var sent ack
		a.want("message.ack", &sent)
		ids = append(ids, sent.ID)
		phone.want("message.new")
		laptop.want("message.new")
	}
	phone.send("message.delete", map[string]any{"message_id": ids[0], "for": "me"})
	for _, c := range []*client{phone, laptop} {
		var gone chat.MessageGone
		c.want("message.delete", &gone)
		if gone.MessageID != ids[0] || gone.Seq != 1 || gone.For != "me" || gone.DeletedBy != bob.User.ID || gone.SenderID != ann.User.ID || gone.DeletedAt == nil {
			t.Errorf("%+v", gone)
		}
	}
	a.send("message.edit", map[string]any{"message_id": ids[0], "content": "uno"})
	a.want("message.edit")
	a.send("message.edit", map[string]any{"message_id": ids[1], "content": "due"})
	for _, c := range []*client{a, phone, laptop} { // no edit of the first message
		f := c.next()
		for f.Type == "message.delivered" {
			f = c.next()
		}
		var edited chat.MessageEdited
		mustUnmarshal(t, f.Payload, &edited)
		if f.Type != "message.edit" || edited.Message.ID != ids[1] || edited.Message.Content != "due" {
			t.Errorf("%s %s", f.Type, f.Payload)
		}
	}
	var page syncAnswer
	phone.send("sync", map[string]any{"receiver_id": ann.User.ID})
	phone.want("sync", &page)
	if len(page.Messages) != 2 || page.Messages[0].Content != "" || !page.Messages[0].Hidden || page.Messages[1].Content != "due" {
		t.Errorf("sync %+v", page.Messages)
	}
	me := chat.Caller{UserID: bob.User.ID}
	if _, err := w.svc.DeleteDialog(t.Context(), me, chat.Target{ReceiverID: ann.User.ID}, 0); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*client{phone, laptop} {
		var d chat.DialogDeleted
		c.want("dialog.delete", &d)
		if d.ReceiverID != ann.User.ID || d.UpToSeq != 2 {
			t.Errorf("%+v", d)
		}
	}
	for _, who := range []any{"you", "ME", 7, nil, map[string]any{}} {
		phone.send("message.delete", map[string]any{"message_id": ids[1], "for": who})
		if who == nil { // as if omitted: for everybody, which bob may not do
			var f failure
			if phone.want("error", &f); f.Code != Code(chat.KindForbidden) {
				t.Errorf("%v: %+v", who, f)
			}
			continue
		}
		phone.want("error")
	}
	a.send("ping", nil)
	for f := a.next(); f.Type != "pong"; f = a.next() {
		if f.Type != "message.delivered" {
			t.Errorf("the sender got %s %s", f.Type, f.Payload)
		}
	}
}
