package ws

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/onemeter/onemeter/server/chat"
)

type syncRequest struct {
	chat.Target
	AfterSeq  int64 `json:"after_seq"`
	BeforeSeq int64 `json:"before_seq"`
	Limit     int   `json:"limit"`
}

// history is what the request asks for: upward from after_seq, which is 0 where
// it is left out, or with before_seq what was before.
func (r syncRequest) history() chat.History {
	h := chat.History{Target: r.Target, BeforeSeq: r.BeforeSeq, Limit: r.Limit}
	if r.BeforeSeq == 0 || r.AfterSeq != 0 {
		h.AfterSeq = &r.AfterSeq
	}
	return h
}

type syncAnswer struct {
	chat.Target
	BeforeSeq int64               `json:"before_seq,omitempty"` // as it was asked for
	Messages  []chat.FrameMessage `json:"messages"`             // upward
	HasMore   bool                `json:"has_more"`             // behind the last of them; with before_seq, before the first
}

// sync answers with a page of a conversation, as much of it as fits into a frame.
func (c *conn) sync(ctx context.Context, payload json.RawMessage) error {
	var p syncRequest
	if err := decodePayload(payload, &p); err != nil {
		return err
	}
	if err := c.hub.svc.MayRead(ctx, c.caller.UserID); err != nil {
		return err
	}
	page, err := c.hub.svc.Messages(ctx, c.caller, p.history())
	if err != nil {
		return err
	}
	messages := make([]chat.FrameMessage, len(page.Messages))
	for i, m := range page.Messages {
		messages[i] = chat.InFrame(m)
	}
	n := fitting(messages)
	answer := syncAnswer{Target: p.Target, BeforeSeq: p.BeforeSeq, Messages: messages[:n], HasMore: page.HasMore || n < len(messages)}
	if p.BeforeSeq != 0 {
		slices.Reverse(answer.Messages) // they came newest first
	}
	c.reply("sync", answer)
	return nil
}

// maxSync is how many bytes of messages one sync frame carries, if it carries
// more than one message.
const maxSync = 1 << 20

// fitting tells how many of messages go into one sync frame. They are counted
// as they are encoded: escapes make up to six bytes of one.
func fitting(messages []chat.FrameMessage) int {
	var size counter
	enc := newEncoder(&size)
	for i := range messages {
		if err := enc.Encode(&messages[i]); err != nil || size > maxSync && i > 0 {
			return i
		}
	}
	return len(messages)
}

// A counter counts what is written to it.
type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
