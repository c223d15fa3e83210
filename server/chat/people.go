package chat

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Limits of lists of users.
const (
	searchLimit     = 50
	maxSearchPage   = 200
	maxSearchOffset = 1000 // the database reads all rows before the offset
	friendLimit     = 1000
	contactsLimit   = 5000
)

// Me returns the caller's own account.
func (s *Service) Me(ctx context.Context, c Caller) (User, error) {
	u, err := s.user(ctx, c.UserID)
	if err != nil {
		return User{}, orNotFound(err, "no such account", "it was deleted")
	}
	online, err := s.cfg.Presence.Online(ctx, []int64{u.ID})
	return s.seen(u, online, Blocks{}), err
}

// UpdateMe changes the caller's profile.
func (s *Service) UpdateMe(ctx context.Context, c Caller, p Profile) (User, error) {
	if err := s.pace(ctx, c, "profile not changed"); err != nil {
		return User{}, err
	}
	check := func(name string, to *string, limit int) error {
		if to == nil {
			return nil
		}
		return checkText(name, *to, limit)
	}
	if err := errors.Join(check("nickname", p.Nickname, maxName),
		check("bio", p.Bio, maxBio), check("avatar", p.Avatar, maxAvatar)); err != nil {
		return User{}, allFaults(err, "profile not changed")
	}
	err := orNotFound(s.cfg.Store.UpdateUser(ctx, c.UserID, p), "no such account", "it was deleted")
	if err := dropped(ctx, s, s.cfg.Users, c.UserID, err); err != nil {
		return User{}, err
	}
	return s.Me(ctx, c)
}

// SearchUsers finds accounts by part of their names, or by the full phone number.
func (s *Service) SearchUsers(ctx context.Context, c Caller, q string, p Paging) (Part[User], error) {
	const what = "nothing searched"
	q = strings.TrimSpace(q)
	if q == "" {
		return Part[User]{}, Errorf(KindInvalid, what, "q is required")
	}
	if err := checkText("q", q, maxSearch); err != nil {
		return Part[User]{}, err
	}
	p, err := p.within(searchLimit, maxSearchPage, what)
	if err != nil {
		return Part[User]{}, err
	}
	if p.Offset > maxSearchOffset {
		return Part[User]{}, Errorf(KindInvalid, what, "a search shows at most %d people: enter more of the name", maxSearchOffset)
	}
	if s.cfg.Searches != nil {
		if wait := s.cfg.Searches.Take(ctx, c.UserID); wait > 0 {
			return Part[User]{}, tooFast(what, "too many searches", wait)
		}
	}
	users, err := s.cfg.Store.SearchUsers(ctx, q, p.Limit+1, p.Offset)
	return s.peopleSeenBy(ctx, c.UserID, users, p, err)
}

// peopleSeenBy returns a page of the users that the store returned, as the viewer may see
// them.
func (s *Service) peopleSeenBy(ctx context.Context, viewer int64, users []User, p Paging, err error) (Part[User], error) {
	if err != nil {
		return Part[User]{}, err
	}
	part := partOf(users, p)
	part.Items, err = s.asSeenBy(ctx, viewer, part.Items)
	return part, err
}

// Friends lists the caller's friends, by id. Friendship is mutual as soon as one user
// adds the other.
func (s *Service) Friends(ctx context.Context, c Caller, p Paging) (Part[User], error) {
	p, err := p.within(friendLimit, friendLimit, "friends not listed")
	if err != nil {
		return Part[User]{}, err
	}
	users, err := s.cfg.Store.Friends(ctx, c.UserID, p.Limit+1, p.Offset)
	return s.peopleSeenBy(ctx, c.UserID, users, p, err)
}

// AddFriend makes userID a friend of the caller. The friend can then see the caller's
// phone number, but not the other way round. It accepts the friend's pending requests.
func (s *Service) AddFriend(ctx context.Context, c Caller, userID int64) (User, error) {
	const what = "friend not added"
	u, err := s.other(ctx, c, userID, what)
	if err != nil {
		return User{}, err
	}
	err = s.cfg.Store.Befriend(ctx, c.UserID, userID, s.cfg.Now())
	err = s.related(ctx, c.UserID, userID, s.orBlocked(ctx, c.UserID, userID, what, err))
	if err != nil {
		return User{}, err
	}
	return s.oneSeenBy(ctx, c.UserID, u)
}

// MayCall returns an error if callerID may not call calleeID: they are neither friends
// nor in a common conversation, or one has blocked the other, or calleeID accepts calls
// only from contacts. In the last case it sends calleeID a request.
func (s *Service) MayCall(ctx context.Context, callerID, calleeID int64) error {
	const what = "call refused"
	callee, err := s.user(ctx, calleeID)
	if err == nil {
		err = callee.gone(what)
	}
	if err != nil {
		return orNotFound(err, what, "there is no such user")
	}
	r, err := s.cfg.Store.Relation(ctx, callerID, calleeID)
	switch {
	case err != nil:
		return err
	case r.Blocked || r.BlockedBy:
		return s.orBlocked(ctx, callerID, calleeID, what, ErrBlocked)
	}
	privacy, err := s.privacy(ctx, calleeID)
	switch {
	case err != nil:
		return err
	case privacy[calleeID].Calls == Contacts && !r.AddedBy:
		return s.requestCall(ctx, callerID, calleeID)
	case !r.Added && !r.AddedBy && !r.Together:
		return Errorf(KindForbidden, what, "you can only call friends and members of your conversations")
	}
	return nil
}

// requestCall returns the error for a call to a user who accepts calls only from contacts,
// and sends that user a request.
func (s *Service) requestCall(ctx context.Context, callerID, calleeID int64) error {
	const what = "call refused"
	if err := s.ask(ctx, Request{UserID: calleeID, FromID: callerID, Kind: RequestCall}, what); err != nil {
		return err
	}
	return Errorf(KindForbidden, what, "user %d accepts calls only from contacts, and was notified of your call: wait until they add you", calleeID)
}

// MayAct counts an action of a user in a call. If the user is too fast, the error is
// RateLimited.
func (s *Service) MayAct(ctx context.Context, userID int64) error {
	return s.pace(ctx, Caller{UserID: userID}, "call refused")
}

// asSeenBy returns users as the viewer may see them. It fills in who is online. It hides
// the phone numbers of users who have not added the viewer, and the presence of users who
// have blocked the viewer.
func (s *Service) asSeenBy(ctx context.Context, viewer int64, users []User) ([]User, error) {
	ids := make([]int64, len(users))
	for i, u := range users {
		ids[i] = u.ID
	}
	online, err := s.cfg.Presence.Online(ctx, ids)
	if err != nil {
		return nil, err
	}
	trust, err := s.cfg.Store.AddedBy(ctx, viewer, ids)
	if err != nil {
		return nil, err
	}
	blocks, err := s.blocks(ctx, viewer)
	if err != nil {
		return nil, err
	}
	for i, u := range users {
		if u.ID != viewer && !trust[u.ID] {
			u = u.withoutPhone()
		}
		users[i] = s.seen(u, online, blocks)
	}
	return users, nil
}

// oneSeenBy is asSeenBy for one user.
func (s *Service) oneSeenBy(ctx context.Context, viewer int64, u User) (User, error) {
	seen, err := s.asSeenBy(ctx, viewer, []User{u})
	if err != nil {
		return User{}, err
	}
	return seen[0], nil
}

// seen fills in whether u is online, for a viewer with these blocks. A user who is online
// was last seen now.
func (s *Service) seen(u User, online map[int64]bool, blocks Blocks) User {
	if blocks.isBlockedBy(u.ID) {
		u.Online, u.LastSeen = false, time.Time{}
		return u
	}
	if u.Online = online[u.ID]; u.Online {
		u.LastSeen = s.cfg.Now()
	}
	return u
}

// profile returns an account as the viewer may see it, without its phone number. It
// returns nil if the account does not exist.
func (s *Service) profile(ctx context.Context, viewer, id int64) (*User, error) {
	u, err := s.user(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var blocks Blocks
	if viewer != id {
		if blocks, err = s.blocks(ctx, viewer); err != nil {
			return nil, err
		}
	}
	online, err := s.cfg.Presence.Online(ctx, []int64{id})
	u = s.seen(u.withoutPhone(), online, blocks)
	return &u, err
}
