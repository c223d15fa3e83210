package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// migrateTries is how often migrate is begun when another process brings the
// same database up to date at the same time: before goose takes the lock, it
// fails on a table of versions that another has made and not yet filled.
const migrateTries = 4

// ErrOldSchema is returned by Open for a database of an older version where Config.KeepSchema is set.
var ErrOldSchema = errors.New("the database has the schema of an older version")

// prepareSchema brings the schema up to date, unless that is to be kept.
func (s *Store) prepareSchema(ctx context.Context, cfg Config, db *sql.DB, locker lock.SessionLocker) error {
	if cfg.KeepSchema {
		p, err := s.dialect.provider(db, nil, s.key)
		if err != nil {
			return err
		}
		have, want, err := p.GetVersions(ctx)
		if err != nil {
			return fmt.Errorf("read the version of the schema: %w", err)
		}
		if 0 < have && have < want { // 0: it is brand-new
			return fmt.Errorf("%w: %d, and this one makes %d", ErrOldSchema, have, want)
		}
	}
	return s.dialect.migrate(ctx, db, locker, s.key)
}

// migrate brings the schema up to date. A lock, where the engine has one, makes
// others who start at the same time wait; without one the transaction does. key
// is [Config.UsernameKey].
func (d *dialect) migrate(ctx context.Context, db *sql.DB, locker lock.SessionLocker, key func(string) string) error {
	p, err := d.provider(db, locker, key)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		if _, err = p.Up(ctx); err == nil || try == migrateTries || !pause(ctx, try) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("bring the schema up to date: %w", err)
	}
	return nil
}

// provider knows all migrations.
func (d *dialect) provider(db *sql.DB, locker lock.SessionLocker, key func(string) string) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, d.migrations)
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{
		goose.WithDisableGlobalRegistry(true), goose.WithVerbose(false),
		goose.WithGoMigrations(
			goose.NewGoMigration(6, &goose.GoFunc{RunTx: d.fillParts}, nil),
			goose.NewGoMigration(8, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error { return fillKeys(ctx, tx, key) }}, nil),
		),
	}
	if locker != nil {
		options = append(options, goose.WithSessionLocker(locker))
	}
	return goose.NewProvider(d.goose, db, files, options...)
}

// A namedLock is a lock of the server under a name made of the database's. It
// ends with the connection, so that a node that dies leaves nothing locked.
type namedLock struct{ patience time.Duration }

const lockName = `CONCAT('onemeter ', LEFT(SHA2(DATABASE(), 256), 40))`

// SessionLock implements lock.SessionLocker.
func (l namedLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	var got sql.NullInt64
	err := conn.QueryRowContext(ctx, "SELECT GET_LOCK("+lockName+", ?)", l.patience.Seconds()).Scan(&got)
	if err == nil && got.Int64 != 1 {
		err = fmt.Errorf("another node has been changing the schema for %s", l.patience)
	}
	return err
}

// SessionUnlock implements lock.SessionLocker.
func (l namedLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	var got sql.NullInt64
	return conn.QueryRowContext(ctx, "SELECT RELEASE_LOCK("+lockName+")").Scan(&got)
}
