package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
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
	name:       "sqlite",
	goose:      goose.DialectSQLite3,
	migrations: "migrations/sqlite",
	forUpdate:  "", // BEGIN IMMEDIATE locks the whole file
	inOrder:    "CROSS JOIN",
	keepOld:    func(string) string { return " ON CONFLICT DO NOTHING" },
	raiseMarks: func(n int) string {
		return `UPDATE members SET ` + moveTimes("") + `read_seq = MAX(read_seq, k.read_to), delivered_seq = MAX(delivered_seq, k.delivered_to)
			FROM (` + marksTable(n) + `) k
			WHERE members.conversation_id = k.conversation AND members.user_id = k.member`
	},
	step: "1",
	firstID: func(r sql.Result, n int, _ int64) (int64, error) {
		last, err := r.LastInsertId()
		return last - int64(n) + 1, err
	},
	rows:     piece,
	classify: classifySQLite,
}

func (s *Store) openSQLite(ctx context.Context, cfg Config) error {
	path, err := makeFile(cfg.Path)
	if err != nil {
		return err
	}
	dsn := sqliteDSN(path, cfg, "immediate", false)
	if err := s.migrateSQLite(ctx, cfg, dsn); err != nil {
		return err
	}
	write, err := openLocal(cfg, dsn, 1)
	if err != nil {
		return err
	}
	dsn = sqliteDSN(path, cfg, "deferred", true)
	read, err := openLocal(cfg, dsn, cmp.Or(max(cfg.Readers, 0), 4))
	if err != nil {
		return errors.Join(err, write.close())
	}
	health, err := openLocal(cfg, dsn, 1)
	if err != nil {
		return errors.Join(err, write.close(), read.close())
	}
	s.read, s.write, s.health = read, write, health
	return nil
}

// migrateSQLite makes the file a WAL database with the schema of today. Its connection
// is not used again, because the statements of migrations need not be kept.
func (s *Store) migrateSQLite(ctx context.Context, cfg Config, dsn string) (err error) {
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return err
	}
	db := sql.OpenDB(cfg.wrapped(connector))
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	return s.prepareSchema(ctx, cfg, db, nil)
}

// makeFile creates the database's folder and an empty file that only this user can
// read. SQLite gives its -wal and -shm files the same mode.
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

// sqliteDSN returns the data source name: the file and the settings of every connection.
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
		q.Add("_pragma", "secure_delete(fast)") // overwrite deleted content
	}
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: q.Encode()}).String()
}

func openLocal(cfg Config, dsn string, size int) (*localPool, error) {
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	return newLocalPool(cfg.wrapped(keeperConnector{connector}), size), nil
}

// classifySQLite returns the meaning of a result code. Its low byte is the primary code.
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
