package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"math"

	"github.com/onemeter/onemeter/server/chat"
)

// lockGroup locks a group, and returns the actor's membership. If the group does not
// exist, it returns ErrNoRows.
func (s *Store) lockGroup(ctx context.Context, t querier, id, actorID int64) (chat.Member, error) {
	_, err := one(ctx, t, scanID, `SELECT id FROM conversations WHERE id = ? AND kind = ?`+s.dialect.forUpdate, id, string(chat.Group))
	if err != nil {
		return chat.Member{}, err
	}
	m, _, err := memberRow(ctx, t, id, actorID)
	return m, err
}

// RenameGroup implements chat.ConversationStore.
func (s *Store) RenameGroup(ctx context.Context, id, actorID int64, title string, decide func(chat.Member) error) error {
	err := s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		actor, err := s.lockGroup(ctx, t, id, actorID)
		if err == nil {
			err = decide(actor)
		}
		if err == nil {
			_, err = exec(ctx, t, `UPDATE conversations SET title = ? WHERE id = ?`, title, id)
		}
		return err
	})
	return s.fail(ctx, "rename group", err)
}

// DeleteGroup implements chat.ConversationStore. The row of the conversation stays,
// so that its id is not reused.
func (s *Store) DeleteGroup(ctx context.Context, id, actorID int64, decide func(chat.Member) error) ([]int64, error) {
	var members []int64
	err := s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		actor, err := s.lockGroup(ctx, t, id, actorID)
		if err == nil {
			err = decide(actor)
		}
		if err == nil {
			members, err = s.deleteGroup(ctx, t, id)
		}
		return err
	})
	return members, s.fail(ctx, "delete group", err)
}

// deleteGroup is called with the group locked, and returns its former members.
func (s *Store) deleteGroup(ctx context.Context, t querier, id int64) ([]int64, error) {
	members, err := collect(ctx, t, scanID, `SELECT user_id FROM members WHERE conversation_id = ? AND state = 0 ORDER BY user_id`, id)
	if err != nil {
		return nil, err
	}
	for _, statement := range []string{
		`DELETE FROM members WHERE conversation_id = ?`,
		`DELETE FROM requests WHERE conversation_id = ?`,
		`UPDATE conversations SET title = '', owner_id = 0 WHERE id = ?`,
		`INSERT INTO deleted_groups (conversation_id) VALUES (?)` + s.dialect.keepOld("conversation_id"),
	} {
		if _, err := exec(ctx, t, statement, id); err != nil {
			return nil, err
		}
	}
	return members, nil
}

// PurgeGroups implements chat.ConversationStore. The last message keeps its row,
// without content, because SQLite would reuse its id if it is the last of all.
func (s *Store) PurgeGroups(ctx context.Context, limit int) (more bool, err error) {
	err = s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		id, err := one(ctx, t, scanID, `SELECT k.conversation_id FROM deleted_groups k ORDER BY k.conversation_id LIMIT 1`)
		if more = err == nil; errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		var first, last int64
		err = row(ctx, t, `SELECT COALESCE((SELECT MIN(x.seq) FROM messages x WHERE x.conversation_id = c.id), 0), c.last_seq
			FROM conversations c WHERE c.id = ?`, []any{id}, &first, &last)
		if err != nil {
			return err
		}
		if first > 0 && first < last {
			return purge(ctx, t, id, min(first+int64(limit), last), append(purgedBeside, `DELETE FROM messages WHERE conversation_id = ? AND seq < ?`)...)
		}
		// With seq 0, no block of the search index ends with it.
		_, err = exec(ctx, t, `UPDATE messages SET content = '', file_id = NULL, client_msg_id = NULL, deleted = 1, seq = 0
			WHERE conversation_id = ? AND seq = ?`, id, last)
		if err == nil {
			err = purge(ctx, t, id, math.MaxInt64, purgedBeside...)
		}
		if err == nil {
			_, err = exec(ctx, t, `DELETE FROM deleted_groups WHERE conversation_id = ?`, id)
		}
		return err
	})
	return more, s.fail(ctx, "purge groups", err)
}

// purgedBeside are the statements that delete what belongs to messages.
var purgedBeside = []string{
	`DELETE FROM search_blocks WHERE conversation_id = ? AND last_seq < ?`,
	`DELETE FROM hidden_messages WHERE conversation_id = ? AND seq < ?`,
}

// purge runs statements that delete everything before seq.
func purge(ctx context.Context, t querier, id, seq int64, statements ...string) error {
	for _, statement := range statements {
		if _, err := exec(ctx, t, statement, id, seq); err != nil {
			return err
		}
	}
	return nil
}
