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

// Config configures a Server. Its zero value serves only the API. Comments name the defaults.
type Config struct {
	// Around is the outermost middleware, also for redirects and 404. nil: none.
	Around echo.MiddlewareFunc
	// WebSocket serves GET /ws. If it returns an error before it has written anything, the error is answered in the
	// envelope; a later one is only logged. After it has returned, it may keep the connection, but not w.
	WebSocket func(w http.ResponseWriter, r *http.Request) error
	// Calls serves the routes for calls. nil: there are no such routes.
	Calls Calls
	// Metrics serves /metrics, and Debug /debug/telemetry. A nil handler has no route. Debug is for clients on the same
	// machine only, unless DebugAsks is set, which means that Debug checks its clients itself.
	Metrics, Debug http.Handler
	DebugAsks      bool
	// StaffMetrics and StaffTelemetry serve the same two below /api/super-admin, to administrators by their access
	// tokens. A nil handler has no route.
	StaffMetrics, StaffTelemetry http.Handler
	// Web serves the pages of the web client: / and everything below /app/. nil: there are no such routes.
	Web http.Handler
	// Console serves the pages of the admin console: everything below /admin/. nil: there are no such routes.
	Console http.Handler
	// ICE returns the answer of GET /api/calls/ice-servers for a user. nil: no servers.
	ICE func(userID int64) ICE
	// Alerts returns the alerts of this node, by the names of the rules in deploy/prometheus. Its context ends after two
	// seconds. nil: no alerts.
	Alerts func(ctx context.Context) []Alert
	// Ready returns the state of the parts that /readyz reports. Its context ends after two seconds. nil: no parts.
	Ready func(ctx context.Context) []Part

	// MaxBody is the largest JSON body in bytes; 1 MiB.
	MaxBody int64
	// RequestTimeout limits the time of a request in the service, after which it is answered with 503; 2.5 s. Transfers
	// of files and checks of passwords have other limits.
	RequestTimeout time.Duration
	// AllowedOrigins are the web pages on other hosts that may call the API: "https://chat.example.com", a bare host, or
	// either with wildcards as in path.Match. None: no CORS headers are sent.
	AllowedOrigins []string
	// TrustedProxies are the proxies whose X-Forwarded-For, or else Forwarded, or else X-Real-IP names the client. None:
	// the client's address is that of the connection.
	TrustedProxies []netip.Prefix

	Hooks   Hooks
	Log     *slog.Logger     // discards
	Now     func() time.Time // time.Now
	Version string           // for /health
}

// A Part is something that the server needs, such as its database. Without an Optional part, it works in a degraded
// way.
type Part struct {
	Name     string
	Err      error // nil: the part works
	Optional bool
}

// Hooks are called when something happens in the HTTP server. Nil functions are not called. The others must be safe for
// concurrent use.
type Hooks struct {
	// Panicked is called after a handler has panicked. The client gets an internal error.
	Panicked func(context.Context)
}

// A Server answers HTTP requests. It is safe for concurrent use, and need not be closed.
type Server struct {
	svc      *chat.Service
	cfg      Config
	echo     *echo.Echo
	patience patience
	started  time.Time
	proxies  proxies
	unnamed  sync.Once // for the warning about proxies that do not name their clients
}

// New makes the handler of the whole HTTP interface. Zero fields of cfg take their defaults.
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

// ServeHTTP answers one request, and sets r.Pattern to the template of its route.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Pattern = "" // an outer mux may have set its own
	s.echo.ServeHTTP(w, r)
}
