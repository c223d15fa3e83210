package call

import (
	"context"
	"time"
)

// A Store keeps calls, for all nodes. Every method is safe for concurrent use, and what it stores is durable when it
// returns.
type Store interface {
	// CreateCall stores c. If c has not ended, its two users are in it from then on. ErrBusy means that one of them
	// is in a call already; others are the calls that they were in a moment later, if any. A call that has ended is
	// stored in any case.
	CreateCall(ctx context.Context, c Call) (others []Call, err error)
	// ChangeCall calls change with a call and stores the result, in one transaction that excludes other changes of
	// this call. When a call has ended, its users are free. An error of change is returned unchanged. change may be
	// called more than once. ErrNotFound: there is no such call.
	ChangeCall(ctx context.Context, id string, change func(*Call) error) (Call, error)
	// Call returns a call. If it has ended, its legs have no device. ErrNotFound.
	Call(ctx context.Context, id string) (Call, error)
	// CallOf returns the call that a user is in. ErrNotFound.
	CallOf(ctx context.Context, userID int64) (Call, error)
	// UnjoinedCalls lists the calls that users are in without any device of theirs having joined.
	UnjoinedCalls(ctx context.Context, userIDs []int64) ([]string, error)
	// RenewLegs extends the deadlines of the legs of these connections, and returns those connections that are in a
	// call.
	RenewLegs(ctx context.Context, conns []uint64, until time.Time) ([]uint64, error)
	// LateCalls lists at most limit calls with a leg that has expired at now.
	LateCalls(ctx context.Context, now time.Time, limit int) ([]string, error)
	// PruneCalls deletes calls that ended before a time, the oldest first and at most limit, and returns how many.
	PruneCalls(ctx context.Context, before time.Time, limit int) (int, error)
}

// A Notifier sends frames to connections, on this node and others.
type Notifier interface {
	// Notify sends n. Notices of one goroutine arrive in order. When it returns, those for connections of this node
	// are queued.
	Notify(ctx context.Context, n Notice) error
}
