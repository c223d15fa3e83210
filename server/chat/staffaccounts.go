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
