package chat

import (
	"context"
	"slices"
	"strings"
	"time"
)

// A GroupChange is a change of a group or of one of its members.
type GroupChange string

// The changes of groups.
const (
	GroupCreated  GroupChange = "created"
	GroupAdded    GroupChange = "added"
	GroupRemoved  GroupChange = "removed"
	GroupLeft     GroupChange = "left"
	GroupPromoted GroupChange = "promoted"
	GroupDemoted  GroupChange = "demoted"
	GroupMuted    GroupChange = "muted"
	GroupUnmuted  GroupChange = "unmuted"
	GroupBanned   GroupChange = "banned"
	GroupUnbanned GroupChange = "unbanned"
	GroupOwned    GroupChange = "owner" // has another owner: UserID
	GroupRenamed  GroupChange = "renamed"
	GroupDeleted  GroupChange = "deleted"
)

// GroupUpdated tells the members of a group about a change, and also the user whom it is
// about. A new member gets the group with it.
type GroupUpdated struct {
	ChatID int64         `json:"chat_id"`
	Change GroupChange   `json:"change"`
	By     int64         `json:"by"`                // who did it
	UserID int64         `json:"user_id,omitempty"` // whom it is about
	Title  string        `json:"title,omitempty"`   // of a renamed one
	Chat   *Conversation `json:"chat,omitempty"`    // of one that was created, or that somebody was added to
	At     time.Time     `json:"at"`
}

// tellGroup notifies the members of a group, and the users in also, of a change, after all
// earlier events.
func (s *Service) tellGroup(ctx context.Context, c Caller, membership Membership, u GroupUpdated, also ...int64) {
	u.ChatID, u.At = membership.Conversation.ID, s.cfg.Now()
	if u.By == 0 {
		u.By = c.UserID
	}
	if u.Change == GroupCreated || u.Change == GroupAdded {
		u.Chat = &membership.Conversation
	}
	to := membership.UserIDs()
	for _, id := range also {
		if !slices.Contains(to, id) {
			to = append(slices.Clip(to), id)
		}
	}
	err := s.fanout.put(ctx, func(context.Context) (Event, error) {
		return Event{Type: EventChatUpdate, To: to, Except: c.Conn, At: u.At, Payload: u, ConversationID: u.ChatID}, nil
	})
	if err != nil { // the change is stored all the same
		s.cfg.Hooks.publishFailed(ctx, err)
	}
}

// tellMember notifies the members of a group of a change of a member. handedOver says that
// the group has a new owner: they are notified of this, too.
func (s *Service) tellMember(ctx context.Context, c Caller, chatID int64, u GroupUpdated, handedOver bool) {
	membership, err := s.membership(ctx, chatID)
	if err != nil { // the change is stored all the same
		s.cfg.Hooks.publishFailed(ctx, err)
		return
	}
	s.tellGroup(ctx, c, membership, u, u.UserID)
	if handedOver && len(membership.Members) > 0 {
		s.tellGroup(ctx, c, membership, GroupUpdated{Change: GroupOwned, UserID: membership.Conversation.OwnerID})
	}
}

// checkTitle returns a title without surrounding space, or an error if it is not valid.
func checkTitle(title, what string) (string, error) {
	title = strings.TrimSpace(title)
	if title == "" {
		return "", Errorf(KindInvalid, what, "title is required")
	}
	return title, checkText("title", title, maxTitle)
}

// Rename changes the title of a group. The owner and admins may do this.
func (s *Service) Rename(ctx context.Context, c Caller, chatID int64, title string) (Conversation, error) {
	const what = "chat not renamed"
	title, err := checkTitle(title, what)
	if err != nil {
		return Conversation{}, err
	}
	if err := s.mayChange(ctx, c, chatID, what); err != nil {
		return Conversation{}, err
	}
	err = s.cfg.Store.RenameGroup(ctx, chatID, c.UserID, title, func(me Member) error {
		switch {
		case !me.in():
			return Errorf(KindNotFound, what, notInConversation)
		case me.Role == RoleMember:
			return Errorf(KindForbidden, what, "only the owner and admins may do this")
		}
		return nil
	})
	if err := dropped(ctx, s, s.cfg.Memberships, chatID, orNotFound(err, what, notInConversation)); err != nil {
		return Conversation{}, err
	}
	membership, err := s.membership(ctx, chatID)
	if err != nil {
		return Conversation{}, err
	}
	s.tellGroup(ctx, c, membership, GroupUpdated{Change: GroupRenamed, Title: title})
	return membership.Conversation, nil
}

// DeleteGroup deletes a group and its messages for all members. Only its owner may do
// this. Files that no other message uses are deleted later.
func (s *Service) DeleteGroup(ctx context.Context, c Caller, chatID int64) error {
	const what = "chat not deleted"
	if err := s.mayChange(ctx, c, chatID, what); err != nil {
		return err
	}
	members, err := s.cfg.Store.DeleteGroup(ctx, chatID, c.UserID, func(me Member) error {
		switch {
		case !me.in():
			return Errorf(KindNotFound, what, notInConversation)
		case me.Role != RoleOwner:
			return Errorf(KindForbidden, what, "only the owner may do this")
		}
		return nil
	})
	return s.groupDeleted(ctx, c, chatID, members, orNotFound(err, what, notInConversation))
}

// groupDeleted notifies the former members of a group, and has its messages purged in the
// background, unless the store's err says that it was not deleted.
func (s *Service) groupDeleted(ctx context.Context, c Caller, chatID int64, members []int64, err error) error {
	if err := dropped(ctx, s, s.cfg.Memberships, chatID, err); err != nil {
		return err
	}
	select {
	case s.purges <- struct{}{}:
	default: // a purge is already due
	}
	gone := Membership{Conversation: Conversation{ID: chatID}, ids: members}
	s.tellGroup(ctx, c, gone, GroupUpdated{Change: GroupDeleted})
	return nil
}

// mayChange counts an action of the caller, and returns an error unless the chat is a group
// of the caller.
func (s *Service) mayChange(ctx context.Context, c Caller, chatID int64, what string) error {
	if err := s.pace(ctx, c, what); err != nil {
		return err
	}
	membership, err := s.membershipByID(ctx, c.UserID, chatID, what)
	if err == nil && membership.Conversation.Kind != Group {
		err = Errorf(KindInvalid, what, "this works only for groups, and the chat is a direct conversation")
	}
	return err
}

// purgeChunk is how many messages of deleted groups one transaction deletes: few enough
// not to delay others.
const purgeChunk = 1000

// purgeGroups deletes the messages of deleted groups. If it fails, prune tries again an
// hour later; until then nobody can see them anyway.
func (s *Service) purgeGroups() {
	for more := true; more && s.background.Err() == nil; {
		ctx, cancel := context.WithTimeout(s.background, s.cfg.Limits.CommitWithin)
		var err error
		more, err = s.cfg.Store.PurgeGroups(ctx, purgeChunk)
		cancel()
		if err != nil && s.background.Err() == nil {
			s.cfg.Log.WarnContext(s.background, "messages of deleted groups not removed; the next try is in an hour", "err", err)
			return
		}
	}
}
