package rest

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/onemeter/onemeter/server/chat"
)

// Config is what a Server is made of. Its zero value serves the API alone.
type Config struct {
	// Around goes around everything, redirects and 404 included; nil: nothing does.
	Around echo.MiddlewareFunc
	// WebSocket serves GET /ws. An error that it returns before it has written
	// anything becomes an answer in the envelope; a later one is only logged.
	// It may keep the connection after it has returned, but not w.
	WebSocket func(w http.ResponseWriter, r *http.Request) error
	// Calls are calls. nil: there are no routes of theirs.
	Calls Calls
	// Metrics serves /metrics, Debug /debug/telemetry, the latter to clients on
	// the same machine only, unless DebugAsks: it asks them itself who they are.
	// Without a handler there is no such route.
	Metrics, Debug http.Handler
	DebugAsks      bool
	// StaffMetrics and StaffTelemetry are the same two for administrators, by their
	// access tokens and wherever the two are: below /api/super-admin. nil: there is
	// no such route.
	StaffMetrics, StaffTelemetry http.Handler
	// Web serves the pages of the web client: / and what is below /app/. nil:
	// there are none.
	Web http.Handler
	// Console serves the pages of the admin console: what is below /admin/. nil:
	// there are none.
	Console http.Handler
	// ICE makes what GET /api/calls/ice-servers answers to a user; nil: no servers.
	ICE func(userID int64) ICE
	// Alerts tells what is wrong, by the names of the rules of deploy/prometheus;
	// it gets two seconds. nil: nothing is.
	Alerts func(ctx context.Context) []Alert
	// Ready tells of the parts that /readyz reports; it gets two seconds.
	Ready func(ctx context.Context) []Part

	// MaxBody is the most bytes of a JSON body; 1 MiB.
	MaxBody int64
	// RequestTimeout is how long a request may take in the service, transfers
	// of files and checks of passwords apart, before it is answered 503; 2.5 s.
	RequestTimeout time.Duration
	// AllowedOrigins are the web pages on other hosts that may call the API:
	// "https://chat.example.com", a bare host, or either with wildcards as of
	// path.Match. None: no CORS headers are sent.
	AllowedOrigins []string
	// TrustedProxies are those that are believed who their client is: by
	// X-Forwarded-For, or else Forwarded, or else X-Real-IP. None: the client's
	// address is the connection's.
	TrustedProxies []netip.Prefix

	Hooks   Hooks
	Log     *slog.Logger     // discards
	Now     func() time.Time // time.Now
	Version string           // for /health
}

// A Part is something that the server cannot, or with Optional would rather
// not, work without.
type Part struct {
	Name     string
	Err      error // nil: it answers
	Optional bool
}

// Hooks are told what happens on the way to and from the service. A nil func
// is not called.
type Hooks struct {
	// Panicked: a handler panicked, and the client was told of an internal error.
	Panicked func(context.Context)
}

// A Server answers HTTP requests. It is safe for concurrent use and needs no
// closing.
type Server struct {
	svc      *chat.Service
	cfg      Config
	echo     *echo.Echo
	patience patience
	started  time.Time
	proxies  proxies
	unnamed  sync.Once // tells of proxies that do not name their clients
}

// New makes the handler of the whole HTTP interface.
func New(svc *chat.Service, cfg Config) *Server {
	if cfg.MaxBody == 0 {
		cfg.MaxBody = 1 << 20
	}
	if cfg.RequestTimeout == 0 {
		cfg.RequestTimeout = 2500 * time.Millisecond
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Server{svc: svc, cfg: cfg, echo: echo.New(), patience: defaultPatience, started: cfg.Now(), proxies: cfg.TrustedProxies}
	s.echo.HTTPErrorHandler = s.fail
	s.echo.IPExtractor = clientIP(s.proxies)
	s.middleware()
	s.routes()
	return s
}

// ServeHTTP answers one request, and leaves the template of its route in
// r.Pattern.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Pattern = "" // a mux outside may have left its own
	s.echo.ServeHTTP(w, r)
}
