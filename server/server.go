package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onemeter/onemeter/server/auth"
	"github.com/onemeter/onemeter/server/blob"
	"github.com/onemeter/onemeter/server/call"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/observe"
	"github.com/onemeter/onemeter/server/redisconn"
	"github.com/onemeter/onemeter/server/rest"
	"github.com/onemeter/onemeter/server/sqlstore"
	"github.com/onemeter/onemeter/server/turn"
	"github.com/onemeter/onemeter/server/ws"
	"github.com/onemeter/onemeter/telemetry"
)

// A Server is a chat server with everything open and nobody served yet: Run
// serves.
type Server struct {
	cfg     Config
	log     *slog.Logger
	version string

	store *sqlstore.Store
	chat  *chat.Service
	calls *call.Service
	hub   *ws.Hub

	main, metrics *http.Server // metrics is nil where /metrics is on main
	listeners     []net.Listener

	bus    bus
	shared shared
	caches []func() observe.Cache

	exports []telemetry.Export // what is pushed

	turn *turn.Server // nil where there is none
	ice  ice

	parts       []part
	memory      polled[redisconn.Memory]
	slowQueries polled[int64] // of the database server

	up       chan struct{} // closed once it answers
	stopping atomic.Bool

	close []func() error // what keeps data, downward: the last one first
}

// New opens the database, the files and the listeners that cfg names. The
// caller calls Run, which closes them again.
func New(ctx context.Context, cfg Config, tel *telemetry.Provider, log *slog.Logger, version string) (_ *Server, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, log: log, version: version, exports: tel.Exports(), up: make(chan struct{})}
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
	return s, seen.Watch(s.state)
}

// abandon closes what New has opened before it failed.
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

// openChat opens what keeps data, and the domain on top of it.
func (s *Server) openChat(ctx context.Context, seen *observe.Observer) error {
	if err := s.openStore(ctx, seen); err != nil {
		return err
	}
	blobs, err := s.openBlobs(ctx, seen)
	if err != nil {
		return err
	}
	secret, err := s.secret()
	if err != nil {
		return err
	}
	cfg := chat.Config{
		Store: s.store, Blobs: blobs, Bus: s.bus, Presence: s.bus,
		Hasher: auth.NewHasher(), Signer: auth.NewSigner(secret),
		Limits: chat.Limits{
			MaxContent: s.cfg.MaxContent, MaxUpload: s.cfg.MaxUpload, MaxMembers: s.cfg.MaxMembers,
			TokenTTL: s.cfg.TokenTTL, SessionTTL: s.cfg.SessionTTL,
			Writers: s.writers(),
		},
		Hooks: seen.Chat(), Tracer: seen.Tracer(), Log: s.log,
	}
	s.addCaches(&cfg)
	s.addLimits(&cfg)
	s.chat = chat.New(cfg)
	return nil
}

// writers is how many transactions may store messages at a time: SQLite has one
// writer; a MySQL server works on one while this process makes the next.
func (s *Server) writers() int {
	if s.store.Engine() == "mysql" {
		return 4
	}
	return 1
}

// openStore opens the database.
func (s *Server) openStore(ctx context.Context, seen *observe.Observer) error {
	cfg, err := s.cfg.database()
	if err != nil {
		return err
	}
	if cfg.Path != "" {
		if err := s.lock(cfg.Path); err != nil {
			return err
		}
	}
	system := "sqlite"
	if cfg.MySQL != "" {
		system = "mysql"
	}
	cfg.Wrap = seen.SQL(system, sqlstore.ErrorType)
	if s.store, err = sqlstore.Open(ctx, cfg); err != nil {
		return err // names the database
	}
	s.close = append(s.close, s.store.Close)
	if cfg.MySQL != "" && s.cfg.Redis == "" {
		s.log.Warn("MySQL without --redis: run this node only, for others would not hear of its messages, removals and logouts")
	}
	s.parts = append(s.parts, part{name: "database", ping: s.store.Ping})
	s.slowQueries.poll(pollEvery, s.store.SlowQueries)
	s.close = append(s.close, s.slowQueries.stop)
	return nil
}

// openBlobs opens where the bytes of files are.
func (s *Server) openBlobs(ctx context.Context, seen *observe.Observer) (chat.Blobs, error) {
	if s.cfg.onS3() {
		cfg, err := blob.ParseS3URL(s.cfg.Blob)
		if err != nil {
			return nil, err
		}
		cfg.Transport = seen.Transport
		bucket, err := blob.OpenS3(ctx, cfg)
		if err != nil {
			return nil, err
		}
		s.close = append(s.close, bucket.Close)
		s.parts = append(s.parts, part{name: "files", optional: true, ping: bucket.Ping})
		return bucket, nil
	}
	folder, err := s.cfg.blobPath()
	if err != nil {
		return nil, err
	}
	files, err := blob.Open(folder)
	if err != nil {
		return nil, fmt.Errorf("open files %s: %w", folder, err)
	}
	s.close = append(s.close, files.Close)
	return files, nil
}

// How much the caches in process hold, and for how long at most.
const (
	cacheTTL     = 5 * time.Minute
	cachedRooms  = 10_000
	cachedPairs  = 100_000
	cachedUsers  = 100_000
	cachedLogins = 100_000
	limitedKeys  = 100_000
	minute       = 60.0
	failedLogins = 10 // in a row, of an account
	failedRefill = 1. / 30
	failedByAddr = 100 // in a row, from an address
	addrRefill   = 1.
)

func (s *Server) addCaches(cfg *chat.Config) {
	cfg.Sessions = newCache[string, chat.Session](s, "session", cachedLogins)
	cfg.Memberships = newCache[int64, chat.Membership](s, "membership", cachedRooms)
	cfg.Directs = newCache[chat.Pair, int64](s, "direct", cachedPairs)
	cfg.Users = newCache[int64, chat.User](s, "user", cachedUsers)
}

func (s *Server) addLimits(cfg *chat.Config) {
	c := s.cfg
	// A node may take turns at sending in advance, so that not every message asks Redis.
	const turns = 20
	cfg.Messages = newLimiter[int64](s, "messages", c.MessageRate, c.MessageBurst, turns)
	cfg.Actions = newLimiter[int64](s, "actions", c.MessageRate, c.MessageBurst, turns)
	cfg.LoginAccounts = newLimiter[string](s, "login-accounts", failedRefill, failedLogins, 1)
	cfg.LoginAddrs = newLimiter[string](s, "login-addrs", addrRefill, failedByAddr, 1)
	cfg.Registrations = newLimiter[string](s, "registrations", c.RegistrationRate/minute, max(1, int(c.RegistrationRate)), 1)
}

// secret signs access tokens: it was given, or is kept beside the database.
func (s *Server) secret() ([]byte, error) {
	if s.cfg.JWTSecret != "" {
		return []byte(s.cfg.JWTSecret), nil
	}
	db, err := s.cfg.database() // SQLite: Validate wants a secret otherwise
	if err != nil {
		return nil, err
	}
	path := filepath.Join(filepath.Dir(db.Path), "jwt.secret")
	secret, err := auth.Secret(path)
	if err != nil {
		return nil, fmt.Errorf("secret %s: %w", path, err)
	}
	return secret, nil
}

// openEdges puts the ways in on top of the domain.
func (s *Server) openEdges(seen *observe.Observer, tel *telemetry.Provider) error {
	s.hub = ws.New(s.chat, ws.Config{
		AllowedOrigins: s.cfg.AllowedOrigins,
		MaxFrame:       s.cfg.MaxFrame,
		Calls:          s.calls,
		RequestTimeout: s.cfg.RequestTimeout,
		Hooks:          seen.Sockets(),
		Log:            s.log,
	})
	s.chat.Subscribe(s.hub.Deliver)
	unsubscribe := s.bus.Subscribe(s.chat.Receive)
	s.close = append(s.close, func() error { unsubscribe(); return nil })

	cfg := rest.Config{
		Around:         seen.Echo(),
		WebSocket:      s.hub.Serve,
		Calls:          s.calls,
		AllowedOrigins: s.cfg.AllowedOrigins,
		TrustedProxies: s.cfg.TrustedProxies,
		MaxBody:        int64(s.cfg.MaxBody),
		RequestTimeout: s.cfg.RequestTimeout,
		ICE:            s.iceFor,
		Ready:          s.ready,
		Hooks:          rest.Hooks{Panicked: seen.Panicked},
		Log:            s.log,
		Version:        s.version,
	}
	if err := s.openMetrics(&cfg, seen, tel); err != nil {
		return err
	}
	s.main = s.httpServer(seen.Spans(rest.New(s.chat, cfg)))
	return nil
}

var errStopping = errors.New("the server is stopping")

// ready tells part by part what answers.
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

// A part is something that the server needs, or, optional, would rather have.
type part struct {
	name     string
	optional bool
	ping     func(context.Context) error
}

// Timeouts against clients that are slow on purpose. Bodies have deadlines of
// their own, in rest, since a large upload may take its time.
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

// LogHandler has h name the trace that something is logged in: trace_id, span_id.
func LogHandler(h slog.Handler) slog.Handler { return observe.LogHandler(h) }
