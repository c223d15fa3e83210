// Package sqlstore implements chat.Store over database/sql.
//
// [Open] migrates the schema and returns a [Store]. Statements work on every
// engine; the differences between engines are in a dialect. SQLite has one
// connection for writing and a pool for reading. MySQL and MariaDB have one pool,
// and any number of nodes may use one database.
//
// Two properties of the schema keep reading cheap. The seqs of a conversation have
// no gaps, so a page of history is a range of seqs, and the number of messages is
// conversations.last_seq. And a message's status is computed from its row and its
// readers' marks whenever it is read, so no message is rewritten when it is read.
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
	// Path is the file of the SQLite database. If it does not exist, it is created
	// with its folder, and only this user can read it.
	Path string
	// MySQL is the URL of a MySQL or MariaDB database, instead of Path:
	//
	//	mysql://user:password@host:3306/name
	//
	// User and password are percent-encoded. A query may set
	//
	//	tls=true             TLS with a verified certificate; the default is false: no TLS
	//	ca=FILE              TLS with a certificate verified by the authorities in FILE
	//	conns=32             most connections
	//	conn-life=30m        age at which a connection is replaced
	//	connect-timeout=3s   timeout for opening a connection
	//	timeout=10s          timeout of a statement whose caller sets no deadline
	//
	// CheckMySQL validates it.
	MySQL string
	// Readers is the most connections of SQLite for reading, besides the one for
	// writing. 0 means 4.
	Readers int
	// BusyTimeout is how long SQLite waits for another process that has locked the
	// file. 0 means 5 s.
	BusyTimeout time.Duration
	// UsernameKey returns the key of a username. Two usernames with the same key are
	// the same username. A database must always be opened with the same function.
	// nil means strings.ToLower.
	UsernameKey func(name string) string
	// KeepSchema makes Open return ErrOldSchema for a database of an older version, instead of migrating it. A new
	// database gets its schema all the same.
	KeepSchema bool
	// Wrap wraps the connector of each pool, for example to time statements. It may
	// be nil.
	Wrap func(driver.Connector) driver.Connector
}

func (c Config) wrapped(connector driver.Connector) driver.Connector {
	if c.Wrap == nil {
		return connector
	}
	return c.Wrap(connector)
}

// A Store keeps the data of the chat domain in a database. [Open] returns one. It
// is safe for concurrent use.
type Store struct {
	dialect *dialect
	read    pool
	write   pool // the same as read if the engine has many writers
	health  pool // one connection, so that Ping never waits for requests of users
	key     func(username string) string
	stale   chan blockKey // blocks that need a new signature
	budget  searchBudget
	closed  atomic.Bool
}

var _ chat.Store = (*Store)(nil)

// Open opens the database and migrates its schema. The caller closes the store.
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

// Engine returns sqlite or mysql. For MariaDB it is mysql.
func (s *Store) Engine() string { return s.dialect.name }

// SlowQueries returns how many statements of all clients took longer than the
// database server's long_query_time since it started. For SQLite it returns 0.
func (s *Store) SlowQueries(ctx context.Context) (int64, error) {
	if s.dialect.slowQueries == "" {
		return 0, nil
	}
	var name string
	var n int64
	err := row(ctx, s.read, s.dialect.slowQueries, nil, &name, &n)
	return n, s.fail(ctx, "slow queries", err)
}

// Close waits for running statements and closes every connection. It is
// idempotent. Methods of a closed store return errors of kind Unavailable.
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

// Ping returns an error if the database does not answer. It has a connection of its
// own.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.fail(ctx, "ping", row(ctx, s.health, "SELECT 1", nil, &one))
}

// Stats returns the sums of all pools, without Ping's connection.
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
