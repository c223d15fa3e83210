package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// DeleteUser implements chat.UserStore. It locks the account's row first. Other
// transactions that involve the account wait, and then find it deleted (lockPair,
// noneDeleted).
func (s *Store) DeleteUser(ctx context.Context, userID, epoch int64, at time.Time) (sessions []string, err error) {
	err = s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		supers, err := s.supers(ctx, t, chat.StandingChange{UserID: userID, At: at})
		if err != nil {
			return err
		}
		var role chat.AccountRole
		err = row(ctx, t, `SELECT role FROM users WHERE id = ? AND login_epoch = ? AND deleted_at = 0`+s.dialect.forUpdate,
			[]any{userID, epoch}, &role)
		if err == nil && role == chat.RoleSuperAdmin && supers == 0 {
			err = chat.ErrConflict
		}
		if err != nil {
			return err
		}
		sessions, err = s.deleteUser(ctx, t, userID, at)
		return err
	})
	return sessions, s.fail(ctx, "delete user", err)
}

// deleteUser is called with the account's row locked.
func (s *Store) deleteUser(ctx context.Context, t querier, userID int64, at time.Time) (sessions []string, err error) {
	var username, nickname string
	err = row(ctx, t, `SELECT COALESCE(username, ''), nickname FROM users WHERE id = ?`+s.dialect.forUpdate, []any{userID}, &username, &nickname)
	if err != nil {
		return nil, err
	}
	if sessions, err = endSessions(ctx, t, userID, ""); err != nil {
		return nil, err
	}
	_, err = exec(ctx, t, `UPDATE users SET phone = NULL, username = NULL, name_key = NULL, nickname = '', bio = '', avatar = '',
		role = ?, password_hash = '', search = '', last_seen = 0, deleted_at = ? WHERE id = ?`, chat.RoleUser, micros(at), userID)
	if err != nil {
		return nil, err
	}
	if err := s.putParts(ctx, t, userID, partsOf(username, nickname), nil); err != nil {
		return nil, err
	}
	return sessions, s.forgetUser(ctx, t, userID)
}

// forgetUser deletes the rows that refer to a deleted account, except messages, files
// and groups, of which there may be many.
func (s *Store) forgetUser(ctx context.Context, t querier, userID int64) error {
	if err := forgetFactors(ctx, t, userID); err != nil {
		return err
	}
	for _, query := range []string{
		`DELETE FROM two_factor WHERE user_id = ?`,
		`DELETE FROM friends WHERE user_id = ?`, `DELETE FROM friends WHERE friend_id = ?`,
		`DELETE FROM blocks WHERE user_id = ?`, `DELETE FROM blocks WHERE blocked_id = ?`,
		`DELETE FROM privacy WHERE user_id = ?`,
		`DELETE FROM bans WHERE user_id = ?`,
		`DELETE FROM notices WHERE user_id = ?`, `DELETE FROM notice_marks WHERE user_id = ?`,
		`DELETE FROM requests WHERE user_id = ?`, `DELETE FROM requests WHERE from_id = ?`,
		`INSERT INTO leaving (user_id) VALUES (?)`,
	} {
		if _, err := exec(ctx, t, query, userID); err != nil {
			return err
		}
	}
	return nil
}

// noneDeleted returns sql.ErrNoRows if one of the users is deleted. Otherwise none can
// be deleted until the transaction ends.
func (s *Store) noneDeleted(ctx context.Context, t querier, users ...int64) error {
	for len(users) > 0 {
		part := users[:min(len(users), lists)]
		users = users[len(part):]
		in, args := inList(part, nil)
		deleted, err := collect(ctx, t, func(r scanner) (at int64, err error) { return at, r.Scan(&at) },
			`SELECT deleted_at FROM users WHERE id IN (`+in+`) ORDER BY id`+s.dialect.forShare, args...)
		if err != nil {
			return err
		}
		for _, at := range deleted {
			if at != 0 {
				return sql.ErrNoRows
			}
		}
	}
	return nil
}

// Leaving implements chat.UserStore.
func (s *Store) Leaving(ctx context.Context, after int64, limit int) ([]int64, error) {
	ids, err := collect(ctx, s.read, scanID, `SELECT user_id FROM leaving WHERE user_id > ? ORDER BY user_id LIMIT ?`, after, limit)
	return ids, s.fail(ctx, "leaving", err)
}

// Left implements chat.UserStore.
func (s *Store) Left(ctx context.Context, userID int64) error {
	_, err := exec(ctx, s.write, `DELETE FROM leaving WHERE user_id = ?`, userID)
	return s.fail(ctx, "left", err)
}

// SilenceDirects implements chat.UserStore.
func (s *Store) SilenceDirects(ctx context.Context, userID, after int64, limit int) ([]int64, error) {
	ids, err := collect(ctx, s.read, scanID, `SELECT c.id FROM members m JOIN conversations c ON c.id = m.conversation_id
		WHERE m.user_id = ? AND m.conversation_id > ? AND c.kind = ? ORDER BY c.id LIMIT ?`, userID, after, string(chat.Direct), limit)
	if err == nil {
		err = s.write.inTx(ctx, func(ctx context.Context, t querier) error {
			for _, id := range ids {
				if _, err := exec(ctx, t, `UPDATE members SET muted = 1 WHERE conversation_id = ?`, id); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return ids, s.fail(ctx, "silence directs", err)
}

// aloneQuery finds a conversation with text that only deleted users could read.
const aloneQuery = `SELECT m.conversation_id FROM members m WHERE m.user_id = ?
	AND NOT EXISTS (SELECT 1 FROM members o JOIN users u ON u.id = o.user_id
		WHERE o.conversation_id = m.conversation_id AND o.state IN (0, ?) AND u.deleted_at = 0)
	AND EXISTS (SELECT 1 FROM messages x WHERE x.conversation_id = m.conversation_id AND (x.content <> '' OR x.file_id IS NOT NULL))
	ORDER BY m.conversation_id LIMIT 1`

// EraseAlone implements chat.UserStore.
func (s *Store) EraseAlone(ctx context.Context, userID int64, limit int, at time.Time) (more bool, err error) {
	id, err := one(ctx, s.read, scanID, aloneQuery, userID, stateAsked)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err == nil {
		err = s.write.inTx(ctx, func(ctx context.Context, t querier) error {
			seqs, err := collect(ctx, t, scanID, `SELECT seq FROM messages WHERE conversation_id = ?
				AND (content <> '' OR file_id IS NOT NULL) ORDER BY seq LIMIT ?`, id, limit)
			if err != nil || len(seqs) == 0 {
				return err
			}
			_, err = exec(ctx, t, `UPDATE messages SET content = '', file_id = NULL, deleted = 1, updated_at = ?
				WHERE conversation_id = ? AND seq >= ? AND seq <= ? AND (content <> '' OR file_id IS NOT NULL)`, micros(at), id, seqs[0], seqs[len(seqs)-1])
			if err != nil {
				return err
			}
			_, err = exec(ctx, t, `DELETE FROM search_blocks WHERE conversation_id = ?`, id)
			return err
		})
	}
	return err == nil, s.fail(ctx, "erase alone", err)
}

const fileColumns = `id, owner_id, name, size, content_type, sha256, blob_key, created_at`

func scanFile(r scanner) (f chat.File, err error) {
	var created int64
	err = r.Scan(&f.ID, &f.OwnerID, &f.Name, &f.Size, &f.ContentType, &f.SHA256, &f.Key, &created)
	f.CreatedAt = timeOf(created)
	return f, err
}

// FilesAfter implements chat.FileStore.
func (s *Store) FilesAfter(ctx context.Context, userID, after int64, limit int) ([]chat.File, error) {
	list, err := collect(ctx, s.read, scanFile, `SELECT `+fileColumns+` FROM files
		WHERE owner_id = ? AND deleted = 0 AND id > ? ORDER BY id LIMIT ?`, userID, after, limit)
	return list, s.fail(ctx, "files of", err)
}
