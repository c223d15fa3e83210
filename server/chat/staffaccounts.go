package chat

import (
	"context"
	"crypto/rand"
)

// madePassword is how many letters and digits a password has that is made here: 80 bits.
const madePassword = 16

// ResetUserPassword gives a user who has lost his a password, or, where it is
// empty, one that it makes; it returns which. All his sessions end.
func (s *Service) ResetUserPassword(ctx context.Context, by Staff, userID int64, password string) (string, error) {
	if password == "" {
		password = rand.Text()[:madePassword]
	}
	if err := checkNewPassword(password); err != nil {
		return "", err
	}
	hash, err := s.cfg.Hasher.Hash(ctx, password)
	if err != nil {
		return "", err
	}
	_, _, err = s.do(ctx, by, userID, deed{
		act: ActPassword, least: RoleAdministrator, what: notChangedPassword,
		entry: AuditEntry{Module: ModuleUsers, Message: "password reset"},
		also:  StandingChange{PasswordHash: hash}, why: "the password was reset by an operator", kind: EndedByOperator,
	})
	if err != nil {
		return "", err
	}
	s.cfg.Hooks.passwordChanged(ctx, EndedByOperator)
	return password, nil
}

// ResetTwoFactor turns two-factor login off for a user who has lost his authenticator
// and his backup codes, and ends all his sessions; it returns how many. Super admins
// do, for others: with a reset of the password it is the whole account. Conflict: it
// is off already.
func (s *Service) ResetTwoFactor(ctx context.Context, by Staff, userID int64) (int, error) {
	_, ended, err := s.do(ctx, by, userID, deed{
		act: ActTwoFactor, least: RoleSuperAdmin, what: noTwoFactor,
		entry: AuditEntry{Module: ModuleUsers, Message: "two-factor login reset"},
		change: func(_ Standing, target *Standing, _ int) error {
			if !target.TwoFactor {
				return Errorf(KindConflict, noTwoFactor, "it is off already")
			}
			return nil
		},
		also: StandingChange{StopTwoFactor: true}, why: "two-factor login was reset by an operator", kind: EndedByOperator,
	})
	if err == nil {
		s.cfg.Hooks.twoFactor(ctx, TwoFactorDisabled)
	}
	return ended, err
}

// UserSessions lists the sessions of a user for the staff, the newest first. They
// have no ID: the staff ends all of them, or none.
func (s *Service) UserSessions(ctx context.Context, userID int64, p Paging) (Part[SessionInfo], error) {
	if _, err := s.user(ctx, userID); err != nil {
		return Part[SessionInfo]{}, orNotFound(err, "sessions not listed", "there is no such user")
	}
	infos, err := s.MySessions(ctx, Caller{UserID: userID}, p)
	for i := range infos.Items {
		infos.Items[i].ID = ""
	}
	return infos, err
}
