package ws

import (
	"context"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// Hooks are called when something happens on connections, in the manner of net/http/httptrace. Nil functions are not
// called. The others must return quickly and be safe for concurrent use.
type Hooks struct {
	// Opened is called after a client has connected.
	Opened func(context.Context, Opened)
	// Closed is called after a connection has ended.
	Closed func(context.Context, Closed)
	// Delivered is called once per event, after it was written to, or given up for, the last of its connections.
	Delivered func(context.Context, Delivered)
	// SlowClient is called when a client that does not read is cut off.
	SlowClient func(context.Context, SlowClient)
	// FrameIn is called for every frame from a client.
	FrameIn func(context.Context, FrameIn)
	// Handling is called before a client's frame is handled, with the context that it returns. done is called with the
	// result, nil if it succeeded.
	Handling func(context.Context, FrameIn) (_ context.Context, done func(error))
	// FrameRefused is called when a client's frame is answered with an error frame.
	FrameRefused func(context.Context, FrameRefused)
}

// Opened is the data of Hooks.Opened.
type Opened struct{}

// Closed is the data of Hooks.Closed.
type Closed struct {
	Duration time.Duration // of the connection
	Reason   Reason
}

// A Reason says why a connection ended.
type Reason string

// The reasons.
const (
	ReasonClient   Reason = "client"        // the client closed it
	ReasonLost     Reason = "lost"          // the network failed, or the client vanished
	ReasonTimeout  Reason = "timeout"       // the client did not answer a ping
	ReasonSlow     Reason = "slow"          // the client did not read
	ReasonFlood    Reason = "flood"         // the client went on sending too fast after errors
	ReasonSession  Reason = "session_ended" // by a logout, an operator, or because it was not refreshed
	ReasonShutdown Reason = "shutdown"      // the server stops
	ReasonRestart  Reason = "restart"       // Hub.Restart
	ReasonProtocol Reason = "protocol"      // the client broke the protocol
)

// Delivered is the data of Hooks.Delivered.
type Delivered struct {
	Type      chat.EventType
	Receivers int           // connections to which it was written
	Dropped   int           // connections that were cut off or lost before the write
	Mean, Max time.Duration // from Event.At to the write, over Receivers
	At        time.Time     // Event.At
	Trace     string        // Event.Trace
}

// SlowClient is the data of Hooks.SlowClient.
type SlowClient struct {
	Stuck bool // nothing could be written for Config.WriteTimeout; otherwise the queue was full
}

// FrameIn is the data of Hooks.FrameIn.
type FrameIn struct {
	Type string // one that API.md lists for clients, or "other"
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
