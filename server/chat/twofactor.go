package chat

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// A TwoFactor is the second factor of a user, active or not yet.
type TwoFactor struct {
	Secret      []byte // encrypted: see Codes.Lock
	Active      bool   // logins need a code
	BackupCodes int    // number of unused backup codes
}

// A TwoFactorStart describes how a second factor becomes active.
type TwoFactorStart struct {
	UserID      int64
	Secret      []byte   // encrypted, as StartTwoFactor stored it
	Step        int64    // time step of the code that the user gave
	BackupCodes [][]byte // their hashes
	Keep        string   // id of the session that does not end
}

// TwoFactorRequired says which users must use two-factor login. Until they have set it
// up, they can do nothing else.
type TwoFactorRequired string

// The users who must use two-factor login.
const (
	TwoFactorOff    TwoFactorRequired = "off"
	TwoFactorAdmins TwoFactorRequired = "admins" // all roles except RoleUser
	TwoFactorAll    TwoFactorRequired = "all"
)

const (
	backupCodes = 10
	noTwoFactor = "two-factor login not changed"
)

// TwoFactorStatus says whether a user uses and must use two-factor login.
type TwoFactorStatus struct {
	Enabled     bool `json:"enabled"`
	Required    bool `json:"required"`     // by this server
	BackupCodes int  `json:"backup_codes"` // number of unused ones
}

// TwoFactorStatus returns the status of the caller.
func (s *Service) TwoFactorStatus(ctx context.Context, c Caller) (TwoFactorStatus, error) {
	f, err := s.cfg.Store.TwoFactor(ctx, c.UserID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return TwoFactorStatus{}, err
	}
	required, err := s.wantsTwoFactor(ctx, c.UserID)
	st := TwoFactorStatus{Enabled: f.Active, Required: required}
	if f.Active {
		st.BackupCodes = f.BackupCodes
	}
	return st, err
}

// A TwoFactorSecret sets up an authenticator app.
type TwoFactorSecret struct {
	Secret string `json:"secret"` // in Base32, for users who type it
	URL    string `json:"otpauth_url"`
}

// A TwoFactorSetUp has the password again, so that somebody who finds a logged-in device
// cannot lock its user out.
type TwoFactorSetUp struct {
	Password string `json:"password"`

	Addr netip.Addr `json:"-"`
}

// EnableTwoFactor returns a new secret for the caller's authenticator app. Two-factor
// login is not on before VerifyTwoFactor; until then, another call replaces the secret. A
// wrong password counts as a failed login. The error is Forbidden if the password is
// wrong, and Conflict if two-factor login is already on.
func (s *Service) EnableTwoFactor(ctx context.Context, c Caller, p TwoFactorSetUp) (TwoFactorSecret, error) {
	if s.cfg.Codes == nil {
		return TwoFactorSecret{}, Errorf(KindForbidden, noTwoFactor, "this server does not offer two-factor login")
	}
	if err := s.pace(ctx, c, noTwoFactor); err != nil {
		return TwoFactorSecret{}, err
	}
	u, err := s.verified(ctx, c, "password", p.Password, p.Addr, noTwoFactor)
	if err != nil {
		return TwoFactorSecret{}, err
	}
	name := u.Username
	if name == "" {
		name = u.Phone
	}
	secret, url, err := s.cfg.Codes.New(name)
	if err != nil {
		return TwoFactorSecret{}, err
	}
	err = s.cfg.Store.StartTwoFactor(ctx, c.UserID, s.cfg.Codes.Lock(c.UserID, secret), s.cfg.Now())
	if errors.Is(err, ErrConflict) {
		err = Errorf(KindConflict, noTwoFactor, "two-factor login is on already: turn it off first to use another authenticator")
	}
	return TwoFactorSecret{Secret: secret, URL: url}, err
}

// VerifyTwoFactor turns two-factor login on if code shows that the caller's authenticator
// app has the secret, and ends all other sessions. It returns the backup codes, which
// cannot be shown again.
func (s *Service) VerifyTwoFactor(ctx context.Context, c Caller, code string) ([]string, error) {
	f, err := s.cfg.Store.TwoFactor(ctx, c.UserID)
	if errors.Is(err, ErrNotFound) {
		return nil, Errorf(KindConflict, noTwoFactor, "ask for a secret first: POST /api/2fa/enable")
	}
	if err != nil {
		return nil, err
	}
	if f.Active {
		return nil, Errorf(KindConflict, noTwoFactor, "it is on already")
	}
	if err := s.mayTryCode(ctx, c.UserID, noTwoFactor, "too many codes"); err != nil {
		return nil, err
	}
	step, ok, err := s.stepOf(c.UserID, f.Secret, code)
	if err != nil {
		return nil, err
	}
	if !ok {
		s.cfg.Hooks.twoFactor(ctx, TwoFactorRefused)
		return nil, Errorf(KindForbidden, noTwoFactor, "the code is wrong: check that the clock of the authenticator is right")
	}
	codes, hashes := newBackupCodes(c.UserID)
	before, err := s.sessionsOf(ctx, c.UserID)
	if err != nil {
		return nil, err
	}
	ids, err := s.cfg.Store.ActivateTwoFactor(ctx, TwoFactorStart{
		UserID: c.UserID, Secret: f.Secret, Step: step, BackupCodes: hashes, Keep: c.SessionID,
	})
	if errors.Is(err, ErrNotFound) {
		return nil, Errorf(KindConflict, noTwoFactor, "another device changed it at the same time: check whether two-factor login is on")
	}
	err = s.factorChanged(ctx, c, before, ids, err, TwoFactorEnabled, "two-factor login was turned on")
	if err != nil {
		return nil, err
	}
	return codes, nil
}

// factorChanged is called after a change of the caller's second factor: see
// sessionsEnded. It also removes the caller's session from the cache, because it has
// changed.
func (s *Service) factorChanged(ctx context.Context, c Caller, before, ids []string, err error, what TwoFactorEvent, why string) error {
	if err == nil {
		s.cfg.Hooks.twoFactor(ctx, what)
	}
	return dropped(ctx, s, s.cfg.Sessions, c.SessionID, s.sessionsEnded(ctx, c.UserID, before, ids, err, EndedByTwoFactor, why))
}

// A TwoFactorProof proves that a user may turn two-factor login off.
type TwoFactorProof struct {
	Password string `json:"password"`
	Code     string `json:"code"` // or a backup code

	Addr netip.Addr `json:"-"`
}

// DisableTwoFactor turns two-factor login off, and ends all other sessions. The error is
// Forbidden if the password or the code is wrong, or if the server requires two-factor
// login.
func (s *Service) DisableTwoFactor(ctx context.Context, c Caller, p TwoFactorProof) error {
	required, err := s.wantsTwoFactor(ctx, c.UserID)
	if err != nil {
		return err
	}
	if required {
		return Errorf(KindForbidden, noTwoFactor, "this server requires two-factor login for your role")
	}
	if _, err := s.verified(ctx, c, "password", p.Password, p.Addr, noTwoFactor); err != nil {
		return err
	}
	if err := s.useCode(ctx, c.UserID, p.Code, noTwoFactor, KindForbidden); err != nil {
		return err
	}
	before, err := s.sessionsOf(ctx, c.UserID)
	if err != nil {
		return err
	}
	ids, err := s.cfg.Store.StopTwoFactor(ctx, c.UserID, c.SessionID)
	err = s.factorChanged(ctx, c, before, ids, err, TwoFactorDisabled, "two-factor login was turned off")
	return orNotFound(err, noTwoFactor, "it is off already")
}

// RegenerateBackupCodes replaces all backup codes, and returns the new ones. It needs a
// code of the authenticator app or an old backup code.
func (s *Service) RegenerateBackupCodes(ctx context.Context, c Caller, code string) ([]string, error) {
	if err := s.pace(ctx, c, noTwoFactor); err != nil {
		return nil, err
	}
	if err := s.useCode(ctx, c.UserID, code, noTwoFactor, KindForbidden); err != nil {
		return nil, err
	}
	codes, hashes := newBackupCodes(c.UserID)
	err := s.cfg.Store.SetBackupCodes(ctx, c.UserID, hashes)
	return codes, orNotFound(err, noTwoFactor, "it was turned off just now")
}

// wantsTwoFactor reports whether this server requires two-factor login for a user.
func (s *Service) wantsTwoFactor(ctx context.Context, userID int64) (bool, error) {
	switch s.cfg.RequireTwoFactor {
	case TwoFactorAll:
		return true, nil
	case TwoFactorAdmins:
		u, err := s.user(ctx, userID)
		if err != nil {
			return false, orNotFound(err, notAuthenticated, "the account was deleted")
		}
		return u.Role != RoleUser, nil
	}
	return false, nil
}

// useCode uses up a code of the active second factor, or a backup code. For a wrong one
// it returns an error of kind.
func (s *Service) useCode(ctx context.Context, userID int64, code, what string, kind Kind) error {
	f, err := s.cfg.Store.TwoFactor(ctx, userID)
	if errors.Is(err, ErrNotFound) || err == nil && !f.Active {
		return Errorf(KindConflict, what, "two-factor login is off")
	}
	if err != nil {
		return err
	}
	code = strings.TrimSpace(code)
	used := TwoFactorCode
	if hash, ok := backupHash(userID, code); ok {
		// Nobody can guess 80 bits, so tries are not limited. Otherwise an attacker with the
		// password could use up the tries and lock the user out.
		used = TwoFactorBackupCode
		err = s.cfg.Store.UseBackupCode(ctx, userID, hash)
	} else {
		if err := s.mayTryCode(ctx, userID, what, "too many codes"); err != nil {
			if e, ok := errors.AsType[*Error](err); ok {
				e.Why += ", or use a backup code now"
			}
			return err
		}
		var step int64
		if step, ok, err = s.stepOf(userID, f.Secret, code); err == nil && ok {
			err = s.cfg.Store.UseStep(ctx, userID, step)
		} else if err == nil {
			err = ErrNotFound
		}
	}
	if errors.Is(err, ErrNotFound) {
		s.cfg.Hooks.twoFactor(ctx, TwoFactorRefused)
		return Errorf(kind, what, "the code is wrong, or was used before: wait for the next one")
	}
	if err == nil {
		s.cfg.Hooks.twoFactor(ctx, used)
	}
	return err
}

// mayTryCode counts a code of an authenticator app, right or wrong, because there are only
// a million. If the user tries too many, the error is RateLimited.
func (s *Service) mayTryCode(ctx context.Context, userID int64, what, why string) error {
	if s.cfg.CodeTries == nil {
		return nil
	}
	if wait := s.cfg.CodeTries.Take(ctx, userID); wait > 0 {
		s.cfg.Hooks.twoFactor(ctx, TwoFactorLocked)
		return tooFast(what, why, wait)
	}
	return nil
}

const codeDigits = 6

// stepOf returns the time step of a code. ok is false if the code is wrong.
func (s *Service) stepOf(userID int64, locked []byte, code string) (step int64, ok bool, err error) {
	if code = strings.TrimSpace(code); len(code) != codeDigits {
		return 0, false, nil
	}
	secret, err := s.cfg.Codes.Unlock(userID, locked)
	if err != nil {
		return 0, false, fmt.Errorf("two-factor login of user %d: %w", userID, err)
	}
	return s.cfg.Codes.Step(secret, code, s.cfg.Now())
}

// backupBytes are 80 bits: enough for a fast hash.
const backupBytes = 10

var base32Code = base32.StdEncoding.WithPadding(base32.NoPadding)

// newBackupCodes returns new backup codes, such as ABCD-EFGH-IJKL-MNOP, and their hashes.
func newBackupCodes(userID int64) (codes []string, hashes [][]byte) {
	for range backupCodes {
		var b [backupBytes]byte
		_, _ = rand.Read(b[:]) // never fails (crypto/rand)
		text := base32Code.EncodeToString(b[:])
		hash, _ := backupHash(userID, text)
		codes = append(codes, text[:4]+"-"+text[4:8]+"-"+text[8:12]+"-"+text[12:])
		hashes = append(hashes, hash)
	}
	return codes, hashes
}

// backupHash returns the stored hash of a backup code, which may be in lower case and
// without dashes. ok reports whether code has the form of a backup code.
func backupHash(userID int64, code string) (hash []byte, ok bool) {
	if len(code) > 4*backupBytes {
		return nil, false
	}
	text := strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(code))
	b, err := base32Code.DecodeString(text)
	if err != nil || len(b) != backupBytes {
		return nil, false
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "backup code %d %s", userID, text))
	return sum[:], true
}

// deviceLife is how long a device is trusted.
const deviceLife = 30 * 24 * time.Hour
