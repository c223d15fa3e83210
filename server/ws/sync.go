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

// history returns the query for the request: the messages after after_seq (0 if omitted), or with before_seq those
// before it.
func (r syncRequest) history() chat.History {
	h := chat.History{Target: r.Target, BeforeSeq: r.BeforeSeq, Limit: r.Limit}
	if r.BeforeSeq == 0 || r.AfterSeq != 0 {
		h.AfterSeq = &r.AfterSeq
	}
	return h
}

type syncAnswer struct {
	chat.Target
	BeforeSeq int64               `json:"before_seq,omitempty"` // as requested
	Messages  []chat.FrameMessage `json:"messages"`             // in ascending order
	HasMore   bool                `json:"has_more"`             // after the last message; with before_seq, before the first
}

// sync answers with a page of a conversation, or as much of it as fits into a frame.
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

// maxSync is the most bytes of messages in one sync frame, unless it has a single larger message.
const maxSync = 1 << 20

// fitting returns how many of messages fit into one sync frame. It counts encoded bytes, since escapes can turn one
// byte into six.
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

// A counter counts the bytes that are written to it.
type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
