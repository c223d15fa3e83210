package call

import (
	"errors"
	"fmt"
)

// A Kind classifies an [Error]. The values are those of the chat's kinds, so that rest and ws map both alike.
type Kind string

// The kinds of failure.
const (
	KindInvalid  Kind = "invalid"
	KindNotFound Kind = "not_found"
	KindConflict Kind = "conflict"
	KindTooLarge Kind = "too_large"
)

// An Error is a failure that the client may see.
type Error struct {
	Kind Kind
	What string // what failed, the same for every cause
	Why  string // the cause, and what to do about it
}

func (e *Error) Error() string { return e.What + ": " + e.Why }

const what = "call refused"

func errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, What: what, Why: fmt.Sprintf(format, args...)}
}

// Errors that a store returns, besides its own failures.
var (
	ErrNotFound = errors.New("call: not found")
	ErrBusy     = errors.New("call: a user is in a call")
)

var (
	errNoCall = errorf(KindNotFound, "there is no such call, or you are not in it")
	errOther  = errorf(KindConflict, "another device of yours is in this call")
)

func errEnded(r Reason) *Error { return errorf(KindConflict, "the call has ended: %s", r) }

// orNoCall replaces a store's ErrNotFound by an error for the client.
func orNoCall(err error) error {
	if errors.Is(err, ErrNotFound) {
		return errNoCall
	}
	return err
}
