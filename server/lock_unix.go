//go:build unix

package server

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lock prevents a second server on the same SQLite file. Each server would have a bus of its own, so clients of one
// would not get messages that were sent to the other. The lock ends with the process, even if that crashes.
func (s *Server) lock(db string) error {
	if err := os.MkdirAll(filepath.Dir(db), 0o700); err != nil {
		return fmt.Errorf("--db: %w", err)
	}
	f, err := os.OpenFile(db+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("--db: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("another server uses %s: stop it, or choose another file with --db", db)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	s.close = append(s.close, f.Close)
	return nil
}
