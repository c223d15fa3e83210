package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"math/bits"
	"slices"
	"strings"
	"time"
)

// A querier runs statements: a pool, or a transaction.
type querier interface {
	// prepare returns a statement. The caller does not close it.
	prepare(ctx context.Context, query string) (statement, error)
	// attempt runs fn, which runs one statement. It runs fn again after a failure if
	// that may help and can do no harm.
	attempt(ctx context.Context, writes bool, fn func() error) error
	// execAhead is exec without a result, for transactions. The statement may be sent
	// together with the next one, which then returns its error.
	execAhead(ctx context.Context, query string, args ...any) error
}

// A pool is a pool of connections to a database.
type pool interface {
	querier
	// inTx runs fn in a transaction, and commits unless fn fails or ctx ends. fn must
	// use the context that it gets. It may run more than once.
	inTx(ctx context.Context, fn func(context.Context, querier) error) error
	stats() sql.DBStats
	close() error
}

// fullConn has the methods that the connections of both drivers have.
type fullConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// A statement has the methods of *sql.Stmt that the store uses.
type statement interface {
	ExecContext(ctx context.Context, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, args ...any) *sql.Row
}

// exec runs a statement that returns no rows.
func exec(ctx context.Context, q querier, query string, args ...any) (r sql.Result, err error) {
	err = q.attempt(ctx, true, func() error {
		st, err := q.prepare(ctx, query)
		if err == nil {
			r, err = st.ExecContext(ctx, args...)
		}
		return err
	})
	return r, err
}

// row reads a single row. If there is none, it returns sql.ErrNoRows.
func row(ctx context.Context, q querier, query string, args []any, dest ...any) error {
	return q.attempt(ctx, false, func() error {
		st, err := q.prepare(ctx, query)
		if err != nil {
			return err
		}
		return st.QueryRowContext(ctx, args...).Scan(dest...)
	})
}

// A scanner is a row to read.
type scanner interface{ Scan(dest ...any) error }

// collect reads all rows of a query.
func collect[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, args ...any) (list []T, err error) {
	err = q.attempt(ctx, false, func() error {
		list, err = collectOnce(ctx, q, scan, query, args)
		return err
	})
	return list, err
}

func collectOnce[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, args []any) (list []T, err error) {
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

// one reads the only row of a query. If there is none, it returns sql.ErrNoRows.
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

func scanText(r scanner) (text string, err error) {
	return text, r.Scan(&text)
}

// changed returns sql.ErrNoRows if a statement changed no row.
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

// maxRows is the most rows or keys in the arguments of one statement.
const maxRows = 64

// piece returns how many of n rows the next statement takes: the largest power of two
// that fits, so that few different statements are prepared.
func piece(n int) int {
	return min(maxRows, 1<<(bits.Len(uint(n))-1))
}

// padded returns the number of placeholders for a list of n values: the next power of
// two.
func padded(n int) int {
	return 1 << bits.Len(uint(n-1))
}

// repeat joins n times part with sep.
func repeat(part, sep string, n int) string {
	return strings.Repeat(part+sep, n-1) + part
}

// lists is the most ids in one IN (…).
const lists = 256

// inList returns the placeholders for keys, and args with keys appended. The last key is
// repeated to fill all placeholders.
func inList[K int64 | string](keys []K, args []any) (string, []any) {
	n := padded(len(keys))
	for i := range n {
		args = append(args, keys[min(i, len(keys)-1)])
	}
	return repeat("?", ",", n), args
}

// chosen returns which of ids a query selects. The query ends before IN (…).
func chosen(ctx context.Context, q querier, query string, arg int64, ids []int64) (map[int64]bool, error) {
	found := make(map[int64]bool)
	for part := range slices.Chunk(ids, lists) {
		in, args := inList(part, []any{arg})
		list, err := collect(ctx, q, scanID, query+` IN (`+in+`)`, args...)
		if err != nil {
			return nil, err
		}
		for _, id := range list {
			found[id] = true
		}
	}
	return found, nil
}

// micros and timeOf convert times to microseconds since 1970 and back. The zero time is 0.
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

// orNull returns v, or NULL if v is the zero value.
func orNull[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}
