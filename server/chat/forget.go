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
// and files that no message names, of recalled and deleted messages too. Files
// that fail are tried again an hour later.
func (s *Service) cleanFiles() {
	if s.cfg.Blobs == nil {
		return // a process without files: nodes do it
	}
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
	owners, err := s.cfg.Store.Users(ctx, []int64{f.OwnerID}) // not from the cache, which may be old
	if err != nil {
		return err
	}
	if len(owners) > 0 && namesFile(owners[0].Avatar, f.ID) {
		return nil
	}
	err = s.cfg.Store.DeleteFile(ctx, f.ID)
	if errors.Is(err, ErrConflict) && f.Deleted {
		return s.deleteBytes(f)
	}
	if errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound) {
		return nil // somebody sent it just now, or another node was first
	}
	if err != nil {
		return err
	}
	ctx, cancel = context.WithTimeout(s.background, s.cfg.Limits.CommitWithin) // all of it, for nobody knows of the bytes any more
	defer cancel()
	if f.Key == "" {
		return nil
	}
	if err := s.cfg.Blobs.Delete(ctx, f.Key); err != nil {
		return fmt.Errorf("the bytes %s are left behind: %w", f.Key, err)
	}
	return nil
}

// namesFile tells whether an avatar is a file of this server: the file's URL, with or without what follows the id.
func namesFile(avatar string, id int64) bool {
	_, rest, ok := strings.Cut(avatar, fmt.Sprintf("/files/%d", id))
	return ok && (rest == "" || rest[0] < '0' || rest[0] > '9')
}
