package sqlstore

import (
	"context"
	"slices"
)

// A bookmark is the seq up to which a user has read or cleared a conversation that has
// newer messages.
type bookmark struct {
	conversation, read int64
	hides              bool // whether the user has hidden single messages
}

// Unread implements chat.MessageStore.
func (s *Store) Unread(ctx context.Context, userID int64) (int64, error) {
	behind, err := collect(ctx, s.read, func(r scanner) (b bookmark, err error) {
		var cleared int64
		err = r.Scan(&b.conversation, &b.read, &cleared, &b.hides)
		b.read = max(b.read, cleared)
		return b, err
	}, behindQuery, userID)
	if err != nil {
		return 0, s.fail(ctx, "unread", err)
	}
	counts, err := s.unread(ctx, userID, behind)
	var sum int64
	for _, n := range counts {
		sum += n
	}
	return sum, s.fail(ctx, "unread", err)
}

const behindQuery = `SELECT m.conversation_id, m.read_seq, m.cleared_seq, m.hides FROM members m JOIN conversations c ON c.id = m.conversation_id
	WHERE m.user_id = ? AND m.state = 0 AND m.read_seq < c.last_seq`

// unread counts the messages of others that the user has not read, by conversation.
// The seqs are constants in the statement, because MySQL uses the second column of an
// index only for a range of constants, and would otherwise read whole conversations.
func (s *Store) unread(ctx context.Context, userID int64, behind []bookmark) (map[int64]int64, error) {
	counts := make(map[int64]int64, len(behind))
	for len(behind) > 0 {
		part := behind[:piece(len(behind))]
		behind = behind[len(part):]
		args, query := make([]any, 0, 2*len(part)+2), unreadQuery(len(part), "")
		for _, b := range part {
			args = append(args, b.conversation, b.read)
		}
		args = append(args, userID)
		if slices.ContainsFunc(part, func(b bookmark) bool { return b.hides }) {
			args, query = append(args, userID), unreadQuery(len(part), notHidden)
		}
		list, err := collect(ctx, s.read, scanCount, query, args...)
		if err != nil {
			return nil, err
		}
		for _, c := range list {
			counts[c.conversation] = c.n
		}
	}
	return counts, nil
}

func unreadQuery(n int, more string) string {
	return `SELECT x.conversation_id, COUNT(*) FROM messages x
		WHERE (` + repeat(`(x.conversation_id = ? AND x.seq > ?)`, " OR ", n) + `)
		AND COALESCE(x.sender_id, 0) <> ? AND x.recalled = 0 AND x.deleted = 0` + more + `
		GROUP BY x.conversation_id`
}

type count struct{ conversation, n int64 }

func scanCount(r scanner) (c count, err error) {
	return c, r.Scan(&c.conversation, &c.n)
}
