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

// A Hub holds the WebSocket connections of this node. Its methods are safe for
// concurrent use.
type Hub struct {
	svc      *chat.Service
	cfg      Config
	stats    counters
	flushers *flushers
	drains   sync.Pool // of *writer
	targets  sync.Pool // of *[]*conn
	bodies   sync.Pool // of *body
	nextID   atomic.Uint64
	tick     atomic.Int64 // the sweep's clock

	ctx     context.Context // of what connections ask of the domain
	cancel  context.CancelFunc
	tasks   sync.WaitGroup // run and drain of every connection
	helpers sync.WaitGroup // flushers and sweep
	done    chan struct{}  // ends the sweep

	mu          sync.RWMutex
	users       map[int64]presence
	online      int // users with a connection
	connections int
	closing     bool
}

// presence is what one user has here.
type presence struct {
	conns    []*conn
	reserved int // connections whose handshake is under way
}

// New starts a Hub whose connections speak to svc. End it with Shutdown,
// before svc is closed.
func New(svc *chat.Service, cfg Config) *Hub {
	h := &Hub{
		svc: svc, cfg: cfg.withDefaults(), users: make(map[int64]presence), done: make(chan struct{}),
		flushers: newFlushers(runtime.GOMAXPROCS(0)),
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	// Ids differ between nodes too: Event.Only travels.
	h.nextID.Store(rand.Uint64())
	h.tick.Store(1)
	h.drains.New = func() any { return newWriter(drainScratch, true, &h.stats.out) }
	h.targets.New = func() any { return new([]*conn) }
	h.bodies.New = func() any { return newBody() }
	for _, w := range h.flushers.writers {
		h.helpers.Go(func() { h.flushers.run(h, w) })
	}
	h.helpers.Go(h.sweep)
	return h
}

// Serve authenticates a request, by its token parameter or its bearer, makes a
// WebSocket of it and returns: the connection lives on, and keeps nothing of
// the request.
//
// An error means that nothing was written, and the caller answers. It is a
// [*chat.Error] of kind Unauthenticated, RateLimited (too many connections of
// this user), Forbidden (origin), Invalid (no WebSocket handshake) or
// Unavailable (shutting down), or a stranger.
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
	// A logout that came before join closed every connection but this.
	c.checkSession(h.ctx)
	go c.run()
	return nil
}

// request is the context of one thing that a connection asks of the domain.
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

const noConnection = "no connection"

// reserve takes a place for a connection of userID, and keeps Shutdown from
// returning before it is used or released.
func (h *Hub) reserve(userID int64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return chat.Errorf(chat.KindUnavailable, noConnection, "the server is stopping: try again in a moment")
	}
	p := h.users[userID]
	if len(p.conns)+p.reserved >= h.cfg.MaxConnsPerUser {
		return chat.Errorf(chat.KindRateLimited, noConnection, "you have %d connections already", len(p.conns))
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

// join puts c in the place that was reserved for it. From here on it is
// delivered to.
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

// put stores what a user has, or forgets one who has nothing.
func (h *Hub) put(userID int64, p presence) {
	if len(p.conns) == 0 && p.reserved == 0 {
		delete(h.users, userID)
		return
	}
	h.users[userID] = p
}

// all appends the connections to list.
func (h *Hub) all(list []*conn) []*conn {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, p := range h.users {
		list = append(list, p.conns...)
	}
	return list
}

// afterDeadline is how long Shutdown waits for connections that it has cut.
const afterDeadline = time.Second

// Shutdown closes every connection with status 1001, after what waits to be
// written, and returns when all is closed and every goroutine has ended. When
// ctx ends first, connections are cut and its error is returned. New requests
// are refused from the start. It is called once.
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

// Restart closes every connection with status 1012, after what waits to be
// written: their clients missed something, and get it when they connect again
// and sync.
func (h *Hub) Restart() {
	for _, c := range h.all(nil) {
		c.shut(websocket.StatusServiceRestart, "connect again and sync", ReasonRestart, false)
	}
}

// Callers lists who is connected, once for each connection.
func (h *Hub) Callers() []chat.Caller {
	conns := h.all(nil)
	callers := make([]chat.Caller, len(conns))
	for i, c := range conns {
		callers[i] = c.caller
	}
	return callers
}
