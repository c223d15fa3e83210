package chat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	// forgetAfter is how long an upload waits for a message that names it.
	forgetAfter = 24 * time.Hour
	forgetChunk = 500 // files looked at with one statement
)

// cleanFiles removes what nobody can use: what is left of uploads that crashed,
// and files that no message names, of recalled and deleted messages too. What
// fails is done an hour later.
func (s *Service) cleanFiles() {
	if c, ok := s.cfg.Blobs.(Cleaner); ok {
		if err := c.Clean(s.background); err != nil && s.background.Err() == nil {
			s.cfg.Log.WarnContext(s.background, "crashed uploads not removed", "err", err)
		}
	}
	before := s.cfg.Now().Add(-forgetAfter)
	for after, more := int64(0), true; more && s.background.Err() == nil; more = after > 0 {
		var err error
		if after, err = s.forgetSome(after, before); err != nil && s.background.Err() == nil {
			s.cfg.Log.WarnContext(s.background, "unused files not removed", "err", err)
			return
		}
	}
}

// forgetSome looks at a chunk of files, and returns the last one's id, or 0 at
// the end.
func (s *Service) forgetSome(after int64, before time.Time) (int64, error) {
	ctx, cancel := context.WithTimeout(s.background, s.cfg.Limits.CommitWithin)
	unused, last, err := s.cfg.Store.UnusedFiles(ctx, after, before, forgetChunk)
	cancel()
	if err != nil {
		return 0, err
	}
	for _, f := range unused {
		if err := s.forget(f); err != nil {
			return 0, err
		}
	}
	return last, nil
}

// forget removes a file, first what is known of it: a file without bytes would be
// shown to its owner.
func (s *Service) forget(f File) error {
	ctx, cancel := context.WithTimeout(s.background, s.cfg.Limits.CommitWithin)
	defer cancel()
	owner, err := s.user(ctx, f.OwnerID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if strings.Contains(owner.Avatar, fmt.Sprintf("/files/%d/", f.ID)) {
		return nil // it is the owner's picture
	}
	err = s.cfg.Store.DeleteFile(ctx, f.ID)
	if errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound) {
		return nil // somebody sent it just now, or another node was first
	}
	if err != nil {
		return err
	}
	return s.cfg.Blobs.Delete(ctx, f.Key)
}
