package sqlstore

import (
	"cmp"
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
	stateAsked  = 3 // in a direct conversation: a stranger's request is pending or declined
)

const memberColumns = `m.conversation_id, m.user_id, m.role, m.muted, m.state, m.joined_at`

// scanMember reads a member. If the member has left or only has a request, only the
// ids are set.
func scanMember(r scanner) (chat.Member, error) {
	var m chat.Member
	var state int
	var joined int64
	err := r.Scan(&m.ConversationID, &m.UserID, &m.Role, &m.Muted, &state, &joined)
	if err != nil || state == stateGone || state == stateAsked {
		return chat.Member{ConversationID: m.ConversationID, UserID: m.UserID}, err
	}
	m.Banned, m.JoinedAt = state == stateBanned, timeOf(joined)
	return m, nil
}

func stateOf(m chat.Member) int {
	switch {
	case m.Banned:
		return stateBanned
	case m.Role == "":
		return stateGone
	}
	return stateIn
}

// Membership implements chat.ConversationStore.
func (s *Store) Membership(ctx context.Context, conversationID int64) (chat.Membership, error) {
	var membership chat.Membership
	var err error
	membership.Conversation, err = one(ctx, s.read, func(r scanner) (chat.Conversation, error) {
		return scanConversation(after{r, []any{&membership.Pair.Low, &membership.Pair.High}})
	}, `SELECT `+conversationColumns+`, COALESCE(c.pair_low, 0), COALESCE(c.pair_high, 0) FROM conversations c WHERE c.id = ?`, conversationID)
	if err != nil {
		return chat.Membership{}, s.fail(ctx, "membership", err)
	}
	var closed bool
	_, err = collect(ctx, s.read, func(r scanner) (struct{}, error) {
		member, err := scanMember(after{r, []any{&closed}})
		if member.Role != "" && !member.Banned {
			membership.Members = append(membership.Members, member)
		}
		if closed {
			membership.Closed = append(membership.Closed, member.UserID)
		}
		return struct{}{}, err
	}, `SELECT `+memberColumns+`, m.closed FROM members m
		WHERE m.conversation_id = ? AND (m.state = 0 OR m.closed = 1) ORDER BY m.user_id`, conversationID)
	if err != nil {
		return chat.Membership{}, s.fail(ctx, "membership", err)
	}
	membership.Conversation.MemberCount = len(membership.Members)
	return membership, nil
}

// ChangeMember implements chat.ConversationStore. A lock on the conversation
// serializes the changes of its members.
func (s *Store) ChangeMember(ctx context.Context, c chat.MemberChange) (chat.Member, error) {
	var after chat.Member
	err := s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		var lastSeq int64
		err := row(ctx, t, `SELECT last_seq FROM conversations WHERE id = ?`+s.dialect.forUpdate,
			[]any{c.ConversationID}, &lastSeq)
		if err != nil {
			return err
		}
		if c.Request != 0 {
			if err := takeRequest(ctx, t, c.UserID, c.Request); err != nil {
				return err
			}
		}
		actor, _, err := memberRow(ctx, t, c.ConversationID, c.ActorID)
		if err != nil {
			return err
		}
		before, there, err := memberRow(ctx, t, c.ConversationID, c.UserID)
		if err != nil {
			return err
		}
		after = before
		if err := c.Decide(actor, &after); err != nil {
			return err
		}
		after.ConversationID, after.UserID = before.ConversationID, before.UserID
		after.JoinedAt = timeOf(micros(after.JoinedAt))
		if after == before {
			return nil
		}
		if after.Role != "" && before.Role == "" { // joins
			if err := s.noneDeleted(ctx, t, c.UserID); err != nil {
				return err
			}
		}
		return changeRow(ctx, t, before, after, there, lastSeq, c.Limit)
	})
	if err != nil {
		return chat.Member{}, s.fail(ctx, "change member", err)
	}
	return after, nil
}

// memberRow reads a user's membership of a conversation, and reports whether it has a
// row.
func memberRow(ctx context.Context, t querier, conversationID, userID int64) (m chat.Member, there bool, err error) {
	m, err = one(ctx, t, scanMember,
		`SELECT `+memberColumns+` FROM members m WHERE m.conversation_id = ? AND m.user_id = ?`, conversationID, userID)
	if errors.Is(err, sql.ErrNoRows) {
		return chat.Member{ConversationID: conversationID, UserID: userID}, false, nil
	}
	return m, err == nil, err
}

// changeRow stores the change of a member and its consequences.
func changeRow(ctx context.Context, t querier, before, after chat.Member, there bool, lastSeq int64, limit int) error {
	was, is := stateOf(before), stateOf(after)
	marks := int64(0) // 0 leaves them unchanged
	if is == stateIn && was != stateIn {
		marks = lastSeq
		if err := roomFor(ctx, t, after.ConversationID, limit); err != nil {
			return err
		}
	}
	if err := putRow(ctx, t, after, there, marks); err != nil {
		return err
	}
	if is != stateIn && was == stateIn && before.Role == chat.RoleOwner {
		return handOver(ctx, t, after.ConversationID)
	}
	return nil
}

// roomFor returns ErrConflict if a conversation has limit members already.
func roomFor(ctx context.Context, t querier, conversationID int64, limit int) error {
	if limit <= 0 {
		return nil
	}
	var count int
	err := row(ctx, t, `SELECT COUNT(*) FROM members WHERE conversation_id = ? AND state = 0`, []any{conversationID}, &count)
	if err == nil && count >= limit {
		err = chat.ErrConflict
	}
	return err
}

// putRow stores m, and moves its marks forward to marks.
func putRow(ctx context.Context, t querier, m chat.Member, there bool, marks int64) error {
	role := string(cmp.Or(m.Role, chat.RoleMember))
	query := `INSERT INTO members (role, muted, state, joined_at, read_seq, delivered_seq, conversation_id, user_id)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
	args := []any{role, m.Muted, stateOf(m), micros(m.JoinedAt), marks, marks, m.ConversationID, m.UserID}
	if there {
		query = `UPDATE members SET role = ?, muted = ?, state = ?, joined_at = ?,
			read_seq = CASE WHEN read_seq < ? THEN ? ELSE read_seq END,
			delivered_seq = CASE WHEN delivered_seq < ? THEN ? ELSE delivered_seq END
			WHERE conversation_id = ? AND user_id = ?`
		args = []any{role, m.Muted, stateOf(m), micros(m.JoinedAt), marks, marks, marks, marks, m.ConversationID, m.UserID}
	}
	_, err := exec(ctx, t, query, args...)
	return err
}

// handOver makes the next member in line the owner, if there is one.
func handOver(ctx context.Context, t querier, conversationID int64) error {
	heir, err := one(ctx, t, scanID, `SELECT user_id FROM members WHERE conversation_id = ? AND state = 0
		ORDER BY CASE role WHEN ? THEN 0 ELSE 1 END, joined_at, user_id LIMIT 1`, conversationID, string(chat.RoleAdmin))
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = exec(ctx, t, `UPDATE members SET role = ? WHERE conversation_id = ? AND user_id = ?`,
		string(chat.RoleOwner), conversationID, heir)
	if err != nil {
		return err
	}
	_, err = exec(ctx, t, `UPDATE conversations SET owner_id = ? WHERE id = ?`, heir, conversationID)
	return err
}
