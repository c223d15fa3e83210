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

// StatusSessionEnded is the status with which the connections of a session are closed when it ends. The close reason
// says why it ended.
const StatusSessionEnded websocket.StatusCode = 4401

// A conn is the connection of one client. Its goroutine run reads; everything that is written goes through out.
type conn struct {
	hub    *Hub
	id     uint64
	caller chat.Caller
	opened time.Time
	wire   wire
	ws     *websocket.Conn
	out    outbox

	// Only the reader uses these.
	frames  bucket // limits frames
	refused bucket // limits frames over the rate, each of which gets an error
	pieces  bucket // limits fragments and control frames
	active  int64  // the tick of the last call of Service.Active
	away    bool   // the client sent is_online: false

	ends  atomic.Int64 // when to check the session again, in Unix nanoseconds; 0: it is being checked
	heard atomic.Int64 // the tick since which the reader waits for a byte, or heardBusy

	// Only the sweep uses these.
	pinged  bool
	moves   uint32 // of the outbox, at the last look
	movedAt int64  // the tick at which moves last changed

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

// greet queues the connect frame, and keeps the outbox busy so that nothing is written before run schedules it.
func (c *conn) greet() error {
	f, err := encode("connect", connected{"connected", c.caller.UserID, c.opened.UTC()}, c.opened)
	if err == nil {
		c.out.put(f)
	}
	return err
}

// run serves a connection that has joined the hub, until it is closed.
func (c *conn) run() {
	h := c.hub
	defer h.tasks.Done()
	c.updatePresence(h.svc.Connected)
	h.cfg.Hooks.opened(context.Background())
	h.schedule(c)
	c.enterCalls()
	c.sendNotices()
	c.settle(c.readLoop())
	h.leave(c)
	c.leaveCalls()
	if !c.away {
		c.updatePresence(h.svc.Disconnected)
	}
	h.cfg.Hooks.closed(context.Background(), Closed{Duration: h.cfg.Now().Sub(c.opened), Reason: c.end()})
}

// updatePresence reports to the domain that the connection has opened or closed.
func (c *conn) updatePresence(report func(context.Context, chat.Caller) error) {
	ctx, cancel := c.hub.request()
	defer cancel()
	if err := report(ctx, c.caller); err != nil {
		c.hub.cfg.Log.WarnContext(ctx, "presence not updated", "user", c.caller.UserID, "err", err)
	}
}

// sendNotices sends the notices of the staff that the user has not seen yet.
func (c *conn) sendNotices() {
	ctx, cancel := c.hub.request()
	defer cancel()
	notices, err := c.hub.svc.Notices(ctx, c.caller)
	if err != nil {
		c.hub.cfg.Log.WarnContext(ctx, "notices not sent; the next connection of the user gets them",
			"user", c.caller.UserID, "err", err)
	}
	for i, n := range notices {
		var told chat.Told
		if i == len(notices)-1 {
			told = chat.Told{After: notices[0].ID - 1, UpTo: n.ID}
		}
		c.replyTold(string(chat.EventNotice), n, told)
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

// awaitRoom waits while the client sends faster than it reads the answers. It is called before each message, whose
// answer may be large, and before each read, which may return pings. open is false once the outbox is closing.
func (c *conn) awaitRoom() (open bool) {
	for {
		wait, open := c.out.room()
		if wait == nil {
			return open
		}
		<-wait
	}
}

// settle finishes the closing handshake after the last read. It returns when the socket is closed and nobody writes to
// it any more.
func (c *conn) settle(err error) {
	switch {
	case websocket.CloseStatus(err) != -1:
		c.setReason(ReasonClient)
	case c.wire.failed:
		c.setReason(ReasonLost)
		c.kill(false)
	default:
		c.setReason(ReasonProtocol)
		c.sendClose(closeFrame(websocket.StatusProtocolError, "protocol error"), true)
	}
	if !c.wire.failed {
		c.wire.discard()
	}
	c.kill(false)
	if wait := c.out.quiet(); wait != nil {
		<-wait
	}
	_ = c.ws.CloseNow() // the library releases what it holds
}

// send queues a frame and schedules its write.
func (c *conn) send(f *frame) {
	if c.queue(f) {
		c.hub.schedule(c)
	}
}

// queue queues a frame; true means that the caller must schedule c. A client that has left too much unread is cut off.
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
	if c.shut(websocket.StatusTryAgainLater, "client reads too slowly: reconnect and sync", ReasonSlow, true) {
		c.hub.stats.slow.Add(1)
		c.hub.cfg.Hooks.slowClient(context.Background(), SlowClient{Stuck: stuck})
	}
}

// endSession closes a connection whose session has ended. The client gets why as the close reason.
func (c *conn) endSession(why string) {
	c.shut(StatusSessionEnded, cmp.Or(why, "session ended"), ReasonSession, true)
}

func (c *conn) goAway() {
	c.shut(websocket.StatusGoingAway, "server is stopping: reconnect", ReasonShutdown, false)
}

// shut begins to close the connection; purge drops the frames that wait to be written. It returns false if the
// connection was closing already.
func (c *conn) shut(code websocket.StatusCode, text string, why Reason, purge bool) bool {
	c.mu.Lock()
	first := c.reason == ""
	if first {
		c.reason = why
	}
	c.mu.Unlock()
	return c.sendClose(closeFrame(code, text), purge) && first
}

// sendClose queues the close frame f, after which the connection has CloseTimeout left.
func (c *conn) sendClose(f *frame, purge bool) bool {
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

// kill closes the socket now. With reset, it drops the bytes that the kernel has not sent yet.
func (c *conn) kill(reset bool) {
	giveUp(c.out.kill()...)
	c.wire.abort(reset)
}

// setReason records why the connection ends, unless a reason is recorded already.
func (c *conn) setReason(why Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reason == "" {
		c.reason = why
	}
}

// end stops the timer and returns why the connection has ended.
func (c *conn) end() Reason {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	if c.expiry != nil {
		c.expiry.Stop()
	}
	return c.reason
}
