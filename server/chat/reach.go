package chat

import (
	"context"
	"slices"
)

// This file decides what members of a conversation see of each other's actions. If one of
// two users has blocked the other, neither sees anything of the other in their direct
// conversation. In groups they still see each other's messages, but the blocked user sees
// no traces of the one who blocked: neither typing, nor that the blocked user's messages
// were read. (Messages of other members count as read for all.)

// mayWrite returns an error if the caller may not write in a conversation: the caller is
// muted, or in a direct conversation one user has blocked the other, has declined a request
// of the other or was deleted, or the other user would first have to get a request.
func (s *Service) mayWrite(ctx context.Context, c Caller, membership Membership, what string) error {
	if me, _ := membership.Find(c.UserID); me.Muted {
		return s.mutedError(ctx, c, membership, what)
	}
	if membership.Conversation.Kind == Group {
		return nil
	}
	peer := membership.peer(c.UserID)
	if !slices.Contains(membership.Closed, peer) {
		return nil
	}
	asks, err := s.needsRequest(ctx, c.UserID, peer, func(p Privacy) Audience { return p.Messages })
	if err == nil && asks {
		err = Errorf(KindForbidden, what, "user %d accepts messages only from contacts: send a new message, which sends them a request", peer)
	}
	return err
}

// viewers returns the members who may see an action of userID, including userID. A trace is
// an action that only reveals that userID is present, such as typing.
func (s *Service) viewers(ctx context.Context, membership Membership, userID int64, trace bool) ([]int64, error) {
	ids, direct := membership.UserIDs(), membership.Conversation.Kind == Direct
	if !direct && !trace {
		return ids, nil
	}
	blocks, err := s.blocks(ctx, userID)
	if err != nil || len(blocks.Of) == 0 && (!direct || len(blocks.By) == 0) {
		return ids, err
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id int64) bool {
		return id != userID && (among(blocks.Of, id) || direct && among(blocks.By, id))
	}), nil
}

// tracesOf reports whether a viewer with these blocks may see that member id of a
// conversation has received or read messages. It is the rule of [Service.viewers] for stored
// marks.
func (b Blocks) tracesOf(kind ConversationKind, id int64) bool {
	return !among(b.By, id) && (kind == Group || !among(b.Of, id))
}

// withoutTraces corrects the status of the viewer's messages, so that it does not reveal
// that a member has received or read them if the viewer may not see this.
func (s *Service) withoutTraces(ctx context.Context, viewer int64, messages ...*Message) error {
	messages = slices.DeleteFunc(messages, func(m *Message) bool {
		return m == nil || m.SenderID != viewer || m.Status != StatusRead && m.Status != StatusDelivered
	})
	if len(messages) == 0 {
		return nil
	}
	blocks, err := s.blocks(ctx, viewer)
	if err != nil {
		return err
	}
	var groups []int64
	for _, m := range messages {
		switch {
		case m.ChatID != 0 && len(blocks.By) > 0:
			groups = append(groups, m.ConversationID)
		case m.ChatID == 0 && !blocks.tracesOf(Direct, m.ReceiverID):
			m.Status = StatusSent
		}
	}
	if len(groups) == 0 {
		return nil
	}
	slices.Sort(groups)
	read, err := s.cfg.Store.ReadUpTo(ctx, viewer, slices.Compact(groups))
	for _, m := range messages {
		if m.ChatID != 0 && m.Seq > read[m.ConversationID] {
			m.Status = StatusSent
		}
	}
	return err
}

// listWithoutTraces is withoutTraces for a list.
func (s *Service) listWithoutTraces(ctx context.Context, viewer int64, list []Message) error {
	messages := make([]*Message, len(list))
	for i := range list {
		messages[i] = &list[i]
	}
	return s.withoutTraces(ctx, viewer, messages...)
}
