package ws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/coder/websocket"

	"github.com/onemeter/onemeter/server/chat"
)

// A body is the memory into which a frame is read and decoded. A connection that waits for a frame holds none.
type body struct {
	data []byte
	in   inbound
}

const (
	firstBody = 4 << 10  // bytes that a new body has
	keptBody  = 64 << 10 // larger ones are not pooled
)

func newBody() *body { return &body{data: make([]byte, 0, firstBody)} }

// read reads a frame of at most limit bytes. It discards a larger one, and whole is false.
func (b *body) read(r io.Reader, limit int) (whole bool, err error) {
	b.data = b.data[:0]
	for {
		if len(b.data) > limit {
			_, err := io.Copy(io.Discard, r)
			return false, err
		}
		if len(b.data) == cap(b.data) {
			b.data = append(b.data, 0)[:len(b.data)]
		}
		n, err := r.Read(b.data[len(b.data):cap(b.data)])
		b.data = b.data[:len(b.data)+n]
		if err == io.EOF {
			return len(b.data) <= limit, nil
		}
		if err != nil {
			return false, err
		}
	}
}

// readFrame reads a frame and handles it. An error ends the connection.
func (c *conn) readFrame(typ websocket.MessageType, r io.Reader) error {
	b := c.hub.bodies.Get().(*body)
	defer func() {
		if cap(b.data) <= keptBody {
			c.hub.bodies.Put(b)
		}
	}()
	whole, err := b.read(r, c.hub.cfg.MaxFrame)
	if err != nil {
		return err
	}
	c.hub.stats.framesIn.Add(1)
	if now := c.hub.tick.Load(); c.active != now {
		c.active = now
		c.hub.svc.Active(c.caller)
	}
	switch {
	case !whole:
		c.reject(&refusal{Code(chat.KindTooLarge), frameRefused, fmt.Sprintf("a frame has at most %d bytes", c.hub.cfg.MaxFrame)})
	case typ != websocket.MessageText:
		c.reject(&refusal{CodeBinary, frameRefused, "the frame is binary: send text"})
	default:
		c.handle(b)
	}
	return nil
}

// reject answers a frame that is not a command.
func (c *conn) reject(err error) {
	c.hub.cfg.Hooks.frameIn(context.Background(), FrameIn{Type: "other"})
	if c.allowFrame() {
		c.refuse(err, "")
	}
}

// handle decodes a frame and executes its command.
func (c *conn) handle(b *body) {
	defer func() {
		if p := recover(); p != nil {
			c.refuse(fmt.Errorf("panic: %v\n%s", p, debug.Stack()), "")
		}
	}()
	if err := decode(b.data, &b.in); err != nil {
		c.reject(err)
		return
	}
	do, ok := commands[b.in.Type]
	if !ok || c.hub.cfg.Calls == nil && strings.HasPrefix(b.in.Type, "call.") {
		c.reject(&refusal{CodeUnknownType, frameRefused, fmt.Sprintf("unknown type %.40q", b.in.Type)})
		return
	}
	c.hub.cfg.Hooks.frameIn(context.Background(), FrameIn{Type: b.in.Type})
	ctx, cancel := c.hub.request()
	defer cancel()
	if b.in.Type != messageSend && !c.allowFrame() {
		return
	}
	ctx, done := c.hub.cfg.Hooks.handling(ctx, FrameIn{Type: b.in.Type})
	if b.in.Type == messageSend {
		c.sendMessage(ctx, b.in.Payload, done)
		return
	}
	err := do(c, ctx, b.in.Payload)
	if done(err); err != nil {
		c.refuse(err, "")
	}
}

// allowFrame reports whether the rate limit allows a frame. If not, it sends an error; a client that goes on is
// disconnected.
func (c *conn) allowFrame() bool {
	now := c.hub.cfg.Now().UnixNano()
	if c.frames.take(now) {
		return true
	}
	if !c.refused.take(now) {
		c.closeFlooding()
		return false
	}
	const text = "too many frames: send at most %d a second"
	c.refuse(&refusal{Code(chat.KindRateLimited), frameRefused, fmt.Sprintf(text, c.hub.cfg.FrameRate)}, "")
	return false
}

// allowPieces reports whether the rate limit allows this many fragments and control frames. If not, it closes the
// connection: an error frame cannot answer a part of a message.
func (c *conn) allowPieces(pieces int) bool {
	if pieces == 0 {
		return true
	}
	now := c.hub.cfg.Now().UnixNano()
	for range pieces {
		if !c.pieces.take(now) {
			c.closeFlooding()
			return false
		}
	}
	return true
}

func (c *conn) closeFlooding() {
	c.shut(websocket.StatusPolicyViolation, "too many frames", ReasonFlood, false)
}

// reply queues an answer.
func (c *conn) reply(typ string, payload any) { c.replyTold(typ, payload, chat.Told{}) }

// replyTold is reply that notes which notices the client was told of by then.
func (c *conn) replyTold(typ string, payload any, told chat.Told) {
	f, err := encode(typ, payload, c.hub.cfg.Now())
	if err != nil {
		c.hub.cfg.Log.Error("answer not encoded", "type", typ, "err", err)
		return
	}
	f.notices = told
	c.send(f)
}

// refuse answers with an error frame. It logs an error that the client must not see.
func (c *conn) refuse(err error, clientMsgID string) {
	f, known := failureOf(err)
	if !known && !errors.Is(err, context.Canceled) {
		c.hub.cfg.Log.Error("frame failed", "user", c.caller.UserID, "err", err)
	}
	f.ClientMsgID = clientMsgID
	c.hub.cfg.Hooks.frameRefused(context.Background(), f.Code)
	c.reply("error", f)
}

const messageSend = "message.send"

// commands has the function for each type of frame. Its error is sent to the client. The commands of a connection run
// one after the other; only message.send does not wait for its answer.
var commands = map[string]func(*conn, context.Context, json.RawMessage) error{
	messageSend:      nil,
	"ping":           (*conn).ping,
	"message.edit":   (*conn).edit,
	"message.delete": (*conn).remove,
	"message.recall": (*conn).recall,
	"message.read":   (*conn).markRead,
	"typing":         (*conn).typing,
	"presence":       (*conn).presence,
	"sync":           (*conn).sync,
	"call.offer":     (*conn).callOffer,
	"call.answer":    (*conn).callAnswer,
	"call.ice":       (*conn).callICE,
	"call.status":    (*conn).callStatus,
	"call.end":       (*conn).callEnd,
}

type ack struct {
	ClientMsgID string `json:"client_msg_id"`
	ID          int64  `json:"id"`
	Seq         int64  `json:"seq"`
}

// sendMessage passes a message to the service without waiting: the transaction that stores it sends the answer. So
// messages of one connection can share a transaction.
func (c *conn) sendMessage(ctx context.Context, payload json.RawMessage, done func(error)) {
	var d chat.Draft
	if err := decodePayload(payload, &d); err != nil {
		done(err)
		c.refuse(err, d.ClientMsgID)
		return
	}
	id := d.ClientMsgID
	c.hub.svc.SendFunc(ctx, c.caller, d, func(m chat.Message, err error) {
		done(err)
		if err != nil {
			c.refuse(err, id)
			return
		}
		c.reply("message.ack", ack{ClientMsgID: id, ID: m.ID, Seq: m.Seq})
	})
}

func (c *conn) ping(context.Context, json.RawMessage) error {
	c.reply("pong", struct{}{})
	return nil
}

// A messageRef is the payload of a command on a message: its id in message_id or id.
type messageRef struct {
	MessageID int64  `json:"message_id"`
	ID        int64  `json:"id"`
	Content   string `json:"content"`
	For       string `json:"for"`
}

func (r *messageRef) decode(payload json.RawMessage) error {
	if err := decodePayload(payload, r); err != nil {
		return err
	}
	if r.MessageID == 0 {
		r.MessageID = r.ID
	}
	if r.MessageID <= 0 {
		return chat.Errorf(chat.KindInvalid, frameRefused, "message_id is required, and must be a positive number")
	}
	return nil
}

// edit, like remove, recall and markRead, answers with the frame that the others get.
func (c *conn) edit(ctx context.Context, payload json.RawMessage) error {
	var ref messageRef
	if err := ref.decode(payload); err != nil {
		return err
	}
	m, err := c.hub.svc.Edit(ctx, c.caller, ref.MessageID, ref.Content)
	if err != nil {
		return err
	}
	c.reply(string(chat.EventMessageEdit), chat.MessageEdited{Message: chat.InFrame(m)})
	return nil
}

func gone(m chat.Message) chat.MessageGone {
	return chat.MessageGone{MessageID: m.ID, Seq: m.Seq, ChatID: m.ChatID, SenderID: m.SenderID, ReceiverID: m.ReceiverID}
}

func (c *conn) remove(ctx context.Context, payload json.RawMessage) error {
	var ref messageRef
	if err := ref.decode(payload); err != nil {
		return err
	}
	do := c.hub.svc.Delete
	switch ref.For {
	case "", "all":
	case chat.ForMe:
		do = c.hub.svc.DeleteForMe
	default:
		return chat.Errorf(chat.KindInvalid, frameRefused, "for is %.16q, but must be me or all", ref.For)
	}
	m, err := do(ctx, c.caller, ref.MessageID)
	if err != nil {
		return err
	}
	answer := gone(m)
	answer.DeletedBy, answer.DeletedAt = c.caller.UserID, &m.UpdatedAt
	if ref.For == chat.ForMe {
		now := c.hub.cfg.Now()
		answer.DeletedAt, answer.For = &now, chat.ForMe
	}
	c.reply(string(chat.EventMessageDelete), answer)
	return nil
}

func (c *conn) recall(ctx context.Context, payload json.RawMessage) error {
	var ref messageRef
	if err := ref.decode(payload); err != nil {
		return err
	}
	m, err := c.hub.svc.Recall(ctx, c.caller, ref.MessageID)
	if err != nil {
		return err
	}
	answer := gone(m)
	answer.RecalledBy, answer.RecalledAt = c.caller.UserID, &m.UpdatedAt
	c.reply(string(chat.EventMessageRecall), answer)
	return nil
}

func (c *conn) markRead(ctx context.Context, payload json.RawMessage) error {
	var ref messageRef
	if err := ref.decode(payload); err != nil {
		return err
	}
	m, err := c.hub.svc.MarkRead(ctx, c.caller, ref.MessageID)
	if err != nil {
		return err
	}
	c.reply(string(chat.EventMessageRead), chat.MessageRead{
		MessageID: m.ID, Seq: m.Seq, ChatID: m.ChatID, SenderID: m.SenderID, ReceiverID: m.ReceiverID,
		ReadBy: c.caller.UserID, ReadAt: c.hub.cfg.Now(),
	})
	return nil
}

func (c *conn) typing(ctx context.Context, payload json.RawMessage) error {
	var p struct {
		chat.Target
		IsTyping bool `json:"is_typing"`
	}
	if err := decodePayload(payload, &p); err != nil {
		return err
	}
	return c.hub.svc.Typing(ctx, c.caller, p.Target, p.IsTyping)
}

// presence makes the connection count, or not, for whether its user is online. So contacts who ask see the same as
// those who get the presence frame.
func (c *conn) presence(ctx context.Context, payload json.RawMessage) error {
	var p struct {
		IsOnline bool `json:"is_online"`
	}
	if err := decodePayload(payload, &p); err != nil {
		return err
	}
	if p.IsOnline == !c.away {
		return c.hub.svc.RepeatPresence(ctx, c.caller)
	}
	if err := c.hub.svc.MayTellPresence(ctx, c.caller); err != nil {
		return err
	}
	count := c.hub.svc.Connected
	if !p.IsOnline {
		count = c.hub.svc.Disconnected
	}
	c.away = !p.IsOnline
	return count(ctx, c.caller)
}
