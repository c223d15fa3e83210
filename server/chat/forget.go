package chat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	forgetAfter = 24 * time.Hour // age at which a file that no message refers to is removed
	forgetChunk = 500            // files examined by one statement
)

// cleanFiles removes parts of interrupted uploads, and files that no message refers to,
// such as those of recalled and deleted messages. If it fails, prune tries again an hour
// later.
func (s *Service) cleanFiles() {
	if s.cfg.Blobs == nil {
		return // a process that handles no files
	}
	if c, ok := s.cfg.Blobs.(Cleaner); ok {
		if err := c.Clean(s.background); err != nil && s.background.Err() == nil {
			s.cfg.Log.WarnContext(s.background, "interrupted uploads not removed; the next try is in an hour", "err", err)
		}
	}
	before := s.cfg.Now().Add(-forgetAfter)
	for after, more := int64(0), true; more && s.background.Err() == nil; more = after > 0 {
		var err error
		if after, err = s.forgetSome(after, before); err != nil && s.background.Err() == nil {
			s.cfg.Log.WarnContext(s.background, "unused files not removed; the next try is in an hour", "err", err)
			return
		}
	}
}

// forgetSome examines up to forgetChunk files, and returns the id of the last one, or 0 at
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

// forget removes a file: first its row, because the owner would see a file without bytes.
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
		return nil // a message uses it now, or another node has removed it
	}
	if err != nil {
		return err
	}
	// The full timeout again: without the row nobody would try again.
	ctx, cancel = context.WithTimeout(s.background, s.cfg.Limits.CommitWithin)
	defer cancel()
	if f.Key == "" {
		return nil
	}
	if err := s.cfg.Blobs.Delete(ctx, f.Key); err != nil {
		return fmt.Errorf("file %d was removed, but not its blob %s: %w", f.ID, f.Key, err)
	}
	return nil
}

// namesFile reports whether an avatar is the URL of this file.
func namesFile(avatar string, id int64) bool {
	_, rest, ok := strings.Cut(avatar, fmt.Sprintf("/files/%d", id))
	return ok && (rest == "" || rest[0] < '0' || rest[0] > '9')
}
