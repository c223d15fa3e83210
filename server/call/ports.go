package call

import (
	"context"
	"time"
)

// A Store keeps calls, for all nodes. Every method is safe for concurrent use,
// and what it has stored when it returns is durable.
type Store interface {
	// CreateCall stores c. One that has ended is stored as it is. Otherwise its
	// two users are in it from then on; ErrBusy is that one of them is in a call
	// already, and others are the calls that they were in a moment later, if any.
	CreateCall(ctx context.Context, c Call) (others []Call, err error)
	// ChangeCall has change do something to a call, and stores what it made of
	// it, in one transaction that no other change of this call runs beside. The
	// users of a call that has ended are free. What change answers is returned as
	// it is; it may be called more than once. ErrNotFound: there is no such call.
	ChangeCall(ctx context.Context, id string, change func(*Call) error) (Call, error)
	// Call returns a call. The legs of one that has ended have no device.
	// ErrNotFound.
	Call(ctx context.Context, id string) (Call, error)
	// CallOf returns the call that a user is in. ErrNotFound.
	CallOf(ctx context.Context, userID int64) (Call, error)
	// UnjoinedCalls lists the calls that users are in without that a device of
	// theirs ever was.
	UnjoinedCalls(ctx context.Context, userIDs []int64) ([]string, error)
	// RenewLegs puts off when the legs of these connections run out, and returns
	// those of the connections that are in a call.
	RenewLegs(ctx context.Context, conns []uint64, until time.Time) ([]uint64, error)
	// LateCalls lists calls of which a leg has run out at now, limit at most.
	LateCalls(ctx context.Context, now time.Time, limit int) ([]string, error)
	// PruneCalls deletes calls that ended before a time, the oldest first and
	// limit at most, and returns how many.
	PruneCalls(ctx context.Context, before time.Time, limit int) (int, error)
}

// A Notifier brings frames to connections, on this node and others.
type Notifier interface {
	// Notify hands over n. Notices of one goroutine arrive in order; those to
	// connections of this node have been queued when it returns.
	Notify(ctx context.Context, n Notice) error
}
