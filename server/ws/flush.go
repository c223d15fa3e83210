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
		if err != nil {
			c.kill(false)
		} else if n < len(buf) && !w.wait {
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
	w := c.hub.drains.Get().(*writer)
	c.flush(w)
	c.hub.drains.Put(w)
	c.hub.tasks.Done()
}

// schedule has the outboxes of conns written; whoever made them busy calls it.
func (h *Hub) schedule(conns ...*conn) {
	if len(conns) > 0 && conns[0].wire.raw == nil { // then so are all others
		for _, c := range conns {
			h.startDrain(c)
		}
		return
	}
	h.flushers.add(conns)
}

// startDrain is called while the outbox of c is busy, which keeps c.run, and
// with it the count of tasks, from ending.
func (h *Hub) startDrain(c *conn) {
	h.tasks.Add(1)
	go c.drain()
}

// Flushers write to connections, one after the other, and never wait for one.
// While one of them is at it, more frames come to connections that wait for
// their turn, so that under load one write carries several. As few of them are
// awake as can keep up: that costs a fifth less CPU than to have all of them
// share a small broadcast (BenchmarkFanout).
type flushers struct {
	writers []*writer

	mu     sync.Mutex
	wake   sync.Cond
	ready  []*conn // from head on
	head   int
	asleep int
	ended  bool
}

const (
	flusherShare = 1024 // connections that are ready, for each flusher that is awake
	flusherChunk = 64   // of them that a flusher takes at a time
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

// rouse wakes another flusher if those awake are not enough.
func (f *flushers) rouse() {
	awake := len(f.writers) - f.asleep
	if waiting := len(f.ready) - f.head; f.asleep > 0 && waiting > awake*flusherShare {
		f.asleep--
		f.wake.Signal()
	}
}

// take fills chunk with connections that are ready, and waits for some. false
// means that it is over.
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

// end has every run return once nothing is ready.
func (f *flushers) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	f.asleep = 0
	f.wake.Broadcast()
}

// run is one flusher.
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
