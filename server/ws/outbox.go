package ws

import "sync"

// An outbox is the bounded queue of frames for one client. It has no goroutine and does no I/O: whoever made it busy
// writes what gather returns, until gather returns nothing. Its methods are safe for concurrent use.
type outbox struct {
	maxFrames, maxBytes int

	mu       sync.Mutex
	ring     []*frame // length is a power of two
	head, n  int
	bytes    int // of the n frames, including the written bytes of the first
	written  int // bytes of the first frame that are written
	inFlight int // frames that gather returned to the writer
	busy     bool
	moves    uint32 // grows when bytes are written, and when busy becomes true
	hangup   bool   // close the socket once the outbox is empty
	state    outState
	waiting  chan struct{} // on which the reader waits for room or quiet; nil: it does not wait
}

type outState uint8

const (
	outOpen    outState = iota
	outClosing          // the last frame is a close frame
	outClosed           // nothing is written any more
)

// A verdict is the result of queueing a frame.
type verdict uint8

const (
	putStart  verdict = iota // queued; the outbox is now busy, and the caller must have it written
	putQueued                // queued; another goroutine writes
	putFull                  // not queued: the client is too slow
	putClosed                // not queued: the connection is closing
)

// put queues a frame. An empty outbox accepts a frame of any size.
func (o *outbox) put(f *frame) verdict {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.state != outOpen:
		return putClosed
	case o.n >= o.maxFrames, o.n > 0 && o.bytes+len(f.wire) > o.maxBytes:
		return putFull
	}
	o.push(f)
	return o.claim()
}

// close queues the last frame. With purge, it removes and returns the frames that the writer does not have yet. ok is
// false if the outbox was closed before.
func (o *outbox) close(last *frame, purge bool) (dropped []*frame, v verdict, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.state != outOpen {
		return nil, putClosed, false
	}
	o.state = outClosing
	if purge {
		keep := o.inFlight
		if o.written > 0 {
			keep = max(keep, 1)
		}
		for o.n > keep {
			dropped = append(dropped, o.popBack())
		}
	}
	o.push(last)
	o.notify()
	return dropped, o.claim(), true
}

// kill stops all writing. It returns the frames that the caller must give up.
func (o *outbox) kill() []*frame {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.state = outClosed
	if o.busy {
		return nil // gather returns them to the writer
	}
	defer o.notify()
	return o.takeAll()
}

// claim makes the outbox busy, unless it is busy already.
func (o *outbox) claim() verdict {
	if o.busy {
		return putQueued
	}
	o.busy = true
	o.moves++
	return putStart
}

// activity returns whether somebody writes. A change of moves between two calls means that there was progress.
func (o *outbox) activity() (busy bool, moves uint32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.busy, o.moves
}

// gather returns the bytes to write next: the rest of the first frame, or several frames if they fit into scratch. If
// buf is empty, the outbox is not busy any more; the caller gives up the dropped frames and, with hangup, closes the
// socket.
func (o *outbox) gather(scratch []byte) (buf []byte, dropped []*frame, hangup bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.state == outClosed {
		dropped = o.takeAll()
	}
	if o.n == 0 {
		o.busy = false
		o.notify()
		return nil, dropped, o.hangup && o.state == outClosing
	}
	first := o.ring[o.head].wire[o.written:]
	o.inFlight = 1
	if o.n == 1 || len(first)+len(o.at(1).wire) > len(scratch) {
		return first, nil, false
	}
	buf = append(scratch[:0], first...)
	for o.inFlight < o.n && len(buf)+len(o.at(o.inFlight).wire) <= len(scratch) {
		buf = append(buf, o.at(o.inFlight).wire...)
		o.inFlight++
	}
	return buf, nil, false
}

// advance records that n bytes of the last gather were written, and appends the complete frames to done.
func (o *outbox) advance(n int, done []*frame) []*frame {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.inFlight = 0
	o.written += n
	if n > 0 {
		o.moves++
	}
	for o.n > 0 && o.written >= len(o.ring[o.head].wire) {
		f := o.popFront()
		o.written -= len(f.wire)
		done = append(done, f)
	}
	o.notify()
	return done
}

// hangUp requests that the socket is closed once the last frame is written. If it returns true, the caller closes it
// now.
func (o *outbox) hangUp() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hangup = true
	return o.state != outClosing || o.n == 0 && !o.busy
}

// room returns nil if the outbox is at most half full, or a channel that is closed when it is so again. open is false
// once the outbox is closing. Only the reader of the connection calls it.
func (o *outbox) room() (wait <-chan struct{}, open bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.state != outOpen || o.hasRoom() {
		return nil, o.state == outOpen
	}
	o.waiting = make(chan struct{})
	return o.waiting, true
}

// quiet returns nil if nobody is writing, or a channel that is closed once nobody is. Only the reader of the connection
// calls it, after kill.
func (o *outbox) quiet() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.busy {
		return nil
	}
	o.waiting = make(chan struct{})
	return o.waiting
}

func (o *outbox) hasRoom() bool { return o.n <= o.maxFrames/2 && o.bytes <= o.maxBytes/2 }

// notify wakes the reader if it waits and need not any more.
func (o *outbox) notify() {
	if o.waiting == nil {
		return
	}
	if o.state == outOpen && o.hasRoom() || o.state == outClosing || !o.busy {
		close(o.waiting)
		o.waiting = nil
	}
}

const (
	firstRing = 4  // slots of the first ring
	idleRing  = 64 // slots of the largest ring that an empty outbox keeps
)

func (o *outbox) at(i int) *frame { return o.ring[(o.head+i)&(len(o.ring)-1)] }

func (o *outbox) push(f *frame) {
	if o.n == len(o.ring) {
		bigger := make([]*frame, max(firstRing, 2*len(o.ring)))
		for i := range o.n {
			bigger[i] = o.at(i)
		}
		o.ring, o.head = bigger, 0
	}
	o.ring[(o.head+o.n)&(len(o.ring)-1)] = f
	o.n++
	o.bytes += len(f.wire)
}

func (o *outbox) popFront() *frame {
	f := o.ring[o.head]
	o.ring[o.head] = nil
	o.head = (o.head + 1) & (len(o.ring) - 1)
	o.removed(f)
	return f
}

func (o *outbox) popBack() *frame {
	i := (o.head + o.n - 1) & (len(o.ring) - 1)
	f := o.ring[i]
	o.ring[i] = nil
	o.removed(f)
	return f
}

func (o *outbox) removed(f *frame) {
	o.n--
	o.bytes -= len(f.wire)
	if o.n == 0 {
		o.head = 0
		if len(o.ring) > idleRing {
			o.ring = nil
		}
	}
}

func (o *outbox) takeAll() []*frame {
	if o.n == 0 {
		return nil
	}
	all := make([]*frame, 0, o.n)
	for o.n > 0 {
		all = append(all, o.popFront())
	}
	o.written, o.inFlight = 0, 0
	return all
}
