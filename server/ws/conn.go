package ws

import (
	"cmp"
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/onemeter/onemeter/server/chat"
)

// StatusSessionEnded closes the connections of a session that was logged out, or
// was not refreshed in time.
const StatusSessionEnded websocket.StatusCode = 4401

// A conn is one client. Its goroutine is run, which reads; what is written
// goes through out.
type conn struct {
	hub    *Hub
	id     uint64
	caller chat.Caller
	opened time.Time
	wire   wire
	ws     *websocket.Conn
	out    outbox

	// The reader's.
	frames  bucket // what may come
	refused bucket // what may be refused because too much came
	pieces  bucket // fragments and control frames that may come
	active  int64  // the tick at which the domain was last told
	away    bool   // the client says that nobody is there

	ends  atomic.Int64 // when to ask whether the session goes on, in Unix nanoseconds; 0: it is being asked
	heard atomic.Int64 // the tick since which the reader waits for a byte, or heardBusy

	// The sweep's.
	pinged  bool
	moves   uint32 // of the outbox
	movedAt int64  // the tick at which they last changed

	mu     sync.Mutex
	reason Reason
	expiry *time.Timer // of the closing handshake
	over   bool
}

func newConn(h *Hub, caller chat.Caller) *conn {
	c := &conn{hub: h, id: h.nextID.Add(1), caller: caller, opened: h.cfg.Now()}
	c.caller.Conn = c.id
	c.wire.c = c
	c.out.maxFrames, c.out.maxBytes = h.cfg.QueueFrames, h.cfg.QueueBytes
	c.heard.Store(heardBusy)
	now := c.opened.UnixNano()
	c.frames = newBucket(h.cfg.FrameRate, h.cfg.FrameBurst, now)
	c.refused = newBucket(h.cfg.FrameRate, 5*h.cfg.FrameBurst, now)
	c.pieces = newBucket(piecesAFrame*h.cfg.FrameRate, piecesAFrame*h.cfg.FrameBurst, now)
	return c
}

type connected struct {
	Status     string    `json:"status"`
	UserID     int64     `json:"user_id"`
	ServerTime time.Time `json:"server_time"`
}

// greet queues the connect frame, and keeps the outbox busy so that nothing is
// written before run says so.
func (c *conn) greet() error {
	f, err := encode("connect", connected{"connected", c.caller.UserID, c.opened.UTC()}, c.opened)
	if err == nil {
		c.out.put(f)
	}
	return err
}

// run is the life of a connection that has joined the hub.
func (c *conn) run() {
	h := c.hub
	defer h.tasks.Done()
	c.count(h.svc.Connected)
	h.cfg.Hooks.opened(context.Background())
	h.schedule(c)
	c.enterCalls()
	c.tellNotices()
	c.settle(c.readLoop())
	h.leave(c)
	c.leaveCalls()
	if !c.away {
		c.count(h.svc.Disconnected)
	}
	h.cfg.Hooks.closed(context.Background(), Closed{Duration: h.cfg.Now().Sub(c.opened), Reason: c.end()})
}

// count tells the domain that the connection is there, or gone.
func (c *conn) count(tell func(context.Context, chat.Caller) error) {
	ctx, cancel := c.hub.request()
	defer cancel()
	if err := tell(ctx, c.caller); err != nil {
		c.hub.cfg.Log.WarnContext(ctx, "presence not told", "err", err)
	}
}

// tellNotices tells the client what the staff had to tell its user meanwhile.
func (c *conn) tellNotices() {
	ctx, cancel := c.hub.request()
	defer cancel()
	notices, err := c.hub.svc.Notices(ctx, c.caller)
	if err != nil {
		c.hub.cfg.Log.WarnContext(ctx, "notices not told: they are when the user connects again", "user", c.caller.UserID, "err", err)
	}
	for _, n := range notices {
		c.reply(string(chat.EventNotice), n)
	}
}

func (c *conn) readLoop() error {
	for {
		open := c.awaitRoom()
		typ, r, err := c.ws.Reader(context.Background())
		if err != nil {
			return err
		}
		if !open {
			if _, err := io.Copy(io.Discard, r); err != nil {
				return err
			}
			continue
		}
		if err := c.readFrame(typ, r); err != nil {
			return err
		}
	}
}

// awaitRoom waits while the client sends faster than it reads the answers. It is
// called before each message, whose answer may be large, and before each read,
// which may hold pings. open is false once the outbox is closing.
func (c *conn) awaitRoom() (open bool) {
	for {
		wait, open := c.out.room()
		if wait == nil {
			return open
		}
		<-wait
	}
}

// settle brings the closing handshake to its end after the last read, and
// returns when the socket is closed and nobody writes any more.
func (c *conn) settle(err error) {
	switch {
	case websocket.CloseStatus(err) != -1:
		c.because(ReasonClient)
	case c.wire.failed:
		c.because(ReasonLost)
		c.kill(false)
	default:
		c.because(ReasonProtocol)
		c.last(closeFrame(websocket.StatusProtocolError, "protocol error"), true)
	}
	if !c.wire.failed {
		c.wire.discard()
	}
	c.kill(false)
	if wait := c.out.quiet(); wait != nil {
		<-wait
	}
	_ = c.ws.CloseNow() // tells the library
}

// send queues a frame and has it written.
func (c *conn) send(f *frame) {
	if c.queue(f) {
		c.hub.schedule(c)
	}
}

// queue queues a frame; true means that c is to be scheduled. A client that has
// left too much unread is cut off.
func (c *conn) queue(f *frame) bool {
	switch c.out.put(f) {
	case putStart:
		return true
	case putFull:
		giveUp(f)
		c.cutOff(false)
	case putClosed:
		giveUp(f)
	}
	return false
}

// cutOff closes the connection of a client that does not read.
func (c *conn) cutOff(stuck bool) {
	if c.shut(websocket.StatusTryAgainLater, "too slow: connect again and sync", ReasonSlow, true) {
		c.hub.stats.slow.Add(1)
		c.hub.cfg.Hooks.slowClient(context.Background(), SlowClient{Stuck: stuck})
	}
}

// endSession closes a connection whose session is over; why is for its client.
func (c *conn) endSession(why string) {
	c.shut(StatusSessionEnded, cmp.Or(why, "session ended"), ReasonSession, true)
}

func (c *conn) goAway() {
	c.shut(websocket.StatusGoingAway, "server is going away", ReasonShutdown, false)
}

// shut begins to close the connection; purge drops what waits to be written.
// false means that someone else has begun.
func (c *conn) shut(code websocket.StatusCode, text string, why Reason, purge bool) bool {
	c.mu.Lock()
	first := c.reason == ""
	if first {
		c.reason = why
	}
	c.mu.Unlock()
	return c.last(closeFrame(code, text), purge) && first
}

// last queues the close frame and bounds what is left of the connection's life.
func (c *conn) last(f *frame, purge bool) bool {
	lost, v, ok := c.out.close(f, purge)
	giveUp(lost...)
	if !ok {
		return false
	}
	c.expire()
	if v == putStart {
		c.hub.schedule(c)
	}
	return true
}

func (c *conn) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over && c.expiry == nil {
		c.expiry = time.AfterFunc(c.hub.cfg.CloseTimeout, func() { c.kill(true) })
	}
}

// kill closes the socket now; with reset, what the kernel still holds is lost.
func (c *conn) kill(reset bool) {
	giveUp(c.out.kill()...)
	c.wire.abort(reset)
}

// because notes why the connection is over, unless that is known.
func (c *conn) because(why Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reason == "" {
		c.reason = why
	}
}

// end stops the timer and tells why the connection is over.
func (c *conn) end() Reason {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	if c.expiry != nil {
		c.expiry.Stop()
	}
	return c.reason
}
