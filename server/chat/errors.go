package chat

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// Kind says what sort of failure an [Error] is. Each way into the server maps
// it once: to an HTTP status, to the error_code of an error frame.
type Kind string

// The kinds of failure. Every error that is not an [Error] is Internal.
const (
	KindInvalid         Kind = "invalid"
	KindUnauthenticated Kind = "unauthenticated"
	KindForbidden       Kind = "forbidden"
	KindNotFound        Kind = "not_found"
	KindConflict        Kind = "conflict"
	KindTooLarge        Kind = "too_large"
	KindNoSpace         Kind = "no_space" // for anybody: the disk is full, or what the operator allows
	KindRateLimited     Kind = "rate_limited"
	KindUnavailable     Kind = "unavailable"
	KindCancelled       Kind = "cancelled" // the client went away
	KindInternal        Kind = "internal"
)

// An Error is a failure that the client may be told of.
type Error struct {
	Kind       Kind
	What       string        // what failed, the same for every cause: "message not sent"
	Why        string        // the cause, and what to do about it
	RetryAfter time.Duration // with RateLimited: when the next try may pass
	Ban        *Ban          // with Forbidden: why an account is kept out, and until when
}

func (e *Error) Error() string {
	if e.Why == "" {
		return e.What
	}
	return e.What + ": " + e.Why
}

// Errorf makes an Error; format and args give its cause.
func Errorf(kind Kind, what, format string, args ...any) *Error {
	return &Error{Kind: kind, What: what, Why: fmt.Sprintf(format, args...)}
}

// KindOf tells the kind of err: Internal for a stranger, "" for nil, and what
// they mean for the errors of a context.
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

// What a store answers for a row that is not there, and for one that would be
// there twice. The service gives them their words.
var (
	ErrNotFound = errors.New("chat: not found")
	ErrConflict = errors.New("chat: already there")
	ErrBlocked  = errors.New("chat: one user has blocked the other")
	ErrDeclined = errors.New("chat: the request was declined")
	ErrNoFile   = errors.New("chat: a message names a file that is not there")
	ErrUserFull = errors.New("chat: the user's files have all the bytes that they may")
	ErrFull     = errors.New("chat: the files have all the bytes that they may")
)

// orNotFound turns a store's ErrNotFound into an Error that says what was
// looked for, and leaves every other error as it is.
func orNotFound(err error, what, why string) error {
	if errors.Is(err, ErrNotFound) {
		return &Error{Kind: KindNotFound, What: what, Why: why}
	}
	return err
}

// WordFull makes an Error of one that says that a disk is full, and leaves every
// other as it is.
func WordFull(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		e := Errorf(KindNoSpace, "not stored", "the server's disk is full: try again once the operator has made room")
		return fmt.Errorf("%w (%w)", e, err)
	}
	return err
}
