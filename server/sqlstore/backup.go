package sqlstore

import (
	"context"
	"errors"
)

// ErrNoBackup is returned for MySQL and MariaDB, which have backup tools of their own.
var ErrNoBackup = errors.New("sqlstore: only an SQLite database is copied by this program")

// BackupTo writes a consistent snapshot of an SQLite database into a new file, while
// others may write to the database. For other engines it returns ErrNoBackup.
func (s *Store) BackupTo(ctx context.Context, file string) error {
	if s.dialect != sqliteDialect {
		return ErrNoBackup
	}
	_, err := exec(ctx, s.write, `VACUUM INTO ?`, file)
	return s.fail(ctx, "backup to "+file, err)
}

// Size returns how many bytes of an SQLite database are in use, which is about the
// size of a backup. For other engines it returns ErrNoBackup.
func (s *Store) Size(ctx context.Context) (int64, error) {
	if s.dialect != sqliteDialect {
		return 0, ErrNoBackup
	}
	var pages, free, size int64
	for query, into := range map[string]*int64{`PRAGMA page_count`: &pages, `PRAGMA freelist_count`: &free, `PRAGMA page_size`: &size} {
		if err := row(ctx, s.read, query, nil, into); err != nil {
			return 0, s.fail(ctx, "size", err)
		}
	}
	return (pages - free) * size, nil
}
