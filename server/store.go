package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/onemeter/onemeter/server/auth"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/observe"
	"github.com/onemeter/onemeter/server/sqlstore"
)

// writers returns how many transactions may store messages at a time. SQLite has one writer. MySQL has many, but two
// are enough to keep up.
func (s *Server) writers() int {
	if s.store.Engine() == "mysql" {
		return 2
	}
	return 1
}

// commitEvery returns the shortest interval between the beginnings of two transactions that store messages. With MySQL,
// a transaction costs ten times as much as a message in it, and two disk syncs. With SQLite, it costs less than
// waiting.
func (s *Server) commitEvery() time.Duration {
	if s.store.Engine() == "mysql" {
		return 4 * time.Millisecond
	}
	return 0
}

// roomBeside checks whether the disk of an SQLite file has room, by writing a byte: SQLite itself reports a full disk
// too late.
func roomBeside(path string) error {
	if path == "" {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".ready-*")
	if err != nil {
		return chat.WordFull(err)
	}
	_, err = f.Write([]byte{1})
	return errors.Join(chat.WordFull(err), f.Close(), os.Remove(f.Name()))
}

// mayCreate reports whether path, the database of --db if that is an SQLite file, does not exist yet. It refuses to
// create a folder for it, except for the default: most likely, path is misspelt, and the operator would look for the
// data of another database in an empty one.
func (c Config) mayCreate(path string) (isNew bool, err error) {
	if path == "" {
		return false, nil
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return false, nil // opening it says more about other errors
	}
	folder := filepath.Dir(path)
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) && c.DB != DefaultConfig().DB {
		return false, fmt.Errorf("--db: there is no folder %s: correct the path, or make the folder for a new database: mkdir -p -m 700 %[1]s", absolute(folder))
	}
	return true, nil
}

// absolute returns path as an absolute path, if the working directory is known.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// openStore opens the database.
func (s *Server) openStore(ctx context.Context, seen *observe.Observer) error {
	cfg, err := s.cfg.database()
	if err != nil {
		return err
	}
	isNew, err := s.cfg.mayCreate(cfg.Path)
	if err != nil {
		return err
	}
	noFiles, err := s.cfg.makeBlobFolder() // before the database is created, which a failed start should not leave behind
	if err != nil {
		return err
	}
	if cfg.Path != "" {
		if err := s.lock(cfg.Path); err != nil {
			return err
		}
	}
	system := "sqlite"
	if cfg.MySQL != "" {
		system = "mysql"
	}
	cfg.UsernameKey = auth.Usernames{}.Key
	cfg.Wrap = seen.SQL(system, sqlstore.ErrorType)
	err = s.awaited(ctx, "database", s.cfg.DB, func() (err error) { s.store, err = sqlstore.Open(ctx, cfg); return err })
	if err != nil {
		return fmt.Errorf("--db: %w", err)
	}
	s.close = append(s.close, s.store.Close)
	if noFiles {
		if err := s.warnNoFiles(ctx); err != nil {
			return err
		}
	}
	if isNew {
		s.log.Info("created a new database, without any account; if there is one already, stop the server and correct --db", "path", absolute(cfg.Path))
	}
	if cfg.MySQL != "" && s.cfg.Redis == "" {
		s.log.Warn("MySQL without --redis: run only this node, since others would not get its messages, removals and logouts")
	}
	s.parts = append(s.parts, part{name: "database", ping: func(ctx context.Context) error {
		return errors.Join(s.store.Ping(ctx), roomBeside(cfg.Path))
	}})
	s.slowQueries.poll(pollEvery, s.store.SlowQueries)
	s.close = append(s.close, s.slowQueries.stop)
	return nil
}

// secret returns the secret that signs access tokens: that of the setting, or the one beside the database.
func (s *Server) secret() ([]byte, error) {
	if s.cfg.JWTSecret != "" {
		return []byte(s.cfg.JWTSecret), nil
	}
	db, err := s.cfg.database() // SQLite: for MySQL, Validate requires the setting
	if err != nil {
		return nil, err
	}
	path := filepath.Join(filepath.Dir(db.Path), "jwt.secret")
	secret, err := auth.Secret(path)
	if err != nil {
		return nil, fmt.Errorf("secret %s: %w", path, err)
	}
	return secret, nil
}

// database returns the configuration of the database.
func (c Config) database() (sqlstore.Config, error) {
	if strings.HasPrefix(c.DB, "mysql://") {
		return sqlstore.Config{MySQL: c.DB}, sqlstore.CheckMySQL(c.DB)
	}
	file, err := pathOf(c.DB, "sqlite", "mysql")
	if err == nil && file == ":memory:" {
		err = fmt.Errorf("is %q, which keeps nothing: want a path, such as sqlite://data/im.db", c.DB)
	}
	return sqlstore.Config{Path: file}, err
}

// checkStore adds the faults of the settings for the database and the secret.
func (c Config) checkStore(f *faults) {
	db, err := c.database()
	f.add("--db", err)
	f.unless(db.MySQL == "" || c.JWTSecret != "", "IM_JWT_SECRET", "is required with MySQL, and must be the same on every node: openssl rand -hex 32 makes one")
	n := len(c.JWTSecret)
	f.unless(n == 0 || n >= minSecret, "IM_JWT_SECRET", "has %d bytes, but HS256 needs %d or more (RFC 7518, section 3.2): openssl rand -hex 32 makes one", n, minSecret)
}

const minSecret = 32 // bytes
