package ws

import (
	"context"
	"encoding/json"

	"github.com/onemeter/onemeter/server/call"
)

// Calls handles the frames of calls. Its answers come as events, through Deliver. Errors that the client may see are
// *call.Error or *chat.Error.
type Calls interface {
	// Connected is called before any frame of a connection, Disconnected after the last.
	Connected(ctx context.Context, d call.Device) error
	Disconnected(ctx context.Context, d call.Device) error
	// Start begins a call; made says whether it is a new one. Do handles everything that follows in the call id.
	Start(ctx context.Context, by call.Device, o call.Offer) (c call.Summary, made bool, err error)
	Do(ctx context.Context, by call.Device, id string, e call.Event) (call.Summary, error)
}

func (c *conn) device() call.Device {
	return call.Device{UserID: c.caller.UserID, Session: c.caller.SessionID, Conn: c.id}
}

func (c *conn) enterCalls() { c.notifyCalls(Calls.Connected) }

func (c *conn) leaveCalls() { c.notifyCalls(Calls.Disconnected) }

// notifyCalls reports to Calls that c has connected or disconnected.
func (c *conn) notifyCalls(report func(Calls, context.Context, call.Device) error) {
	if c.hub.cfg.Calls == nil {
		return
	}
	ctx, cancel := c.hub.request()
	defer cancel()
	if err := report(c.hub.cfg.Calls, ctx, c.device()); err != nil {
		c.hub.cfg.Log.WarnContext(ctx, "calls: connecting or disconnecting not recorded", "user", c.caller.UserID, "err", err)
	}
}

// inCall decodes an event of a call and handles it.
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
