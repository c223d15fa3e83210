package ws

import (
	"context"
	"encoding/json"

	"github.com/onemeter/onemeter/server/call"
)

// Calls is what frames of calls go to. What it answers comes by Deliver.
type Calls interface {
	// Connected tells of a connection before anything else of it, Disconnected
	// after everything.
	Connected(ctx context.Context, d call.Device) error
	Disconnected(ctx context.Context, d call.Device) error
	// Start calls somebody; Do is whatever follows in the call id.
	Start(ctx context.Context, by call.Device, o call.Offer) (c call.Summary, made bool, err error)
	Do(ctx context.Context, by call.Device, id string, e call.Event) (call.Summary, error)
}

func (c *conn) device() call.Device {
	return call.Device{UserID: c.caller.UserID, Session: c.caller.SessionID, Conn: c.id}
}

func (c *conn) enterCalls() { c.tellCalls(Calls.Connected) }

func (c *conn) leaveCalls() { c.tellCalls(Calls.Disconnected) }

// tellCalls tells that c comes or goes.
func (c *conn) tellCalls(what func(Calls, context.Context, call.Device) error) {
	if c.hub.cfg.Calls == nil {
		return
	}
	ctx, cancel := c.hub.request()
	defer cancel()
	if err := what(c.hub.cfg.Calls, ctx, c.device()); err != nil {
		c.hub.cfg.Log.WarnContext(ctx, "calls do not know of a connection", "user", c.caller.UserID, "err", err)
	}
}

// inCall decodes what happens to a call, and has it happen.
func inCall[E call.Event](ctx context.Context, c *conn, payload json.RawMessage, id func(E) string) error {
	var e E
	if err := decodePayload(payload, &e); err != nil {
		return err
	}
	_, err := c.hub.cfg.Calls.Do(ctx, c.device(), id(e), e)
	return err
}

func (c *conn) callOffer(ctx context.Context, payload json.RawMessage) error {
	var o call.Offer
	if err := decodePayload(payload, &o); err != nil {
		return err
	}
	var err error
	if o.CallID == "" {
		_, _, err = c.hub.cfg.Calls.Start(ctx, c.device(), o)
	} else {
		_, err = c.hub.cfg.Calls.Do(ctx, c.device(), o.CallID, o)
	}
	return err
}

func (c *conn) callAnswer(ctx context.Context, payload json.RawMessage) error {
	return inCall(ctx, c, payload, func(a call.Answer) string { return a.CallID })
}

func (c *conn) callICE(ctx context.Context, payload json.RawMessage) error {
	return inCall(ctx, c, payload, func(i call.Candidate) string { return i.CallID })
}

func (c *conn) callStatus(ctx context.Context, payload json.RawMessage) error {
	return inCall(ctx, c, payload, func(s call.Status) string { return s.CallID })
}

func (c *conn) callEnd(ctx context.Context, payload json.RawMessage) error {
	return inCall(ctx, c, payload, func(e call.End) string { return e.CallID })
}
