package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

// A localPool is a pool of connections to a file. Each connection is a [keeper].
//
// A transaction runs on a [sql.Conn] and not in a [sql.Tx], and its statements cannot be
// cancelled: database/sql and the driver would start a goroutine for the transaction
// and one or two for each statement, which cost more than a short statement does.
type localPool struct{ db *sql.DB }

func newLocalPool(c driver.Connector, size int) *localPool {
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return &localPool{db}
}

func (p *localPool) close() error       { return p.db.Close() }
func (p *localPool) stats() sql.DBStats { return p.db.Stats() }

// attempt runs fn once, because SQLite itself waits for locks.
func (p *localPool) attempt(_ context.Context, _ bool, fn func() error) error { return fn() }

func (p *localPool) execAhead(ctx context.Context, query string, args ...any) error {
	_, err := exec(ctx, p, query, args...)
	return err
}

func (p *localPool) prepare(_ context.Context, query string) (statement, error) {
	return direct{on: p.db, query: query}, nil
}

// beginLocal takes the lock for writing at once, because a transaction that has read
// could not wait for it.
const beginLocal = "BEGIN IMMEDIATE"

// inTx implements pool.
func (p *localPool) inTx(ctx context.Context, fn func(context.Context, querier) error) error {
	conn, err := p.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // back into the pool
	inner := context.WithoutCancel(ctx)
	if _, err := conn.ExecContext(inner, beginLocal); err != nil {
		return err
	}
	over := false
	defer func() { // for panics of fn too, because this may be the only connection for writing
		if !over {
			rollback(ctx, conn)
		}
	}()
	if err := fn(inner, localTx{conn}); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	_, err = conn.ExecContext(inner, "COMMIT")
	over = err == nil
	return err
}

// A localTx is a connection with an open transaction.
type localTx struct{ conn *sql.Conn }

func (t localTx) attempt(_ context.Context, _ bool, fn func() error) error { return fn() }

func (t localTx) prepare(_ context.Context, query string) (statement, error) {
	return direct{on: t.conn, query: query}, nil
}

func (t localTx) execAhead(ctx context.Context, query string, args ...any) error {
	_, err := exec(ctx, t, query, args...)
	return err
}

// A keeperConnector makes keepers of another connector's connections.
type keeperConnector struct{ driver.Connector }

func (c keeperConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	local, ok := conn.(fullConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%T lacks interfaces of database/sql", conn), conn.Close())
	}
	return &keeper{fullConn: local, stmts: make(map[string]localStmt)}, nil
}

type localStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// A keeper is a connection that keeps each statement prepared that it has run. The
// number is bounded, because the texts are constants, or made for numbers of rows that
// are powers of two.
type keeper struct {
	fullConn
	stmts map[string]localStmt
}

func (k *keeper) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	st, err := k.kept(ctx, query)
	if err != nil {
		return nil, err
	}
	return st.ExecContext(ctx, args)
}

func (k *keeper) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	st, err := k.kept(ctx, query)
	if err != nil {
		return nil, err
	}
	return st.QueryContext(ctx, args)
}

func (k *keeper) kept(ctx context.Context, query string) (localStmt, error) {
	if st, ok := k.stmts[query]; ok {
		return st, nil
	}
	made, err := k.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	st, ok := made.(localStmt)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%T lacks interfaces of database/sql", made), made.Close())
	}
	k.stmts[query] = st
	return st, nil
}

func (k *keeper) Close() error {
	var errs []error
	for _, st := range k.stmts {
		errs = append(errs, st.Close())
	}
	return errors.Join(append(errs, k.fullConn.Close())...)
}
