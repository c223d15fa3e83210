package ws

import "sync/atomic"

// Stats are the numbers of a Hub. Those that are no state only grow.
type Stats struct {
	OnlineUsers int // users with at least one connection
	Connections int

	FramesIn, BytesIn   uint64 // data frames from clients; bytes of all frames
	FramesOut, BytesOut uint64 // frames written, control frames included
	Broadcasts          uint64 // events that were for at least one connection
	Deliveries, Dropped uint64 // of them, by connection: written, and given up
	SlowClients         uint64 // connections cut off because they did not read
}

// Stats reads the current numbers.
func (h *Hub) Stats() Stats {
	s := Stats{
		FramesIn: h.stats.framesIn.Load(), BytesIn: h.stats.bytesIn.Load(),
		FramesOut: h.stats.out.frames.Load(), BytesOut: h.stats.out.bytes.Load(),
		Broadcasts: h.stats.broadcasts.Load(),
		Deliveries: h.stats.deliveries.Load(), Dropped: h.stats.dropped.Load(),
		SlowClients: h.stats.slow.Load(),
	}
	for _, f := range h.flushers {
		s.FramesOut += f.writer.out.frames.Load()
		s.BytesOut += f.writer.out.bytes.Load()
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	s.OnlineUsers, s.Connections = h.online, h.connections
	return s
}

type counters struct {
	framesIn, bytesIn               atomic.Uint64
	broadcasts, deliveries, dropped atomic.Uint64
	slow                            atomic.Uint64
	out                             outCounters // of drains; a flusher has its own
}

func (c *counters) delivered(d Delivered) {
	c.broadcasts.Add(1)
	c.deliveries.Add(uint64(d.Receivers))
	c.dropped.Add(uint64(d.Dropped))
}

type outCounters struct{ frames, bytes atomic.Uint64 }
