package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"math/bits"
	"strings"
	"sync"
	"time"
)

// A querier prepares statements: a pool, or a transaction. The statements are
// kept, and not closed by who runs them.
type querier interface {
	prepare(ctx context.Context, query string) (statement, error)
}

// A statement is what is used of *sql.Stmt.
type statement interface {
	ExecContext(ctx context.Context, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, args ...any) *sql.Row
}

// exec runs a statement that returns no rows.
func exec(ctx context.Context, q querier, query string, args ...any) (sql.Result, error) {
	st, err := q.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	return st.ExecContext(ctx, args...)
}

// row reads a single row, or is sql.ErrNoRows.
func row(ctx context.Context, q querier, query string, args []any, dest ...any) error {
	st, err := q.prepare(ctx, query)
	if err != nil {
		return err
	}
	return st.QueryRowContext(ctx, args...).Scan(dest...)
}

// A pool is a database with its statements kept prepared. The texts of
// statements are constants, or made for a power of two of rows, so that their
// number is bounded.
type pool struct {
	db *sql.DB
	// local says that statements take no time on a network, and that the
	// driver spends a goroutine on each that could be cancelled: within a
	// transaction they are not.
	local bool

	mu    sync.RWMutex
	stmts map[string]*sql.Stmt
}

func (p *pool) close() error {
	return p.db.Close()
}

func (p *pool) kept(query string) *sql.Stmt {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.stmts[query]
}

func (p *pool) prepare(ctx context.Context, query string) (statement, error) {
	if st := p.kept(query); st != nil {
		return st, nil
	}
	st, err := p.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if first := p.stmts[query]; first != nil {
		return first, st.Close() //nolint:sqlclosecheck // only the one that came second is closed
	}
	p.stmts[query] = st
	return st, nil
}

// A tx is a transaction that uses the pool's prepared statements. One that is
// not prepared yet is prepared for this transaction alone, because the pool
// may have no second connection, and for the pool afterwards.
type tx struct {
	*sql.Tx
	pool   *pool
	missed []string
}

// inTx runs fn in a transaction, and commits unless fn fails or ctx ends. fn
// uses the context that it is given.
func (p *pool) inTx(ctx context.Context, fn func(context.Context, *tx) error) error {
	t := &tx{pool: p}
	var err error
	if t.Tx, err = p.db.BeginTx(ctx, nil); err != nil {
		return err
	}
	// Also where fn panics: it may hold the only connection that writes. After
	// a commit, or where the engine has rolled back by itself, it does nothing.
	defer func() { _ = t.Rollback() }()
	inner := ctx
	if p.local {
		inner = context.WithoutCancel(ctx)
	}
	if err := fn(inner, t); err != nil {
		return err
	}
	if err := t.Commit(); err != nil {
		return err
	}
	for _, q := range t.missed {
		// The transaction is committed: a failure here shows next time.
		_, _ = p.prepare(inner, q)
	}
	return nil
}

func (t *tx) prepare(ctx context.Context, query string) (statement, error) {
	if st := t.pool.kept(query); st != nil {
		return t.StmtContext(ctx, st), nil
	}
	t.missed = append(t.missed, query)
	return t.PrepareContext(ctx, query)
}

// A scanner is a row to read.
type scanner interface{ Scan(dest ...any) error }

// collect reads all rows of a query.
func collect[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, args ...any) (list []T, err error) {
	st, err := q.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := st.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

// one reads the only row of a query, or is sql.ErrNoRows.
func one[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, args ...any) (T, error) {
	list, err := collect(ctx, q, scan, query, args...)
	if err == nil && len(list) == 0 {
		err = sql.ErrNoRows
	}
	if err != nil {
		var zero T
		return zero, err
	}
	return list[0], nil
}

func scanID(r scanner) (id int64, err error) {
	return id, r.Scan(&id)
}

// changed is sql.ErrNoRows for a statement that changed nothing.
func changed(r sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := r.RowsAffected()
	if err == nil && n == 0 {
		err = sql.ErrNoRows
	}
	return err
}

// maxRows bounds the rows, or keys, that one statement takes as parameters.
const maxRows = 64

// piece is how many of n rows the next statement takes: the largest power of
// two that fits, so that few statements are ever prepared.
func piece(n int) int {
	return min(maxRows, 1<<(bits.Len(uint(n))-1))
}

// padded is how many places a list of n values is given: the next power of two.
func padded(n int) int {
	return 1 << bits.Len(uint(n-1))
}

// repeat joins n times part with sep.
func repeat(part, sep string, n int) string {
	return strings.Repeat(part+sep, n-1) + part
}

// lists is how many ids go into one IN (…).
const lists = 256

// inList returns the placeholders of ids and appends their values to args, the
// last one repeated until the places are filled.
func inList(ids []int64, args []any) (string, []any) {
	n := padded(len(ids))
	for i := range n {
		args = append(args, ids[min(i, len(ids)-1)])
	}
	return repeat("?", ",", n), args
}

// micros and timeOf turn times into integers and back; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func timeOf(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// orNull is NULL for the zero value.
func orNull[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}
