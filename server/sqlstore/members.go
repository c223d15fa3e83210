package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/onemeter/onemeter/server/chat"
)

// The states of a member's row.
const (
	stateIn     = 0
	stateBanned = 1
	stateGone   = 2
)

const memberColumns = `m.conversation_id, m.user_id, m.role, m.muted, m.state, m.joined_at`

func scanMember(r scanner) (chat.Member, error) {
	var m chat.Member
	var state int
	var joined int64
	err := r.Scan(&m.ConversationID, &m.UserID, &m.Role, &m.Muted, &state, &joined)
	m.Banned, m.JoinedAt = state == stateBanned, timeOf(joined)
	return m, err
}

// Membership implements chat.ConversationStore.
func (s *Store) Membership(ctx context.Context, conversationID int64) (chat.Membership, error) {
	var m chat.Membership
	var err error
	m.Conversation, err = one(ctx, s.read, scanConversation,
		`SELECT `+conversationColumns+` FROM conversations c WHERE c.id = ?`, conversationID)
	if err == nil {
		m.Members, err = collect(ctx, s.read, scanMember,
			`SELECT `+memberColumns+` FROM members m WHERE m.conversation_id = ? AND m.state = 0 ORDER BY m.user_id`, conversationID)
	}
	if err != nil {
		return chat.Membership{}, s.fail(ctx, "membership", err)
	}
	m.Conversation.MemberCount = len(m.Members)
	return m, nil
}

// MemberRow implements chat.ConversationStore.
func (s *Store) MemberRow(ctx context.Context, conversationID, userID int64) (chat.Member, error) {
	m, err := one(ctx, s.read, scanMember,
		`SELECT `+memberColumns+` FROM members m WHERE m.conversation_id = ? AND m.user_id = ? AND m.state <> 2`, conversationID, userID)
	return m, s.fail(ctx, "member row", err)
}

// PutMember implements chat.ConversationStore. ErrNotFound: there is no such
// conversation or account. Who comes back, from a ban too, has nothing unread.
func (s *Store) PutMember(ctx context.Context, m chat.Member, limit int) error {
	return s.fail(ctx, "put member", s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		var lastSeq int64
		err := row(ctx, t, `SELECT last_seq FROM conversations WHERE id = ?`+s.dialect.forUpdate,
			[]any{m.ConversationID}, &lastSeq)
		if err != nil {
			return err
		}
		state := stateGone
		err = row(ctx, t, `SELECT state FROM members WHERE conversation_id = ? AND user_id = ?`,
			[]any{m.ConversationID, m.UserID}, &state)
		there := err == nil
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		joins := !m.Banned && state != stateIn
		if joins && limit > 0 {
			if err := roomFor(ctx, t, m.ConversationID, limit); err != nil {
				return err
			}
		}
		if !joins && there {
			lastSeq = 0 // the marks stay
		}
		return putRow(ctx, t, m, there, lastSeq)
	}))
}

func roomFor(ctx context.Context, t querier, conversationID int64, limit int) error {
	var count int
	err := row(ctx, t, `SELECT COUNT(*) FROM members WHERE conversation_id = ? AND state = 0`, []any{conversationID}, &count)
	if err == nil && count >= limit {
		err = chat.ErrConflict
	}
	return err
}

// putRow stores m with its marks moved forward to marks.
func putRow(ctx context.Context, t querier, m chat.Member, there bool, marks int64) error {
	state := stateIn
	if m.Banned {
		state = stateBanned
	}
	query := `INSERT INTO members (role, muted, state, joined_at, read_seq, delivered_seq, conversation_id, user_id)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
	args := []any{string(m.Role), m.Muted, state, micros(m.JoinedAt), marks, marks, m.ConversationID, m.UserID}
	if there {
		query = `UPDATE members SET role = ?, muted = ?, state = ?, joined_at = ?,
			read_seq = CASE WHEN read_seq < ? THEN ? ELSE read_seq END,
			delivered_seq = CASE WHEN delivered_seq < ? THEN ? ELSE delivered_seq END
			WHERE conversation_id = ? AND user_id = ?`
		args = []any{string(m.Role), m.Muted, state, micros(m.JoinedAt), marks, marks, marks, marks, m.ConversationID, m.UserID}
	}
	_, err := exec(ctx, t, query, args...)
	return err
}

// DeleteMember implements chat.ConversationStore. ErrNotFound: there is none.
func (s *Store) DeleteMember(ctx context.Context, conversationID, userID int64) error {
	err := changed(exec(ctx, s.write, `UPDATE members SET state = 2, muted = 0, role = ?
		WHERE conversation_id = ? AND user_id = ? AND state <> 2`, string(chat.RoleMember), conversationID, userID))
	return s.fail(ctx, "delete member", err)
}
