package ws

import "sync"

// A writer writes to one connection at a time.
type writer struct {
	scratch []byte // where small frames are joined
	done    []*frame
	out     *outCounters
	wait    bool // if the socket is full

	// The current write, for op. op is made once, so that a write allocates nothing.
	buf []byte
	n   int
	err error
	op  func(fd uintptr) bool
}

// Bytes of writer.scratch.
const (
	flushScratch = 64 << 10 // of a flusher, of which there are few
	drainScratch = 16 << 10 // of a drain, of which each slow client has one
)

func newWriter(scratch int, wait bool, out *outCounters) *writer {
	w := &writer{scratch: make([]byte, scratch), wait: wait, out: out}
	w.op = w.try
	return w
}

// flush writes the frames that wait for c until there are none. It returns false if the socket is full and the outbox
// still busy, which cannot happen if w waits.
func (c *conn) flush(w *writer) bool {
	for {
		buf, lost, hangup := c.out.gather(w.scratch)
		giveUp(lost...)
		if len(buf) == 0 {
			if hangup {
				_ = c.wire.Conn.Close()
			}
			return true
		}
		n, err := c.wire.write(w, buf)
		w.done = c.out.advance(n, w.done[:0])
		c.countWritten(w, n)
		if err != nil {
			c.kill(false)
		} else if n < len(buf) && !w.wait {
			return false
		}
	}
}

// countWritten counts the n bytes and the complete frames that w has written.
func (c *conn) countWritten(w *writer, n int) {
	w.out.bytes.Add(int64(n))
	if len(w.done) == 0 {
		return
	}
	w.out.frames.Add(int64(len(w.done)))
	now := c.hub.cfg.Now()
	for i, f := range w.done {
		if f.delivery != nil {
			f.delivery.written(c.caller.UserID, now)
		}
		if f.notices.UpTo != 0 {
			c.hub.svc.NoticesTold(c.caller.UserID, f.notices.After+1, f.notices.UpTo)
		}
		w.done[i] = nil
	}
}

// drain is flush for a full socket, in a goroutine of its own.
func (c *conn) drain() {
	w := c.hub.drains.Get().(*writer)
	c.flush(w)
	c.hub.drains.Put(w)
	c.hub.tasks.Done()
}

// schedule has the outboxes of conns written. Whoever made them busy calls it.
func (h *Hub) schedule(conns ...*conn) {
	if len(conns) > 0 && conns[0].wire.raw == nil { // all connections of a server are of one kind
		for _, c := range conns {
			h.startDrain(c)
		}
		return
	}
	h.flushers.add(conns)
}

// startDrain is called while the outbox of c is busy. So c.run has not ended, and h.tasks is not 0.
func (h *Hub) startDrain(c *conn) {
	h.tasks.Add(1)
	go c.drain()
}

// Flushers are goroutines that write to one connection after the other, and never wait for one. Meanwhile, more frames
// are queued for the connections that wait for their turn, so under load one write carries several frames. Only as many
// flushers are awake as are needed: that costs a fifth less CPU than to share a small broadcast among all of them
// (BenchmarkFanout).
type flushers struct {
	writers []*writer

	mu     sync.Mutex
	wake   sync.Cond
	ready  []*conn // those before head are taken
	head   int
	asleep int
	ended  bool
}

const (
	flusherShare = 1024 // ready connections per flusher that is awake, before another is woken
	flusherChunk = 64   // connections that a flusher takes at a time
)

func newFlushers(n int) *flushers {
	f := &flushers{}
	f.wake.L = &f.mu
	for range n {
		f.writers = append(f.writers, newWriter(flushScratch, false, new(outCounters)))
	}
	return f
}

func (f *flushers) add(conns []*conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ready = append(f.ready, conns...)
	f.rouse()
}

// rouse wakes another flusher if those that are awake do not suffice.
func (f *flushers) rouse() {
	awake := len(f.writers) - f.asleep
	if waiting := len(f.ready) - f.head; f.asleep > 0 && waiting > awake*flusherShare {
		f.asleep--
		f.wake.Signal()
	}
}

// take fills chunk with ready connections. It waits for one, and returns false after end.
func (f *flushers) take(chunk []*conn) ([]*conn, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.ready) == f.head {
		if f.ended {
			return nil, false
		}
		f.ready, f.head = f.ready[:0], 0
		f.asleep++
		f.wake.Wait()
	}
	n := copy(chunk[:cap(chunk)], f.ready[f.head:])
	clear(f.ready[f.head : f.head+n])
	f.head += n
	f.rouse()
	return chunk[:n], true
}

// end makes every run return once no connection is ready.
func (f *flushers) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	f.asleep = 0
	f.wake.Broadcast()
}

// run is the goroutine of one flusher.
func (f *flushers) run(h *Hub, w *writer) {
	chunk := make([]*conn, 0, flusherChunk)
	for {
		var ok bool
		if chunk, ok = f.take(chunk); !ok {
			return
		}
		for _, c := range chunk {
			if !c.flush(w) {
				h.startDrain(c)
			}
		}
		clear(chunk)
	}
}
