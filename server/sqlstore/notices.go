package sqlstore

import (
	"context"
	"slices"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// AddNotice implements chat.StaffStore.
func (s *Store) AddNotice(ctx context.Context, n chat.Notice, e chat.AuditEntry) (added chat.Notice, err error) {
	err = s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		// The notice is last, so that its id is visible soon after it was assigned: a later
		// id that users see first hides it from them (see MarkNotices).
		if err := addAudit(ctx, t, e); err != nil {
			return err
		}
		added, err = addNotice(ctx, t, n)
		return err
	})
	return added, s.fail(ctx, "add notice", err)
}

func addNotice(ctx context.Context, t querier, n chat.Notice) (chat.Notice, error) {
	r, err := exec(ctx, t, `INSERT INTO notices (user_id, kind, message, created_at) VALUES (?, ?, ?, ?)`,
		n.UserID, string(n.Kind), n.Message, micros(n.CreatedAt))
	if err != nil {
		return chat.Notice{}, err
	}
	n.CreatedAt = timeOf(micros(n.CreatedAt))
	n.ID, err = r.LastInsertId()
	return n, err
}

func scanNotice(r scanner) (n chat.Notice, err error) {
	var at int64
	err = r.Scan(&n.ID, &n.UserID, &n.Kind, &n.Message, &at)
	n.CreatedAt = timeOf(at)
	return n, err
}

const noticesQuery = `SELECT n.id, n.user_id, n.kind, n.message, n.created_at FROM users u JOIN notices n ON n.user_id IN (0, u.id)
	WHERE u.id = ? AND n.id > COALESCE((SELECT m.told FROM notice_marks m WHERE m.user_id = u.id), 0)
	AND n.created_at >= u.created_at AND n.created_at > ? ORDER BY n.id LIMIT ?`

// Notices implements chat.StaffStore.
func (s *Store) Notices(ctx context.Context, userID int64, after time.Time, limit int) ([]chat.Notice, error) {
	list, err := collect(ctx, s.read, scanNotice, noticesQuery, userID, micros(after), limit)
	return list, s.fail(ctx, "notices", err)
}

// MarkNotices implements chat.StaffStore.
func (s *Store) MarkNotices(ctx context.Context, userIDs []int64, told chat.Told, since time.Time) error {
	userIDs = slices.Compact(slices.Sorted(slices.Values(userIDs))) // always in the same order, against deadlocks
	for part := range slices.Chunk(userIDs, lists) {
		in, args := inList(part, nil)
		ready, err := collect(ctx, s.read, scanID, `SELECT u.id FROM users u LEFT JOIN notice_marks m ON m.user_id = u.id
			WHERE u.id IN (`+in+`) AND u.deleted_at = 0 AND COALESCE(m.told, 0) < ?
			AND NOT EXISTS (SELECT 1 FROM notices n WHERE n.user_id IN (0, u.id) AND n.id > COALESCE(m.told, 0) AND n.id <= ?
				AND n.created_at >= u.created_at AND n.created_at > ?)
			ORDER BY u.id`, append(args, told.UpTo, told.After, micros(since))...)
		if err == nil {
			err = s.write.inTx(ctx, func(ctx context.Context, t querier) error { return s.markNotices(ctx, t, ready, told.UpTo) })
		}
		if err != nil {
			return s.fail(ctx, "mark notices", err)
		}
	}
	return nil
}

func (s *Store) markNotices(ctx context.Context, t querier, users []int64, told int64) error {
	for len(users) > 0 {
		part := users[:piece(len(users))]
		users = users[len(part):]
		args := make([]any, 0, 2*len(part))
		for _, id := range part {
			args = append(args, id, told)
		}
		_, err := exec(ctx, t, `INSERT INTO notice_marks (user_id, told) VALUES `+repeat("(?, ?)", ", ", len(part))+s.dialect.keepOld("user_id"), args...)
		if err != nil {
			return err
		}
		in, args := inList(part, []any{told, told})
		_, err = exec(ctx, t, `UPDATE notice_marks SET told = ? WHERE told < ? AND user_id IN (`+in+`)`, args...)
		if err != nil {
			return err
		}
	}
	return nil
}
