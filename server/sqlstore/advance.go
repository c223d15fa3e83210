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
	furthest := make(map[place]chat.Mark, len(marks))
	for _, m := range marks {
		p := place{m.ConversationID, m.UserID}
		f := furthest[p]
		if read, delivered := max(f.Read, m.Read), max(f.Delivered, m.Delivered); read > 0 || delivered > 0 {
			furthest[p] = chat.Mark{ConversationID: p.conversation, UserID: p.user, Read: read, Delivered: delivered}
		}
	}
	if len(furthest) == 0 {
		return nil
	}
	// In one order everywhere, so that two nodes cannot block each other.
	marks = slices.SortedFunc(maps.Values(furthest), func(a, b chat.Mark) int {
		return cmp.Or(cmp.Compare(a.ConversationID, b.ConversationID), cmp.Compare(a.UserID, b.UserID))
	})
	err := s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		for part := range slices.Chunk(marks, maxRows) {
			if err := s.advance(ctx, t, part); err != nil {
				return err
			}
		}
		return nil
	})
	return s.fail(ctx, "advance", err)
}

func (s *Store) advance(ctx context.Context, t querier, marks []chat.Mark) error {
	last, err := lastSeqs(ctx, t, marks)
	if err != nil {
		return err
	}
	n := padded(len(marks))
	args := make([]any, 0, 4*n)
	for i := range n {
		m := marks[min(i, len(marks)-1)]
		most := last[m.ConversationID] // or more by now: it never shrinks
		args = append(args, m.ConversationID, m.UserID, min(m.Read, most), min(m.Delivered, most))
	}
	_, err = exec(ctx, t, s.dialect.raiseMarks(n), args...)
	return err
}

// lastSeqs returns how many messages the conversations of marks have.
func lastSeqs(ctx context.Context, t querier, marks []chat.Mark) (map[int64]int64, error) {
	ids := make([]int64, len(marks))
	for i, m := range marks {
		ids[i] = m.ConversationID
	}
	last := make(map[int64]int64, len(ids))
	in, args := inList(slices.Compact(ids), nil)
	_, err := collect(ctx, t, func(r scanner) (struct{}, error) {
		var id, seq int64
		err := r.Scan(&id, &seq)
		last[id] = seq
		return struct{}{}, err
	}, `SELECT id, last_seq FROM conversations WHERE id IN (`+in+`)`, args...)
	return last, err
}

// marksTable is a table of n marks.
func marksTable(n int) string {
	return `SELECT ? AS conversation, ? AS member, ? AS read_to, ? AS delivered_to` + repeat("", " UNION ALL SELECT ?, ?, ?, ?", n)
}
