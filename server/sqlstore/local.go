package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"sync"
)

// A localPool is a pool of connections to a file. It keeps statements prepared. Their
// number is bounded, because their texts are constants, or made for numbers of rows
// that are powers of two.
type localPool struct {
	db *sql.DB

	mu    sync.RWMutex
	stmts map[string]*sql.Stmt
}

func newLocalPool(c driver.Connector, size int) *localPool {
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return &localPool{db: db, stmts: make(map[string]*sql.Stmt)}
}

func (p *localPool) close() error       { return p.db.Close() }
func (p *localPool) stats() sql.DBStats { return p.db.Stats() }

// attempt runs fn once, because SQLite itself waits for locks.
func (p *localPool) attempt(_ context.Context, _ bool, fn func() error) error { return fn() }

func (p *localPool) execAhead(ctx context.Context, query string, args ...any) error {
	_, err := exec(ctx, p, query, args...)
	return err
}

func (p *localPool) kept(query string) *sql.Stmt {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.stmts[query]
}

func (p *localPool) prepare(ctx context.Context, query string) (statement, error) {
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

// A localTx is a transaction that uses the pool's prepared statements. A statement
// that is not prepared yet is prepared for the transaction, because the pool may
// have no second connection, and for the pool after it.
type localTx struct {
	*sql.Tx
	pool   *localPool
	missed []string
}

// inTx implements pool. Statements within a transaction cannot be cancelled, because
// the driver would start a goroutine for each.
func (p *localPool) inTx(ctx context.Context, fn func(context.Context, querier) error) error {
	t := &localTx{pool: p}
	var err error
	if t.Tx, err = p.db.BeginTx(ctx, nil); err != nil {
		return err
	}
	// Deferred for panics of fn too, because this may be the only connection for
	// writing. After a commit or a rollback by the engine, it does nothing.
	defer func() { _ = t.Rollback() }()
	inner := context.WithoutCancel(ctx)
	if err := fn(inner, t); err != nil {
		return err
	}
	if err := t.Commit(); err != nil {
		return err
	}
	for _, q := range t.missed {
		// The transaction is committed, so a failure here does not matter: the next
		// use of the statement shows it.
		_, _ = p.prepare(inner, q)
	}
	return nil
}

func (t *localTx) attempt(_ context.Context, _ bool, fn func() error) error { return fn() }

func (t *localTx) prepare(ctx context.Context, query string) (statement, error) {
	if st := t.pool.kept(query); st != nil {
		return t.StmtContext(ctx, st), nil
	}
	t.missed = append(t.missed, query)
	return t.PrepareContext(ctx, query)
}

func (t *localTx) execAhead(ctx context.Context, query string, args ...any) error {
	_, err := exec(ctx, t, query, args...)
	return err
}
