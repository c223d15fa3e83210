package sqlstore

import (
	"context"
	"errors"
)

// ErrNoBackup is for a database that is copied by its own tools.
var ErrNoBackup = errors.New("sqlstore: only an SQLite database is copied by this program")

// BackupTo writes a copy of an SQLite database, as it is at one moment, into a new
// file, while others write to it. ErrNoBackup: it is none.
func (s *Store) BackupTo(ctx context.Context, file string) error {
	if s.dialect != sqliteDialect {
		return ErrNoBackup
	}
	_, err := exec(ctx, s.write, `VACUUM INTO ?`, file)
	return s.fail(ctx, "backup to "+file, err)
}

// Size tells how many bytes an SQLite database has that are in use: about as many
// as a copy will have.
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
