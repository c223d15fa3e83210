package chat

import (
	"context"
	"errors"
	"slices"
	"strings"
)

const (
	maxTitle   = 256
	chatsLimit = 1000
)

// CreateGroup makes a group that the caller owns.
func (s *Service) CreateGroup(ctx context.Context, c Caller, title string, memberIDs []int64) (Conversation, error) {
	const what = "chat not made"
	title = strings.TrimSpace(title)
	if title == "" {
		return Conversation{}, Errorf(KindInvalid, what, "title is required")
	}
	if err := checkText("title", title, maxTitle); err != nil {
		return Conversation{}, err
	}
	if len(memberIDs) >= s.cfg.Limits.MaxMembers {
		return Conversation{}, Errorf(KindInvalid, what, "a chat has at most %d members", s.cfg.Limits.MaxMembers)
	}
	users, err := s.cfg.Store.Users(ctx, memberIDs)
	if err != nil {
		return Conversation{}, err
	}
	known := make(map[int64]bool, len(users))
	for _, u := range users {
		known[u.ID] = true
	}
	for _, id := range memberIDs {
		if !known[id] {
			return Conversation{}, Errorf(KindNotFound, what, "there is no user %d", id)
		}
	}
	g, err := s.cfg.Store.CreateGroup(ctx, title, c.UserID, memberIDs, s.cfg.Now())
	if err != nil {
		return Conversation{}, err
	}
	m, err := s.membership(ctx, g.ID)
	if err != nil {
		return Conversation{}, err
	}
	g.MemberCount = len(m.Members)
	g.Members, err = s.withProfiles(ctx, m.Members)
	return g, err
}

// Groups lists the groups that the caller is in.
func (s *Service) Groups(ctx context.Context, c Caller) ([]Conversation, error) {
	return s.cfg.Store.Groups(ctx, c.UserID, chatsLimit)
}

// Members lists who is in a conversation of the caller's.
func (s *Service) Members(ctx context.Context, c Caller, chatID int64) ([]Member, error) {
	m, err := s.roomByID(ctx, c.UserID, chatID, "no such chat")
	if err != nil {
		return nil, err
	}
	return s.withProfiles(ctx, m.Members)
}

// withProfiles returns a copy of members with their accounts filled in.
func (s *Service) withProfiles(ctx context.Context, members []Member) ([]Member, error) {
	members = slices.Clone(members)
	for i := range members {
		var err error
		if members[i].User, err = s.profile(ctx, members[i].UserID); err != nil {
			return nil, err
		}
	}
	return members, nil
}

const notChanged = "membership not changed"

// group returns the group chatID and the caller's place in it.
func (s *Service) group(ctx context.Context, c Caller, chatID int64) (Membership, Member, error) {
	m, err := s.roomByID(ctx, c.UserID, chatID, notChanged)
	if err != nil {
		return m, Member{}, err
	}
	if m.Conversation.Kind != Group {
		return m, Member{}, Errorf(KindInvalid, notChanged, "a direct conversation has no roles")
	}
	me, _ := m.Find(c.UserID)
	return m, me, nil
}

// AddMember brings userID into a group. Owner and admins may.
func (s *Service) AddMember(ctx context.Context, c Caller, chatID, userID int64) (Member, error) {
	m, me, err := s.group(ctx, c, chatID)
	if err != nil {
		return Member{}, err
	}
	if me.Role == RoleMember {
		return Member{}, Errorf(KindForbidden, notChanged, "only the owner and admins add members")
	}
	if there, ok := m.Find(userID); ok {
		return there, nil
	}
	if _, err := s.user(ctx, userID); err != nil {
		return Member{}, orNotFound(err, notChanged, "there is no such user")
	}
	row, err := s.cfg.Store.MemberRow(ctx, chatID, userID)
	switch {
	case err == nil && row.Banned:
		return Member{}, Errorf(KindForbidden, notChanged, "the user is banned from this chat: unban first")
	case err != nil && !errors.Is(err, ErrNotFound):
		return Member{}, err
	}
	added := Member{ConversationID: chatID, UserID: userID, Role: RoleMember, JoinedAt: s.cfg.Now()}
	return added, s.putMember(ctx, added)
}

// RemoveMember takes userID out of a group. Members may remove themselves; a
// leaving owner hands the group to its first admin, or else its first member.
func (s *Service) RemoveMember(ctx context.Context, c Caller, chatID, userID int64) error {
	m, me, err := s.group(ctx, c, chatID)
	if err != nil {
		return err
	}
	if userID != c.UserID {
		if _, err := mayManage(m, me, userID); err != nil {
			return err
		}
	} else if me.Role == RoleOwner {
		if err := s.handOver(ctx, m, me); err != nil {
			return err
		}
	}
	if err := s.cfg.Store.DeleteMember(ctx, chatID, userID); err != nil {
		return orNotFound(err, notChanged, "the user is not in this chat")
	}
	return s.cfg.Memberships.Drop(ctx, chatID)
}

func (s *Service) handOver(ctx context.Context, m Membership, owner Member) error {
	var heir Member
	for _, candidate := range m.Members {
		switch {
		case candidate.UserID == owner.UserID:
		case heir.UserID == 0,
			candidate.Role == RoleAdmin && heir.Role != RoleAdmin,
			candidate.Role == heir.Role && candidate.JoinedAt.Before(heir.JoinedAt):
			heir = candidate
		}
	}
	if heir.UserID == 0 {
		return nil
	}
	return s.cfg.Store.SetOwner(ctx, m.Conversation.ID, heir.UserID)
}

// mayManage tells whether me may act on userID: the owner on everyone else,
// an admin on plain members.
func mayManage(m Membership, me Member, userID int64) (Member, error) {
	them, ok := m.Find(userID)
	switch {
	case me.Role == RoleMember:
		return them, Errorf(KindForbidden, notChanged, "only the owner and admins may do this")
	case !ok:
		return them, Errorf(KindNotFound, notChanged, "the user is not in this chat")
	case them.Role == RoleOwner:
		return them, Errorf(KindForbidden, notChanged, "the owner cannot be changed")
	case them.Role == RoleAdmin && me.Role != RoleOwner:
		return them, Errorf(KindForbidden, notChanged, "only the owner may act on an admin")
	}
	return them, nil
}

// SetAdmin promotes or demotes a member. Only the owner may.
func (s *Service) SetAdmin(ctx context.Context, c Caller, chatID, userID int64, admin bool) (Member, error) {
	return s.change(ctx, c, chatID, userID, func(me Member, them *Member) error {
		if me.Role != RoleOwner {
			return Errorf(KindForbidden, notChanged, "only the owner promotes and demotes")
		}
		them.Role = RoleMember
		if admin {
			them.Role = RoleAdmin
		}
		return nil
	})
}

// SetMuted keeps a member from writing, or lets them write again.
func (s *Service) SetMuted(ctx context.Context, c Caller, chatID, userID int64, muted bool) (Member, error) {
	return s.change(ctx, c, chatID, userID, func(_ Member, them *Member) error {
		them.Muted = muted
		return nil
	})
}

// Ban takes a member out and keeps them out.
func (s *Service) Ban(ctx context.Context, c Caller, chatID, userID int64) (Member, error) {
	return s.change(ctx, c, chatID, userID, func(_ Member, them *Member) error {
		them.Banned, them.Role = true, RoleMember
		return nil
	})
}

// change applies one change to a member whom the caller may manage.
func (s *Service) change(ctx context.Context, c Caller, chatID, userID int64, apply func(me Member, them *Member) error) (Member, error) {
	m, me, err := s.group(ctx, c, chatID)
	if err != nil {
		return Member{}, err
	}
	them, err := mayManage(m, me, userID)
	if err != nil {
		return Member{}, err
	}
	if err := apply(me, &them); err != nil {
		return Member{}, err
	}
	them.ConversationID = chatID
	return them, s.putMember(ctx, them)
}

// Unban lifts a ban. It does not bring the user back: that is AddMember's.
func (s *Service) Unban(ctx context.Context, c Caller, chatID, userID int64) error {
	_, me, err := s.group(ctx, c, chatID)
	if err != nil {
		return err
	}
	if me.Role == RoleMember {
		return Errorf(KindForbidden, notChanged, "only the owner and admins may do this")
	}
	row, err := s.cfg.Store.MemberRow(ctx, chatID, userID)
	if err != nil || !row.Banned {
		return Errorf(KindNotFound, notChanged, "the user is not banned from this chat")
	}
	return s.cfg.Store.DeleteMember(ctx, chatID, userID)
}

func (s *Service) putMember(ctx context.Context, m Member) error {
	err := s.cfg.Store.PutMember(ctx, m, s.cfg.Limits.MaxMembers)
	if errors.Is(err, ErrConflict) {
		return Errorf(KindConflict, notChanged, "the chat has its %d members", s.cfg.Limits.MaxMembers)
	}
	return errors.Join(err, s.cfg.Memberships.Drop(ctx, m.ConversationID))
}
