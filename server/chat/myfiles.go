package chat

import (
	"context"
	"fmt"
	"slices"
)

const (
	filePage = 50
	maxFiles = 200 // of a page
	// notifiedConversations is the most conversations that are notified of a deleted file. In
	// others, clients see it when they load the message.
	notifiedConversations = 100
)

// Files is a page of a user's files.
type Files struct {
	Part[File]
	Used  int64 // bytes of all files of the user
	Quota int64 // most bytes of the user; 0: no limit
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

// DeleteFile deletes a file of the caller. Messages with it stay, and have FileGone. Its
// bytes no longer count for the quota. The error is Forbidden if it is another user's file,
// and Conflict if it is the caller's avatar.
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
	conversationIDs, err := s.cfg.Store.FileConversations(ctx, id, notifiedConversations)
	if err != nil {
		return err
	}
	if err := s.cfg.Store.MarkFileDeleted(ctx, id); err != nil {
		return orNotFound(err, what, "it was deleted just now")
	}
	s.cfg.Hooks.fileDeleted(ctx, f.Size)
	if err := s.deleteBytes(f); err != nil { // cleanFiles tries again
		s.cfg.Log.WarnContext(ctx, "bytes of a deleted file not removed; the server tries again within a day", "file", id, "err", err)
	}
	s.tellFileGone(ctx, c, id, conversationIDs)
	return nil
}

// deleteBytes deletes the bytes of a file that is marked as deleted.
func (s *Service) deleteBytes(f File) error {
	ctx, cancel := context.WithTimeout(s.background, s.cfg.Limits.CommitWithin)
	defer cancel()
	if err := s.cfg.Blobs.Delete(ctx, f.Key); err != nil {
		return fmt.Errorf("delete blob %s: %w", f.Key, err)
	}
	return s.cfg.Store.ForgetBytes(ctx, f.ID)
}

// tellFileGone notifies the members of conversations, and the caller's devices.
func (s *Service) tellFileGone(ctx context.Context, c Caller, id int64, conversationIDs []int64) {
	to := []int64{c.UserID}
	for _, conversationID := range conversationIDs {
		if membership, err := s.membership(ctx, conversationID); err == nil {
			viewers, err := s.viewers(ctx, membership, c.UserID, false)
			if err == nil { // otherwise clients see it when they load the message
				to = append(to, viewers...)
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
