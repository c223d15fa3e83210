// Package sqlstore implements chat.Store over database/sql.
//
// [Open] brings the schema up to date and returns a [Store]. SQL is written for
// every engine at once; what engines do not share is in a dialect, of which
// there is one so far: SQLite, with one writing connection and a pool of
// reading ones beside it.
//
// Two facts carry the package. Seq is gapless, so that a page of history is a
// range of it and counting messages is reading conversations.last_seq. And a
// message's status is derived from its row and its readers' marks each time it
// is read, so that nothing has to be rewritten when somebody reads.
package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync/atomic"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// Config says where the database is and how many connections it gets.
type Config struct {
	// Path is the file of the SQLite database. It is made when it is not there,
	// and its folder with it, readable by nobody else.
	Path string
	// Readers bounds the connections that read, besides the one that writes.
	// 0 means 4.
	Readers int
	// BusyTimeout is how long a statement waits for another process that has
	// the file locked. 0 means 5 s.
	BusyTimeout time.Duration
	// Wrap is put around the connector of each pool; nil leaves it bare. It is
	// where statements are timed.
	Wrap func(driver.Connector) driver.Connector
}

// A Store keeps the chat domain in a database. It is safe for concurrent use.
type Store struct {
	dialect *dialect
	read    *pool
	write   *pool // the same pool as read where the engine has many writers
	closed  atomic.Bool
}

var _ chat.Store = (*Store)(nil)

// Open opens the database and brings its schema up to date. The caller closes
// the store.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	s, err := openSQLite(ctx, cfg)
	if err != nil {
		return nil, s.fail(ctx, "open "+cfg.Path, err)
	}
	return s, nil
}

// Close waits for the statements under way and closes every connection. It is
// idempotent; a closed store answers Unavailable.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	err := s.read.close()
	if s.write != s.read {
		err = errors.Join(err, s.write.close())
	}
	return err
}

// Ping tells whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.fail(ctx, "ping", row(ctx, s.read, "SELECT 1", nil, &one))
}

// Stats returns the counts of all pools together.
func (s *Store) Stats() sql.DBStats {
	st := s.read.db.Stats()
	if s.write == s.read {
		return st
	}
	w := s.write.db.Stats()
	st.MaxOpenConnections += w.MaxOpenConnections
	st.OpenConnections += w.OpenConnections
	st.InUse += w.InUse
	st.Idle += w.Idle
	st.WaitCount += w.WaitCount
	st.WaitDuration += w.WaitDuration
	st.MaxIdleClosed += w.MaxIdleClosed
	st.MaxIdleTimeClosed += w.MaxIdleTimeClosed
	st.MaxLifetimeClosed += w.MaxLifetimeClosed
	return st
}
