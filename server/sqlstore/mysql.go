package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/pressly/goose/v3"
)

// mysqlDialect works with MySQL 8 and MariaDB 10.11.
var mysqlDialect = &dialect{
	name:       "mysql",
	goose:      goose.DialectMySQL,
	migrations: "migrations/mysql",
	forUpdate:  " FOR UPDATE",
	forShare:   " LOCK IN SHARE MODE", // MariaDB has no FOR SHARE
	byID:       "FORCE INDEX (PRIMARY)",
	inOrder:    "STRAIGHT_JOIN",
	keepOld:    func(column string) string { return " ON DUPLICATE KEY UPDATE " + column + " = " + column },
	raiseMarks: func(n int) string {
		return `UPDATE (` + marksTable(n) + `) k STRAIGHT_JOIN members m
			ON m.conversation_id = k.conversation AND m.user_id = k.member
			SET ` + moveTimes("m.") + `m.read_seq = GREATEST(m.read_seq, k.read_to), m.delivered_seq = GREATEST(m.delivered_seq, k.delivered_to)`
	},
	// The ids of one INSERT follow each other in steps, in every
	// innodb_autoinc_lock_mode. In clusters the step is more than 1.
	step: "@@auto_increment_increment",
	firstID: func(r sql.Result, _ int, _ int64) (int64, error) {
		return r.LastInsertId()
	},
	rows:        func(n int) int { return n },
	slowQueries: "SHOW GLOBAL STATUS LIKE 'Slow_queries'",
	classify:    classifyMySQL,
}

// migrationPatience is how long a node waits for another one that migrates the schema.
const migrationPatience = 2 * time.Minute

func (s *Store) openMySQL(ctx context.Context, cfg Config) error {
	u, err := parseMySQL(cfg.MySQL)
	if err != nil {
		return err
	}
	if err := s.migrateMySQL(ctx, cfg, u); err != nil {
		return err
	}
	connector, err := u.connector(u.timeout)
	if err != nil {
		return err
	}
	p := newRemotePool(cfg, connector, u, u.conns)
	s.read, s.write, s.health = p, p, newRemotePool(cfg, connector, u, 1)
	return nil
}

func newRemotePool(cfg Config, connector driver.Connector, u *mysqlURL, conns int) *remotePool {
	db := sql.OpenDB(cfg.wrapped(connector))
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	db.SetConnMaxLifetime(u.connLife)
	db.SetConnMaxIdleTime(idleTime)
	return &remotePool{db: db, classify: classifyMySQL, stall: min(u.timeout, stall)}
}

// stall is how long a transaction waits for an answer of the database, so that senders
// of messages get an error within 3 s.
const stall = 2 * time.Second

// idleTime is after how long an idle connection is closed: before firewalls drop it.
const idleTime = 5 * time.Minute

// migrateMySQL migrates the schema over connections of its own, without a timeout for
// statements.
func (s *Store) migrateMySQL(ctx context.Context, cfg Config, u *mysqlURL) error {
	connector, err := u.connector(0)
	if err != nil {
		return err
	}
	db := sql.OpenDB(cfg.wrapped(connector))
	err = s.prepareSchema(ctx, cfg, db, namedLock{migrationPatience})
	return errors.Join(err, db.Close())
}

// connector returns a connector whose connections fail if an answer takes longer than
// timeout.
func (m *mysqlURL) connector(timeout time.Duration) (driver.Connector, error) {
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr, cfg.User, cfg.Passwd, cfg.DBName = "tcp", m.addr, m.user, m.password, m.name
	cfg.TLS = m.tls
	cfg.Timeout, cfg.ReadTimeout, cfg.WriteTimeout = m.connectTimeout, timeout, timeout
	cfg.InterpolateParams = true
	cfg.MultiStatements = true      // fewer round trips for a transaction
	cfg.DialFunc = dial             // for the watch of a transaction
	cfg.ClientFoundRows = true      // an UPDATE counts the rows it finds, as SQLite does
	cfg.ParseTime = true            // goose reads times
	cfg.MaxAllowedPacket = 0        // what the server says
	cfg.Logger = &mysql.NopLogger{} // what matters is in the errors
	inner, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	return setUpConnector{inner, m.connectTimeout}, nil
}

// A setUpConnector sets the session variables on which the store relies.
type setUpConnector struct {
	driver.Connector
	timeout time.Duration
}

// setUp sets the session variables: a transaction sees the current state of rows that
// it locks, gaps between rows are not locked, a value that does not fit is an error,
// and waiting for a lock fails before stall: a connection that is closed earlier would
// not stop the server from doing what it was told.
var setUp = []string{
	"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
	"SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', innodb_lock_wait_timeout = 1, time_zone = '+00:00'",
}

// Connect implements driver.Connector. The driver's own timeout is only for dialling.
// This one also covers a server that accepts connections but does not answer.
func (c setUpConnector) Connect(ctx context.Context) (driver.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, errConnectTimeout)
	defer cancel()
	watched := &watchedConn{}
	inner, err := c.Connector.Connect(context.WithValue(ctx, dialKey{}, watched))
	if err != nil {
		return nil, late(ctx, err)
	}
	watched.mysqlConn = inner.(mysqlConn)
	for _, statement := range setUp {
		answered(ctx)
		if _, err := watched.mysqlConn.ExecContext(ctx, statement, nil); err != nil {
			return nil, errors.Join(late(ctx, err), inner.Close())
		}
	}
	return watched, nil
}

// A watchedConn gives its socket to the watch of a transaction.
type watchedConn struct {
	mysqlConn
	socket net.Conn
}

// mysqlConn has the methods of the driver's connections.
type mysqlConn interface {
	fullConn
	driver.NamedValueChecker
}

// ExecContext implements driver.ExecerContext.
func (c *watchedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.guard(ctx)
	return c.mysqlConn.ExecContext(ctx, query, args)
}

// QueryContext implements driver.QueryerContext.
func (c *watchedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.guard(ctx)
	return c.mysqlConn.QueryContext(ctx, query, args)
}

func (c *watchedConn) guard(ctx context.Context) {
	if w := watchOf(ctx); w != nil && ctx.Done() == nil {
		w.guard(c.socket)
	}
}

type dialKey struct{}

// dial opens the socket of the watchedConn in ctx.
func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	socket, err := new(net.Dialer).DialContext(ctx, network, addr)
	if c, ok := ctx.Value(dialKey{}).(*watchedConn); ok && err == nil {
		c.socket = socket
	}
	return socket, err
}

var errConnectTimeout = errors.New("no connection within connect-timeout")

// late turns a timeout of Connect into errConnectTimeout, so that it does not look like
// one of the caller's context.
func late(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errConnectTimeout) {
		return fmt.Errorf("%w (%s)", errConnectTimeout, err.Error())
	}
	return err
}

// classifyMySQL returns the meaning of a server's error, or of a failed connection.
func classifyMySQL(err error) failure {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return classifyNumber(e.Number)
	}
	if _, ok := errors.AsType[*net.OpError](err); ok || errors.Is(err, errConnectTimeout) || errors.Is(err, errStalled) {
		return failAway
	}
	if errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, driver.ErrBadConn) {
		return failLost
	}
	return failOther
}

// beforeCommit reports whether an error is the answer to a statement before a COMMIT, so
// that the transaction is not committed. Any other error of a server may be the COMMIT's.
func beforeCommit(err error) bool {
	e, ok := errors.AsType[*mysql.MySQLError](err)
	if !ok {
		return false
	}
	switch classifyNumber(e.Number) {
	case failDuplicate, failNoParent, failBusy:
		return true
	}
	return e.Number == 1048 // NULL in a column that has none
}

// lockedTooLong reports whether a transaction was given up because another one held a lock.
func lockedTooLong(err error) bool {
	e, ok := errors.AsType[*mysql.MySQLError](err)
	return ok && e.Number == 1205
}

func classifyNumber(n uint16) failure {
	switch n {
	case 1062: // duplicate entry
		return failDuplicate
	case 1452, 1216: // no referenced row
		return failNoParent
	case 1205, 1213, // lock wait timeout, deadlock
		1040, 1203, 1226: // too many connections, of this user, of what it may use
		return failBusy
	case 1053, 1077, 1078, 1079, 1184, 1152, 1158, 1159, 1160, 1161, // shutdown, aborted, network
		1927, 2006, 2013: // killed, gone away, lost
		return failLost
	case 1290, 1792, 1836, // read-only: it is a replica by now
		1021, 1114, 1037, 1041, // disk or table full, out of memory
		1317, 1969, 3024, // interrupted, took too long
		1047: // a cluster's node that is not ready
		return failAway
	}
	return failOther
}
