package observe

import (
	"context"
	"time"
)

// A Delivery is what became of one new message among the connections of this
// node: one is told for each message, not for each receiver.
type Delivery struct {
	Written int           // sockets that were written
	Dropped int           // connections that were cut off before
	Sum     time.Duration // of the times from accepting the message to writing a socket
	Max     time.Duration // the longest of them
	At      time.Time     // when the message was accepted
	Trace   string        // of its sender; see chat.Tracer
}

// Delivered records the end of a message's fan-out.
func (o *Observer) Delivered(ctx context.Context, d Delivery) {
	ctx = o.tracing.delivered(ctx, d)
	if d.Dropped > 0 {
		o.ins.dropped.Add(ctx, int64(d.Dropped))
	}
	if d.Written == 0 {
		return
	}
	o.ins.deliveries.Add(ctx, int64(d.Written))
	o.ins.deliveryDuration.Record(ctx, d.Max.Seconds())
	o.delay.add(time.Now(), int64(d.Written), d.Sum)
}

// SocketClosed records the end of a WebSocket; reason is one of a closed set.
func (o *Observer) SocketClosed(ctx context.Context, reason string, open time.Duration) {
	o.closed.of(reason).Record(ctx, open.Seconds())
}

// SlowClient counts a connection that was cut off because it did not read.
func (o *Observer) SlowClient(ctx context.Context) { o.ins.slowClients.Add(ctx, 1) }

// FrameReceived counts a frame of a client; frame is its type, or "other".
func (o *Observer) FrameReceived(ctx context.Context, frame string) {
	o.frames.of(frame).Add(ctx, 1)
}

// FrameRefused counts an error frame, by its code.
func (o *Observer) FrameRefused(ctx context.Context, code string) {
	o.refusals.of(code).Add(ctx, 1)
}
