package sqlstore

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// Advance implements chat.MessageStore. A mark never passes the last message of its
// conversation. Marks of users who are not members are ignored.
func (s *Store) Advance(ctx context.Context, marks []chat.Mark) error {
	furthest := make(map[place]chat.Mark, len(marks))
	for _, m := range marks {
		p := place{m.ConversationID, m.UserID}
		f := furthest[p]
		if read, delivered := max(f.Read, m.Read), max(f.Delivered, m.Delivered); read > 0 || delivered > 0 {
			at := f.At
			if m.At.After(at) {
				at = m.At
			}
			furthest[p] = chat.Mark{ConversationID: p.conversation, UserID: p.user, Read: read, Delivered: delivered, At: at}
		}
	}
	if len(furthest) == 0 {
		return nil
	}
	// Always in the same order, so that two nodes cannot deadlock.
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
	args := make([]any, 0, 5*n)
	for i := range n {
		m := marks[min(i, len(marks)-1)]
		most := last[m.ConversationID] // a lower bound: it only grows
		args = append(args, m.ConversationID, m.UserID, min(m.Read, most), min(m.Delivered, most), micros(m.At))
	}
	_, err = exec(ctx, t, s.dialect.raiseMarks(n), args...)
	return err
}

// lastSeqs returns the last seq of each conversation in marks.
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

// marksTable returns SQL for a table of n marks.
func marksTable(n int) string {
	return `SELECT ? AS conversation, ? AS member, ? AS read_to, ? AS delivered_to, ? AS moved_at` +
		repeat("", " UNION ALL SELECT ?, ?, ?, ?, ?", n)
}

// moveTimes returns the assignments that store the time for each mark of row that
// moves. They must stand before those of the marks, because MySQL evaluates
// assignments from left to right.
func moveTimes(row string) string {
	return row + `read_at = CASE WHEN k.read_to > ` + row + `read_seq THEN k.moved_at ELSE ` + row + `read_at END, ` +
		row + `delivered_at = CASE WHEN k.delivered_to > ` + row + `delivered_seq THEN k.moved_at ELSE ` + row + `delivered_at END, `
}

// Receipts implements chat.MessageStore.
func (s *Store) Receipts(ctx context.Context, conversationID, seq int64, before time.Time) ([]chat.Receipt, error) {
	list, err := collect(ctx, s.read, func(r scanner) (x chat.Receipt, err error) {
		var read, delivered, readAt, deliveredAt int64
		err = r.Scan(&x.UserID, &read, &readAt, &delivered, &deliveredAt)
		if x.Read = read >= seq; x.Read {
			x.ReadAt = timeOf(readAt)
		}
		if delivered >= seq {
			x.DeliveredAt = timeOf(deliveredAt)
		}
		return x, err
	}, `SELECT user_id, read_seq, read_at, delivered_seq, delivered_at FROM members
		WHERE conversation_id = ? AND state = 0 AND joined_at < ? AND (read_seq >= ? OR delivered_seq >= ?) ORDER BY user_id`,
		conversationID, micros(before), seq, seq)
	return list, s.fail(ctx, "receipts", err)
}

// ReadUpTo implements chat.MessageStore.
func (s *Store) ReadUpTo(ctx context.Context, userID int64, conversations []int64) (map[int64]int64, error) {
	read := make(map[int64]int64, len(conversations))
	for part := range slices.Chunk(conversations, lists) {
		in, args := inList(part, nil)
		_, err := collect(ctx, s.read, func(r scanner) (struct{}, error) {
			var id, seq int64
			err := r.Scan(&id, &seq)
			read[id] = seq
			return struct{}{}, err
		}, `SELECT m.conversation_id, MAX(m.read_seq) FROM members m
			WHERE m.conversation_id IN (`+in+`) AND m.user_id <> ?
			AND NOT EXISTS (SELECT 1 FROM blocks b WHERE b.user_id = m.user_id AND b.blocked_id = ?)
			GROUP BY m.conversation_id`, append(args, userID, userID)...)
		if err != nil {
			return nil, s.fail(ctx, "read up to", err)
		}
	}
	return read, nil
}
