package ws

import (
	"context"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// Hooks are told what happens on connections, in the manner of
// net/http/httptrace. A nil func is not called; the others must be quick and
// safe for concurrent use.
type Hooks struct {
	// Opened: a client connected.
	Opened func(context.Context, Opened)
	// Closed: a connection that was opened is over.
	Closed func(context.Context, Closed)
	// Delivered: an event was written to, or given up for, the last of its
	// connections. It is called once per event, never once per connection.
	Delivered func(context.Context, Delivered)
	// SlowClient: a client that did not read was cut off.
	SlowClient func(context.Context, SlowClient)
	// FrameIn: a client sent a frame.
	FrameIn func(context.Context, FrameIn)
	// Handling: a frame of a client is acted upon, with the context that is
	// returned; done is called once it is answered.
	Handling func(context.Context, FrameIn) (_ context.Context, done func(error))
	// FrameRefused: a client's frame was answered with an error frame.
	FrameRefused func(context.Context, FrameRefused)
}

// Opened is the data of Hooks.Opened.
type Opened struct{}

// Closed is the data of Hooks.Closed.
type Closed struct {
	Duration time.Duration // of the connection
	Reason   Reason
}

// A Reason says why a connection is over.
type Reason string

// The reasons.
const (
	ReasonClient   Reason = "client"        // the client closed it
	ReasonLost     Reason = "lost"          // the network did
	ReasonTimeout  Reason = "timeout"       // no sign of life
	ReasonSlow     Reason = "slow"          // the client did not read
	ReasonFlood    Reason = "flood"         // the client kept on after it was told to slow down
	ReasonSession  Reason = "session_ended" // the user logged out, or the session was not refreshed
	ReasonShutdown Reason = "shutdown"      // the server goes away
	ReasonRestart  Reason = "restart"       // it missed something, and is to connect again and sync
	ReasonProtocol Reason = "protocol"      // the client broke the protocol
)

// Delivered is the data of Hooks.Delivered.
type Delivered struct {
	Type      chat.EventType
	Receivers int           // connections that it was written to
	Dropped   int           // connections that were cut off or lost before
	Mean, Max time.Duration // from Event.At to the write, over Receivers
	At        time.Time     // Event.At
	Trace     string        // Event.Trace
}

// SlowClient is the data of Hooks.SlowClient.
type SlowClient struct {
	Stuck bool // nothing could be written for WriteTimeout; otherwise its queue was full
}

// FrameIn is the data of Hooks.FrameIn.
type FrameIn struct {
	Type string // one that im-api.md lists for clients, or "other"
}

// FrameRefused is the data of Hooks.FrameRefused.
type FrameRefused struct{ Code Code }

func (h *Hooks) handling(ctx context.Context, d FrameIn) (context.Context, func(error)) {
	if h.Handling == nil {
		return ctx, func(error) {}
	}
	return h.Handling(ctx, d)
}

func (h *Hooks) opened(ctx context.Context) {
	if h.Opened != nil {
		h.Opened(ctx, Opened{})
	}
}

func (h *Hooks) closed(ctx context.Context, d Closed) {
	if h.Closed != nil {
		h.Closed(ctx, d)
	}
}

func (h *Hooks) delivered(ctx context.Context, d Delivered) {
	if h.Delivered != nil {
		h.Delivered(ctx, d)
	}
}

func (h *Hooks) slowClient(ctx context.Context, d SlowClient) {
	if h.SlowClient != nil {
		h.SlowClient(ctx, d)
	}
}

func (h *Hooks) frameIn(ctx context.Context, d FrameIn) {
	if h.FrameIn != nil {
		h.FrameIn(ctx, d)
	}
}

func (h *Hooks) frameRefused(ctx context.Context, code Code) {
	if h.FrameRefused != nil {
		h.FrameRefused(ctx, FrameRefused{Code: code})
	}
}
