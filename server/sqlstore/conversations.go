package sqlstore

import (
	"context"
	"slices"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

const conversationColumns = `c.id, c.kind, c.title, c.owner_id, c.last_seq, c.created_at`

func scanConversation(r scanner) (chat.Conversation, error) {
	var c chat.Conversation
	var created int64
	err := r.Scan(&c.ID, &c.Kind, &c.Title, &c.OwnerID, &c.LastSeq, &created)
	c.CreatedAt = timeOf(created)
	return c, err
}

// insertMembers adds members to a new conversation. Existing members stay unchanged.
func (s *Store) insertMembers(ctx context.Context, t querier, conversationID int64, users []int64, owner int64, at time.Time) error {
	users = slices.Compact(slices.Sorted(slices.Values(users)))
	for len(users) > 0 {
		part := users[:piece(len(users))]
		users = users[len(part):]
		args := make([]any, 0, 4*len(part))
		for _, id := range part {
			role := chat.RoleMember
			if id == owner {
				role = chat.RoleOwner
			}
			args = append(args, conversationID, id, string(role), micros(at))
		}
		_, err := exec(ctx, t, `INSERT INTO members
			(conversation_id, user_id, role, joined_at, muted, state, read_seq, delivered_seq)
			VALUES `+repeat(`(?, ?, ?, ?, 0, 0, 0, 0)`, ", ", len(part))+s.dialect.keepOld("user_id"), args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// CreateGroup implements chat.ConversationStore. It returns ErrNotFound if a member
// has no account.
func (s *Store) CreateGroup(ctx context.Context, title string, owner int64, members []int64, at time.Time) (chat.Conversation, error) {
	c := chat.Conversation{Kind: chat.Group, Title: title, OwnerID: owner, CreatedAt: timeOf(micros(at))}
	users := slices.Compact(slices.Sorted(slices.Values(append([]int64{owner}, members...))))
	c.MemberCount = len(users)
	err := s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		if err := s.noneDeleted(ctx, t, users...); err != nil {
			return err
		}
		r, err := exec(ctx, t, `INSERT INTO conversations (kind, title, owner_id, created_at) VALUES (?, ?, ?, ?)`,
			string(chat.Group), title, owner, micros(at))
		if err != nil {
			return err
		}
		if c.ID, err = r.LastInsertId(); err != nil {
			return err
		}
		return s.insertMembers(ctx, t, c.ID, users, owner, at)
	})
	if err != nil {
		return chat.Conversation{}, s.fail(ctx, "create group", err)
	}
	return c, nil
}

// Groups implements chat.ConversationStore.
func (s *Store) Groups(ctx context.Context, userID int64, limit, offset int) ([]chat.Conversation, error) {
	groups, err := collect(ctx, s.read, func(r scanner) (chat.Conversation, error) {
		var count int
		c, err := scanConversation(after{r, []any{&count}})
		c.MemberCount = count
		return c, err
	}, `SELECT `+conversationColumns+`,
		(SELECT COUNT(*) FROM members o WHERE o.conversation_id = c.id AND o.state = 0)
		FROM (SELECT d.id FROM members m JOIN conversations d ON d.id = m.conversation_id
		      WHERE m.user_id = ? AND m.state = 0 AND d.kind = ? ORDER BY d.id DESC LIMIT ? OFFSET ?) k
		JOIN conversations c ON c.id = k.id ORDER BY c.id DESC`, userID, string(chat.Group), limit, offset)
	return groups, s.fail(ctx, "groups", err)
}

// Dialogs implements chat.ConversationStore. The caller fills in Peer.
func (s *Store) Dialogs(ctx context.Context, userID int64, limit, offset int) ([]chat.Dialog, error) {
	dialogs, err := s.dialogs(ctx, userID, dialogsQuery, userID, limit, offset)
	return dialogs, s.fail(ctx, "dialogs", err)
}

// DialogsAfter implements chat.ConversationStore.
func (s *Store) DialogsAfter(ctx context.Context, userID, after int64, limit int) ([]chat.Dialog, error) {
	dialogs, err := s.dialogs(ctx, userID, dialogsAfter, userID, after, limit)
	return dialogs, s.fail(ctx, "dialogs after", err)
}

func (s *Store) dialogs(ctx context.Context, userID int64, query string, args ...any) ([]chat.Dialog, error) {
	rows, err := collect(ctx, s.read, func(r scanner) (dialogRow, error) { return scanDialog(r, userID) }, query, args...)
	if err != nil {
		return nil, err
	}
	dialogs := make([]chat.Dialog, len(rows))
	var behind []bookmark
	for i, r := range rows {
		if r.hides {
			if err := s.lastVisible(ctx, userID, &r); err != nil {
				return nil, err
			}
		}
		dialogs[i] = r.Dialog
		if read := max(r.read, r.cleared); read < r.LastSeq {
			behind = append(behind, bookmark{r.ID, read, r.hides})
		}
	}
	counts, err := s.unread(ctx, userID, behind)
	for i := range dialogs {
		dialogs[i].UnreadCount = counts[dialogs[i].ID]
	}
	return dialogs, err
}

// The queries of dialogs choose the conversations first, and read the rest only for
// those on the page. A cleared conversation is left out until its next message.
const (
	dialogsQuery = chooseDialogs + `
	      ORDER BY COALESCE(l.id, 0) DESC, m.conversation_id DESC LIMIT ? OFFSET ?` + ofDialogs + `
	ORDER BY COALESCE(k.last_id, 0) DESC, c.id DESC`

	dialogsAfter = chooseDialogs + ` AND m.conversation_id > ?
	      ORDER BY m.conversation_id LIMIT ?` + ofDialogs + `
	ORDER BY c.id`
)

const chooseDialogs = `SELECT ` + conversationColumns + `, COALESCE(c.pair_low + c.pair_high, 0), k.read_seq, k.cleared_seq, k.hides,
	` + messageColumns + `
	FROM (SELECT m.conversation_id, m.read_seq, m.cleared_seq, m.hides, l.id AS last_id
	      FROM members m JOIN conversations d ON d.id = m.conversation_id
	      LEFT JOIN messages l ON l.conversation_id = d.id AND l.seq = d.last_seq
	      WHERE m.user_id = ? AND m.state = 0 AND (m.cleared_seq = 0 OR m.cleared_seq < d.last_seq)`

const ofDialogs = `) k
	JOIN conversations c ON c.id = k.conversation_id
	LEFT JOIN messages x ON x.id = k.last_id`

// Contacts implements chat.ConversationStore.
func (s *Store) Contacts(ctx context.Context, userID int64, limit int) ([]int64, error) {
	ids, err := collect(ctx, s.read, scanID, `SELECT DISTINCT o.user_id
		FROM members m JOIN members o ON o.conversation_id = m.conversation_id
		WHERE m.user_id = ? AND m.state = 0 AND o.state = 0 AND o.user_id <> ?
		AND NOT EXISTS (SELECT 1 FROM blocks b WHERE b.user_id = m.user_id AND b.blocked_id = o.user_id)
		ORDER BY o.user_id LIMIT ?`, userID, userID, limit)
	return ids, s.fail(ctx, "contacts", err)
}
