package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onemeter/onemeter/server/call"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/observe"
	"github.com/onemeter/onemeter/server/redisconn"
	"github.com/onemeter/onemeter/server/rest"
	"github.com/onemeter/onemeter/server/sqlstore"
	"github.com/onemeter/onemeter/server/turn"
	"github.com/onemeter/onemeter/server/web"
	"github.com/onemeter/onemeter/server/ws"
	"github.com/onemeter/onemeter/telemetry"
)

// A Server is a chat server. New opens everything that it needs, and Run serves.
type Server struct {
	cfg     Config
	log     *slog.Logger
	version string

	store *sqlstore.Store
	chat  *chat.Service
	calls *call.Service
	hub   *ws.Hub

	main, metrics *http.Server // metrics is nil if /metrics is on main
	listeners     []net.Listener

	bus    bus
	shared shared
	caches []func() observe.Cache
	drops  map[string]func(ctx context.Context, keys []byte) error // drop keys of a cache, by its name, for signals

	exports []telemetry.Export // the configured pushes of telemetry

	turn *turn.Server // nil: none
	ice  ice

	parts       []part
	memory      polled[redisconn.Memory]
	slowQueries polled[int64] // counted by the database server
	backlog     polled[chat.Backlog]

	up       chan struct{} // closed once the server is up
	stopping atomic.Bool

	close []func() error // called by closeAll, the last one first
}

// New opens the database, the files and the listeners that cfg names. Call Run afterwards, which also closes them. If
// New fails, it closes what it has opened.
func New(ctx context.Context, cfg Config, tel *telemetry.Provider, log *slog.Logger, version string) (_ *Server, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, log: log, version: version, exports: tel.Exports(), up: make(chan struct{}),
		drops: make(map[string]func(context.Context, []byte) error)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.abandon(ctx))
		}
	}()
	seen, err := observe.New(tel)
	if err != nil {
		return nil, fmt.Errorf("make instruments: %w", err)
	}
	if err := s.listen(ctx); err != nil {
		return nil, err
	}
	if err := s.openICE(ctx); err != nil {
		return nil, err
	}
	if err := s.openBus(seen); err != nil {
		return nil, err
	}
	if err := s.openChat(ctx, seen); err != nil {
		return nil, err
	}
	s.openCalls(seen)
	if err := s.openEdges(seen, tel); err != nil {
		return nil, err
	}
	if err := s.startBus(ctx); err != nil {
		return nil, err
	}
	if err := s.followSignals(ctx); err != nil {
		return nil, err
	}
	return s, seen.Watch(s.state)
}

// abandon closes everything that New has opened before it failed.
func (s *Server) abandon(ctx context.Context) error {
	var err error
	if s.hub != nil {
		err = s.hub.Shutdown(ctx)
	}
	if s.chat != nil {
		s.chat.Close()
	}
	return errors.Join(err, s.closeAll())
}

// openEdges opens HTTP and WebSockets on top of the domain.
func (s *Server) openEdges(seen *observe.Observer, tel *telemetry.Provider) error {
	s.hub = ws.New(s.chat, ws.Config{
		AllowedOrigins: s.cfg.AllowedOrigins,
		MaxFrame:       s.cfg.MaxFrame,
		Calls:          s.calls,
		RequestTimeout: s.cfg.RequestTimeout,
		Hooks:          seen.Sockets(),
		Log:            s.log,
	})
	s.chat.DeliverTo(s.hub.Deliver)
	unsubscribe := s.bus.Subscribe(s.chat.Receive)
	s.close = append(s.close, func() error { unsubscribe(); return nil })

	pages, err := web.New()
	if err != nil {
		return err
	}
	cfg := rest.Config{
		Web:            pages,
		Around:         seen.Echo(),
		WebSocket:      s.hub.Serve,
		Calls:          s.calls,
		AllowedOrigins: s.cfg.AllowedOrigins,
		TrustedProxies: s.cfg.TrustedProxies,
		MaxBody:        int64(s.cfg.MaxBody),
		RequestTimeout: s.cfg.RequestTimeout,
		ICE:            s.iceFor,
		Ready:          s.ready,
		Alerts:         s.alerts(tel),
		Hooks:          rest.Hooks{Panicked: seen.Panicked},
		Log:            s.log,
		Version:        s.version,
	}
	if err := s.openConsole(&cfg); err != nil {
		return err
	}
	if err := s.openMetrics(&cfg, seen, tel); err != nil {
		return err
	}
	s.main = s.httpServer(seen.Spans(rest.New(s.chat, cfg)))
	return nil
}

var errStopping = errors.New("the server is stopping")

// ready pings all parts concurrently.
func (s *Server) ready(ctx context.Context) []rest.Part {
	parts := make([]rest.Part, len(s.parts), len(s.parts)+1)
	var asking sync.WaitGroup
	for i, p := range s.parts {
		asking.Go(func() { parts[i] = rest.Part{Name: p.name, Optional: p.optional, Err: p.ping(ctx)} })
	}
	asking.Wait()
	if s.stopping.Load() {
		parts = append(parts, rest.Part{Name: "server", Err: errStopping})
	}
	return parts
}

// A part is something that the server needs. Without an optional part, it works in a degraded way.
type part struct {
	name     string
	optional bool
	ping     func(context.Context) error
}

// Limits for clients that are slow on purpose. Package rest has deadlines for bodies, since a large upload may take
// long.
const (
	headerTimeout  = 5 * time.Second
	idleTimeout    = 2 * time.Minute
	metricsTimeout = 30 * time.Second
	maxHeaderBytes = 64 << 10
)

func (s *Server) httpServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}
