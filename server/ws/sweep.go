package ws

import (
	"context"
	"time"

	"github.com/coder/websocket"

	"github.com/onemeter/onemeter/server/chat"
)

// sweepEvery returns the interval between two looks at the connections. It is short enough for the shortest of their
// timeouts.
func (c Config) sweepEvery() time.Duration {
	shortest := min(c.WriteTimeout, c.PingInterval, c.PongTimeout)
	return min(max(shortest/8, time.Millisecond), time.Second)
}

// sweep pings silent clients, and closes connections that are dead or stuck. One goroutine with a coarse clock costs
// less than a timer for each connection that is reset with every read and write.
func (h *Hub) sweep() {
	every := h.cfg.sweepEvery()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	limits := sweepLimits{
		ping:  int64(h.cfg.PingInterval / every),
		dead:  int64((h.cfg.PingInterval + h.cfg.PongTimeout) / every),
		stuck: int64(h.cfg.WriteTimeout / every),
	}
	var conns []*conn
	for {
		select {
		case <-h.done:
			return
		case <-ticker.C:
			now := h.tick.Add(1)
			conns = h.all(conns[:0])
			at := h.cfg.Now().UnixNano()
			for _, c := range conns {
				c.inspect(now, limits)
				if ends := c.ends.Load(); ends != 0 && ends <= at {
					c.ends.Store(0)
					h.helpers.Go(c.renew)
				}
			}
			clear(conns)
		}
	}
}

// sweepLimits are the timeouts of connections, in ticks.
type sweepLimits struct{ ping, dead, stuck int64 }

// inspect pings or closes the connection if it has been silent or stuck for too long. now is the current tick.
func (c *conn) inspect(now int64, limits sweepLimits) {
	if busy, moves := c.out.activity(); !busy || moves != c.moves {
		c.moves, c.movedAt = moves, now
	} else if now-c.movedAt > limits.stuck {
		c.cutOff(true)
		return
	}
	heard := c.heard.Load()
	if heard == heardBusy {
		return
	}
	switch silent := now - heard; {
	case silent > limits.dead:
		c.shut(websocket.StatusPolicyViolation, "no answer to a ping", ReasonTimeout, true)
	case silent <= limits.ping:
		c.pinged = false
	case !c.pinged:
		c.pinged = true
		c.send(pingFrame)
	}
}

// renew checks the session again after the time at which it was to end. It may have been refreshed since.
func (c *conn) renew() {
	ctx, cancel := c.hub.request()
	defer cancel()
	c.checkSession(ctx)
}

// checkSession closes the connection if its session has ended. Otherwise it sets when to check again. If the check
// fails, the connection stays, and the next check is after PingInterval.
func (c *conn) checkSession(ctx context.Context) {
	ends, err := c.hub.svc.SessionEnds(ctx, c.caller)
	if chat.KindOf(err) == chat.KindUnauthenticated {
		c.endSession("")
		return
	}
	if err != nil {
		ends = c.hub.cfg.Now().Add(c.hub.cfg.PingInterval)
	}
	c.ends.Store(ends.UnixNano())
}
