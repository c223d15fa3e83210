package chat

import (
	"context"
	"errors"
	"slices"
)

const (
	maxBlocked   = 10_000 // users blocked by one user
	blockedLimit = 1000   // of a page
)

// A Relation is the relation of a user to another one.
type Relation struct {
	Added, AddedBy     bool // the user added the other as a friend, and the other way round
	Blocked, BlockedBy bool // the user has blocked the other, and the other way round
	Together           bool // both are members of one conversation
}

// Blocks are the ids of the users that a user has blocked, and of those who have
// blocked the user; both sorted.
type Blocks struct {
	Of []int64 `json:"of,omitempty"`
	By []int64 `json:"by,omitempty"`
}

// isBlockedBy reports whether id has blocked the user.
func (b Blocks) isBlockedBy(id int64) bool { return among(b.By, id) }

func among(ids []int64, id int64) bool {
	_, found := slices.BinarySearch(ids, id)
	return found
}

// refusal returns an error if there is a block between the user and id.
func (b Blocks) refusal(id int64, what string) error {
	switch {
	case among(b.Of, id):
		return Errorf(KindForbidden, what, "you have blocked user %d: unblock them first", id)
	case among(b.By, id):
		return Errorf(KindForbidden, what, "user %d has blocked you", id)
	}
	return nil
}

// orBlocked turns a store's ErrBlocked into an Error that says who has blocked whom. It
// returns every other error unchanged.
func (s *Service) orBlocked(ctx context.Context, userID, otherID int64, what string, err error) error {
	if !errors.Is(err, ErrBlocked) {
		return err
	}
	b, err := s.blocks(ctx, userID)
	if err != nil {
		return err
	}
	if err := b.refusal(otherID, what); err != nil {
		return err
	}
	return Errorf(KindForbidden, what, "one of you has blocked the other")
}

// blocks returns the blocks of a user, from the cache or the store.
func (s *Service) blocks(ctx context.Context, userID int64) (Blocks, error) {
	load := func(ctx context.Context) (Blocks, error) { return s.cfg.Store.Blocks(ctx, userID) }
	if s.cfg.Blocks == nil {
		return load(ctx)
	}
	b, hit, err := s.cfg.Blocks.Load(ctx, userID, load)
	s.cfg.Hooks.cacheLookup(ctx, "blocks", hit)
	return b, err
}

// Blocked lists the users that the caller has blocked, by id.
func (s *Service) Blocked(ctx context.Context, c Caller, p Paging) (Part[User], error) {
	p, err := p.within(blockedLimit, blockedLimit, "blocked users not listed")
	if err != nil {
		return Part[User]{}, err
	}
	users, err := s.cfg.Store.Blocked(ctx, c.UserID, p.Limit+1, p.Offset)
	return s.peopleSeenBy(ctx, c.UserID, users, p, err)
}

// Block stops userID from writing to the caller, calling, adding to groups, and seeing
// presence. The caller can no longer write to or call userID either. It ends their
// friendship and the call between them. Groups with both go on. It is idempotent. The
// error is Conflict if the caller has blocked the most users allowed.
func (s *Service) Block(ctx context.Context, c Caller, userID int64) (User, error) {
	const what = "could not block the user"
	u, err := s.other(ctx, c, userID, what)
	if err != nil {
		return User{}, err
	}
	err = s.cfg.Store.Block(ctx, c.UserID, userID, maxBlocked, s.cfg.Now())
	if errors.Is(err, ErrConflict) {
		return User{}, Errorf(KindConflict, what, "you have blocked %d users, and cannot block more: unblock somebody first", maxBlocked)
	}
	if err := s.related(ctx, c.UserID, userID, orNotFound(err, what, "there is no such user")); err != nil {
		return User{}, err
	}
	s.cfg.Hooks.blocked(ctx, Blocked{})
	s.tellRelation(ctx, c, userID, RelationBlocked)
	s.publish(ctx, Event{ // with From, so that it is not gathered: only userID sees the caller as offline
		Type: EventPresence, To: []int64{userID}, From: c.UserID, At: s.cfg.Now(), Payload: PresenceChanged{UserID: c.UserID},
	})
	if s.cfg.EndCall != nil {
		err = s.cfg.EndCall(ctx, c.UserID, userID)
	}
	if err != nil { // the block is stored all the same
		return User{}, err
	}
	return s.oneSeenBy(ctx, c.UserID, u)
}

// Unblock undoes Block, but does not restore the friendship.
func (s *Service) Unblock(ctx context.Context, c Caller, userID int64) error {
	const what = "could not unblock the user"
	if _, err := s.other(ctx, c, userID, what); err != nil {
		return err
	}
	err := orNotFound(s.cfg.Store.Unblock(ctx, c.UserID, userID), what, "you have not blocked this user")
	if err := s.related(ctx, c.UserID, userID, err); err != nil {
		return err
	}
	s.cfg.Hooks.blocked(ctx, Blocked{Undone: true})
	s.tellRelation(ctx, c, userID, RelationUnblocked)
	return nil
}

// Unfriend ends the friendship of the caller and userID, no matter who added whom.
func (s *Service) Unfriend(ctx context.Context, c Caller, userID int64) error {
	const what = "friend not removed"
	if _, err := s.other(ctx, c, userID, what); err != nil {
		return err
	}
	err := orNotFound(s.cfg.Store.Unfriend(ctx, c.UserID, userID), what, "you are not friends")
	if err := s.related(ctx, c.UserID, userID, err); err != nil {
		return err
	}
	s.tellRelation(ctx, c, userID, RelationUnfriended)
	return nil
}

// other counts an action of the caller on another user, and returns that user.
func (s *Service) other(ctx context.Context, c Caller, userID int64, what string) (User, error) {
	if err := s.pace(ctx, c, what); err != nil {
		return User{}, err
	}
	if userID == c.UserID {
		return User{}, Errorf(KindInvalid, what, "user_id is your own: give another user's")
	}
	u, err := s.user(ctx, userID)
	if err == nil {
		err = u.gone(what)
	}
	return u, orNotFound(err, what, "there is no such user")
}

// related removes two users' blocks and their conversation from the caches after a change
// of their relation: see dropped.
func (s *Service) related(ctx context.Context, a, b int64, err error) error {
	if s.cfg.Blocks != nil {
		err = dropped(ctx, s, s.cfg.Blocks, a, err)
		err = dropped(ctx, s, s.cfg.Blocks, b, err)
	}
	id, findErr := s.direct(ctx, a, b, "conversation not found")
	switch {
	case findErr == nil:
		err = dropped(ctx, s, s.cfg.Memberships, id, err)
	case err == nil && !errors.Is(findErr, errNoDirect):
		err = findErr
	}
	return err
}

// tellRelation notifies the caller's other devices of a change of the relation to userID.
func (s *Service) tellRelation(ctx context.Context, c Caller, userID int64, change RelationChange) {
	s.publish(ctx, Event{
		Type: EventUserUpdate, To: []int64{c.UserID}, Except: c.Conn, At: s.cfg.Now(),
		Payload: UserUpdated{UserID: userID, Change: change},
	})
}

// AreBlocked reports whether one of two users has blocked the other. It asks the store
// and no cache.
func (s *Service) AreBlocked(ctx context.Context, a, b int64) (bool, error) {
	r, err := s.cfg.Store.Relation(ctx, a, b)
	return r.Blocked || r.BlockedBy, err
}
