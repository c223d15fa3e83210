package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/onemeter/onemeter/server/call"
	"github.com/onemeter/onemeter/server/chat"
)

// A failure is the meaning of a driver's error for the domain.
type failure int

const (
	failOther     failure = iota // a bug, or an unknown error
	failDuplicate                // a row with this key exists
	failNoParent                 // a row that this one refers to does not exist
	failBusy                     // rolled back or not begun; trying again may help
	failLost                     // the connection was lost
	failAway                     // the database cannot answer now
)

// failures holds the results of [ErrorType].
var failures = map[failure]string{
	failOther: "other", failDuplicate: "duplicate", failNoParent: "no_parent",
	failBusy: "busy", failLost: "lost", failAway: "away",
}

// ErrorType returns the type of an error of either driver, as an attribute of
// metrics: duplicate, no_parent, busy (rolled back or not begun), lost (the
// connection), away, cancelled, timeout or other.
func ErrorType(err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	f := classifyMySQL(err)
	if f == failOther {
		f = classifySQLite(err)
	}
	return failures[f]
}

// fail turns a driver's error into one of the domain. what names the operation. The
// result wraps the cause, including errors of contexts.
func (s *Store) fail(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	if _, refused := errors.AsType[*chat.Error](err); refused {
		return err // the domain's own, from within a transaction
	}
	if _, refused := errors.AsType[*call.Error](err); refused {
		return err
	}
	switch {
	case errors.Is(err, chat.ErrNotFound), errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("sqlstore: %s: %w", what, chat.ErrNotFound)
	case errors.Is(err, chat.ErrConflict), errors.Is(err, chat.ErrBlocked), errors.Is(err, chat.ErrDeclined):
		return fmt.Errorf("sqlstore: %s: %w", what, err)
	}
	switch s.dialect.classify(err) {
	case failDuplicate:
		return fmt.Errorf("sqlstore: %s: %w (%w)", what, chat.ErrConflict, err)
	case failNoParent:
		return fmt.Errorf("sqlstore: %s: %w (%w)", what, chat.ErrNotFound, err)
	case failBusy, failLost, failAway:
		if ctx.Err() != nil { // the driver says "interrupted"
			err = fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		return away(what, err)
	}
	if ctx.Err() != nil { // database/sql may say "transaction is done"
		return away(what, fmt.Errorf("%w: %w", ctx.Err(), err))
	}
	if s.closed.Load() || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || isContext(err) {
		return away(what, err)
	}
	return fmt.Errorf("sqlstore: %s: %w", what, err)
}

func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func away(what string, cause error) error {
	e := &chat.Error{
		Kind: chat.KindUnavailable, What: "the database does not answer", Why: "nothing was stored; try again in a moment", RetryAfter: time.Second,
	}
	if isFull(cause) {
		e.What, e.Why = "the database's disk is full", "nothing was stored; try again once the operator has made room"
	}
	if _, unknown := errors.AsType[*unknownError](cause); unknown {
		e.Why = "it may have been stored; try again in a moment, a message with the same client_msg_id"
	}
	return fmt.Errorf("sqlstore: %s: %w (%w)", what, e, cause)
}

// isFull reports whether the database's disk is full.
func isFull(err error) bool {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()&0xff == sqlite3.SQLITE_FULL
	}
	e, ok := errors.AsType[*mysql.MySQLError](err)
	return ok && (e.Number == 1021 || e.Number == 1114)
}
