package chat

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// A Kind is the kind of failure of an [Error]. Package rest maps it to an HTTP
// status, and package ws to the error_code of an error frame.
type Kind string

// The kinds of failure. An error that is not an [Error] is Internal.
const (
	KindInvalid         Kind = "invalid"
	KindUnauthenticated Kind = "unauthenticated"
	KindForbidden       Kind = "forbidden"
	KindNotFound        Kind = "not_found"
	KindConflict        Kind = "conflict"
	KindTooLarge        Kind = "too_large"
	KindNoSpace         Kind = "no_space" // for all users: the disk or the operator's quota is full
	KindRateLimited     Kind = "rate_limited"
	KindUnavailable     Kind = "unavailable"
	KindCancelled       Kind = "cancelled" // the client has gone
	KindInternal        Kind = "internal"
)

// An Error is a failure that may be shown to the client.
type Error struct {
	Kind       Kind
	What       string        // what failed, the same for every cause, and not to be taken for a state: "message not sent"
	Why        string        // the cause, and what to do about it
	RetryAfter time.Duration // how long to wait before the next try; 0: unknown
	Ban        *Ban          // with Forbidden: the account's ban, if that is the cause
}

func (e *Error) Error() string {
	if e.Why == "" {
		return e.What
	}
	return e.What + ": " + e.Why
}

// Errorf returns an Error. format and args are its cause, Why.
func Errorf(kind Kind, what, format string, args ...any) *Error {
	return &Error{Kind: kind, What: what, Why: fmt.Sprintf(format, args...)}
}

// KindOf returns the kind of err. It is "" for nil, Cancelled or Unavailable for
// errors of a context, and Internal for any other error.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	switch {
	case errors.Is(err, context.Canceled):
		return KindCancelled
	case errors.Is(err, context.DeadlineExceeded):
		return KindUnavailable
	}
	return KindInternal
}

// Errors of a [Store]. The service turns them into an [Error].
var (
	ErrNotFound = errors.New("chat: not found")
	ErrConflict = errors.New("chat: already exists")
	ErrBlocked  = errors.New("chat: one user has blocked the other")
	ErrDeclined = errors.New("chat: the request was declined")
	ErrNoFile   = errors.New("chat: the file of a message does not exist")
	ErrUserFull = errors.New("chat: the user's quota for files is full")
	ErrFull     = errors.New("chat: the quota for the files of all users is full")
)

// orNotFound turns a store's ErrNotFound into an Error with what and why. It returns
// every other error unchanged.
func orNotFound(err error, what, why string) error {
	if errors.Is(err, ErrNotFound) {
		return &Error{Kind: KindNotFound, What: what, Why: why}
	}
	return err
}

// WordFull turns an operating system's error about a full disk into an Error. It
// returns every other error unchanged.
func WordFull(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		e := Errorf(KindNoSpace, "not stored", "the server's disk is full: try again once the operator has made room")
		return fmt.Errorf("%w (%w)", e, err)
	}
	return err
}
