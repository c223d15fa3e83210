package sqlstore

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/onemeter/onemeter/server/chat"
)

// Advance implements chat.MessageStore. A mark never passes the last message
// of its conversation, and one of who is no member is let go.
func (s *Store) Advance(ctx context.Context, marks []chat.Mark) error {
	if len(marks) == 0 {
		return nil
	}
	furthest := make(map[place]chat.Mark, len(marks))
	for _, m := range marks {
		p := place{m.ConversationID, m.UserID}
		f := furthest[p]
		furthest[p] = chat.Mark{Read: max(f.Read, m.Read), Delivered: max(f.Delivered, m.Delivered)}
	}
	// In one order everywhere, so that two nodes cannot block each other.
	places := slices.SortedFunc(maps.Keys(furthest), func(a, b place) int {
		return cmp.Or(cmp.Compare(a.conversation, b.conversation), cmp.Compare(a.user, b.user))
	})
	err := s.write.inTx(ctx, func(ctx context.Context, t *tx) error {
		for _, p := range places {
			if err := advance(ctx, t, p, furthest[p]); err != nil {
				return err
			}
		}
		return nil
	})
	return s.fail(ctx, "advance", err)
}

const (
	advanceRead = `UPDATE members SET read_seq =
		CASE WHEN ? < (SELECT c.last_seq FROM conversations c WHERE c.id = members.conversation_id) THEN ?
		     ELSE (SELECT c.last_seq FROM conversations c WHERE c.id = members.conversation_id) END
		WHERE conversation_id = ? AND user_id = ? AND read_seq < ?`

	advanceDelivered = `UPDATE members SET delivered_seq =
		CASE WHEN ? < (SELECT c.last_seq FROM conversations c WHERE c.id = members.conversation_id) THEN ?
		     ELSE (SELECT c.last_seq FROM conversations c WHERE c.id = members.conversation_id) END
		WHERE conversation_id = ? AND user_id = ? AND delivered_seq < ?`
)

func advance(ctx context.Context, t *tx, p place, m chat.Mark) error {
	for _, step := range []struct {
		query string
		seq   int64
	}{{advanceRead, m.Read}, {advanceDelivered, m.Delivered}} {
		if step.seq <= 0 {
			continue
		}
		_, err := exec(ctx, t, step.query, step.seq, step.seq, p.conversation, p.user, step.seq)
		if err != nil {
			return err
		}
	}
	return nil
}
