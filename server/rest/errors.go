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

// statuses maps what went wrong to what HTTP calls it. A kind that is not here
// is an internal error.
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

// statusGone is for a client that left before its answer: nobody reads it, and
// it is not a fault of the server.
const statusGone = 499

var (
	errPanicked = errors.New("rest: a handler panicked")
	errNotLocal = chat.Errorf(chat.KindForbidden, "not allowed", "this page is for clients on the same machine that do not come through a proxy; "+
		"for others, set --metrics-addr or --metrics-token-file")
)

const badRequest = "bad request"

func invalid(format string, args ...any) error {
	return chat.Errorf(chat.KindInvalid, badRequest, format, args...)
}

// unsupported is for a body that is sound in itself, but not in the form that is
// read here.
func unsupported(format string, args ...any) error {
	return echo.NewHTTPError(http.StatusUnsupportedMediaType, fmt.Sprintf(format, args...))
}

func errTooLarge(limit int64) error {
	return chat.Errorf(chat.KindTooLarge, "request too large", "a body has at most %d bytes here", limit)
}

// A failure is what a client is told of an error.
type failure struct {
	status     int
	what, why  string
	retryAfter time.Duration
	internal   bool // only the log tells more
	ban        *chat.Ban
}

// failureOf maps an error, once and for all. A stranger becomes an internal
// error of which the client learns nothing.
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
		return failure{status: statusGone, what: "request cancelled", why: "the client left"}
	case errors.Is(err, context.DeadlineExceeded):
		return failure{status: http.StatusServiceUnavailable, what: "out of time", why: "the server is busy: try again in a moment",
			retryAfter: time.Second}
	}
	return failure{status: http.StatusInternalServerError, what: "internal error",
		why: "it is not your fault, and was logged", internal: true}
}

// echoFailure words what the router and net/http refuse.
func echoFailure(e *echo.HTTPError) failure {
	f := failure{status: e.Code, what: strings.ToLower(http.StatusText(e.Code)), why: fmt.Sprint(e.Message)}
	switch e.Code {
	case http.StatusNotFound:
		f.why = "there is nothing at this path"
	case http.StatusMethodNotAllowed:
		f.why = "the Allow header names those that are"
	case http.StatusPreconditionFailed:
		f.why = "If-Match or If-Unmodified-Since does not hold"
	}
	return f
}

// bodyError words an error of reading a request's body. io.EOF is none of
// them; every other one is the client's.
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

	// Of a login that is refused to a banned user.
	Reason *string   `json:"reason,omitempty"`
	Until  time.Time `json:"until,omitzero"` // left out: for good
}

func refusalOf(f failure) refusal {
	r := refusal{Error: f.what, Details: f.why}
	if f.ban != nil {
		r.Reason, r.Until = &f.ban.Reason, f.ban.Until
	}
	return r
}

// fail answers a request that failed, unless its answer has begun.
func (s *Server) fail(err error, c echo.Context) {
	f := s.refuse(err, c)
	if c.Response().Committed {
		return
	}
	if f.status != http.StatusRequestTimeout {
		linger(c.Request())
	}
	s.write(c, f.status, refusalOf(f))
}

// lingerFor is how much of a refused body is taken in.
const lingerFor = 16 << 20

// linger throws away what a refused client still sends, within the body's time.
// Most clients read no answer before they have sent all, and lose the one that
// comes on a connection closed before.
func linger(r *http.Request) {
	if !hasBody(r) || r.ContentLength > lingerFor || r.Header.Get("Expect") != "" { // those wait for the answer
		return
	}
	_, _ = io.CopyN(io.Discard, r.Body, lingerFor)
}

// refuse logs an error as far as it concerns the operator, and sets the
// headers that go with it.
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
		header.Set(echo.HeaderAcceptEncoding, "identity") // what RFC 9110 wants of an answer
	case http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusInsufficientStorage:
		header.Set(echo.HeaderConnection, "close") // the rest of the body is not wanted
	}
	if f.retryAfter > 0 {
		header.Set(echo.HeaderRetryAfter, strconv.Itoa(int(math.Ceil(f.retryAfter.Seconds()))))
	}
	return f
}
