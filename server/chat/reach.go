package chat

import (
	"context"
	"slices"
)

// What one member of a conversation does reaches the others, or it does not:
// this is the one place that decides. A block between two users ends it in their
// direct conversation, both ways; what members write in groups goes on. Who has
// blocked another leaves no trace that this one sees, in groups either: not that
// he reads what this one wrote, and not that he types. (What somebody else wrote
// in a group counts as read for all.)

// mayWrite refuses to put something of the caller's before the others in a room:
// he is muted, one of two has blocked the other, declined, or was deleted, or the
// other one would have to be asked first.
func (s *Service) mayWrite(ctx context.Context, c Caller, room Membership, what string) error {
	if me, _ := room.Find(c.UserID); me.Muted {
		return s.whyMuted(ctx, c, room, what)
	}
	if room.Conversation.Kind == Group {
		return nil
	}
	peer := room.peer(c.UserID)
	if !slices.Contains(room.Closed, peer) {
		return nil
	}
	asks, err := s.asks(ctx, c.UserID, peer, func(p Privacy) Audience { return p.Messages })
	if err == nil && asks {
		err = Errorf(KindForbidden, what, "user %d accepts messages only from contacts: send a new message, which sends them a request", peer)
	}
	return err
}

// seers returns the members of a room who are told what userID does there, he
// himself included. A trace says no more than that he is there.
func (s *Service) seers(ctx context.Context, room Membership, userID int64, trace bool) ([]int64, error) {
	ids, direct := room.UserIDs(), room.Conversation.Kind == Direct
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

// tracesOf tells whether a viewer sees that another member of a room has read or
// got something: what [Service.seers] is live.
func (b Blocks) tracesOf(kind ConversationKind, id int64) bool {
	return !among(b.By, id) && (kind == Group || !among(b.Of, id))
}

// withoutTraces takes out of the status of what the viewer wrote that somebody
// has read or got it of whom he may not see that.
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

// listWithoutTraces is withoutTraces for all of a list.
func (s *Service) listWithoutTraces(ctx context.Context, viewer int64, list []Message) error {
	messages := make([]*Message, len(list))
	for i := range list {
		messages[i] = &list[i]
	}
	return s.withoutTraces(ctx, viewer, messages...)
}
