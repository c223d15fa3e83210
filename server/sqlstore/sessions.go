package sqlstore

import (
	"context"
	"slices"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// CreateSession implements chat.SessionStore.
func (s *Store) CreateSession(ctx context.Context, x chat.Session) error {
	_, err := exec(ctx, s.write, `INSERT INTO sessions (id, user_id, refresh_hash, created_at, expires_at) VALUES (?, ?, ?, ?, ?)`,
		x.ID, x.UserID, x.RefreshHash, micros(x.CreatedAt), micros(x.ExpiresAt))
	return s.fail(ctx, "create session", err)
}

// Session implements chat.SessionStore.
func (s *Store) Session(ctx context.Context, id string) (chat.Session, error) {
	x := chat.Session{ID: id}
	var created, rotated, expires int64
	err := row(ctx, s.read, `SELECT user_id, refresh_hash, created_at, rotated_at, expires_at FROM sessions WHERE id = ?`, []any{id},
		&x.UserID, &x.RefreshHash, &created, &rotated, &expires)
	if err != nil {
		return chat.Session{}, s.fail(ctx, "session", err)
	}
	x.CreatedAt, x.RotatedAt, x.ExpiresAt = timeOf(created), timeOf(rotated), timeOf(expires)
	return x, nil
}

// RotateSession implements chat.SessionStore.
func (s *Store) RotateSession(ctx context.Context, id string, oldHash, newHash []byte, at, expires time.Time) error {
	err := changed(exec(ctx, s.write, `UPDATE sessions SET refresh_hash = ?, rotated_at = ?, expires_at = ? WHERE id = ? AND refresh_hash = ?`,
		newHash, micros(at), micros(expires), id, oldHash))
	return s.fail(ctx, "rotate session", err)
}

// DeleteSession implements chat.SessionStore. One that is gone is no error.
func (s *Store) DeleteSession(ctx context.Context, id string) error {
	_, err := exec(ctx, s.write, `DELETE FROM sessions WHERE id = ?`, id)
	return s.fail(ctx, "delete session", err)
}

// DeleteExpiredSessions implements chat.SessionStore. No engine's DELETE with a
// LIMIT, or with the same table in a subquery, is every engine's: the sessions
// are looked up first, and one that was prolonged meanwhile stays.
func (s *Store) DeleteExpiredSessions(ctx context.Context, before time.Time, limit int) (int, error) {
	ids, err := collect(ctx, s.read, scanText, `SELECT id FROM sessions WHERE expires_at < ? ORDER BY expires_at LIMIT ?`, micros(before), limit)
	deleted := 0
	if err == nil && len(ids) > 0 {
		err = s.write.inTx(ctx, func(ctx context.Context, t querier) error {
			deleted, err = deleteExpired(ctx, t, before, ids)
			return err
		})
	}
	if err != nil {
		return 0, s.fail(ctx, "delete expired sessions", err)
	}
	return deleted, nil
}

func deleteExpired(ctx context.Context, t querier, before time.Time, ids []string) (int, error) {
	deleted := 0
	for part := range slices.Chunk(ids, lists) {
		in, args := inList(part, nil)
		r, err := exec(ctx, t, `DELETE FROM sessions WHERE id IN (`+in+`) AND expires_at < ?`, append(args, micros(before))...)
		if err != nil {
			return 0, err
		}
		rows, err := r.RowsAffected()
		if err != nil {
			return 0, err
		}
		deleted += int(rows)
	}
	return deleted, nil
}
