package chat

import (
	"context"
	"errors"
	"slices"
	"time"
	"unicode/utf8"
)

const defaultPage = 50

// MaxPage is the largest page of most lists. A larger Limit counts as MaxPage.
const MaxPage = 200

const noMessage = "no such message"

// message returns a message and its conversation. The error is NotFound if the caller is
// not a member.
func (s *Service) message(ctx context.Context, c Caller, id int64, what string) (Message, Membership, error) {
	const why = "it does not exist, or you may not see it"
	m, err := s.cfg.Store.Message(ctx, id)
	if err != nil {
		return Message{}, Membership{}, orNotFound(err, what, why)
	}
	membership, err := s.membership(ctx, m.ConversationID)
	if err != nil {
		return Message{}, Membership{}, orNotFound(err, what, why)
	}
	if _, ok := membership.Find(c.UserID); !ok {
		return Message{}, Membership{}, Errorf(KindNotFound, what, why)
	}
	return m, membership, nil
}

// Message returns a message. The error is NotFound if the caller may not see it.
func (s *Service) Message(ctx context.Context, c Caller, id int64) (Message, error) {
	m, _, err := s.message(ctx, c, id, noMessage)
	if err == nil {
		m, err = s.seenBy(ctx, c, m)
	}
	if err != nil {
		return Message{}, err
	}
	m.Sender, err = s.profile(ctx, c.UserID, m.SenderID)
	return m, err
}

// History selects a page of messages: the newest first, or with AfterSeq in the order of
// Seq. AfterSeq and BeforeSeq need a Target. Unlike pages by Offset, those by Seq do not
// move with new messages.
type History struct {
	Target               // zero: all conversations of the caller
	AfterSeq      *int64 // messages after this Seq, the oldest first; nil: the newest first
	BeforeSeq     int64  // messages before this Seq, the newest first; 0: from the newest
	Limit, Offset int    // Limit 0 means 50; at most 200
}

func (h History) check(what string) error {
	switch {
	case h.Limit < 0 || h.Offset < 0 || h.BeforeSeq < 0 || h.AfterSeq != nil && *h.AfterSeq < 0:
		return Errorf(KindInvalid, what, "limit, offset, after_seq and before_seq must not be negative")
	case h.AfterSeq != nil && h.BeforeSeq != 0:
		return Errorf(KindInvalid, what, "give after_seq or before_seq, not both")
	}
	return nil
}

// Messages lists messages of one conversation, or of all conversations of the caller.
func (s *Service) Messages(ctx context.Context, c Caller, h History) (Page, error) {
	const what = "messages not listed"
	if err := h.check(what); err != nil {
		return Page{}, err
	}
	q := MessageQuery{UserID: c.UserID, BeforeSeq: h.BeforeSeq, Limit: pageSize(h.Limit), Offset: h.Offset}
	page := Page{Messages: []Message{}, Limit: q.Limit, Offset: q.Offset}
	var membership Membership
	if h.AfterSeq != nil {
		q.Ascending, q.AfterSeq = true, *h.AfterSeq
	}
	if q.Ascending || q.BeforeSeq != 0 || h.Target != (Target{}) {
		var err error
		membership, err = s.membershipOf(ctx, c.UserID, h.Target, what)
		if errors.Is(err, errNoDirect) {
			return page, nil
		}
		if err != nil {
			return Page{}, err
		}
		q.ConversationID = membership.Conversation.ID
	}
	var err error
	if page.Messages, page.Total, err = s.cfg.Store.Messages(ctx, q); err != nil {
		return Page{}, err
	}
	if page.Messages == nil {
		page.Messages = []Message{} // so that clients get [] and not null
	}
	if q.ConversationID != 0 {
		s.deliveredByRequest(membership, c.UserID, page.Messages)
	}
	if err := s.listWithoutTraces(ctx, c.UserID, page.Messages); err != nil {
		return Page{}, err
	}
	page.HasMore = int64(q.Offset+len(page.Messages)) < page.Total
	for i := range page.Messages {
		if page.Messages[i].Sender, err = s.profile(ctx, c.UserID, page.Messages[i].SenderID); err != nil {
			return Page{}, err
		}
	}
	return page, nil
}

func pageSize(limit int) int {
	if limit == 0 {
		return defaultPage
	}
	return min(limit, MaxPage)
}

// Unread counts the messages of others that the caller has not read.
func (s *Service) Unread(ctx context.Context, c Caller) (int64, error) {
	return s.cfg.Store.Unread(ctx, c.UserID)
}

// Dialogs lists the caller's conversations, the one with the newest message first.
func (s *Service) Dialogs(ctx context.Context, c Caller, p Paging) (Part[Dialog], error) {
	p, err := p.within(MaxPage, MaxPage, "dialogs not listed") // most clients show all of them
	if err != nil {
		return Part[Dialog]{}, err
	}
	dialogs, err := s.cfg.Store.Dialogs(ctx, c.UserID, p.Limit+1, p.Offset)
	if err != nil {
		return Part[Dialog]{}, err
	}
	part := partOf(dialogs, p)
	return part, s.dialogsSeenBy(ctx, c.UserID, part.Items)
}

// dialogsSeenBy fills in what the store leaves out: peers, senders, and statuses as the
// viewer may see them.
func (s *Service) dialogsSeenBy(ctx context.Context, viewer int64, dialogs []Dialog) (err error) {
	last := make([]*Message, len(dialogs))
	for i, d := range dialogs {
		last[i] = d.LastMessage
	}
	if err := s.withoutTraces(ctx, viewer, last...); err != nil {
		return err
	}
	for i := range dialogs {
		d := &dialogs[i]
		if d.Kind == Direct {
			if d.Peer, err = s.profile(ctx, viewer, d.ReceiverID); err != nil {
				return err
			}
		}
		if d.LastMessage != nil {
			if d.LastMessage.Sender, err = s.profile(ctx, viewer, d.LastMessage.SenderID); err != nil {
				return err
			}
		}
	}
	return nil
}

// Edit replaces the content of a message of the caller. The error is Forbidden if the
// caller is not its sender, or may no longer write there, and Conflict if it was recalled
// or deleted.
func (s *Service) Edit(ctx context.Context, c Caller, id int64, content string) (Message, error) {
	const what = "message not edited"
	if err := s.pace(ctx, c, what); err != nil {
		return Message{}, err
	}
	switch {
	case content == "":
		return Message{}, Errorf(KindInvalid, what, "content is empty")
	case len(content) > s.cfg.Limits.MaxContent:
		return Message{}, Errorf(KindTooLarge, what, "content has %d bytes, at most %d are allowed", len(content), s.cfg.Limits.MaxContent)
	case !utf8.ValidString(content):
		return Message{}, Errorf(KindInvalid, what, "content is not valid UTF-8")
	}
	m, membership, err := s.message(ctx, c, id, what)
	if err != nil {
		return Message{}, err
	}
	switch {
	case m.SenderID != c.UserID:
		return Message{}, Errorf(KindForbidden, what, "only the sender may edit a message")
	case m.gone():
		return Message{}, Errorf(KindConflict, what, "it was recalled or deleted")
	}
	if err := s.mayWrite(ctx, c, membership, what); err != nil {
		return Message{}, err
	}
	if m, err = s.seenBy(ctx, c, m); err != nil {
		return Message{}, err
	}
	if m.Hidden {
		return Message{}, Errorf(KindConflict, what, "you deleted it for yourself")
	}
	now := s.cfg.Now()
	if err := s.cfg.Store.EditMessage(ctx, id, content, now); err != nil {
		return Message{}, orNotFound(err, what, "it was recalled or deleted, or you may not write here any more")
	}
	s.tellEdit(ctx, c, membership, id, now)
	return s.Message(ctx, c, id)
}

// tellEdit notifies the members of an edit, except those who deleted the message only for
// themselves.
func (s *Service) tellEdit(ctx context.Context, c Caller, membership Membership, id int64, at time.Time) {
	err := s.fanout.put(ctx, func(ctx context.Context) (Event, error) {
		// The message is read only now, so that after two edits clients get the later one last.
		m, err := s.cfg.Store.Message(ctx, id)
		if err != nil {
			return Event{}, err
		}
		if m.Sender, err = s.profile(ctx, c.UserID, m.SenderID); err != nil {
			return Event{}, err
		}
		to, err := s.viewersOf(ctx, membership, c.UserID, m.Seq)
		return Event{
			Type: EventMessageEdit, To: to, Except: c.Conn, At: at, Payload: MessageEdited{Message: InFrame(m)},
			ConversationID: membership.Conversation.ID,
		}, err
	})
	if err != nil { // the edit is stored all the same
		s.cfg.Hooks.publishFailed(ctx, err)
	}
}

// Recall removes the content of a message of the caller for everybody, and marks it as
// recalled. It is idempotent. The error is Forbidden if the caller is not its sender.
func (s *Service) Recall(ctx context.Context, c Caller, id int64) (Message, error) {
	return s.retract(ctx, c, id, true)
}

// Delete removes the content of a message for everybody. It is idempotent. The error is
// Forbidden unless the caller is its sender, or the owner or an admin of the group.
func (s *Service) Delete(ctx context.Context, c Caller, id int64) (Message, error) {
	return s.retract(ctx, c, id, false)
}

func (s *Service) retract(ctx context.Context, c Caller, id int64, recalled bool) (Message, error) {
	what := "message not deleted"
	if recalled {
		what = "message not recalled"
	}
	if err := s.pace(ctx, c, what); err != nil {
		return Message{}, err
	}
	m, membership, err := s.message(ctx, c, id, what)
	if err != nil {
		return Message{}, err
	}
	me, _ := membership.Find(c.UserID)
	moderator := !recalled && (me.Role == RoleOwner || me.Role == RoleAdmin)
	if m.SenderID != c.UserID && !moderator {
		return Message{}, Errorf(KindForbidden, what, "only the sender, or an admin of the chat, may do this")
	}
	if m.gone() {
		return m, s.withoutTraces(ctx, c.UserID, &m) // a retry
	}
	now := s.cfg.Now()
	if err := s.cfg.Store.RetractMessage(ctx, id, recalled, now); err != nil && !errors.Is(err, ErrNotFound) {
		return Message{}, err
	}
	gone := MessageGone{MessageID: id, Seq: m.Seq, ChatID: m.ChatID, SenderID: m.SenderID, ReceiverID: m.ReceiverID}
	event := EventMessageDelete
	if recalled {
		event, gone.RecalledBy, gone.RecalledAt = EventMessageRecall, c.UserID, &now
	} else {
		gone.DeletedBy, gone.DeletedAt = c.UserID, &now
	}
	s.tell(ctx, c, membership, event, now, gone)
	return s.Message(ctx, c, id)
}

// MarkRead records that the caller has read a conversation up to a message, and notifies
// the members.
func (s *Service) MarkRead(ctx context.Context, c Caller, id int64) (Message, error) {
	const what = "message not marked as read"
	if err := s.pace(ctx, c, what); err != nil {
		return Message{}, err
	}
	m, membership, err := s.message(ctx, c, id, what)
	if err != nil {
		return Message{}, err
	}
	now := s.cfg.Now()
	if err := s.markRead(ctx, Mark{ConversationID: m.ConversationID, UserID: c.UserID, Read: m.Seq, Delivered: m.Seq, At: now}); err != nil {
		return Message{}, err
	}
	read := MessageRead{
		MessageID: id, Seq: m.Seq, ChatID: m.ChatID, SenderID: m.SenderID, ReceiverID: m.ReceiverID,
		ReadBy: c.UserID, ReadAt: now,
	}
	s.tellTrace(ctx, c, membership, EventMessageRead, now, read)
	if m.SenderID != c.UserID && (m.Status == StatusSent || m.Status == StatusDelivered) {
		m.Status = StatusRead
	}
	if m, err = s.seenBy(ctx, c, m); err != nil {
		return Message{}, err
	}
	m.Sender, err = s.profile(ctx, c.UserID, m.SenderID)
	return m, err
}

// Typing notifies the other members of a conversation that the caller is typing, or has
// stopped. It skips members whom the caller has blocked. If the caller may not write
// there, it does nothing and returns no error.
func (s *Service) Typing(ctx context.Context, c Caller, t Target, typing bool) error {
	const what = "typing not told"
	if err := s.pace(ctx, c, what); err != nil {
		return err
	}
	membership, err := s.membershipOf(ctx, c.UserID, t, what)
	if errors.Is(err, errNoDirect) {
		return nil // there is no conversation yet
	}
	if err == nil {
		err = s.mayWrite(ctx, c, membership, what)
	}
	if KindOf(err) == KindForbidden {
		return nil
	}
	if err != nil {
		return err
	}
	e := TypingChanged{UserID: c.UserID, IsTyping: typing}
	if membership.Conversation.Kind == Group {
		e.ChatID = membership.Conversation.ID
	} else {
		e.ReceiverID = membership.peer(c.UserID)
	}
	viewers, err := s.viewers(ctx, membership, c.UserID, true)
	if err != nil {
		return err
	}
	others := slices.DeleteFunc(slices.Clone(viewers), func(id int64) bool { return id == c.UserID })
	s.publish(ctx, Event{Type: EventTyping, To: others, Except: c.Conn, At: s.cfg.Now(), Payload: e})
	return nil
}

// tell announces what the caller did to a message, after all earlier events. It notifies
// the members who may see it, except the caller's connection.
func (s *Service) tell(ctx context.Context, c Caller, membership Membership, t EventType, at time.Time, payload any) {
	s.tellViewers(ctx, c, membership, false, Event{Type: t, At: at, Payload: payload})
}

// tellTrace is tell for an event that only reveals that the caller is present, such as
// having read a message.
func (s *Service) tellTrace(ctx context.Context, c Caller, membership Membership, t EventType, at time.Time, payload any) {
	s.tellViewers(ctx, c, membership, true, Event{Type: t, At: at, Payload: payload})
}

func (s *Service) tellViewers(ctx context.Context, c Caller, membership Membership, trace bool, e Event) {
	e.Except, e.ConversationID = c.Conn, membership.Conversation.ID
	err := s.fanout.put(ctx, func(ctx context.Context) (_ Event, err error) {
		e.To, err = s.viewers(ctx, membership, c.UserID, trace)
		return e, err
	})
	if err != nil { // the change is stored all the same
		s.cfg.Hooks.publishFailed(ctx, err)
	}
}

// MayRead counts a reading request of a user. If the user is too fast, the error is
// RateLimited. Packages rest and ws call it once for each request.
func (s *Service) MayRead(ctx context.Context, userID int64) error {
	if s.cfg.Reads == nil {
		return nil
	}
	if wait := s.cfg.Reads.Take(ctx, userID); wait > 0 {
		return tooFast("not answered", "too many requests", wait)
	}
	return nil
}

// pace counts an action of a user other than sending a message. If the user is too fast,
// the error is RateLimited.
func (s *Service) pace(ctx context.Context, c Caller, what string) error {
	if s.cfg.Actions == nil {
		return nil
	}
	if wait := s.cfg.Actions.Take(ctx, c.UserID); wait > 0 {
		return tooFast(what, "too many actions", wait)
	}
	return nil
}
