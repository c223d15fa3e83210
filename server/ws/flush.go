package ws

import (
	"sync"
)

// A writer is what it takes to write to one connection at a time.
type writer struct {
	scratch []byte // where small frames become one piece
	done    []*frame
	out     *outCounters
	wait    bool // for a socket that is full

	// The write under way, for op, which is made once so that a write
	// allocates nothing.
	buf []byte
	n   int
	err error
	op  func(fd uintptr) bool
}

// Sizes of the piece that small frames become: of a flusher, of which there
// are few, and of a drain, of which there is one for each slow client.
const (
	flushScratch = 64 << 10
	drainScratch = 16 << 10
)

func newWriter(scratch int, wait bool, out *outCounters) *writer {
	w := &writer{scratch: make([]byte, scratch), wait: wait, out: out}
	w.op = w.try
	return w
}

// flush writes what waits for c, until nothing does. false means that the
// socket is full and the outbox is still busy; never so if w waits.
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
		c.account(w, n)
		switch {
		case err != nil:
			c.kill(false)
		case w.wait:
			c.progress.Store(c.hub.tick.Load())
		case n < len(buf):
			return false
		}
	}
}

// account counts what w has written.
func (c *conn) account(w *writer, n int) {
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
		w.done[i] = nil
	}
}

// drain is flush for a socket that is full, in a goroutine of its own.
func (c *conn) drain() {
	c.progress.Store(c.hub.tick.Load())
	w := c.hub.drains.Get().(*writer)
	c.flush(w)
	c.hub.drains.Put(w)
	c.progress.Store(0)
	c.hub.tasks.Done()
}

// schedule has c's outbox written; whoever made it busy calls it.
func (h *Hub) schedule(c *conn) {
	if c.wire.raw == nil {
		h.startDrain(c)
		return
	}
	h.flushers[c.id%uint64(len(h.flushers))].add(c)
}

// startDrain is called while the outbox of c is busy, which keeps c.run, and
// with it the count of tasks, from ending.
func (h *Hub) startDrain(c *conn) {
	h.tasks.Add(1)
	go c.drain()
}

// A flusher writes to many connections, one after the other, and never waits
// for one. While it is at it, more frames come to the others, so that under
// load one write carries several.
type flusher struct {
	hub    *Hub
	writer *writer

	mu    sync.Mutex
	wake  sync.Cond
	ready []*conn
	ended bool
}

func newFlusher(h *Hub) *flusher {
	f := &flusher{hub: h, writer: newWriter(flushScratch, false, new(outCounters))}
	f.wake.L = &f.mu
	return f
}

func (f *flusher) add(c *conn) {
	f.mu.Lock()
	f.ready = append(f.ready, c)
	f.mu.Unlock()
	f.wake.Signal()
}

// end has run return once nothing is ready.
func (f *flusher) end() {
	f.mu.Lock()
	f.ended = true
	f.mu.Unlock()
	f.wake.Signal()
}

func (f *flusher) run() {
	var batch []*conn
	for {
		f.mu.Lock()
		for len(f.ready) == 0 {
			if f.ended {
				f.mu.Unlock()
				return
			}
			f.wake.Wait()
		}
		batch, f.ready = f.ready, batch[:0]
		f.mu.Unlock()
		for i, c := range batch {
			batch[i] = nil
			if !c.flush(f.writer) {
				f.hub.startDrain(c)
			}
		}
	}
}
