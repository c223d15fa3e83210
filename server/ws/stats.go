package ws

import "sync/atomic"

// Stats are the numbers of a Hub: its current state, and counts since it was started.
type Stats struct {
	// State.
	OnlineUsers int // users with at least one connection
	Connections int

	// Counts.
	FramesRead, BytesRead       int64 // data frames from clients; bytes of all frames
	FramesWritten, BytesWritten int64 // including control frames
	Broadcasts                  int64 // events for at least one connection
	Deliveries, Dropped         int64 // writes of these events to a connection; those given up
	SlowClients                 int64 // connections cut off because the client did not read
}

// Stats returns the current numbers.
func (h *Hub) Stats() Stats {
	s := Stats{
		FramesRead: h.stats.framesIn.Load(), BytesRead: h.stats.bytesIn.Load(),
		FramesWritten: h.stats.out.frames.Load(), BytesWritten: h.stats.out.bytes.Load(),
		Broadcasts: h.stats.broadcasts.Load(),
		Deliveries: h.stats.deliveries.Load(), Dropped: h.stats.dropped.Load(),
		SlowClients: h.stats.slow.Load(),
	}
	for _, w := range h.flushers.writers {
		s.FramesWritten += w.out.frames.Load()
		s.BytesWritten += w.out.bytes.Load()
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	s.OnlineUsers, s.Connections = h.online, h.connections
	return s
}

type counters struct {
	framesIn, bytesIn               atomic.Int64
	broadcasts, deliveries, dropped atomic.Int64
	slow                            atomic.Int64
	out                             outCounters // of drains; a flusher has its own
}

func (c *counters) delivered(d Delivered) {
	c.broadcasts.Add(1)
	c.deliveries.Add(int64(d.Receivers))
	c.dropped.Add(int64(d.Dropped))
}

type outCounters struct{ frames, bytes atomic.Int64 }
