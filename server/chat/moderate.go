package chat

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A ModerationQuery selects messages for the staff, the newest first. What is zero
// selects nothing.
type ModerationQuery struct {
	ConversationID int64
	SenderID       int64
	BeforeID       int64
	Limit          int
}

// ReadMessages shows other people's messages to the staff, and puts that into the
// audit first. Unless Config.ModerationReads is set, nobody may. Where it is given up
// for a while, Next says where to go on, as in SearchMessages.
func (s *Service) ReadMessages(ctx context.Context, by Staff, q ModerationQuery) (Found, error) {
	const what = "messages not shown"
	if q.ConversationID < 0 || q.SenderID < 0 || q.BeforeID < 0 || q.Limit < 0 {
		return Found{}, Errorf(KindInvalid, what, "chat_id, user_id, before_id and limit must be positive numbers")
	}
	entry := AuditEntry{Module: ModuleMessages, Message: "read messages", Target: q.target()}
	if q.BeforeID > 0 {
		entry.Message += fmt.Sprint(" before ", q.BeforeID)
	}
	if !s.cfg.ModerationReads {
		err := Errorf(KindForbidden, what, "the operator does not allow it: the server's --moderation-reads does")
		s.refused(ctx, by, ActReadMessages, entry, err, false)
		return Found{}, err
	}
	err := s.cfg.Store.AddAudit(ctx, s.entry(by, LevelInfo, entry)) // first: nobody reads without it
	if s.acted(ctx, ActReadMessages, err); err != nil {
		return Found{}, err
	}
	if q.BeforeID == 0 {
		q.BeforeID = newest
	}
	q.Limit = pageSize(q.Limit)
	found, err := s.cfg.Store.AllMessages(ctx, q)
	if err != nil {
		return Found{}, err
	}
	for i := range found.Messages {
		if found.Messages[i].Sender, err = s.profile(ctx, 0, found.Messages[i].SenderID); err != nil {
			return Found{}, err
		}
	}
	return found, nil
}

func (q ModerationQuery) target() string {
	switch {
	case q.ConversationID > 0:
		return targetChat(q.ConversationID)
	case q.SenderID > 0:
		return targetUser(q.SenderID)
	}
	return ""
}

// A Removal is what the staff deletes: a message, or a group with its messages.
type Removal struct {
	ActorID int64 // 0: the operator
	ID      int64 // of the message or the group
	At      time.Time

	// Decide refuses, or returns the entry for the audit. It is given whoever acts, and
	// the message's sender or the group's owner; a deleted account is a plain user. It
	// may be called more than once, and does nothing else: others wait for it.
	Decide func(actor, owner Standing) (AuditEntry, error)
}

// removal is what by deletes, if d allows it.
func (s *Service) removal(by Staff, id int64, d deed) Removal {
	return Removal{ActorID: by.UserID, ID: id, At: s.cfg.Now(), Decide: func(actor, owner Standing) (AuditEntry, error) {
		return s.entry(by, LevelInfo, d.entry), d.allows(actor, owner)
	}}
}

// RemoveMessage deletes a message, as its sender could. The error is Forbidden if the
// sender's role is the moderator's own or higher.
func (s *Service) RemoveMessage(ctx context.Context, by Staff, id int64) (Message, error) {
	const what, why = "message not deleted", "there is no such message"
	m, err := s.cfg.Store.Message(ctx, id)
	if err != nil {
		return Message{}, orNotFound(err, what, why)
	}
	if m.gone() {
		return m, nil
	}
	room, err := s.membership(ctx, m.ConversationID)
	if err != nil {
		return Message{}, orNotFound(err, what, why)
	}
	d := deed{
		act: ActDeleteMessage, least: RoleModerator, what: what, self: true, target: "the sender",
		entry: AuditEntry{Module: ModuleMessages, Message: fmt.Sprintf("message of user %d deleted", m.SenderID), Target: targetMessage(id)},
	}
	removal := s.removal(by, id, d)
	err = s.cfg.Store.RemoveMessage(ctx, removal)
	if errors.Is(err, ErrNotFound) { // somebody else was faster
		return s.cfg.Store.Message(ctx, id)
	}
	if s.judged(ctx, by, d.act, d.entry, err); err != nil {
		return Message{}, err
	}
	s.tell(ctx, Caller{}, room, EventMessageDelete, removal.At, MessageGone{
		MessageID: id, Seq: m.Seq, ChatID: m.ChatID, SenderID: m.SenderID, ReceiverID: m.ReceiverID,
		DeletedBy: by.UserID, DeletedAt: &removal.At,
	})
	return s.cfg.Store.Message(ctx, id)
}

// A GroupQuery selects groups for the staff, the newest first.
type GroupQuery struct {
	Title         string // that the group's title begins with
	Limit, Offset int
	Count         int64 // count at most so many; 0: all
}

// Chats lists all groups for the staff, without what is said in them.
func (s *Service) Chats(ctx context.Context, q GroupQuery, p Paging) (Listing[Conversation], error) {
	const what = "chats not listed"
	p, err := p.within(defaultPage, MaxPage, what)
	if err != nil {
		return Listing[Conversation]{}, err
	}
	if err := checkText("title", q.Title, maxTitle); err != nil {
		return Listing[Conversation]{}, err
	}
	q.Limit, q.Offset, q.Count = p.Limit+1, p.Offset, maxTotal+1
	chats, total, err := s.cfg.Store.Chats(ctx, q)
	return listing(chats, total, p), err
}

// DeleteChat deletes a group and its messages for all members, as DeleteGroup does.
// The error is Forbidden if the role of the group's owner is the caller's own or higher.
func (s *Service) DeleteChat(ctx context.Context, by Staff, id int64) error {
	const what, why = "chat not deleted", "there is no such group"
	room, err := s.cfg.Store.Membership(ctx, id) // not from the cache, which may be old
	if err != nil {
		return orNotFound(err, what, why)
	}
	if room.Conversation.Kind != Group {
		return Errorf(KindInvalid, what, "it is a direct conversation: delete its messages instead")
	}
	d := deed{
		act: ActDeleteChat, least: RoleAdministrator, what: what, self: true, target: "the group's owner",
		entry: AuditEntry{Module: ModuleChats, Message: fmt.Sprintf("group %q of %d members deleted", room.Conversation.Title, len(room.Members)), Target: targetChat(id)},
	}
	members, err := s.cfg.Store.RemoveGroup(ctx, s.removal(by, id, d))
	err = orNotFound(err, what, why)
	s.judged(ctx, by, d.act, d.entry, err)
	return s.groupDeleted(ctx, Caller{UserID: by.UserID}, id, members, err)
}
