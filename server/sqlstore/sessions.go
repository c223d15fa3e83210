package sqlstore

import (
	"context"
	"slices"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// CreateSession implements chat.SessionStore.
func (s *Store) CreateSession(ctx context.Context, x chat.Session, epoch int64) error {
	return s.fail(ctx, "create session", s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		return s.createSession(ctx, t, x, epoch)
	}))
}

func (s *Store) createSession(ctx context.Context, t querier, x chat.Session, epoch int64) error {
	var now int64
	err := row(ctx, t, `SELECT login_epoch FROM users WHERE id = ?`+s.dialect.forShare, []any{x.UserID}, &now)
	if err != nil {
		return err
	}
	if now != epoch {
		return chat.ErrNotFound
	}
	_, err = exec(ctx, t, `INSERT INTO sessions (id, user_id, refresh_hash, created_at, expires_at, device, addr, second_factor)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		x.ID, x.UserID, x.RefreshHash, micros(x.CreatedAt), micros(x.ExpiresAt), x.Device, x.Addr, x.SecondFactor)
	return err
}

const sessionColumns = `id, user_id, refresh_hash, created_at, rotated_at, expires_at, device, addr, second_factor`

func scanSession(r scanner) (x chat.Session, err error) {
	var created, rotated, expires int64
	err = r.Scan(&x.ID, &x.UserID, &x.RefreshHash, &created, &rotated, &expires, &x.Device, &x.Addr, &x.SecondFactor)
	x.CreatedAt, x.RotatedAt, x.ExpiresAt = timeOf(created), timeOf(rotated), timeOf(expires)
	return x, err
}

// Session implements chat.SessionStore.
func (s *Store) Session(ctx context.Context, id string) (chat.Session, error) {
	x, err := one(ctx, s.read, scanSession, `SELECT `+sessionColumns+` FROM sessions WHERE id = ?`, id)
	return x, s.fail(ctx, "session", err)
}

// LiveSessions implements chat.SessionStore.
func (s *Store) LiveSessions(ctx context.Context, ids []string) (live []string, err error) {
	for part := range slices.Chunk(ids, lists) {
		in, args := inList(part, nil)
		some, err := collect(ctx, s.read, scanText, `SELECT id FROM sessions WHERE id IN (`+in+`)`, args...)
		if err != nil {
			return nil, s.fail(ctx, "live sessions", err)
		}
		live = append(live, some...)
	}
	return live, nil
}

// Sessions implements chat.SessionStore.
func (s *Store) Sessions(ctx context.Context, userID int64, limit, offset int) ([]chat.Session, error) {
	list, err := collect(ctx, s.read, scanSession,
		`SELECT `+sessionColumns+` FROM sessions WHERE user_id = ? ORDER BY created_at DESC, id LIMIT ? OFFSET ?`, userID, limit, offset)
	return list, s.fail(ctx, "sessions", err)
}

// EndSessions implements chat.SessionStore. It locks the account's row first, so that
// logins wait.
func (s *Store) EndSessions(ctx context.Context, userID int64, except string) (ids []string, err error) {
	err = s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		ids, err = endSessions(ctx, t, userID, except)
		return err
	})
	return ids, s.fail(ctx, "end sessions", err)
}

// SetPassword implements chat.SessionStore.
func (s *Store) SetPassword(ctx context.Context, userID, epoch int64, hash, except string) (ids []string, err error) {
	err = s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		var now int64
		err := row(ctx, t, `SELECT login_epoch FROM users WHERE id = ?`+s.dialect.forUpdate, []any{userID}, &now)
		if err != nil {
			return err
		}
		if now != epoch {
			return chat.ErrNotFound
		}
		ids, err = setPassword(ctx, t, userID, hash, except)
		return err
	})
	return ids, s.fail(ctx, "set password", err)
}

// setPassword is called with the account's row locked.
func setPassword(ctx context.Context, t querier, userID int64, hash, except string) ([]string, error) {
	if _, err := exec(ctx, t, `UPDATE users SET password_hash = ? WHERE id = ?`, hash, userID); err != nil {
		return nil, err
	}
	if err := forgetDevices(ctx, t, userID); err != nil {
		return nil, err
	}
	return endSessions(ctx, t, userID, except)
}

func endSessions(ctx context.Context, t querier, userID int64, except string) ([]string, error) {
	if err := changed(exec(ctx, t, `UPDATE users SET login_epoch = login_epoch + 1 WHERE id = ?`, userID)); err != nil {
		return nil, err
	}
	ids, err := collect(ctx, t, scanText, `SELECT id FROM sessions WHERE user_id = ? AND id <> ?`, userID, except)
	if err != nil {
		return nil, err
	}
	for part := range slices.Chunk(ids, lists) {
		in, args := inList(part, nil)
		if _, err := exec(ctx, t, `DELETE FROM sessions WHERE id IN (`+in+`)`, args...); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// RotateSession implements chat.SessionStore.
func (s *Store) RotateSession(ctx context.Context, id string, oldHash, newHash []byte, at, expires time.Time) error {
	err := changed(exec(ctx, s.write, `UPDATE sessions SET refresh_hash = ?, rotated_at = ?, expires_at = ? WHERE id = ? AND refresh_hash = ?`,
		newHash, micros(at), micros(expires), id, oldHash))
	return s.fail(ctx, "rotate session", err)
}

// DeleteSession implements chat.SessionStore. If the session does not exist, that is no
// error.
func (s *Store) DeleteSession(ctx context.Context, id string) error {
	_, err := exec(ctx, s.write, `DELETE FROM sessions WHERE id = ?`, id)
	return s.fail(ctx, "delete session", err)
}

// DeleteExpiredSessions implements chat.SessionStore. It selects the sessions first,
// because engines differ in DELETE with a LIMIT or with a subquery on the same table.
// A session that was refreshed meanwhile stays.
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
