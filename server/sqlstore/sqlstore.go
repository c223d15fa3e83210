// Package sqlstore implements chat.Store over database/sql.
//
// [Open] brings the schema up to date and returns a [Store]. SQL is written for
// every engine at once; what engines do not share is in a dialect. SQLite has
// one writing connection and a pool of reading ones beside it; MySQL and
// MariaDB have one pool, and any number of nodes may use one database.
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
	"strings"
	"sync/atomic"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// Config says where the database is and how many connections it gets.
type Config struct {
	// Path is the file of the SQLite database. It is made when it is not there,
	// and its folder with it, readable by nobody else.
	Path string
	// MySQL is where a MySQL or MariaDB database is, in place of Path:
	//
	//	mysql://user:password@host:3306/name
	//
	// The name and the password are percent-encoded. After a ? may stand
	//
	//	tls=true             TLS, the certificate checked; tls=false: none, the default
	//	ca=FILE              TLS, the certificate checked against the authorities in FILE
	//	conns=32             connections at most
	//	conn-life=30m        after which a connection is replaced
	//	connect-timeout=3s   for making one
	//	timeout=10s          for a statement whose caller sets no deadline
	//
	// CheckMySQL says what is wrong with it.
	MySQL string
	// Readers bounds SQLite's connections that read, besides the one that
	// writes. 0 means 4.
	Readers int
	// BusyTimeout is how long SQLite waits for another process that has the file
	// locked. 0 means 5 s.
	BusyTimeout time.Duration
	// UsernameKey returns what usernames are compared by: two with one key are one.
	// It is always the same for a database; nil is strings.ToLower.
	UsernameKey func(name string) string
	// KeepSchema makes Open return ErrOldSchema for a database of an older version, instead of bringing it up to date.
	// One that is brand-new gets its schema nevertheless.
	KeepSchema bool
	// Wrap is put around the connector of each pool; nil leaves it bare. It is
	// where statements are timed.
	Wrap func(driver.Connector) driver.Connector
}

func (c Config) wrapped(connector driver.Connector) driver.Connector {
	if c.Wrap == nil {
		return connector
	}
	return c.Wrap(connector)
}

// A Store keeps the chat domain in a database. It is safe for concurrent use.
type Store struct {
	dialect *dialect
	read    pool
	write   pool // the same as read where the engine has many writers
	health  pool // one connection, that Ping need not wait for those of users
	key     func(username string) string
	stale   chan blockKey // that are to be signed anew
	budget  searchBudget
	closed  atomic.Bool
}

var _ chat.Store = (*Store)(nil)

// Open opens the database and brings its schema up to date. The caller closes
// the store.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	s, open, name := &Store{dialect: sqliteDialect, stale: make(chan blockKey, staleBlocks), budget: defaultBudget}, (*Store).openSQLite, cfg.Path
	if s.key = cfg.UsernameKey; s.key == nil {
		s.key = strings.ToLower
	}
	if cfg.MySQL != "" {
		s.dialect, open, name = mysqlDialect, (*Store).openMySQL, "the MySQL database"
	}
	if cfg.MySQL != "" && cfg.Path != "" {
		return nil, errors.New("sqlstore: open: both Path and MySQL are set")
	}
	if err := open(s, ctx, cfg); err != nil {
		return nil, s.fail(ctx, "open "+name, err)
	}
	return s, nil
}

// Engine is sqlite or mysql; MariaDB is mysql here.
func (s *Store) Engine() string { return s.dialect.name }

// SlowQueries counts the statements of all its clients that the server found
// slow, as its long_query_time says, since it was started. Of SQLite it is 0.
func (s *Store) SlowQueries(ctx context.Context) (int64, error) {
	if s.dialect.slowQueries == "" {
		return 0, nil
	}
	var name string
	var n int64
	err := row(ctx, s.read, s.dialect.slowQueries, nil, &name, &n)
	return n, s.fail(ctx, "slow queries", err)
}

// Close waits for the statements under way and closes every connection. It is
// idempotent; a closed store answers Unavailable.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	err := errors.Join(s.health.close(), s.read.close())
	if s.write != s.read {
		err = errors.Join(err, s.write.close())
	}
	return err
}

// Ping tells whether the database answers. It has a connection of its own.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.fail(ctx, "ping", row(ctx, s.health, "SELECT 1", nil, &one))
}

// Stats returns the counts of all pools together, Ping's connection left out.
func (s *Store) Stats() sql.DBStats {
	st := s.read.stats()
	if s.write == s.read {
		return st
	}
	w := s.write.stats()
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
