package chat

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// A PasswordChange has the old and the new password.
type PasswordChange struct {
	Old string `json:"old_password"`
	New string `json:"new_password"`

	Addr netip.Addr `json:"-"`
}

const notChangedPassword = "password not changed"

// ChangePassword sets a new password for the caller, and ends all other sessions. A wrong
// old password counts as a failed login. The error is Forbidden if it is wrong, and Conflict
// if the account was changed at the same time.
func (s *Service) ChangePassword(ctx context.Context, c Caller, p PasswordChange) error {
	if err := checkNewPassword(p.New); err != nil {
		return err
	}
	if p.New == p.Old {
		return Errorf(KindInvalid, notChangedPassword, "new_password is the old one: choose another one")
	}
	l, err := s.verified(ctx, c, "old_password", p.Old, p.Addr, notChangedPassword)
	if err != nil {
		return err
	}
	err = s.setPassword(ctx, l, p.New, c.SessionID, EndedByPassword, "the password was changed")
	if errors.Is(err, ErrNotFound) {
		return Errorf(KindConflict, notChangedPassword, "the account was changed at the same time, perhaps on another device: try again")
	}
	return err
}

func checkNewPassword(password string) error {
	if err := checkPassword(password); err != nil {
		return allFaults(err, notChangedPassword)
	}
	return nil
}

// setPassword returns ErrNotFound if the account has changed since l was read.
func (s *Service) setPassword(ctx context.Context, l Login, password, except string, by EndedBy, why string) error {
	hash, err := s.cfg.Hasher.Hash(ctx, password)
	if err != nil {
		return err
	}
	before, err := s.sessionsOf(ctx, l.ID)
	if err != nil {
		return err
	}
	ids, err := s.cfg.Store.SetPassword(ctx, l.ID, l.Epoch, hash, except)
	if err == nil {
		s.cfg.Hooks.passwordChanged(ctx, by)
	}
	return s.sessionsEnded(ctx, l.ID, before, ids, err, by, why)
}

// verified returns the caller's login if the password is right. field is its name in the
// request. A wrong password counts as a failed login of the account, by phone number and by
// username, and of the IP address.
func (s *Service) verified(ctx context.Context, c Caller, field, password string, from netip.Addr, what string) (Login, error) {
	if password == "" || len(password) > maxPassword {
		return Login{}, Errorf(KindInvalid, what, "%s is required, and can have at most %d bytes", field, maxPassword)
	}
	l, err := s.cfg.Store.LoginOf(ctx, c.UserID)
	if err != nil {
		return Login{}, orNotFound(err, what, "the account was deleted")
	}
	accounts, addr := s.accountKeys(l.User), network(from)
	wait := s.cfg.LoginAddrs.Peek(ctx, addr)
	for _, account := range accounts {
		wait = max(wait, s.cfg.LoginAccounts.Peek(ctx, account))
	}
	if wait > 0 {
		return Login{}, tooFast(what, "too many wrong passwords", wait)
	}
	place := "account " + accounts[0]
	if !s.inFlight.enter(place, loginsPerAccount) {
		return Login{}, tooFast(what, "too many passwords for this account at once", time.Second)
	}
	defer s.inFlight.leave(place)
	ok, err := s.cfg.Hasher.Verify(ctx, l.PasswordHash, password)
	if err != nil {
		return Login{}, err
	}
	if !ok {
		for _, account := range accounts {
			s.cfg.LoginAccounts.Take(ctx, account)
		}
		s.cfg.LoginAddrs.Take(ctx, addr)
		return Login{}, Errorf(KindForbidden, what, "%s is wrong", field) // not Unauthenticated: the access token is valid
	}
	return l, nil
}

// accountKey returns the key of the limit of failed logins for a phone number or a username.
func (s *Service) accountKey(phone, username string) string {
	return phone + "\x00" + s.cfg.Usernames.Key(username)
}

// accountKeys returns all such keys of an account.
func (s *Service) accountKeys(u User) []string {
	keys := []string{s.accountKey(u.Phone, "")}
	if u.Username != "" {
		keys = append(keys, s.accountKey("", u.Username))
	}
	return keys
}
