package ws

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// Deliver queues an event for the connections that its receivers have on this node. It is the subscriber of the bus. It
// is safe for concurrent use, and never waits for a client. A connection gets events in the order of the calls.
func (h *Hub) Deliver(ctx context.Context, e chat.Event) {
	if e.Type == chat.EventSessionEnded && e.Session == "" {
		h.suspects.add(e.To, e.Reason)
		return
	}
	targets := h.targets.Get().(*[]*conn)
	defer h.targets.Put(targets)
	*targets = h.receivers(e, (*targets)[:0])
	defer clear(*targets)
	switch {
	case e.Type == chat.EventSessionEnded:
		for _, c := range *targets {
			c.endSession(e.Reason)
		}
	case len(*targets) > 0:
		h.broadcast(ctx, e, *targets)
	}
}

// receivers appends the connections that e is for to targets.
func (h *Hub) receivers(e chat.Event, targets []*conn) []*conn {
	if e.Everyone {
		return h.all(targets)
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, id := range e.To {
		for _, c := range h.users[id].conns {
			switch {
			case e.Type == chat.EventSessionEnded && c.caller.SessionID != e.Session:
			case e.Except != 0 && c.id == e.Except:
			case e.Only != 0 && c.id != e.Only:
			default:
				targets = append(targets, c)
			}
		}
	}
	return targets
}

func (h *Hub) broadcast(ctx context.Context, e chat.Event, targets []*conn) {
	at := e.At
	if at.IsZero() {
		at = h.cfg.Now()
	}
	f, err := encode(string(e.Type), e.Payload, at)
	if err != nil {
		h.cfg.Log.ErrorContext(ctx, "event not delivered", "type", e.Type, "err", err)
		return
	}
	f.delivery = &delivery{hub: h, kind: e.Type, at: at, trace: e.Trace, receivers: uint32(len(targets))}
	if e.Receipt {
		f.delivery.conversationID, f.delivery.seq, f.delivery.from = e.ConversationID, e.Seq, e.From
	}
	if e.Type == chat.EventNotice {
		if n, ok := chat.NoticeOf(e); ok {
			f.notices = chat.Told{After: n.ID - 1, UpTo: n.ID}
		}
	}
	idle := targets[:0]
	for _, c := range targets {
		if c.queue(f) {
			idle = append(idle, c)
		}
	}
	h.schedule(idle...)
}

// A delivery counts the connections to which an event was written, or given up. After the last one, it reports the
// totals.
type delivery struct {
	hub       *Hub
	kind      chat.EventType
	at        time.Time
	trace     string
	receivers uint32

	conversationID, seq, from int64 // of a message that needs a delivery receipt

	sum, max atomic.Int64  // nanoseconds from at to the writes
	done     atomic.Uint64 // connections: in the lower half those written to, in the upper half those given up
}

const dropped = 1 << 32 // one connection in the upper half of delivery.done

// written counts a connection of userID to which the event was written.
func (d *delivery) written(userID int64, now time.Time) {
	delay := int64(max(now.Sub(d.at), 0)) // the clock of another node may be ahead
	d.sum.Add(delay)
	for {
		most := d.max.Load()
		if delay <= most || d.max.CompareAndSwap(most, delay) {
			break
		}
	}
	if d.conversationID != 0 && userID != d.from {
		d.hub.svc.Delivered(d.conversationID, userID, d.seq)
	}
	d.count(1)
}

// count adds to done, and reports the totals after the last connection.
func (d *delivery) count(add uint64) {
	n := d.done.Add(add)
	written, lost := uint32(n), uint32(n>>32)
	if written+lost != d.receivers {
		return
	}
	total := Delivered{Type: d.kind, Receivers: int(written), Dropped: int(lost), Max: time.Duration(d.max.Load()), At: d.at, Trace: d.trace}
	if written > 0 {
		total.Mean = time.Duration(d.sum.Load() / int64(written))
	}
	d.hub.stats.delivered(total)
	d.hub.cfg.Hooks.delivered(context.Background(), total)
}

// giveUp counts frames that were not written.
func giveUp(frames ...*frame) {
	for _, f := range frames {
		if f.delivery != nil {
			f.delivery.count(dropped)
		}
	}
}
