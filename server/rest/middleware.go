package rest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"runtime/debug"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/onemeter/onemeter/server/chat"
)

// middleware adds the middleware for all requests, including those that end in 404 or 405. Middleware only for matched
// routes is in add.
func (s *Server) middleware() {
	if s.cfg.Around != nil {
		s.echo.Pre(s.cfg.Around)
	}
	s.echo.Pre(middleware.RemoveTrailingSlashWithConfig(middleware.TrailingSlashConfig{
		Skipper: func(c echo.Context) bool { return c.Request().URL.Path == consolePath }, // the page's files are relative to it
	}))
	s.echo.Use(s.accessLine, s.recovered, s.hardened)
	if len(s.cfg.AllowedOrigins) > 0 {
		s.echo.Use(middleware.CORSWithConfig(middleware.CORSConfig{
			AllowOriginFunc: allowOrigin(s.cfg.AllowedOrigins),
			AllowMethods:    []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete},
			AllowHeaders:    []string{echo.HeaderAuthorization, echo.HeaderContentType, "Range"},
			ExposeHeaders:   []string{echo.HeaderContentDisposition, "Content-Range", echo.HeaderRetryAfter},
			MaxAge:          600,
		}))
	}
}

// accessLine logs a request after it is answered. It omits the query, which may have a token.
func (s *Server) accessLine(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if !s.cfg.Log.Enabled(r.Context(), slog.LevelDebug) {
			return next(c)
		}
		start := s.cfg.Now()
		if err := next(c); err != nil {
			c.Error(err) // answers now, so that the status is set
		}
		s.cfg.Log.DebugContext(r.Context(), "request",
			"method", r.Method, "path", r.URL.Path, "route", r.Pattern, "status", c.Response().Status,
			"bytes", c.Response().Size, "took", s.cfg.Now().Sub(start), "addr", c.RealIP())
		return nil
	}
}

// recovered turns a panic into an internal error.
func (s *Server) recovered(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if e, ok := v.(error); ok && errors.Is(e, http.ErrAbortHandler) {
				panic(v) // net/http closes the connection
			}
			err = s.panicked(c, v)
		}()
		return next(c)
	}
}

func (s *Server) panicked(c echo.Context, v any) error {
	r := c.Request()
	s.cfg.Log.ErrorContext(r.Context(), "handler panicked",
		"method", r.Method, "route", r.Pattern, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	if s.cfg.Hooks.Panicked != nil {
		s.cfg.Hooks.Panicked(r.Context())
	}
	if c.Response().Committed && c.Response().Status != http.StatusSwitchingProtocols {
		panic(http.ErrAbortHandler) // an incomplete answer must not look complete
	}
	return errPanicked
}

// hardened sets deadlines for clients, and headers that keep browsers from guessing content types and from caching.
func (s *Server) hardened(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		header := c.Response().Header()
		header.Set(echo.HeaderXContentTypeOptions, "nosniff")
		header.Set(echo.HeaderReferrerPolicy, "no-referrer")
		header.Set(echo.HeaderCacheControl, "no-store")
		s.setDeadlines(c)
		return next(c)
	}
}

func hasBody(r *http.Request) bool { return r.Body != nil && r.Body != http.NoBody }

// limited refuses a compressed body, and a body of more than limit bytes: at once if Content-Length says so, otherwise
// while reading it.
func limited(limit int64, next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if coding := r.Header.Get(echo.HeaderContentEncoding); coding != "" && !strings.EqualFold(coding, "identity") {
			return unsupported("the body is compressed (Content-Encoding %.40q): send it uncompressed", coding)
		}
		if r.ContentLength > limit {
			return errTooLarge(limit)
		}
		if hasBody(r) {
			whole := r.Body
			defer func() { r.Body = whole }() // net/http expects its own body afterwards
			r.Body = http.MaxBytesReader(c.Response(), whole, limit)
		}
		return next(c)
	}
}

// within gives a handler's context a deadline. The time begins after the body has been read, which has a deadline of
// its own.
func within(d time.Duration, next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		whole := r.Body
		if hasBody(r) {
			body, err := readBody(c)
			if err != nil {
				return err
			}
			whole = bodyOf(body)
		}
		ctx, cancel := context.WithTimeout(r.Context(), d)
		defer cancel()
		r = r.WithContext(ctx)
		r.Body = whole
		c.SetRequest(r)
		return next(c)
	}
}

// A userHandler answers an authenticated caller.
type userHandler func(c echo.Context, me chat.Caller) error

// An authenticator returns the caller of an access token: [chat.Service.Authenticate] or
// [chat.Service.AuthenticateRestricted].
type authenticator func(ctx context.Context, token string) (chat.Caller, error)

// authenticated requires an access token. Requests that only read count against the caller's limit for reads.
func (s *Server) authenticated(h userHandler) echo.HandlerFunc {
	return s.authenticatedBy(s.svc.Authenticate, h)
}

func (s *Server) authenticatedBy(who authenticator, h userHandler) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx, cancel := context.WithTimeout(c.Request().Context(), s.cfg.RequestTimeout)
		defer cancel()
		me, err := who(ctx, bearer(c.Request()))
		if err != nil {
			return err
		}
		if method := c.Request().Method; method == http.MethodGet || method == http.MethodHead {
			if err := s.svc.MayRead(ctx, me.UserID); err != nil {
				return err
			}
		}
		return h(c, me)
	}
}

// prompt is authenticated for a handler that must finish within RequestTimeout, which includes the authentication but
// not the time to read the body. The body is read after the authentication.
func (s *Server) prompt(h userHandler) echo.HandlerFunc {
	return s.promptWithin(s.cfg.RequestTimeout, s.svc.Authenticate, h)
}

// promptWithin is prompt with another timeout and authenticator.
func (s *Server) promptWithin(d time.Duration, who authenticator, h userHandler) echo.HandlerFunc {
	return func(c echo.Context) error {
		deadline := time.Now().Add(d)
		return s.authenticatedBy(who, func(c echo.Context, me chat.Caller) error {
			return within(time.Until(deadline), func(c echo.Context) error { return h(c, me) })(c)
		})(c)
	}
}

// bearer returns the token of the Authorization header, or "" if there is none.
func bearer(r *http.Request) string {
	scheme, token, ok := strings.Cut(r.Header.Get(echo.HeaderAuthorization), " ")
	if !ok || !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// allowOrigin returns a function that matches an Origin header against patterns, ignoring case. A pattern with a scheme
// is matched against scheme and host, any other against the host.
func allowOrigin(patterns []string) func(string) (bool, error) {
	return func(origin string) (bool, error) {
		origin = strings.ToLower(origin)
		_, host, _ := strings.Cut(origin, "://")
		for _, p := range patterns {
			p = strings.ToLower(p)
			have := host
			if strings.Contains(p, "://") {
				have = origin
			}
			if ok, err := path.Match(p, have); ok && err == nil {
				return true, nil
			}
		}
		return false, nil
	}
}
