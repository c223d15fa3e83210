package chat

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A ModerationQuery selects messages for the staff, the newest first. Zero fields match
// every message.
type ModerationQuery struct {
	ConversationID int64
	SenderID       int64
	BeforeID       int64
	Limit          int
}

// ReadMessages returns other people's messages to the staff, after it has added an entry
// to the audit. The error is Forbidden unless Config.ModerationReads is set. A call may
// end early: see Found.
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
		err := Errorf(KindForbidden, what, "the operator does not allow it: start the server with --moderation-reads to allow it")
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

// A Removal tells the store what the staff deletes: a message, or a group with its messages.
type Removal struct {
	ActorID int64 // 0: the operator
	ID      int64 // of the message or the group
	At      time.Time

	// Decide returns an error, or the entry for the audit. actor is the member of the
	// staff, and owner the message's sender or the group's owner; a deleted account
	// counts as a plain user. The store may call Decide more than once, and holds locks
	// meanwhile.
	Decide func(actor, owner Standing) (AuditEntry, error)
}

// removal returns the Removal of id by by. Its Decide refuses what d does not allow.
func (s *Service) removal(by Staff, id int64, d deed) Removal {
	return Removal{ActorID: by.UserID, ID: id, At: s.cfg.Now(), Decide: func(actor, owner Standing) (AuditEntry, error) {
		return s.entry(by, LevelInfo, d.entry), d.allows(actor, owner)
	}}
}

// RemoveMessage deletes anybody's message, as Delete does. It is idempotent. The error is
// Forbidden if the sender's role is the caller's own or higher.
func (s *Service) RemoveMessage(ctx context.Context, by Staff, id int64) (Message, error) {
	const what, why = "message not deleted", "there is no such message"
	m, err := s.cfg.Store.Message(ctx, id)
	if err != nil {
		return Message{}, orNotFound(err, what, why)
	}
	if m.gone() {
		return m, nil
	}
	membership, err := s.membership(ctx, m.ConversationID)
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
	s.tell(ctx, Caller{}, membership, EventMessageDelete, removal.At, MessageGone{
		MessageID: id, Seq: m.Seq, ChatID: m.ChatID, SenderID: m.SenderID, ReceiverID: m.ReceiverID,
		DeletedBy: by.UserID, DeletedAt: &removal.At,
	})
	return s.cfg.Store.Message(ctx, id)
}

// A GroupQuery selects groups for the staff, the newest first.
type GroupQuery struct {
	Title         string // the beginning of the group's title; empty: all groups
	Limit, Offset int
	Count         int64 // count at most so many; 0: all
}

// Chats lists groups for the staff, without their messages.
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

// DeleteChat deletes a group and its messages, as DeleteGroup does. It is idempotent. The
// error is Forbidden if the role of the group's owner is the caller's own or higher.
func (s *Service) DeleteChat(ctx context.Context, by Staff, id int64) error {
	const what, why = "chat not deleted", "there is no such group"
	membership, err := s.cfg.Store.Membership(ctx, id) // not from the cache, which may be old
	if err != nil {
		return orNotFound(err, what, why)
	}
	group := membership.Conversation
	if group.Kind != Group {
		return Errorf(KindInvalid, what, "it is a direct conversation: delete its messages instead")
	}
	d := deed{
		act: ActDeleteChat, least: RoleAdministrator, what: what, self: true, target: "the group's owner",
		entry: AuditEntry{
			Module: ModuleChats, Target: targetChat(id),
			Message: fmt.Sprintf("group %q of %d members deleted", group.Title, len(membership.Members)),
		},
	}
	members, err := s.cfg.Store.RemoveGroup(ctx, s.removal(by, id, d))
	if errors.Is(err, ErrNotFound) { // deleted before
		return nil
	}
	s.judged(ctx, by, d.act, d.entry, err)
	return s.groupDeleted(ctx, Caller{UserID: by.UserID}, id, members, err)
}
