package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// ChangeStanding implements chat.StaffStore. It always locks the super admins' rows
// first, so that two of them cannot demote each other.
func (s *Store) ChangeStanding(ctx context.Context, c chat.StandingChange) (after chat.Standing, sessions []string, err error) {
	err = s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		supers, err := s.supers(ctx, t, c)
		if err != nil {
			return err
		}
		actor := chat.Operator()
		if c.ActorID != 0 {
			if actor, err = standingOrUser(ctx, t, c.ActorID, c.At, s.dialect.forUpdate); err != nil {
				return err
			}
		}
		before, err := standing(ctx, t, c.UserID, c.At, s.dialect.forUpdate)
		if err != nil {
			return err
		}
		after = before
		entry, err := c.Decide(actor, &after, supers)
		if err != nil {
			return err
		}
		after.UserID = before.UserID
		if err := putStanding(ctx, t, before, after); err != nil {
			return err
		}
		if err := addAudit(ctx, t, entry); err != nil {
			return err
		}
		sessions, err = s.changeBesides(ctx, t, c)
		return err
	})
	if err != nil {
		return chat.Standing{}, nil, s.fail(ctx, "change standing", err)
	}
	return after, sessions, nil
}

// changeBesides applies the other parts of a change, and returns the ended sessions.
func (s *Store) changeBesides(ctx context.Context, t querier, c chat.StandingChange) ([]string, error) {
	switch {
	case c.Delete:
		return s.deleteUser(ctx, t, c.UserID, c.At)
	case c.StopTwoFactor:
		return stopTwoFactor(ctx, t, c.UserID, "")
	case c.PasswordHash != "":
		return setPassword(ctx, t, c.UserID, c.PasswordHash, "")
	case c.EndSessions:
		return endSessions(ctx, t, c.UserID, "")
	}
	return nil, nil
}

// supers counts the super admins, except the user that is changed.
func (s *Store) supers(ctx context.Context, t querier, c chat.StandingChange) (int, error) {
	ids, err := collect(ctx, t, scanID, `SELECT u.id FROM users u WHERE u.role = ? ORDER BY u.id`+s.dialect.forUpdate, string(chat.RoleSuperAdmin))
	if err != nil {
		return 0, err
	}
	others := 0
	for _, id := range ids {
		if id == c.UserID {
			continue
		}
		ban, err := banOf(ctx, t, id)
		if err != nil {
			return 0, err
		}
		if ban == nil || !inForce(*ban, c.At) {
			others++
		}
	}
	return others, nil
}

// standing reads an account. lock is empty, or forUpdate if the account may change.
func standing(ctx context.Context, t querier, id int64, at time.Time, lock string) (chat.Standing, error) {
	x := chat.Standing{UserID: id}
	err := row(ctx, t, `SELECT u.role, u.login_epoch, EXISTS (SELECT 1 FROM two_factor f WHERE f.user_id = u.id AND f.active = 1)
		FROM users u WHERE u.id = ? AND u.deleted_at = 0`+lock, []any{id}, &x.Role, &x.Epoch, &x.TwoFactor)
	if err != nil {
		return x, err
	}
	ban, err := banOf(ctx, t, id)
	if ban != nil && inForce(*ban, at) {
		x.Ban = ban
	}
	return x, err
}

// standingOrUser is standing, but takes an account that does not exist for a plain user.
func standingOrUser(ctx context.Context, t querier, id int64, at time.Time, lock string) (chat.Standing, error) {
	x, err := standing(ctx, t, id, at, lock)
	if errors.Is(err, sql.ErrNoRows) {
		return chat.Standing{UserID: id, Role: chat.RoleUser}, nil
	}
	return x, err
}

func inForce(b chat.Ban, at time.Time) bool { return b.Until.IsZero() || at.Before(b.Until) }

func scanBan(r scanner) (b chat.Ban, err error) {
	var until, created int64
	err = r.Scan(&b.Reason, &until, &b.By, &b.ByRole, &created)
	b.Until, b.CreatedAt = timeOf(until), timeOf(created)
	return b, err
}

const (
	banColumns = `b.reason, b.until, b.banned_by, b.by_role, b.created_at`
	banQuery   = `SELECT ` + banColumns + ` FROM bans b WHERE b.user_id = ?`
)

// banOf returns a ban, or nil. The ban may have ended.
func banOf(ctx context.Context, t querier, userID int64) (*chat.Ban, error) {
	b, err := one(ctx, t, scanBan, banQuery, userID)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &b, err
}

func putStanding(ctx context.Context, t querier, before, after chat.Standing) error {
	if after.Role != before.Role {
		if _, err := exec(ctx, t, `UPDATE users SET role = ? WHERE id = ?`, string(after.Role), after.UserID); err != nil {
			return err
		}
	}
	if after.Ban == before.Ban {
		return nil
	}
	if _, err := exec(ctx, t, `DELETE FROM bans WHERE user_id = ?`, after.UserID); err != nil {
		return err
	}
	if after.Ban == nil {
		return nil
	}
	_, err := exec(ctx, t, `INSERT INTO bans (user_id, reason, until, banned_by, by_role, created_at) VALUES (?, ?, ?, ?, ?, ?)`,
		after.UserID, after.Ban.Reason, micros(after.Ban.Until), after.Ban.By, string(after.Ban.ByRole), micros(after.Ban.CreatedAt))
	return err
}

// Ban implements chat.StaffStore.
func (s *Store) Ban(ctx context.Context, userID int64) (chat.Ban, error) {
	b, err := one(ctx, s.read, scanBan, banQuery, userID)
	return b, s.fail(ctx, "ban", err)
}
