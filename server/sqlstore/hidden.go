package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/onemeter/onemeter/server/chat"
)

// A spot is the position of a message.
type spot struct{ conversation, seq int64 }

// HideMessage implements chat.MessageStore. It locks the row of the member first, so
// that two devices of a user take turns.
func (s *Store) HideMessage(ctx context.Context, userID, conversationID, seq int64) (done bool, err error) {
	err = s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		done = false
		err := changed(exec(ctx, t, `UPDATE members SET hides = 1 WHERE conversation_id = ? AND user_id = ? AND state = 0`, conversationID, userID))
		if err != nil {
			return err
		}
		var hidden bool
		if err := row(ctx, t, hiddenQuery, hiddenArgs(userID, conversationID, seq), &hidden); err != nil || hidden {
			return err
		}
		done = true
		_, err = exec(ctx, t, `INSERT INTO hidden_messages (conversation_id, seq, user_id) VALUES (?, ?, ?)`, conversationID, seq, userID)
		return err
	})
	return done, s.fail(ctx, "hide message", err)
}

const hiddenQuery = `SELECT EXISTS (SELECT 1 FROM hidden_messages h WHERE h.conversation_id = ? AND h.seq = ? AND h.user_id = ?)
	OR EXISTS (SELECT 1 FROM members m WHERE m.conversation_id = ? AND m.user_id = ? AND m.cleared_seq >= ?)`

func hiddenArgs(userID, conversationID, seq int64) []any {
	return []any{conversationID, seq, userID, conversationID, userID, seq}
}

// Hidden implements chat.MessageStore.
func (s *Store) Hidden(ctx context.Context, userID, conversationID, seq int64) (hidden bool, err error) {
	err = row(ctx, s.read, hiddenQuery, hiddenArgs(userID, conversationID, seq), &hidden)
	return hidden, s.fail(ctx, "hidden", err)
}

// ClearConversation implements chat.MessageStore.
func (s *Store) ClearConversation(ctx context.Context, userID, conversationID, upTo int64) (cleared int64, done bool, err error) {
	err = s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		var last int64
		// In the order of Append, so that the two cannot deadlock.
		err := row(ctx, t, `SELECT c.last_seq, m.cleared_seq FROM conversations c `+s.dialect.inOrder+` members m ON m.conversation_id = c.id
			WHERE c.id = ? AND m.user_id = ? AND m.state = 0`+s.dialect.forUpdate, []any{conversationID, userID}, &last, &cleared)
		if err != nil {
			return err
		}
		if upTo > 0 {
			last = min(last, upTo)
		}
		if done = last > cleared; !done {
			return nil
		}
		cleared = last
		_, err = exec(ctx, t, `UPDATE members SET cleared_seq = ? WHERE conversation_id = ? AND user_id = ?`, cleared, conversationID, userID)
		return err
	})
	return cleared, done, s.fail(ctx, "clear conversation", err)
}

// Hiders implements chat.MessageStore.
func (s *Store) Hiders(ctx context.Context, conversationID, seq int64) ([]int64, error) {
	ids, err := collect(ctx, s.read, scanID, `SELECT user_id FROM hidden_messages WHERE conversation_id = ? AND seq = ?
		UNION SELECT user_id FROM members WHERE conversation_id = ? AND cleared_seq >= ?`, conversationID, seq, conversationID, seq)
	return ids, s.fail(ctx, "hiders", err)
}

// hide blanks the messages of a page that the user has hidden. The page is of one
// conversation.
func (s *Store) hide(ctx context.Context, userID int64, page []chat.Message, v view) error {
	var ask []spot
	for i := range page {
		if page[i].Seq <= v.cleared {
			page[i] = page[i].Blank()
		} else if v.hides {
			ask = append(ask, spot{page[i].ConversationID, page[i].Seq})
		}
	}
	hidden, err := s.hiddenOf(ctx, userID, ask)
	blank(page, hidden)
	return err
}

// hideOfAll is hide for a page of several conversations.
func (s *Store) hideOfAll(ctx context.Context, userID int64, page []chat.Message) error {
	cleared, err := collect(ctx, s.read, func(r scanner) (m spot, err error) {
		return m, r.Scan(&m.conversation, &m.seq)
	}, `SELECT conversation_id, cleared_seq FROM members WHERE user_id = ? AND state = 0 AND cleared_seq > 0`, userID)
	if err != nil {
		return err
	}
	upTo := make(map[int64]int64)
	for _, m := range cleared {
		upTo[m.conversation] = m.seq
	}
	var ask []spot
	for i := range page {
		if m := page[i]; m.Seq <= upTo[m.ConversationID] {
			page[i] = m.Blank()
		} else {
			ask = append(ask, spot{m.ConversationID, m.Seq})
		}
	}
	hidden, err := s.hiddenOf(ctx, userID, ask)
	blank(page, hidden)
	return err
}

func blank(page []chat.Message, hidden map[spot]bool) {
	for i, m := range page {
		if hidden[spot{m.ConversationID, m.Seq}] {
			page[i] = m.Blank()
		}
	}
}

// hiddenOf returns which of some messages the user has hidden one by one.
func (s *Store) hiddenOf(ctx context.Context, userID int64, ask []spot) (map[spot]bool, error) {
	hidden := make(map[spot]bool)
	for len(ask) > 0 {
		part := ask[:piece(len(ask))]
		ask = ask[len(part):]
		args := make([]any, 0, 2*len(part)+1)
		for _, m := range part {
			args = append(args, m.conversation, m.seq)
		}
		found, err := collect(ctx, s.read, func(r scanner) (m spot, err error) {
			return m, r.Scan(&m.conversation, &m.seq)
		}, hiddenOfQuery(len(part)), append(args, userID)...)
		if err != nil {
			return nil, err
		}
		for _, m := range found {
			hidden[m] = true
		}
	}
	return hidden, nil
}

func hiddenOfQuery(n int) string {
	return `SELECT h.conversation_id, h.seq
	FROM (SELECT ? AS conversation, ? AS place` + repeat("", " UNION ALL SELECT ?, ?", n) + `) k
	JOIN hidden_messages h ON h.conversation_id = k.conversation AND h.seq = k.place AND h.user_id = ?`
}

// notHidden is a condition that excludes messages x that a user has hidden one by one.
const notHidden = ` AND NOT EXISTS (SELECT 1 FROM hidden_messages h
	WHERE h.conversation_id = x.conversation_id AND h.seq = x.seq AND h.user_id = ?)`

// lookBack is the most messages to look through for one to show.
const lookBack = 1000

// lastVisible sets d's last message to the last one that the user has not hidden.
func (s *Store) lastVisible(ctx context.Context, userID int64, d *dialogRow) error {
	if d.LastMessage == nil {
		return nil
	}
	hidden, err := s.hiddenOf(ctx, userID, []spot{{d.ID, d.LastSeq}})
	if err != nil || !hidden[spot{d.ID, d.LastSeq}] {
		return err
	}
	m, err := one(ctx, s.read, scanMessage, messagesBetween+notHidden+` ORDER BY x.seq DESC LIMIT 1`,
		d.ID, max(d.cleared, d.LastSeq-lookBack), d.LastSeq, userID)
	if d.LastMessage = &m; err != nil {
		d.LastMessage = nil
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return err
}
