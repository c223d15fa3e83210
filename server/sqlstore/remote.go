package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
)

// A remotePool is a pool of connections to a server. The driver puts the arguments
// into the text of a statement, so that each statement is one round trip, leaves
// nothing on the server, and works through proxies. Within a transaction, statements
// whose results are not needed are sent with the next one, because a round trip
// costs both sides more than most statements.
//
// These are tried again, as long as the context lasts:
//
//   - for stall, a statement or transaction that the server has rolled back (a
//     deadlock, a lock that took too long), or for which it had no connection;
//   - up to three times, a read, or a transaction before its commit, whose
//     connection was lost.
//
// If the answer to a commit, or to a transaction in one round trip, is lost, the error is
// an [unknownError]: the transaction may be committed. Only Append finds out whether it is.
type remotePool struct {
	db       *sql.DB
	classify func(error) failure
	stall    time.Duration // how long a transaction waits for an answer
}

func (p *remotePool) close() error       { return p.db.Close() }
func (p *remotePool) stats() sql.DBStats { return p.db.Stats() }

// execAhead is exec, because outside of transactions there is no next statement.
func (p *remotePool) execAhead(ctx context.Context, query string, args ...any) error {
	_, err := exec(ctx, p, query, args...)
	return err
}

func (p *remotePool) prepare(_ context.Context, query string) (statement, error) {
	return direct{on: p.db, query: query}, nil
}

// A direct statement is not prepared.
type direct struct {
	on interface { // *sql.DB or *sql.Conn
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
		QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	}
	query string
	first []any // arguments of the statements at the beginning of query
}

func (d direct) ExecContext(ctx context.Context, args ...any) (sql.Result, error) {
	return d.on.ExecContext(ctx, d.query, append(d.first, args...)...)
}

func (d direct) QueryContext(ctx context.Context, args ...any) (*sql.Rows, error) {
	return d.on.QueryContext(ctx, d.query, append(d.first, args...)...)
}

func (d direct) QueryRowContext(ctx context.Context, args ...any) *sql.Row {
	return d.on.QueryRowContext(ctx, d.query, append(d.first, args...)...)
}

// tries is the most attempts after connections were lost.
const tries = 3

// attempt implements querier. A write outside of a transaction is not tried again after
// its connection was lost, because it may be committed.
func (p *remotePool) attempt(ctx context.Context, writes bool, fn func() error) error {
	began := time.Now()
	for try := 1; ; try++ {
		err := fn()
		if err == nil || !p.mayMend(err, writes, try, time.Since(began)) || !pause(ctx, try) {
			return err
		}
	}
}

func (p *remotePool) mayMend(err error, committed bool, try int, took time.Duration) bool {
	if _, unknown := errors.AsType[*unknownError](err); unknown {
		return false
	}
	switch p.classify(err) {
	case failBusy:
		return took < p.stall
	case failLost:
		return try < tries && !committed
	}
	return false
}

// pause waits a short random time, longer for the second try, and reports whether ctx is
// still valid.
func pause(ctx context.Context, try int) bool {
	most := 10 * time.Millisecond << (2 * min(try, 2))
	wait := time.NewTimer(most/4 + rand.N(most))
	defer wait.Stop()
	select {
	case <-wait.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// An unknownError means that the answer to a commit was lost.
type unknownError struct{ err error }

func (e *unknownError) Error() string { return "the commit was not answered: " + e.err.Error() }
func (e *unknownError) Unwrap() error { return e.err }

// A remoteTx is a connection with an open transaction.
type remoteTx struct {
	conn  *sql.Conn
	watch *watch
	ahead string // statements to send with the next one
	args  []any  // of ahead
}

func (t *remoteTx) prepare(_ context.Context, query string) (statement, error) {
	t.watch.answered()
	d := direct{t.conn, t.ahead + query, t.args}
	t.ahead, t.args = "", nil
	return d, nil
}

// attempt runs fn once, because inTx tries the whole transaction again.
func (t *remoteTx) attempt(_ context.Context, _ bool, fn func() error) error { return fn() }

func (t *remoteTx) execAhead(_ context.Context, query string, args ...any) error {
	t.ahead, t.args = t.ahead+query+"; ", append(t.args, args...)
	return nil
}

// flush runs the statements in ahead.
func (t *remoteTx) flush(ctx context.Context) error {
	if t.ahead == "" {
		return nil
	}
	_, err := exec(ctx, t, "DO 0")
	return err
}

// inTx implements pool.
func (p *remotePool) inTx(ctx context.Context, fn func(context.Context, querier) error) error {
	return p.attempt(ctx, false, func() error { return p.once(ctx, fn) })
}

// A watch ends a transaction if the database does not answer for some time, or if the
// caller's context ends. A transaction with many or slow statements goes on as long
// as each is answered in time.
//
// It ends a transaction by closing the socket. Contexts that can be cancelled would
// cost two goroutines for each statement, one of the driver and one of database/sql.
type watch struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	after  time.Duration
	timer  *time.Timer
	unhook func() bool // stops watching ctx

	mu     sync.Mutex
	socket net.Conn // of the transaction, from its first statement until release
}

var errStalled = errors.New("no answer from the database")

func newWatch(ctx context.Context, after time.Duration) *watch {
	w := &watch{after: after}
	w.ctx, w.cancel = context.WithCancelCause(context.WithValue(ctx, watchKey{}, w))
	w.timer = time.AfterFunc(after, func() { w.cancel(errStalled) })
	w.unhook = context.AfterFunc(w.ctx, w.cut)
	return w
}

// answered restarts the timer.
func (w *watch) answered() { w.timer.Reset(w.after) }

type watchKey struct{}

func watchOf(ctx context.Context) *watch {
	w, _ := ctx.Value(watchKey{}).(*watch)
	return w
}

// answered restarts the timer of the watch in ctx, if there is one: the database
// answers while a connection for the transaction is opened.
func answered(ctx context.Context) {
	if w := watchOf(ctx); w != nil {
		w.answered()
	}
}

// guard makes the watch close a socket when the time is over; at once if it is already.
func (w *watch) guard(socket net.Conn) {
	w.mu.Lock()
	w.socket = socket
	w.mu.Unlock()
	if w.ctx.Err() != nil {
		w.cut()
	}
}

func (w *watch) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.socket != nil {
		_ = w.socket.Close()
	}
}

// release ends the watching of the socket.
func (w *watch) release() {
	w.timer.Stop()
	w.unhook()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.socket = nil
}

func (w *watch) end() {
	w.release()
	w.cancel(nil)
}

// why returns the reason for which a transaction failed with err, if the watch ended
// it. A timeout of the watch does not look like one of the caller's context.
func (w *watch) why(err error) error {
	cause := context.Cause(w.ctx)
	switch {
	case err == nil || cause == nil:
		return err
	case errors.Is(cause, errStalled):
		return fmt.Errorf("%w for %s (%s)", errStalled, w.after, err.Error())
	}
	return fmt.Errorf("%w: %w", cause, err)
}

// begin starts a transaction. It is sent with the first statement.
const begin = "START TRANSACTION; "

func (p *remotePool) once(ctx context.Context, fn func(context.Context, querier) error) error {
	w := newWatch(ctx, p.stall)
	defer w.end()
	conn, err := p.db.Conn(w.ctx)
	if err != nil {
		return w.why(err)
	}
	over := false
	defer func() { // for panics of fn too
		if !over {
			w.release()
			rollback(ctx, conn)
		}
		_ = conn.Close() // back into the pool; fails if the connection is lost
	}()
	t := &remoteTx{conn: conn, watch: w, ahead: begin}
	inner := context.WithoutCancel(w.ctx)
	if err := fn(inner, t); err != nil {
		return w.why(err)
	}
	if t.ahead == begin { // nothing was run
		over = true
		return nil
	}
	if err := t.flush(inner); err != nil {
		return w.why(err)
	}
	w.release()
	err = p.commit(ctx, conn)
	over = err == nil
	return err
}

// inOneTrip runs n statements, separated by "; ", as a transaction, all in one round trip,
// and returns what each left in LAST_INSERT_ID. The database stops at the first one that
// fails, and the transaction is rolled back. The cancellation of ctx is ignored once the
// statements are sent. If they are not answered, or the answer may be that of the COMMIT,
// the error is an [unknownError]. args are strings and int64s.
func (p *remotePool) inOneTrip(ctx context.Context, n int, statements string, args ...any) (ids []int64, _ error) {
	waiting := newWatch(ctx, p.stall)
	conn, err := p.db.Conn(waiting.ctx)
	err = waiting.why(err)
	waiting.end()
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	within, cancel := withDeadlineOf(ctx)
	defer cancel()
	w := newWatch(within, p.stall)
	defer w.end()
	err = conn.Raw(func(on any) error {
		r, err := on.(driver.ExecerContext).ExecContext(context.WithoutCancel(w.ctx), begin+statements+"; COMMIT", named(args))
		if err != nil {
			return err
		}
		if ids = r.(mysql.Result).AllLastInsertIds(); len(ids) != n+2 { // with BEGIN and COMMIT
			return fmt.Errorf("%d statements were answered, not %d", len(ids), n+2)
		}
		return nil
	})
	if err == nil {
		return ids[1 : n+1], nil
	}
	if errors.Is(err, driver.ErrBadConn) { // never sent
		return nil, err
	}
	w.release()
	if beforeCommit(err) {
		rollback(ctx, conn)
		return nil, err
	}
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	return nil, &unknownError{w.why(err)}
}

// withDeadlineOf returns a context that ends when the deadline of ctx is over, but not when
// ctx is cancelled.
func withDeadlineOf(ctx context.Context) (context.Context, context.CancelFunc) {
	without := context.WithoutCancel(ctx)
	if d, ok := ctx.Deadline(); ok {
		return context.WithDeadline(without, d)
	}
	return without, func() {}
}

// named returns args as a driver takes them.
func named(args []any) []driver.NamedValue {
	values := make([]driver.NamedValue, len(args))
	for i, a := range args {
		values[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return values
}

// commit commits the transaction. database/sql's own Commit takes no context, and could
// wait for ever; this one obeys the deadline of ctx, and stall. It ignores the
// cancellation of ctx, because the result would then be unknown.
func (p *remotePool) commit(ctx context.Context, conn *sql.Conn) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	deadline := time.Now().Add(p.stall)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	defer cancel()
	_, err := conn.ExecContext(ctx, "COMMIT")
	if err == nil || errors.Is(err, driver.ErrBadConn) || p.classify(err) == failBusy { // never sent, or refused
		return err
	}
	return &unknownError{err}
}

// rollbackTimeout bounds the rollback of a transaction whose context is over.
const rollbackTimeout = time.Second

// rollback rolls the transaction of conn back. If that fails, it closes the connection.
func rollback(ctx context.Context, conn *sql.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	if _, err := conn.ExecContext(ctx, "ROLLBACK"); err != nil {
		_ = conn.Raw(func(any) error { return fmt.Errorf("%w: in a transaction", driver.ErrBadConn) })
	}
}
