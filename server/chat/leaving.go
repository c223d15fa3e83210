package chat

import (
	"context"
	"errors"
	"net/netip"
)

// A Farewell proves that a user may delete their account.
type Farewell struct {
	Password string `json:"password"`

	Addr netip.Addr `json:"-"`
}

const notDeleted = "account not deleted"

// DeleteMe deletes the caller's account. When it returns, no login, session or search
// finds the account on any node, and its phone number and username are free. The
// messages that others received stay; the rest of the data is removed in the background.
func (s *Service) DeleteMe(ctx context.Context, c Caller, f Farewell) error {
	l, err := s.verified(ctx, c, "password", f.Password, f.Addr, notDeleted)
	if err != nil {
		return err
	}
	if l.Role != RoleUser {
		return s.resign(ctx, Staff{UserID: c.UserID, IP: addrText(f.Addr)}, l)
	}
	before, err := s.sessionsOf(ctx, l.ID)
	if err != nil {
		return err
	}
	sessions, err := s.cfg.Store.DeleteUser(ctx, l.ID, l.Epoch, s.cfg.Now())
	stored := err
	err = dropped(ctx, s, s.cfg.Users, l.ID, err)
	if told := s.sessionsEnded(ctx, l.ID, before, sessions, stored, EndedByLeaving, leftWhy); err == nil {
		err = told
	}
	switch {
	case errors.Is(stored, ErrConflict):
		return errLastSuper(notDeleted)
	case errors.Is(stored, ErrNotFound):
		return errChanged
	case stored == nil:
		s.completeDeletion(ctx, l.ID, EndedByLeaving)
	}
	return err
}

const leftWhy = "the account was deleted"

// errChanged is the error if the password may have changed since it was checked.
var errChanged = Errorf(KindConflict, notDeleted, "the account was changed at the same time: try again")

// resign deletes the account of a member of the staff. l is the account when the password
// was checked.
func (s *Service) resign(ctx context.Context, by Staff, l Login) error {
	_, _, err := s.do(ctx, by, by.UserID, deed{
		act: ActRole, least: RoleUser, what: notDeleted, self: true,
		entry: AuditEntry{Module: ModuleRoles, Message: "role given up: the account is deleted"},
		change: func(_ Standing, target *Standing, otherSupers int) error {
			if target.Epoch != l.Epoch {
				return errChanged
			}
			return lastSuper(notDeleted, target, otherSupers)
		},
		also: StandingChange{Delete: true}, why: leftWhy, kind: EndedByLeaving,
	})
	if err == nil {
		s.completeDeletion(ctx, by.UserID, EndedByLeaving)
	}
	return err
}

// RemoveUser deletes an account on behalf of the staff, as DeleteMe does. The error is
// NotFound if it is already deleted.
func (s *Service) RemoveUser(ctx context.Context, by Staff, userID int64) error {
	_, _, err := s.do(ctx, by, userID, deed{
		act: ActDelete, least: RoleAdministrator, what: notDeleted,
		entry: AuditEntry{Module: ModuleUsers, Message: "account deleted"},
		change: func(_ Standing, target *Standing, otherSupers int) error {
			return lastSuper(notDeleted, target, otherSupers)
		},
		also: StandingChange{Delete: true}, why: "the account was deleted by an operator", kind: EndedByOperator,
	})
	if err == nil {
		s.completeDeletion(ctx, userID, EndedByOperator)
	}
	return err
}

// completeDeletion completes the deletion of an account. If that fails, leaveAll tries again.
func (s *Service) completeDeletion(ctx context.Context, userID int64, by EndedBy) {
	s.cfg.Hooks.accountDeleted(ctx, by)
	if err := s.finishLeaving(context.WithoutCancel(ctx), userID); err != nil {
		s.cfg.Log.WarnContext(ctx, "data of a deleted account not removed; the next try is in a minute", "user", userID, "err", err)
	}
}

const (
	leavingChunk = 100
	eraseChunk   = 1000 // messages
)

// leaveAll completes deletions of accounts that nodes have not completed. It continues
// with the next account after an error.
func (s *Service) leaveAll() {
	for after := int64(0); s.background.Err() == nil; {
		ids, err := s.cfg.Store.Leaving(s.background, after, leavingChunk)
		for _, id := range ids {
			err = errors.Join(err, s.leaveForAnother(s.background, id))
			after = id
		}
		if err != nil && s.background.Err() == nil {
			s.cfg.Log.WarnContext(s.background, "data of deleted accounts not removed; the next try is in a minute", "err", err)
		}
		if len(ids) < leavingChunk {
			return
		}
	}
}

// leaveForAnother completes a deletion that another node began. That node may have stopped
// before it notified anybody.
func (s *Service) leaveForAnother(ctx context.Context, userID int64) error {
	if err := dropped(ctx, s, s.cfg.Users, userID, nil); err != nil {
		return err
	}
	s.tellEnded(ctx, userID, "", leftWhy)
	return s.finishLeaving(ctx, userID)
}

// finishLeaving removes the data of a deleted account, in small steps. It is idempotent.
// Without Blobs it does not remove files, and keeps the account in Store.Leaving, so that
// a node removes them.
func (s *Service) finishLeaving(ctx context.Context, userID int64) error {
	steps := []func(context.Context, int64) error{s.leaveGroups, s.silenceDirects, s.eraseAlone}
	if s.cfg.Blobs != nil {
		steps = append(steps, s.forgetFiles, s.cfg.Store.Left)
	}
	for _, step := range steps {
		if err := step(ctx, userID); err != nil {
			return err
		}
	}
	if s.cfg.Blocks == nil {
		return nil
	}
	return dropped(ctx, s, s.cfg.Blocks, userID, nil)
}

// bounded returns a context with the timeout of one step.
func (s *Service) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.cfg.Limits.CommitWithin)
}

func (s *Service) leaveGroups(ctx context.Context, userID int64) error {
	for {
		groups, err := s.cfg.Store.Groups(ctx, userID, leavingChunk, 0)
		if err != nil || len(groups) == 0 {
			return err
		}
		for _, g := range groups {
			if err := s.leaveGroup(ctx, userID, g.ID); err != nil {
				return err
			}
		}
	}
}

func (s *Service) leaveGroup(ctx context.Context, userID, groupID int64) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	var member, owned bool
	_, err := s.cfg.Store.ChangeMember(ctx, MemberChange{
		ConversationID: groupID, ActorID: userID, UserID: userID,
		Decide: func(_ Member, them *Member) error {
			member, owned, *them = them.in(), them.Role == RoleOwner, Member{}
			return nil
		},
	})
	if errors.Is(err, ErrNotFound) { // the group was deleted meanwhile
		err = nil
	}
	if err := dropped(ctx, s, s.cfg.Memberships, groupID, err); err != nil {
		return err
	}
	if member { // otherwise another node has notified the others
		s.tellMember(ctx, Caller{UserID: userID}, groupID, GroupUpdated{Change: GroupLeft, UserID: userID}, owned)
	}
	return nil
}

// silenceDirects stops others from writing to the deleted account.
func (s *Service) silenceDirects(ctx context.Context, userID int64) error {
	for after := int64(0); ; {
		ids, err := s.silenceSome(ctx, userID, after)
		if err != nil || len(ids) == 0 {
			return err
		}
		after = ids[len(ids)-1]
	}
}

func (s *Service) silenceSome(ctx context.Context, userID, after int64) ([]int64, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	ids, err := s.cfg.Store.SilenceDirects(ctx, userID, after, leavingChunk)
	if dropErr := s.cfg.Memberships.Drop(ctx, ids...); err == nil {
		err = dropErr
	}
	return ids, err
}

// eraseAlone removes the content of conversations that have no other members.
func (s *Service) eraseAlone(ctx context.Context, userID int64) error {
	for more := true; more; {
		var err error
		if more, err = s.eraseSome(ctx, userID); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) eraseSome(ctx context.Context, userID int64) (bool, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	return s.cfg.Store.EraseAlone(ctx, userID, eraseChunk, s.cfg.Now())
}

// forgetFiles removes the account's files that no message refers to.
func (s *Service) forgetFiles(ctx context.Context, userID int64) error {
	for after := int64(0); ; {
		files, err := s.cfg.Store.FilesAfter(ctx, userID, after, leavingChunk)
		if err != nil || len(files) == 0 {
			return err
		}
		for _, f := range files {
			if err := s.forget(f); err != nil {
				return err
			}
			after = f.ID
		}
	}
}

// gone returns an error if the account was deleted.
func (u User) gone(what string) error {
	if u.Deleted {
		return Errorf(KindNotFound, what, "the account was deleted")
	}
	return nil
}
