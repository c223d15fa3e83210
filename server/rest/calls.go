package rest

import (
	"context"

	"github.com/labstack/echo/v4"

	"github.com/onemeter/onemeter/server/call"
	"github.com/onemeter/onemeter/server/chat"
)

// Calls handles the requests about calls. Errors that the client may see are *call.Error or *chat.Error.
type Calls interface {
	// Start begins a call; made says whether it is a new one.
	Start(ctx context.Context, by call.Device, o call.Offer) (c call.Summary, made bool, err error)
	// Do handles an event of the call id.
	Do(ctx context.Context, by call.Device, id string, e call.Event) (call.Summary, error)
	// Call returns the call id, if userID takes part in it.
	Call(ctx context.Context, userID int64, id string) (call.Summary, error)
}

var errBusy = chat.Errorf(chat.KindConflict, "call refused", "the user is in another call: try again later")

func device(me chat.Caller) call.Device {
	return call.Device{UserID: me.UserID, Session: me.SessionID}
}

// startCall begins a call without an offer. The client sends the offer by WebSocket.
func (s *Server) startCall(c echo.Context, me chat.Caller) error {
	var body struct {
		CalleeID int64     `json:"callee_id"`
		Type     call.Type `json:"type"`
	}
	if err := decode(c, &body); err != nil {
		return err
	}
	if err := bodyID("callee_id", body.CalleeID); err != nil {
		return err
	}
	summary, made, err := s.cfg.Calls.Start(c.Request().Context(), device(me), call.Offer{To: body.CalleeID, Type: body.Type})
	switch {
	case err == nil && summary.Status == call.Ended:
		return errBusy
	case made:
		return s.created(c, summary, err)
	}
	return s.ok(c, summary, err)
}

func (s *Server) endCall(c echo.Context, me chat.Caller) error {
	var body struct {
		Reason call.Reason `json:"reason"`
	}
	if err := decodeIfAny(c, &body); err != nil {
		return err
	}
	summary, err := s.cfg.Calls.Do(c.Request().Context(), device(me), c.Param("id"), call.End{Reason: body.Reason})
	return s.ok(c, summary, err)
}

func (s *Server) callStats(c echo.Context, me chat.Caller) error {
	summary, err := s.cfg.Calls.Call(c.Request().Context(), me.UserID, c.Param("id"))
	return s.ok(c, summary, err)
}
