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

// middleware puts what every request goes through around the routes, those of
// 404 and 405 included. What only a matched route goes through is in add.
func (s *Server) middleware() {
	if s.cfg.Around != nil {
		s.echo.Pre(s.cfg.Around)
	}
	s.echo.Pre(middleware.RemoveTrailingSlashWithConfig(middleware.TrailingSlashConfig{
		Skipper: func(c echo.Context) bool { return c.Request().URL.Path == consolePath }, // what the page asks for is relative to it
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

// accessLine logs a request once it is answered: never its query, which may
// hold a token.
func (s *Server) accessLine(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if !s.cfg.Log.Enabled(r.Context(), slog.LevelDebug) {
			return next(c)
		}
		start := s.cfg.Now()
		if err := next(c); err != nil {
			c.Error(err) // answers now, so that the status is known
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
				panic(v) // net/http's own way to break a connection off
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
		panic(http.ErrAbortHandler) // half an answer must not look like a whole one
	}
	return errPanicked
}

// hardened keeps clients from dawdling, and browsers from guessing and caching.
func (s *Server) hardened(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		header := c.Response().Header()
		header.Set(echo.HeaderXContentTypeOptions, "nosniff")
		header.Set(echo.HeaderReferrerPolicy, "no-referrer")
		header.Set(echo.HeaderCacheControl, "no-store")
		s.hurry(c)
		return next(c)
	}
}

func hasBody(r *http.Request) bool { return r.Body != nil && r.Body != http.NoBody }

// limited refuses a body that is compressed, and one of more than limit bytes:
// at once where its length was announced, and else when it is read that far.
func limited(limit int64, next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if coding := r.Header.Get(echo.HeaderContentEncoding); coding != "" && !strings.EqualFold(coding, "identity") {
			return unsupported("the body is compressed (Content-Encoding %.40q): send it as it is", coding)
		}
		if r.ContentLength > limit {
			return errTooLarge(limit)
		}
		if hasBody(r) {
			whole := r.Body
			defer func() { r.Body = whole }() // net/http wants to know its own again
			r.Body = http.MaxBytesReader(c.Response(), whole, limit)
		}
		return next(c)
	}
}

// within gives a handler's context a deadline. The time begins once the body is
// here, for which the client has time of its own.
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

// A userHandler answers a caller who is known.
type userHandler func(c echo.Context, me chat.Caller) error

// An authenticator tells who an access token speaks for: [chat.Service.Authenticate],
// or AuthenticateRestricted.
type authenticator func(ctx context.Context, token string) (chat.Caller, error)

// authenticated wants an access token, and a turn for what only reads.
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

// prompt is authenticated for a handler that has what is left of RequestTimeout
// then. The body comes in between: strangers need not send theirs.
func (s *Server) prompt(h userHandler) echo.HandlerFunc {
	return s.promptWithin(s.cfg.RequestTimeout, s.svc.Authenticate, h)
}

// promptWithin is prompt with another time, and for others.
func (s *Server) promptWithin(d time.Duration, who authenticator, h userHandler) echo.HandlerFunc {
	return func(c echo.Context) error {
		deadline := time.Now().Add(d)
		return s.authenticatedBy(who, func(c echo.Context, me chat.Caller) error {
			return within(time.Until(deadline), func(c echo.Context) error { return h(c, me) })(c)
		})(c)
	}
}

// bearer returns the token of the Authorization header, "" without one.
func bearer(r *http.Request) string {
	scheme, token, ok := strings.Cut(r.Header.Get(echo.HeaderAuthorization), " ")
	if !ok || !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// allowOrigin matches an Origin header against patterns, ignoring case: whole
// ones against scheme and host, bare ones against the host.
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
