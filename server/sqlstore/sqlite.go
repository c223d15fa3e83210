package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var sqliteDialect = &dialect{
	goose:      goose.DialectSQLite3,
	migrations: "migrations/sqlite",
	forUpdate:  "", // BEGIN IMMEDIATE has locked the whole file
	keepOld:    " ON CONFLICT DO NOTHING",
	firstID: func(r sql.Result, n int) (int64, error) {
		last, err := r.LastInsertId()
		return last - int64(n) + 1, err
	},
	classify: classifySQLite,
}

// openSQLite returns a store also beside an error, for its words.
func openSQLite(ctx context.Context, cfg Config) (*Store, error) {
	s := &Store{dialect: sqliteDialect}
	path, err := makeFile(cfg.Path)
	if err != nil {
		return s, err
	}
	// The writer comes first: it makes the file a WAL database.
	if s.write, err = openPool(cfg, sqliteDSN(path, cfg, "immediate", false), 1); err != nil {
		return s, err
	}
	if err := s.dialect.migrate(ctx, s.write.db); err != nil {
		return s, errors.Join(err, s.write.close())
	}
	readers := cmp.Or(max(cfg.Readers, 0), 4)
	if s.read, err = openPool(cfg, sqliteDSN(path, cfg, "deferred", true), readers); err != nil {
		return s, errors.Join(err, s.write.close())
	}
	return s, nil
}

// makeFile makes the database's folder and an empty file in it that only this
// user can read. SQLite gives its -wal and -shm the mode of the file.
func makeFile(path string) (string, error) {
	if path == "" {
		return "", errors.New("path is empty")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", err
	}
	return path, f.Close()
}

// sqliteDSN names the file and what every connection to it begins with.
func sqliteDSN(path string, cfg Config, begin string, readOnly bool) string {
	q := url.Values{
		"_txlock":       {begin},
		"_busy_timeout": {fmt.Sprint(cmp.Or(cfg.BusyTimeout, 5*time.Second).Milliseconds())},
		"_foreign_keys": {"on"},
		"_pragma": {
			"temp_store(memory)",
			"cache_size(-16000)", // KiB
		},
	}
	if readOnly {
		q.Set("_query_only", "on")
	} else {
		q.Set("_journal_mode", "WAL")
		q.Set("_synchronous", "FULL")                // a commit is on the disk when it returns
		q.Add("_pragma", "wal_autocheckpoint(4000)") // pages, 16 MiB: hot pages are copied back less often
		q.Add("_pragma", "journal_size_limit(67108864)")
		q.Add("_pragma", "secure_delete(fast)") // what is retracted is overwritten
	}
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: q.Encode()}).String()
}

func openPool(cfg Config, dsn string, size int) (*pool, error) {
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	if cfg.Wrap != nil {
		connector = cfg.Wrap(connector)
	}
	return newPool(connector, size), nil
}

func newPool(c driver.Connector, size int) *pool {
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return &pool{db: db, local: true, stmts: make(map[string]*sql.Stmt)}
}

// classifySQLite reads the result code, whose low byte is the sort of failure.
func classifySQLite(err error) failure {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return failOther
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return failDuplicate
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return failNoParent
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR,
		sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PROTOCOL:
		return failAway
	}
	return failOther
}
