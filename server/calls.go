package server

import (
	"context"
	"time"

	"github.com/onemeter/onemeter/server/call"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/observe"
)

// openCalls opens the service for calls, on the store, the bus and the rules of the chat.
func (s *Server) openCalls(seen *observe.Observer) {
	s.calls = call.New(call.Config{
		Store: s.store, Notifier: notifier{s.bus}, MayCall: s.chat.MayCall, Parted: s.chat.AreBlocked, MayAct: s.chat.MayAct,
		Ring: s.cfg.CallRing, Gone: s.cfg.CallGone, Beat: min(s.cfg.CallGone/10, time.Second),
		Hooks: seen.Calls(), Log: s.log,
	})
	s.close = append(s.close, func() error { s.calls.Close(); return nil })
	unsubscribe := s.bus.Subscribe(func(_ context.Context, e chat.Event) {
		if e.Type == call.TypeEnd && e.Only != 0 {
			s.calls.Over(e.Only, e.Call)
		}
	})
	s.close = append(s.close, func() error { unsubscribe(); return nil })
}

// ringAgain makes the called clients of this node ring: it may have missed the calls.
func (s *Server) ringAgain(ctx context.Context) error {
	var devices []call.Device
	for _, c := range s.hub.Callers() {
		devices = append(devices, call.Device{UserID: c.UserID, Session: c.SessionID, Conn: c.Conn})
	}
	return s.calls.Resume(ctx, devices)
}

// A notifier sends frames of calls over the bus.
type notifier struct{ bus chat.Bus }

// Notify implements call.Notifier.
func (n notifier) Notify(ctx context.Context, to call.Notice) error {
	return n.bus.Publish(ctx, chat.Event{
		Type: chat.EventType(to.Type), To: []int64{to.To}, Only: to.Only, Except: to.Except,
		Call: to.Frame.CallID, Payload: to.Frame, At: time.Now(),
	})
}
