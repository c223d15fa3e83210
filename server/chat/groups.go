package chat

import (
	"context"
	"errors"
	"slices"
)

const (
	maxTitle   = 256
	chatsLimit = 1000
)

// CreateGroup creates a group that the caller owns. Users who accept groups only from
// contacts get a request, and are in Invited of the result.
func (s *Service) CreateGroup(ctx context.Context, c Caller, title string, memberIDs []int64) (Conversation, error) {
	const what = "chat not made"
	if err := s.pace(ctx, c, what); err != nil {
		return Conversation{}, err
	}
	title, err := checkTitle(title, what)
	if err != nil {
		return Conversation{}, err
	}
	ids := slices.Compact(slices.Sorted(slices.Values(append([]int64{c.UserID}, memberIDs...))))
	if len(ids) > s.cfg.Limits.MaxMembers {
		return Conversation{}, Errorf(KindInvalid, what, "a chat can have at most %d members", s.cfg.Limits.MaxMembers)
	}
	if s.cfg.NewGroups != nil {
		if wait := s.cfg.NewGroups.Take(ctx, c.UserID); wait > 0 {
			return Conversation{}, tooFast(what, "too many new chats", wait)
		}
	}
	blocks, err := s.blocks(ctx, c.UserID)
	if err != nil {
		return Conversation{}, err
	}
	users, err := s.cfg.Store.Users(ctx, ids)
	if err != nil {
		return Conversation{}, err
	}
	for i, id := range ids {
		if i >= len(users) || users[i].ID != id {
			return Conversation{}, Errorf(KindNotFound, what, "there is no user %d", id)
		}
		if err := users[i].gone(what); err != nil {
			return Conversation{}, err
		}
		if blocks.isBlockedBy(id) {
			return Conversation{}, Errorf(KindForbidden, what, "user %d has blocked you: leave them out", id)
		}
	}
	invited, err := s.mustBeAsked(ctx, c, ids)
	if err != nil {
		return Conversation{}, err
	}
	ids = slices.DeleteFunc(ids, func(id int64) bool { return slices.Contains(invited, id) })
	g, err := s.cfg.Store.CreateGroup(ctx, title, c.UserID, ids, s.cfg.Now())
	if err != nil {
		return Conversation{}, err
	}
	for _, id := range invited {
		err := s.ask(ctx, Request{UserID: id, FromID: c.UserID, Kind: RequestGroup, ChatID: g.ID}, what)
		if _, known := errors.AsType[*Error](err); err != nil && !known {
			return Conversation{}, err
		}
		if err == nil { // otherwise the group exists without them, and they can be added later
			g.Invited = append(g.Invited, id)
		}
	}
	membership, err := s.membership(ctx, g.ID)
	if err != nil {
		return Conversation{}, err
	}
	s.tellGroup(ctx, c, membership, GroupUpdated{Change: GroupCreated})
	g.MemberCount = len(membership.Members)
	g.Members, err = s.withProfiles(ctx, membership.Members, users, blocks)
	return g, err
}

// mustBeAsked returns those of ids to whom the caller must send a request to have them
// in a group. ids may contain the caller.
func (s *Service) mustBeAsked(ctx context.Context, c Caller, ids []int64) (these []int64, err error) {
	privacy, err := s.privacy(ctx, ids...)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if id != c.UserID && privacy[id].Groups == Contacts {
			these = append(these, id)
		}
	}
	added, err := s.cfg.Store.AddedBy(ctx, c.UserID, these)
	return slices.DeleteFunc(these, func(id int64) bool { return added[id] }), err
}

// Groups lists the groups that the caller is in, newest first.
func (s *Service) Groups(ctx context.Context, c Caller, p Paging) (Part[Conversation], error) {
	p, err := p.within(chatsLimit, chatsLimit, "chats not listed")
	if err != nil {
		return Part[Conversation]{}, err
	}
	groups, err := s.cfg.Store.Groups(ctx, c.UserID, p.Limit+1, p.Offset)
	return partOf(groups, p), err
}

// Members lists the members of one of the caller's conversations, by id.
func (s *Service) Members(ctx context.Context, c Caller, chatID int64, p Paging) (Part[Member], error) {
	p, err := p.within(s.cfg.Limits.MaxMembers, s.cfg.Limits.MaxMembers, "members not listed")
	if err != nil {
		return Part[Member]{}, err
	}
	membership, err := s.membershipByID(ctx, c.UserID, chatID, "no such chat")
	if err != nil {
		return Part[Member]{}, err
	}
	from := min(p.Offset, len(membership.Members))
	part := partOf(membership.Members[from:], p)
	users, err := s.cfg.Store.Users(ctx, membership.UserIDs()[from:from+len(part.Items)])
	if err != nil {
		return Part[Member]{}, err
	}
	blocks, err := s.blocks(ctx, c.UserID)
	if err != nil {
		return Part[Member]{}, err
	}
	part.Items, err = s.withProfiles(ctx, part.Items, users, blocks)
	return part, err
}

// withProfiles returns a copy of members with their accounts, which are in users, for a
// viewer with these blocks.
func (s *Service) withProfiles(ctx context.Context, members []Member, users []User, blocks Blocks) ([]Member, error) {
	ids := make([]int64, len(users))
	for i, u := range users {
		ids[i] = u.ID
	}
	online, err := s.cfg.Presence.Online(ctx, ids)
	if err != nil {
		return nil, err
	}
	profiles := make(map[int64]*User, len(users))
	for _, u := range users {
		u = s.seen(u.withoutPhone(), online, blocks)
		profiles[u.ID] = &u
	}
	members = slices.Clone(members)
	for i := range members {
		members[i].User = profiles[members[i].UserID]
	}
	return members, nil
}

const notChanged = "membership not changed"

// AddMember adds userID to a group. The owner and admins may do this, unless userID has
// blocked them. If userID accepts groups only from contacts, it sends a request
// instead, and the returned member is Invited.
func (s *Service) AddMember(ctx context.Context, c Caller, chatID, userID int64) (Member, error) {
	blocks, err := s.blocks(ctx, c.UserID)
	if err != nil {
		return Member{}, err
	}
	ask, err := s.needsRequest(ctx, c.UserID, userID, func(p Privacy) Audience { return p.Groups })
	if err != nil {
		return Member{}, err
	}
	m, err := s.change(ctx, c, chatID, userID, GroupAdded, func(me Member, them *Member) error {
		switch {
		case me.Role == RoleMember:
			return Errorf(KindForbidden, notChanged, "only the owner and admins may add members")
		case them.Banned:
			return Errorf(KindForbidden, notChanged, "the user is banned from this chat: unban them first")
		case !them.in() && blocks.isBlockedBy(userID):
			return Errorf(KindForbidden, notChanged, "user %d has blocked you", userID)
		case !them.in() && !ask:
			them.Role, them.JoinedAt = RoleMember, s.cfg.Now()
		}
		return nil
	})
	if err == nil && !m.in() {
		m.Invited = true
		err = s.ask(ctx, Request{UserID: userID, FromID: c.UserID, Kind: RequestGroup, ChatID: chatID}, notChanged)
	}
	return m, err
}

// RemoveMember removes userID from a group. Members may remove themselves. If the owner
// leaves, the admin who joined first becomes the owner, or else the first member.
func (s *Service) RemoveMember(ctx context.Context, c Caller, chatID, userID int64) error {
	news := GroupRemoved
	if userID == c.UserID {
		news = GroupLeft
	}
	_, err := s.change(ctx, c, chatID, userID, news, func(me Member, them *Member) error {
		if them.UserID != me.UserID {
			if err := mayManage(me, *them); err != nil {
				return err
			}
		}
		*them = Member{}
		return nil
	})
	return err
}

// mayManage returns an error if me may not change them. The owner may change everyone
// else, and an admin may change members who are not admins.
func mayManage(me, them Member) error {
	switch {
	case me.Role == RoleMember:
		return Errorf(KindForbidden, notChanged, "only the owner and admins may do this")
	case !them.in():
		return Errorf(KindNotFound, notChanged, "the user is not in this chat")
	case them.Role == RoleOwner:
		return Errorf(KindForbidden, notChanged, "the owner cannot be changed")
	case them.Role == RoleAdmin && me.Role != RoleOwner:
		return Errorf(KindForbidden, notChanged, "only the owner may do this to an admin")
	}
	return nil
}

// SetAdmin promotes or demotes a member. Only the owner may do this.
func (s *Service) SetAdmin(ctx context.Context, c Caller, chatID, userID int64, admin bool) (Member, error) {
	news := GroupDemoted
	if admin {
		news = GroupPromoted
	}
	return s.change(ctx, c, chatID, userID, news, func(me Member, them *Member) error {
		if err := mayManage(me, *them); err != nil {
			return err
		}
		if me.Role != RoleOwner {
			return Errorf(KindForbidden, notChanged, "only the owner may promote and demote")
		}
		them.Role = RoleMember
		if admin {
			them.Role = RoleAdmin
		}
		return nil
	})
}

// SetMuted mutes or unmutes a member. Muted members cannot write.
func (s *Service) SetMuted(ctx context.Context, c Caller, chatID, userID int64, muted bool) (Member, error) {
	news := GroupUnmuted
	if muted {
		news = GroupMuted
	}
	return s.change(ctx, c, chatID, userID, news, func(me Member, them *Member) error {
		them.Muted = muted
		return mayManage(me, *them)
	})
}

// Ban removes a member from a group. Nobody can add the user again before Unban.
func (s *Service) Ban(ctx context.Context, c Caller, chatID, userID int64) (Member, error) {
	return s.change(ctx, c, chatID, userID, GroupBanned, func(me Member, them *Member) error {
		if err := mayManage(me, *them); err != nil {
			return err
		}
		them.Banned, them.Role = true, RoleMember
		return nil
	})
}

// Unban lifts a ban. It does not add the user again; see AddMember.
func (s *Service) Unban(ctx context.Context, c Caller, chatID, userID int64) error {
	_, err := s.change(ctx, c, chatID, userID, GroupUnbanned, func(me Member, them *Member) error {
		switch {
		case me.Role == RoleMember:
			return Errorf(KindForbidden, notChanged, "only the owner and admins may do this")
		case !them.Banned:
			return Errorf(KindNotFound, notChanged, "the user is not banned from this chat")
		}
		*them = Member{}
		return nil
	})
	return err
}

// change calls decide to change the membership of userID in a group of the caller, and
// notifies the members. The cached membership may be stale; decide gets the current one.
func (s *Service) change(ctx context.Context, c Caller, chatID, userID int64, news GroupChange,
	decide func(me Member, them *Member) error,
) (Member, error) {
	if err := s.pace(ctx, c, notChanged); err != nil {
		return Member{}, err
	}
	membership, err := s.membershipByID(ctx, c.UserID, chatID, notChanged)
	if err != nil {
		return Member{}, err
	}
	if membership.Conversation.Kind != Group {
		return Member{}, Errorf(KindInvalid, notChanged, "this works only for groups, and the chat is a direct conversation")
	}
	var before Member
	m, err := s.cfg.Store.ChangeMember(ctx, MemberChange{
		ConversationID: chatID, ActorID: c.UserID, UserID: userID, Limit: s.cfg.Limits.MaxMembers,
		Decide: func(me Member, them *Member) error {
			before = *them
			if !me.in() {
				return Errorf(KindNotFound, notChanged, notInConversation)
			}
			return decide(me, them)
		},
	})
	if errors.Is(err, ErrConflict) {
		err = Errorf(KindConflict, notChanged, "the chat has the maximum of %d members", s.cfg.Limits.MaxMembers)
	}
	err = dropped(ctx, s, s.cfg.Memberships, chatID, orNotFound(err, notChanged, "there is no such user"))
	if err == nil && m != before {
		s.tellMember(ctx, c, chatID, GroupUpdated{Change: news, UserID: userID}, before.Role == RoleOwner)
	}
	return m, err
}
