package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/onemeter/onemeter/server/auth"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/observe"
	"github.com/onemeter/onemeter/server/sqlstore"
)

// writers is how many transactions may store messages at a time: SQLite has one
// writer; a MySQL server has many, of which two keep up with what waits.
func (s *Server) writers() int {
	if s.store.Engine() == "mysql" {
		return 2
	}
	return 1
}

// commitEvery is how far apart transactions that store messages begin. One costs
// MySQL and this process ten times as much as a message in it, and two syncs of
// a disk; SQLite's cost less than to wait does.
func (s *Server) commitEvery() time.Duration {
	if s.store.Engine() == "mysql" {
		return 4 * time.Millisecond
	}
	return 0
}

// roomBeside tells whether the disk of an SQLite file has room for more, by a
// byte that it writes: the database itself says so too late.
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

// openStore opens the database.
func (s *Server) openStore(ctx context.Context, seen *observe.Observer) error {
	cfg, err := s.cfg.database()
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
		return err // names the database
	}
	s.close = append(s.close, s.store.Close)
	if cfg.MySQL != "" && s.cfg.Redis == "" {
		s.log.Warn("MySQL without --redis: run this node only, for others would not hear of its messages, removals and logouts")
	}
	s.parts = append(s.parts, part{name: "database", ping: func(ctx context.Context) error {
		return errors.Join(s.store.Ping(ctx), roomBeside(cfg.Path))
	}})
	s.slowQueries.poll(pollEvery, s.store.SlowQueries)
	s.close = append(s.close, s.slowQueries.stop)
	return nil
}

// secret signs access tokens: it was given, or is kept beside the database.
func (s *Server) secret() ([]byte, error) {
	if s.cfg.JWTSecret != "" {
		return []byte(s.cfg.JWTSecret), nil
	}
	db, err := s.cfg.database() // SQLite: Validate wants a secret otherwise
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

// database says where the database is.
func (c Config) database() (sqlstore.Config, error) {
	if strings.HasPrefix(c.DB, "mysql://") {
		return sqlstore.Config{MySQL: c.DB}, sqlstore.CheckMySQL(c.DB)
	}
	file, err := pathOf(c.DB, "sqlite", "mysql")
	return sqlstore.Config{Path: file}, err
}

// checkStore names the faults of the database, and of the secret that is kept beside it.
func (c Config) checkStore(f *faults) {
	db, err := c.database()
	f.add("--db", err)
	f.unless(db.MySQL == "" || c.JWTSecret != "", "IM_JWT_SECRET", "is required with MySQL, and the same on every node: openssl rand -hex 32")
	n := len(c.JWTSecret)
	f.unless(n == 0 || n >= minSecret, "IM_JWT_SECRET", "has %d bytes, HS256 wants %d or more (RFC 7518, section 3.2): openssl rand -hex 32", n, minSecret)
}

const minSecret = 32 // bytes
