package chat

import (
	"context"
	"crypto/rand"
)

// madePassword is the length of a generated password. Each character has 5 bits.
const madePassword = 16

// ResetUserPassword sets the password of a user who has lost it, and ends all sessions of
// the user. If password is empty, it generates one. It returns the new password.
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

// ResetTwoFactor turns two-factor login off for a user who has lost the authenticator app
// and the backup codes, and ends all sessions of the user. It returns their number. Only
// super admins may do this, and only for others, because with a reset of the password it
// gives access to the account. The error is Conflict if two-factor login is already off.
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

// UserSessions lists the sessions of a user for the staff, the newest first, without
// their IDs: the staff can only end all of them.
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
