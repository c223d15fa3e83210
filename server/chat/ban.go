package chat

import (
	"context"
	"errors"
	"time"
)

// A Ban of an account by the staff: it has no sessions and cannot log in.
type Ban struct {
	Reason    string      `json:"reason"`
	Until     time.Time   `json:"until,omitzero"` // zero: permanent
	By        int64       `json:"by"`             // 0: the operator
	ByRole    AccountRole `json:"-"`              // role of By at the time of the ban; empty: unknown
	CreatedAt time.Time   `json:"created_at"`
}

// inForce reports whether b is not over. b may be nil.
func (b *Ban) inForce(now time.Time) bool {
	return b != nil && (b.Until.IsZero() || now.Before(b.Until))
}

// guard returns an error if actor is lower than the role that made b, and so may neither
// lift nor replace it. b may be nil.
func (b *Ban) guard(actor AccountRole, what string) error {
	if b == nil || actor.AtLeast(RoleSuperAdmin) || actor.AtLeast(b.ByRole) {
		return nil
	}
	return Errorf(KindForbidden, what, "the user is %s; a user with the role %s made this ban, and yours is %s", b.text(), b.ByRole, actor)
}

// longerThan reports whether b ends after other. b may be nil.
func (b *Ban) longerThan(other *Ban) bool {
	return b != nil && !other.Until.IsZero() && (b.Until.IsZero() || b.Until.After(other.Until))
}

// text describes b: "banned until 2026-01-02T03:04:05Z: reason".
func (b *Ban) text() string {
	text := "banned"
	if !b.Until.IsZero() {
		text += " until " + b.Until.UTC().Format(time.RFC3339)
	}
	if b.Reason != "" {
		text += ": " + b.Reason
	}
	return text
}

const (
	notBanned      = "could not ban the user"
	maxBan         = 10 * 365 * 24 * time.Hour
	maxStaffReason = 500 // bytes
)

// BanUser bans an account for d, or permanently if d is 0, at once and on every node.
// It replaces an earlier ban, even a longer one; but if somebody with a higher role
// made that, the error is Forbidden. It returns the number of ended sessions.
func (s *Service) BanUser(ctx context.Context, by Staff, userID int64, reason string, d time.Duration) (Ban, int, error) {
	return s.ban(ctx, by, RoleAdministrator, userID, reason, d)
}

// ban is BanUser for staff whose role is least or higher. If least is below administrator,
// as for a report, the ban must not be shorter than an earlier one (Conflict), because
// moderators may not lift bans.
func (s *Service) ban(ctx context.Context, by Staff, least AccountRole, userID int64, reason string, d time.Duration) (Ban, int, error) {
	if err := checkText("reason", reason, maxStaffReason); err != nil {
		return Ban{}, 0, err
	}
	if d < 0 || d > maxBan {
		return Ban{}, 0, Errorf(KindInvalid, notBanned, "duration must be from 1 s to %d s; leave it out for a permanent ban", int64(maxBan.Seconds()))
	}
	ban := &Ban{Reason: reason, By: by.UserID, CreatedAt: s.cfg.Now()}
	if d > 0 {
		ban.Until = ban.CreatedAt.Add(d)
	}
	after, ended, err := s.do(ctx, by, userID, deed{
		act: ActBan, least: least, what: notBanned,
		also: StandingChange{EndSessions: true}, why: ban.text(), kind: EndedByOperator,
		entry: AuditEntry{Module: ModuleUsers, Message: ban.text()},
		change: func(actor Standing, target *Standing, otherSupers int) error {
			if err := lastSuper(notBanned, target, otherSupers); err != nil {
				return err
			}
			if err := target.Ban.guard(actor.Role, notBanned); err != nil {
				return err
			}
			if !least.AtLeast(RoleAdministrator) && target.Ban.longerThan(ban) {
				return Errorf(KindConflict, notBanned, "the user is %s, which is longer than yours: dismiss the report, or ban for longer", target.Ban.text())
			}
			ban.ByRole = actor.Role
			target.Ban = ban
			return nil
		},
	})
	if err != nil {
		return Ban{}, 0, err
	}
	s.cfg.Hooks.userBanned(ctx, UserBanned{ForGood: d == 0})
	return *after.Ban, ended, nil
}

// UnbanUser ends a ban. The error is NotFound if the user is not banned, and Forbidden
// if somebody with a higher role made the ban.
func (s *Service) UnbanUser(ctx context.Context, by Staff, userID int64) error {
	const what = "ban not lifted"
	_, _, err := s.do(ctx, by, userID, deed{
		act: ActUnban, least: RoleAdministrator, what: what,
		entry: AuditEntry{Module: ModuleUsers, Message: "ban lifted"},
		change: func(actor Standing, target *Standing, _ int) error {
			if target.Ban == nil {
				return Errorf(KindNotFound, what, "the user is not banned")
			}
			if err := target.Ban.guard(actor.Role, what); err != nil {
				return err
			}
			target.Ban = nil
			return nil
		},
	})
	return err
}

// LogoutUser ends all sessions of a user, and returns their number. reason is shown to
// the user.
func (s *Service) LogoutUser(ctx context.Context, by Staff, userID int64, reason string) (int, error) {
	const what = "could not log the user out"
	if err := checkText("reason", reason, maxStaffReason); err != nil {
		return 0, err
	}
	message := "logged out"
	if reason != "" {
		message += ": " + reason
	}
	_, ended, err := s.do(ctx, by, userID, deed{
		act: ActLogout, least: RoleAdministrator, what: what, self: true,
		entry: AuditEntry{Module: ModuleUsers, Message: message},
		also:  StandingChange{EndSessions: true}, why: message, kind: EndedByOperator,
	})
	return ended, err
}

// checkBan returns an error if the user is banned.
func (s *Service) checkBan(ctx context.Context, userID int64, what string) error {
	ban, err := s.cfg.Store.Ban(ctx, userID)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil || !ban.inForce(s.cfg.Now()) {
		return err
	}
	e := Errorf(KindForbidden, what, "the account is %s", ban.text())
	e.Ban = &ban
	return e
}
