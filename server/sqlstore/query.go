package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"math/bits"
	"slices"
	"strings"
	"time"
)

// A querier runs statements: a pool, or a transaction.
type querier interface {
	// prepare returns a statement that is not closed by who runs it.
	prepare(ctx context.Context, query string) (statement, error)
	// attempt runs fn, which runs one statement, and where it fails in a way
	// that a second time may mend and cannot make worse, runs it again.
	attempt(ctx context.Context, writes bool, fn func() error) error
	// execAhead is exec within a transaction where only failing matters. The
	// statement may be sent with the next one, which then fails in its place.
	execAhead(ctx context.Context, query string, args ...any) error
}

// A pool is the connections to a database.
type pool interface {
	querier
	// inTx runs fn in a transaction, and commits unless fn fails or ctx ends.
	// fn uses the context that it is given, and may be run more than once.
	inTx(ctx context.Context, fn func(context.Context, querier) error) error
	stats() sql.DBStats
	close() error
}

// A statement is what is used of *sql.Stmt.
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

// row reads a single row, or is sql.ErrNoRows.
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

func scanText(r scanner) (text string, err error) {
	return text, r.Scan(&text)
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

// inList returns the placeholders of keys and appends them to args, the last one
// repeated until the places are filled.
func inList[K int64 | string](keys []K, args []any) (string, []any) {
	n := padded(len(keys))
	for i := range n {
		args = append(args, keys[min(i, len(keys)-1)])
	}
	return repeat("?", ",", n), args
}

// chosen tells which of ids a query returns that ends before IN (…).
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
