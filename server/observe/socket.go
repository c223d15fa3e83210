package observe

import (
	"context"
	"time"

	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/ws"
)

// Sockets returns the hooks that feed the instruments of WebSockets.
func (o *Observer) Sockets() ws.Hooks {
	closed := by(o.ins.connLifetime, value("reason"))
	frames, refusals := by(o.ins.framesIn, value("type")), by(o.ins.framesRefused, value("code"))
	return ws.Hooks{
		Delivered: o.delivered,
		Closed: func(ctx context.Context, d ws.Closed) {
			closed.of(string(d.Reason)).Record(ctx, d.Duration.Seconds())
		},
		SlowClient:   func(ctx context.Context, _ ws.SlowClient) { o.ins.slowClients.Add(ctx, 1) },
		FrameIn:      func(ctx context.Context, d ws.FrameIn) { frames.of(d.Type).Add(ctx, 1) },
		FrameRefused: func(ctx context.Context, d ws.FrameRefused) { refusals.of(string(d.Code)).Add(ctx, 1) },
		Handling:     o.tracing.handling(),
	}
}

// delivered records that a message was delivered to all receivers on this node.
func (o *Observer) delivered(ctx context.Context, d ws.Delivered) {
	if d.Type != chat.EventMessageNew {
		return
	}
	ctx = o.tracing.delivered(ctx, d)
	if d.Dropped > 0 {
		o.ins.dropped.Add(ctx, int64(d.Dropped))
	}
	if d.Receivers == 0 {
		return
	}
	o.ins.deliveries.Add(ctx, int64(d.Receivers))
	o.ins.deliveryDuration.Record(ctx, d.Max.Seconds())
	o.delay.add(time.Now(), int64(d.Receivers), d.Mean*time.Duration(d.Receivers))
}
