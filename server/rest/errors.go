package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/onemeter/onemeter/server/call"
	"github.com/onemeter/onemeter/server/chat"
)

// statuses maps a kind of error to a status. A kind that is not here is an internal error.
var statuses = map[chat.Kind]int{
	chat.KindInvalid:         http.StatusBadRequest,
	chat.KindUnauthenticated: http.StatusUnauthorized,
	chat.KindForbidden:       http.StatusForbidden,
	chat.KindNotFound:        http.StatusNotFound,
	chat.KindConflict:        http.StatusConflict,
	chat.KindTooLarge:        http.StatusRequestEntityTooLarge,
	chat.KindNoSpace:         http.StatusInsufficientStorage,
	chat.KindRateLimited:     http.StatusTooManyRequests,
	chat.KindUnavailable:     http.StatusServiceUnavailable,
}

// statusGone is for a client that disconnected before its answer. Nobody reads it, but metrics do not count it as a
// fault of the server.
const statusGone = 499

var (
	errPanicked = errors.New("rest: a handler panicked")
	errNotLocal = chat.Errorf(chat.KindForbidden, "not allowed", "this page is only for clients on the server's machine, and not through a proxy; "+
		"to open it for others, the operator sets --metrics-addr or --metrics-token-file")
)

const badRequest = "bad request"

func invalid(format string, args ...any) error {
	return chat.Errorf(chat.KindInvalid, badRequest, format, args...)
}

// unsupported is for a body in a form that the server does not read.
func unsupported(format string, args ...any) error {
	return echo.NewHTTPError(http.StatusUnsupportedMediaType, fmt.Sprintf(format, args...))
}

func errTooLarge(limit int64) error {
	return chat.Errorf(chat.KindTooLarge, "request too large", "the body of this call has at most %d bytes", limit)
}

// A failure is the answer for an error.
type failure struct {
	status     int
	what, why  string
	retryAfter time.Duration
	internal   bool // only the log has the cause
	ban        *chat.Ban
}

// failureOf maps an error to its answer. An error of an unknown type becomes an internal error, without any detail.
func failureOf(err error) failure {
	if e, ok := errors.AsType[*call.Error](err); ok {
		err = &chat.Error{Kind: chat.Kind(e.Kind), What: e.What, Why: e.Why}
	}
	if e, ok := errors.AsType[*chat.Error](err); ok {
		if status, ok := statuses[e.Kind]; ok {
			return failure{status: status, what: e.What, why: e.Why, retryAfter: e.RetryAfter, ban: e.Ban}
		}
	} else if e, ok := errors.AsType[*echo.HTTPError](err); ok && e.Code < 500 {
		return echoFailure(e)
	}
	switch {
	case errors.Is(err, context.Canceled):
		return failure{status: statusGone, what: "request cancelled", why: "the client disconnected"}
	case errors.Is(err, context.DeadlineExceeded):
		return failure{status: http.StatusServiceUnavailable, what: "out of time", why: "the server is busy: try again in a moment",
			retryAfter: time.Second}
	}
	return failure{status: http.StatusInternalServerError, what: "internal error",
		why: "this is a fault of the server, which has logged it", internal: true}
}

// echoFailure maps the errors of the router and of net/http.
func echoFailure(e *echo.HTTPError) failure {
	f := failure{status: e.Code, what: strings.ToLower(http.StatusText(e.Code)), why: fmt.Sprint(e.Message)}
	switch e.Code {
	case http.StatusNotFound:
		f.why = "there is nothing at this path"
	case http.StatusMethodNotAllowed:
		f.why = "the Allow header names the allowed methods"
	case http.StatusPreconditionFailed:
		f.why = "If-Match or If-Unmodified-Since does not hold"
	}
	return f
}

// bodyError maps an error of reading a request's body, other than io.EOF. All of them are the client's fault.
func bodyError(err error) error {
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errTooLarge(e.Limit)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return echo.NewHTTPError(http.StatusRequestTimeout, "the body came too slowly")
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return invalid("the body ended early or is malformed")
}

// A refusal is the envelope of a failure.
type refusal struct {
	Success bool   `json:"success"`
	Error   string `json:"error"`
	Details string `json:"details"`

	// Only for a login of a banned user.
	Reason *string   `json:"reason,omitempty"`
	Until  time.Time `json:"until,omitzero"` // omitted: permanent
}

func refusalOf(f failure) refusal {
	r := refusal{Error: f.what, Details: f.why}
	if f.ban != nil {
		r.Reason, r.Until = &f.ban.Reason, f.ban.Until
	}
	return r
}

// fail answers a request that failed, unless the answer has begun.
func (s *Server) fail(err error, c echo.Context) {
	f := s.refuse(err, c)
	if c.Response().Committed {
		return
	}
	if f.status != http.StatusRequestTimeout {
		discardBody(c.Request())
	}
	s.write(c, f.status, refusalOf(f))
}

// maxDiscarded is how many bytes of a refused body are read.
const maxDiscarded = 16 << 20

// discardBody reads the rest of a refused body, until the deadline of the body. Most clients do not read the answer
// before they have sent the whole body, and lose an answer on a connection that is closed before.
func discardBody(r *http.Request) {
	if !hasBody(r) || r.ContentLength > maxDiscarded || r.Header.Get("Expect") != "" { // with Expect, the client waits
		return
	}
	_, _ = io.CopyN(io.Discard, r.Body, maxDiscarded)
}

// refuse returns the answer for an error and sets its headers. It logs the error if it concerns the operator.
func (s *Server) refuse(err error, c echo.Context) failure {
	f := failureOf(err)
	r, header := c.Request(), c.Response().Header()
	switch {
	case errors.Is(err, errPanicked): // logged with its stack
	case f.internal:
		s.cfg.Log.ErrorContext(r.Context(), "request failed", "method", r.Method, "route", r.Pattern, "err", err)
	case f.status == http.StatusServiceUnavailable:
		s.cfg.Log.WarnContext(r.Context(), "request not served", "method", r.Method, "route", r.Pattern, "err", err)
	}
	if c.Response().Committed {
		return f
	}
	switch f.status {
	case http.StatusUnauthorized:
		header.Set(echo.HeaderWWWAuthenticate, "Bearer")
	case http.StatusUnsupportedMediaType:
		header.Set(echo.HeaderAcceptEncoding, "identity") // as RFC 9110 (15.5.16) requires
	case http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusInsufficientStorage:
		header.Set(echo.HeaderConnection, "close") // do not read the rest of the body
	}
	if f.retryAfter > 0 {
		header.Set(echo.HeaderRetryAfter, strconv.Itoa(int(math.Ceil(f.retryAfter.Seconds()))))
	}
	return f
}
