package chat

import (
	"context"
	"fmt"
	"slices"
)

const (
	filePage = 50
	maxFiles = 200 // of a page
	// toldRooms is how many conversations are told that a file is gone; in others
	// it shows when the message is asked for.
	toldRooms = 100
)

// Files are some of a user's files, and how many bytes all of them have; Quota is
// how many they may have, 0 any number.
type Files struct {
	Part[File]
	Used, Quota int64
}

// Files lists the caller's files, the newest first.
func (s *Service) Files(ctx context.Context, c Caller, p Paging) (Files, error) {
	p, err := p.within(filePage, maxFiles, "files not listed")
	if err != nil {
		return Files{}, err
	}
	list, err := s.cfg.Store.FilesOf(ctx, c.UserID, p.Limit+1, p.Offset)
	if err != nil {
		return Files{}, err
	}
	used, _, err := s.cfg.Store.FileBytes(ctx, c.UserID)
	return Files{partOf(list, p), used, s.cfg.Limits.Quota.User}, err
}

// DeleteFile deletes a file of the caller's. Messages that name it stay, and show
// that it is gone; what it took of the quota is free.
func (s *Service) DeleteFile(ctx context.Context, c Caller, id int64) error {
	const what = "file not deleted"
	if err := s.pace(ctx, c, what); err != nil {
		return err
	}
	f, err := s.File(ctx, c, id)
	if err != nil {
		return err
	}
	if f.OwnerID != c.UserID {
		return Errorf(KindForbidden, what, "only its uploader may delete a file")
	}
	me, err := s.user(ctx, c.UserID)
	if err != nil {
		return err
	}
	if namesFile(me.Avatar, id) {
		return Errorf(KindConflict, what, "it is your avatar: choose another one first")
	}
	rooms, err := s.cfg.Store.FileRooms(ctx, id, toldRooms)
	if err != nil {
		return err
	}
	if err := s.cfg.Store.MarkFileDeleted(ctx, id); err != nil {
		return orNotFound(err, what, "it was deleted just now")
	}
	s.cfg.Hooks.fileDeleted(ctx, f.Size)
	if err := s.deleteBytes(f); err != nil { // tried again within a day
		s.cfg.Log.WarnContext(ctx, "bytes of a deleted file not removed yet", "file", id, "err", err)
	}
	s.tellFileGone(ctx, c, id, rooms)
	return nil
}

// deleteBytes removes the bytes of a file that is marked as deleted.
func (s *Service) deleteBytes(f File) error {
	ctx, cancel := context.WithTimeout(s.background, s.cfg.Limits.CommitWithin)
	defer cancel()
	if err := s.cfg.Blobs.Delete(ctx, f.Key); err != nil {
		return fmt.Errorf("the bytes %s: %w", f.Key, err)
	}
	return s.cfg.Store.ForgetBytes(ctx, f.ID)
}

// tellFileGone tells the members of conversations, and the caller's devices.
func (s *Service) tellFileGone(ctx context.Context, c Caller, id int64, rooms []int64) {
	to := []int64{c.UserID}
	for _, room := range rooms {
		if m, err := s.membership(ctx, room); err == nil {
			seers, err := s.seers(ctx, m, c.UserID, false)
			if err == nil { // else it shows when the message is asked for
				to = append(to, seers...)
			}
		}
	}
	slices.Sort(to)
	now := s.cfg.Now()
	s.publish(ctx, Event{
		Type: EventFileDelete, To: slices.Compact(to), Except: c.Conn, At: now,
		Payload: FileGone{FileID: id, DeletedBy: c.UserID, DeletedAt: now},
	})
}
