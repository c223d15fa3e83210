package chat

import (
	"context"
	"errors"
	"slices"
	"time"
)

// ForMe is the value of For if a user deleted something only for themself.
const ForMe = "me"

// DeleteForMe deletes a message only for the caller, and notifies only the caller's
// devices. The message keeps its Seq, and the caller gets it without content.
func (s *Service) DeleteForMe(ctx context.Context, c Caller, id int64) (Message, error) {
	const what = "message not deleted"
	if err := s.pace(ctx, c, what); err != nil {
		return Message{}, err
	}
	m, _, err := s.message(ctx, c, id, what)
	if err != nil {
		return Message{}, err
	}
	done, err := s.cfg.Store.HideMessage(ctx, c.UserID, m.ConversationID, m.Seq)
	if err != nil {
		return Message{}, orNotFound(err, what, notInConversation)
	}
	m = m.Blank()
	if err := s.withoutTraces(ctx, c.UserID, &m); err != nil {
		return Message{}, err
	}
	if done {
		now := s.cfg.Now()
		gone := MessageGone{
			MessageID: id, Seq: m.Seq, ChatID: m.ChatID, SenderID: m.SenderID, ReceiverID: m.ReceiverID,
			DeletedBy: c.UserID, DeletedAt: &now, For: ForMe,
		}
		s.tellSelf(ctx, c, m.ConversationID, EventMessageDelete, now, gone)
	}
	return m, nil
}

// DeleteDialog deletes a conversation only for the caller, up to a Seq, or up to the
// last message if upTo is 0. It is not in Dialogs until its next message. Only the
// caller's devices are notified.
func (s *Service) DeleteDialog(ctx context.Context, c Caller, t Target, upTo int64) (DialogDeleted, error) {
	const what = "dialog not deleted"
	if err := s.pace(ctx, c, what); err != nil {
		return DialogDeleted{}, err
	}
	if upTo < 0 {
		return DialogDeleted{}, Errorf(KindInvalid, what, "up_to_seq must not be negative")
	}
	membership, err := s.membershipOf(ctx, c.UserID, t, what)
	if errors.Is(err, errNoDirect) {
		return DialogDeleted{ReceiverID: t.ReceiverID}, nil
	}
	if err != nil {
		return DialogDeleted{}, err
	}
	cleared, done, err := s.cfg.Store.ClearConversation(ctx, c.UserID, membership.Conversation.ID, upTo)
	if err != nil {
		return DialogDeleted{}, orNotFound(err, what, notInConversation)
	}
	now := s.cfg.Now()
	d := DialogDeleted{UpToSeq: cleared, DeletedAt: now}
	if membership.Conversation.Kind == Group {
		d.ChatID = membership.Conversation.ID
	} else {
		d.ReceiverID = membership.peer(c.UserID)
	}
	if done {
		s.tellSelf(ctx, c, membership.Conversation.ID, EventDialogDelete, now, d)
	}
	return d, nil
}

// tellSelf is tell only for the caller's own devices.
func (s *Service) tellSelf(ctx context.Context, c Caller, conversationID int64, t EventType, at time.Time, payload any) {
	err := s.fanout.put(ctx, func(context.Context) (Event, error) {
		return Event{Type: t, To: []int64{c.UserID}, Except: c.Conn, At: at, Payload: payload, ConversationID: conversationID}, nil
	})
	if err != nil { // the change is stored all the same
		s.cfg.Hooks.publishFailed(ctx, err)
	}
}

// seenBy returns m as the caller sees it.
func (s *Service) seenBy(ctx context.Context, c Caller, m Message) (Message, error) {
	if err := s.withoutTraces(ctx, c.UserID, &m); err != nil {
		return Message{}, err
	}
	hidden, err := s.cfg.Store.Hidden(ctx, c.UserID, m.ConversationID, m.Seq)
	if hidden {
		m = m.Blank()
	}
	return m, err
}

// viewersOf returns those of viewers who did not delete a message of userID only for
// themselves.
func (s *Service) viewersOf(ctx context.Context, membership Membership, userID, seq int64) ([]int64, error) {
	ids, err := s.viewers(ctx, membership, userID, false)
	if err != nil {
		return nil, err
	}
	hiders, err := s.cfg.Store.Hiders(ctx, membership.Conversation.ID, seq)
	if err != nil || len(hiders) == 0 {
		return ids, err
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return slices.Contains(hiders, id) }), nil
}
