package ws

import (
	"context"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/onemeter/onemeter/server/chat"
)

// A Hub has the WebSocket connections of this node. Its methods are safe for concurrent use.
type Hub struct {
	svc      *chat.Service
	cfg      Config
	stats    counters
	flushers *flushers
	drains   sync.Pool // of *writer
	targets  sync.Pool // of *[]*conn
	bodies   sync.Pool // of *body
	nextID   atomic.Uint64
	tick     atomic.Int64 // the coarse clock of the sweep

	ctx     context.Context // for calls of the domain; ended by Shutdown
	cancel  context.CancelFunc
	tasks   sync.WaitGroup // run and drain of every connection
	helpers sync.WaitGroup // flushers, sweep and checks
	done    chan struct{}  // ends the sweep and the checks of sessions

	suspects *suspects

	mu          sync.RWMutex
	users       map[int64]presence
	online      int // users with a connection
	connections int
	closing     bool
}

// A presence has the connections of one user to this node.
type presence struct {
	conns    []*conn
	reserved int // connections whose handshake is not finished
}

// New starts a Hub whose connections use svc. Call Shutdown before svc is closed.
func New(svc *chat.Service, cfg Config) *Hub {
	h := &Hub{
		svc: svc, cfg: cfg.withDefaults(), users: make(map[int64]presence), done: make(chan struct{}),
		flushers: newFlushers(runtime.GOMAXPROCS(0)), suspects: newSuspects(),
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	// Ids must differ between nodes too, since Event.Only is sent to all of them.
	h.nextID.Store(rand.Uint64())
	h.tick.Store(1)
	h.drains.New = func() any { return newWriter(drainScratch, true, &h.stats.out) }
	h.targets.New = func() any { return new([]*conn) }
	h.bodies.New = func() any { return newBody() }
	for _, w := range h.flushers.writers {
		h.helpers.Go(func() { h.flushers.run(h, w) })
	}
	h.helpers.Go(h.sweep)
	h.helpers.Go(h.checkSessions)
	return h
}

// Serve authenticates a request by its token parameter or bearer token, upgrades it to a WebSocket, and returns. The
// connection goes on, and keeps no reference to the request.
//
// If Serve returns an error, it has written nothing, and the caller answers. The error is a [*chat.Error] of kind
// Unauthenticated, RateLimited (too many connections of this user), Forbidden (origin), Invalid (no WebSocket
// handshake) or Unavailable (shutting down); any other error is internal.
func (h *Hub) Serve(w http.ResponseWriter, r *http.Request) error {
	caller, err := h.svc.Authenticate(r.Context(), token(r))
	if err != nil {
		return err
	}
	if err := h.reserve(caller.UserID); err != nil {
		return err
	}
	c := newConn(h, caller)
	if err := c.greet(); err != nil {
		h.release(caller.UserID)
		return err
	}
	if err := c.accept(w, r); err != nil {
		h.release(caller.UserID)
		return err
	}
	h.join(c)
	// A logout before join has closed all connections except this one.
	c.checkSession(h.ctx)
	go c.run()
	return nil
}

// request returns the context for one call of the domain.
func (h *Hub) request() (context.Context, context.CancelFunc) {
	return context.WithTimeout(h.ctx, h.cfg.RequestTimeout)
}

func token(r *http.Request) string {
	if t := r.URL.Query().Get("token"); t != "" {
		return t
	}
	scheme, t, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(t)
}

const notConnected = "not connected"

// reserve reserves a place for a connection of userID. Shutdown waits until it is used or released.
func (h *Hub) reserve(userID int64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return chat.Errorf(chat.KindUnavailable, notConnected, "the server is stopping: try again in a moment")
	}
	p := h.users[userID]
	if len(p.conns)+p.reserved >= h.cfg.MaxConnsPerUser {
		return chat.Errorf(chat.KindRateLimited, notConnected,
			"you have %d connections, as many as are allowed: close one", len(p.conns)+p.reserved)
	}
	p.reserved++
	h.users[userID] = p
	h.tasks.Add(1)
	return nil
}

func (h *Hub) release(userID int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.users[userID]
	p.reserved--
	h.put(userID, p)
	h.tasks.Done()
}

// join adds c in the place that was reserved for it. From now on, it gets events.
func (h *Hub) join(c *conn) {
	h.mu.Lock()
	p := h.users[c.caller.UserID]
	p.reserved--
	p.conns = append(p.conns, c)
	h.put(c.caller.UserID, p)
	h.connections++
	if len(p.conns) == 1 {
		h.online++
	}
	closing := h.closing
	h.mu.Unlock()
	if closing {
		c.goAway()
	}
}

func (h *Hub) leave(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.users[c.caller.UserID]
	p.conns = slices.DeleteFunc(p.conns, func(other *conn) bool { return other == c })
	h.put(c.caller.UserID, p)
	h.connections--
	if len(p.conns) == 0 {
		h.online--
	}
}

// put stores the presence of a user, or removes it if it is empty.
func (h *Hub) put(userID int64, p presence) {
	if len(p.conns) == 0 && p.reserved == 0 {
		delete(h.users, userID)
		return
	}
	h.users[userID] = p
}

// all appends all connections to list.
func (h *Hub) all(list []*conn) []*conn {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, p := range h.users {
		list = append(list, p.conns...)
	}
	return list
}

// afterDeadline is how long Shutdown waits for connections that it has killed.
const afterDeadline = time.Second

// Shutdown closes every connection with status 1001, after the frames that wait to be written. It returns when all are
// closed and every goroutine has ended. After nine tenths of the time that ctx leaves, it cancels the requests under way.
// If ctx ends first, it kills the connections and returns the error of ctx. New requests are refused as soon as it is
// called. Call it once.
func (h *Hub) Shutdown(ctx context.Context) error {
	h.mu.Lock()
	h.closing = true
	h.mu.Unlock()
	for _, c := range h.all(nil) {
		c.goAway()
	}
	ended := make(chan struct{})
	go func() {
		h.tasks.Wait()
		close(ended)
	}()
	if deadline, ok := ctx.Deadline(); ok {
		// A connection may wait for the store several times in turn: for a frame, and to record that it has ended.
		defer time.AfterFunc(time.Until(deadline)*9/10, h.cancel).Stop()
	}
	var err error
	select {
	case <-ended:
	case <-ctx.Done():
		err = ctx.Err()
		h.cancel()
		for _, c := range h.all(nil) {
			c.kill(true)
		}
		select {
		case <-ended:
		case <-time.After(afterDeadline):
		}
	}
	h.cancel()
	close(h.done)
	h.flushers.end()
	h.helpers.Wait()
	return err
}

// Restart closes every connection with status 1012, after the frames that wait to be written. It is for a node that may
// have missed events: the clients get them when they reconnect and sync.
func (h *Hub) Restart() {
	for _, c := range h.all(nil) {
		c.shut(websocket.StatusServiceRestart, "events may be missing: reconnect and sync", ReasonRestart, false)
	}
}

// Callers returns the caller of each connection. A user with several connections is in it several times.
func (h *Hub) Callers() []chat.Caller {
	conns := h.all(nil)
	callers := make([]chat.Caller, len(conns))
	for i, c := range conns {
		callers[i] = c.caller
	}
	return callers
}
