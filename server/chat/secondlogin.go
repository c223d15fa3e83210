package chat

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// loginTokenLife is how long a login waits for its second factor.
const loginTokenLife = 5 * time.Minute

// loginToken returns a token that proves that the password was right: the user's id, the
// account's epoch, the time when the token expires, and a seal of these. It is of use
// only with a code, and each code can be used once.
func (s *Service) loginToken(l Login) string {
	text := fmt.Sprintf("%d.%d.%d", l.ID, l.Epoch, s.cfg.Now().Add(loginTokenLife).Unix())
	return text + "." + s.cfg.Signer.Seal("login "+text)
}

const maxLoginToken = 160

// readLoginToken returns the user and the epoch of a login token. ok reports whether this
// server made it and it has not expired.
func (s *Service) readLoginToken(token string) (userID, epoch int64, ok bool) {
	at := strings.LastIndexByte(token, '.')
	if at < 0 || len(token) > maxLoginToken {
		return 0, 0, false
	}
	text := token[:at]
	if !hmac.Equal([]byte(token[at+1:]), []byte(s.cfg.Signer.Seal("login "+text))) {
		return 0, 0, false
	}
	var until int64
	if _, err := fmt.Sscanf(text, "%d.%d.%d", &userID, &epoch, &until); err != nil {
		return 0, 0, false
	}
	return userID, epoch, s.cfg.Now().Unix() < until
}

// A SecondFactor is the second step of a login.
type SecondFactor struct {
	LoginToken  string `json:"login_token"`
	Code        string `json:"code"`         // of the authenticator app, or a backup code
	TrustDevice bool   `json:"trust_device"` // needs no code at later logins

	Device string     `json:"-"` // the client's User-Agent
	Addr   netip.Addr `json:"-"`
}

// LoginSecond completes a login that returned a LoginToken, and opens the session. The
// error is Unauthenticated if the token or the code is not valid.
func (s *Service) LoginSecond(ctx context.Context, f SecondFactor) (Tokens, error) {
	t, err := s.loginSecond(ctx, f)
	if err != nil {
		s.cfg.Hooks.loginRejected(ctx, false, err)
	}
	return t, err
}

func (s *Service) loginSecond(ctx context.Context, f SecondFactor) (Tokens, error) {
	if f.LoginToken == "" || f.Code == "" {
		return Tokens{}, Errorf(KindInvalid, notLoggedIn, "login_token and code are required")
	}
	addr := network(f.Addr)
	if wait := s.cfg.LoginAddrs.Peek(ctx, addr); wait > 0 {
		return Tokens{}, tooFast(notLoggedIn, "too many failed logins", wait)
	}
	const again = "log in again with the password"
	userID, epoch, ok := s.readLoginToken(f.LoginToken)
	if !ok {
		s.cfg.LoginAddrs.Take(ctx, addr)
		return Tokens{}, Errorf(KindUnauthenticated, notLoggedIn, "login_token is not valid, or has expired: %s", again)
	}
	l, err := s.cfg.Store.LoginOf(ctx, userID)
	if errors.Is(err, ErrNotFound) || err == nil && l.Epoch != epoch {
		return Tokens{}, Errorf(KindUnauthenticated, notLoggedIn, "the account has changed since: %s", again)
	}
	if err != nil {
		return Tokens{}, err
	}
	if err := s.useCode(ctx, userID, f.Code, notLoggedIn, KindUnauthenticated); err != nil {
		if KindOf(err) == KindUnauthenticated {
			s.cfg.LoginAddrs.Take(ctx, addr)
		}
		return Tokens{}, err
	}
	sess := Session{Device: f.Device, Addr: addrText(f.Addr), SecondFactor: true}
	if !f.TrustDevice {
		return s.openSession(ctx, l, sess, nil)
	}
	device, token := s.newDevice(userID, f)
	t, err := s.openSession(ctx, l, sess, &device)
	if err == nil {
		t.DeviceToken = token
	}
	return t, err
}

// A TrustedDevice is a device from which its user logs in without a code.
type TrustedDevice struct {
	ID        string    `json:"id"`
	UserID    int64     `json:"-"`
	TokenHash []byte    `json:"-"` // SHA-256
	Device    string    `json:"device"`
	IP        string    `json:"ip"` // address of the login that made it trusted
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// newDevice returns a new trusted device and its token.
func (s *Service) newDevice(userID int64, f SecondFactor) (d TrustedDevice, token string) {
	id, now := newSessionID(), s.cfg.Now()
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	token = id + "." + base64.RawURLEncoding.EncodeToString(b[:])
	return TrustedDevice{
		ID: id, UserID: userID, TokenHash: hashOf(token), Device: deviceText(f.Device), IP: addrText(f.Addr),
		CreatedAt: now, ExpiresAt: now.Add(deviceLife),
	}, token
}

const maxDeviceToken = 128

// trusts reports whether token is that of a trusted device of the user. If it is not, the
// user needs a code.
func (s *Service) trusts(ctx context.Context, userID int64, token string) (bool, error) {
	id, _, ok := strings.Cut(token, ".")
	if !ok || len(token) > maxDeviceToken {
		return false, nil
	}
	d, err := s.cfg.Store.Device(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil && d.UserID == userID && hmac.Equal(d.TokenHash, hashOf(token)) && s.cfg.Now().Before(d.ExpiresAt), err
}

const devicesLimit = 100

// TrustedDevices lists the caller's trusted devices, the newest first.
func (s *Service) TrustedDevices(ctx context.Context, c Caller, p Paging) (Part[TrustedDevice], error) {
	p, err := p.within(devicesLimit, devicesLimit, "devices not listed")
	if err != nil {
		return Part[TrustedDevice]{}, err
	}
	found, err := s.cfg.Store.Devices(ctx, c.UserID, p.Limit+1, p.Offset)
	return partOf(found, p), err
}

// DistrustDevice removes a trusted device: logins from it need a code again. The error is
// NotFound if the caller has no such device.
func (s *Service) DistrustDevice(ctx context.Context, c Caller, id string) error {
	const what = "device not removed"
	if err := s.pace(ctx, c, what); err != nil {
		return err
	}
	return orNotFound(s.cfg.Store.DeleteDevice(ctx, c.UserID, id), what, "you have no trusted device with this id")
}

// AuthenticateRestricted is Authenticate for requests that are also allowed to users who
// must first set up two-factor login: to set it up, to read their own account, and to log
// out.
func (s *Service) AuthenticateRestricted(ctx context.Context, token string) (Caller, error) {
	c, _, err := s.authenticate(ctx, token)
	return c, err
}

// mayUse returns an error if the session has no second factor and the server requires one.
func (s *Service) mayUse(ctx context.Context, sess Session) error {
	if sess.SecondFactor {
		return nil
	}
	wanted, err := s.wantsTwoFactor(ctx, sess.UserID)
	if err == nil && wanted {
		err = Errorf(KindForbidden, "two-factor login required",
			"this server requires two-factor login: set it up with POST /api/2fa/enable and POST /api/2fa/verify; until then you can only do that and log out")
	}
	return err
}
