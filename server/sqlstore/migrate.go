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

// migrateTries is how often migrate tries. If another process migrates the same
// database at the same time, goose can fail before it takes the lock, because the
// other one has created the table of versions but not yet filled it.
const migrateTries = 4

// ErrOldSchema is returned by Open if Config.KeepSchema is set and the database is of an older version.
var ErrOldSchema = errors.New("the database has the schema of an older version")

// prepareSchema migrates the schema. With cfg.KeepSchema it only checks its version.
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
		if 0 < have && have < want { // 0: the database is new
			return fmt.Errorf("%w: it has version %d, and this program needs %d", ErrOldSchema, have, want)
		}
	}
	return s.dialect.migrate(ctx, db, locker, s.key)
}

// migrate migrates the schema. Other processes that start at the same time wait for
// locker, or for the transaction if the engine has no such lock. key is
// [Config.UsernameKey].
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
		return fmt.Errorf("migrate the schema: %w", err)
	}
	return nil
}

// provider returns goose's provider of all migrations.
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

// A namedLock is a lock of the database server. Its name is derived from the
// database's. It ends with the connection, so that a node that dies leaves no lock.
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
