package chat

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/netip"
	"strings"
	"time"
)

// A Registration describes a new account.
type Registration struct {
	Phone    string `json:"phone"`
	Password string `json:"password"`
	Username string `json:"username"` // optional
	Nickname string `json:"nickname"` // optional; the username when empty

	Device    string     `json:"-"` // the client's User-Agent
	Addr      netip.Addr `json:"-"` // IP address of the client
	Forwarded bool       `json:"-"` // the request came through a proxy, so that a loopback Addr means nothing
}

// Credentials are those of a login: a phone number or a username, and the password.
type Credentials struct {
	Phone    string `json:"phone"`
	Username string `json:"username"`
	Password string `json:"password"`
	// DeviceToken is the token of a trusted device. It replaces the code of
	// two-factor login. Optional.
	DeviceToken string `json:"device_token"`

	Device string     `json:"-"` // the client's User-Agent
	Addr   netip.Addr `json:"-"`
}

// Register creates an account and logs it in.
func (s *Service) Register(ctx context.Context, r Registration) (Tokens, error) {
	t, err := s.register(ctx, r)
	if err != nil {
		s.cfg.Hooks.loginRejected(ctx, true, err)
	}
	return t, err
}

func (s *Service) register(ctx context.Context, r Registration) (Tokens, error) {
	r.Phone, r.Username = strings.TrimSpace(r.Phone), strings.TrimSpace(r.Username)
	if err := errors.Join(checkPhone(r.Phone), checkPassword(r.Password),
		s.checkUsername(r.Username), checkText("nickname", r.Nickname, maxName)); err != nil {
		return Tokens{}, allFaults(err, "account not created")
	}
	if !r.Addr.IsLoopback() || r.Forwarded {
		if wait := s.cfg.Registrations.Take(ctx, network(r.Addr)); wait > 0 {
			return Tokens{}, tooFast("account not created", "too many registrations from this address", wait)
		}
	}
	hash, err := s.cfg.Hasher.Hash(ctx, r.Password)
	if err != nil {
		return Tokens{}, err
	}
	if r.Nickname == "" {
		r.Nickname = r.Username
	}
	now := s.cfg.Now()
	u, err := s.cfg.Store.CreateUser(ctx, User{
		Phone: r.Phone, Username: r.Username, Nickname: r.Nickname,
		Role: RoleUser, LastSeen: now, CreatedAt: now,
	}, hash)
	if errors.Is(err, ErrConflict) {
		return Tokens{}, Errorf(KindConflict, "account not created", "the phone number or the username is taken: choose another one")
	}
	if err != nil {
		return Tokens{}, err
	}
	return s.openSession(ctx, Login{User: u}, Session{Device: r.Device, Addr: addrText(r.Addr)}, nil)
}

// allFaults turns joined errors into one Error of kind Invalid with all their texts.
func allFaults(err error, what string) error {
	return Errorf(KindInvalid, what, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
}

func tooFast(what, why string, wait time.Duration) error {
	e := Errorf(KindRateLimited, what, "%s: try again in %s", why, wait.Round(time.Millisecond))
	e.RetryAfter = wait
	return e
}

// network returns the key of limits by IP address. For IPv6 it is the /64 network, because
// one client has all its addresses.
func network(a netip.Addr) string {
	if a.Is6() && !a.Is4In6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.Unmap().String()
}

// The most passwords that are checked at once. Further logins get RateLimited.
const (
	loginsPerAccount = 5
	loginsPerAddr    = 50
)

// Login opens a session if the password is right. For an account with two-factor
// login it returns only a LoginToken: see LoginSecond. The error for a wrong password
// does not reveal whether the account exists.
func (s *Service) Login(ctx context.Context, c Credentials) (Tokens, error) {
	t, err := s.login(ctx, c)
	if err != nil {
		s.cfg.Hooks.loginRejected(ctx, false, err)
	}
	return t, err
}

const notLoggedIn = "login failed"

func (s *Service) login(ctx context.Context, c Credentials) (Tokens, error) {
	c.Phone, c.Username = strings.TrimSpace(c.Phone), strings.TrimSpace(c.Username)
	if err := c.check(); err != nil {
		return Tokens{}, err
	}
	account, addr := s.accountKey(c.Phone, c.Username), network(c.Addr)
	if err := s.mayTryLogin(ctx, account, addr); err != nil {
		return Tokens{}, err
	}
	defer s.inFlight.leave("account " + account)
	defer s.inFlight.leave("addr " + addr)

	l, err := s.cfg.Store.UserByLogin(ctx, c.Phone, c.Username)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Tokens{}, err
	}
	ok, err := s.cfg.Hasher.Verify(ctx, l.PasswordHash, c.Password)
	if err != nil {
		return Tokens{}, err
	}
	if !ok {
		s.cfg.LoginAccounts.Take(ctx, account)
		s.cfg.LoginAddrs.Take(ctx, addr)
		return Tokens{}, Errorf(KindUnauthenticated, notLoggedIn, "unknown account, or wrong password")
	}
	return s.admit(ctx, l, c)
}

// admit continues a login after the right password. It opens a session, or returns a login
// token if a code is also needed.
func (s *Service) admit(ctx context.Context, l Login, c Credentials) (Tokens, error) {
	if l.TwoFactor {
		if err := s.checkBan(ctx, l.ID, notLoggedIn); err != nil {
			return Tokens{}, err
		}
		trusted, err := s.trusts(ctx, l.ID, c.DeviceToken)
		if err != nil {
			return Tokens{}, err
		}
		if !trusted {
			return Tokens{LoginToken: s.loginToken(l), ExpiresIn: loginTokenLife}, nil
		}
		s.cfg.Hooks.twoFactor(ctx, TwoFactorDevice)
	}
	return s.openSession(ctx, l, Session{Device: c.Device, Addr: addrText(c.Addr), SecondFactor: l.TwoFactor}, nil)
}

// check returns an error if the credentials cannot be those of any account.
func (c Credentials) check() error {
	var missing []error
	if (c.Phone == "") == (c.Username == "") {
		missing = append(missing, errors.New("phone or username is required, and only one of them"))
	}
	if c.Password == "" {
		missing = append(missing, errors.New("password is required"))
	}
	if err := errors.Join(missing...); err != nil {
		return allFaults(err, notLoggedIn)
	}
	if len(c.Phone)+len(c.Username) > maxName || len(c.Password) > maxPassword {
		return Errorf(KindInvalid, notLoggedIn, "phone, username or password is too long")
	}
	return nil
}

// mayTryLogin returns an error if too many logins have failed or are in progress. Otherwise
// it counts the login as in progress, and the caller must call inFlight.leave for both
// keys.
func (s *Service) mayTryLogin(ctx context.Context, account, addr string) error {
	wait := max(s.cfg.LoginAccounts.Peek(ctx, account), s.cfg.LoginAddrs.Peek(ctx, addr))
	if wait > 0 {
		return tooFast(notLoggedIn, "too many failed logins", wait)
	}
	if !s.inFlight.enter("account "+account, loginsPerAccount) {
		return tooFast(notLoggedIn, "too many logins to this account at once", time.Second)
	}
	if !s.inFlight.enter("addr "+addr, loginsPerAddr) {
		s.inFlight.leave("account " + account)
		return tooFast(notLoggedIn, "too many logins from this address at once", time.Second)
	}
	return nil
}

// openSession stores a new session, and trust, if it is not nil. sess has the Device, Addr
// and SecondFactor of the login.
func (s *Service) openSession(ctx context.Context, l Login, sess Session, trust *TrustedDevice) (Tokens, error) {
	// If the account is banned after this check, its epoch is no longer that of l, and
	// CreateSession fails.
	if err := s.checkBan(ctx, l.ID, notLoggedIn); err != nil {
		return Tokens{}, err
	}
	now := s.cfg.Now()
	sess.ID, sess.UserID = newSessionID(), l.ID
	refresh := s.refreshToken(sess.ID, 0)
	sess.RefreshHash, sess.CreatedAt, sess.ExpiresAt = hashOf(refresh), now, now.Add(s.cfg.Limits.SessionTTL)
	sess.Device = deviceText(sess.Device)
	var err error
	if trust == nil {
		err = s.cfg.Store.CreateSession(ctx, sess, l.Epoch)
	} else {
		err = s.cfg.Store.CreateTrustedSession(ctx, sess, *trust, l.Epoch)
	}
	if errors.Is(err, ErrNotFound) {
		return Tokens{}, Errorf(KindUnauthenticated, notLoggedIn, "all sessions of the account were ended just now: try again")
	}
	if err != nil {
		return Tokens{}, err
	}
	return s.tokens(ctx, sess.ID, l.ID, refresh)
}

func newSessionID() string {
	var b [15]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// tokens signs an access token for a session, and returns the result of a login.
func (s *Service) tokens(ctx context.Context, sessionID string, userID int64, refresh string) (Tokens, error) {
	now := s.cfg.Now()
	access, err := s.cfg.Signer.Sign(Claims{UserID: userID, SessionID: sessionID, ExpiresAt: now.Add(s.cfg.Limits.TokenTTL)})
	if err != nil {
		return Tokens{}, err
	}
	s.activity.touch(userID, now)
	me, err := s.Me(ctx, Caller{UserID: userID})
	if err != nil {
		return Tokens{}, err
	}
	return Tokens{Access: access, Refresh: refresh, ExpiresIn: s.cfg.Limits.TokenTTL, User: me}, nil
}

// Authenticate returns the caller of an access token. The error is Unauthenticated if
// the token is invalid or expired, or its session has ended, and Forbidden if the user
// must first set up two-factor login.
func (s *Service) Authenticate(ctx context.Context, token string) (Caller, error) {
	c, sess, err := s.authenticate(ctx, token)
	if err == nil {
		err = s.mayUse(ctx, sess)
	}
	if err != nil {
		return Caller{}, err
	}
	return c, nil
}

func (s *Service) authenticate(ctx context.Context, token string) (Caller, Session, error) {
	now := s.cfg.Now()
	bad := func(why string) error { return Errorf(KindUnauthenticated, notAuthenticated, "%s", why) }
	if token == "" {
		return Caller{}, Session{}, bad("an access token is required: Authorization: Bearer <token>")
	}
	claims, err := s.cfg.Signer.Parse(token, now)
	if err != nil {
		return Caller{}, Session{}, bad("the token is not valid, or expired")
	}
	sess, err := s.session(ctx, claims.SessionID)
	if err != nil {
		return Caller{}, Session{}, err
	}
	if sess.UserID != claims.UserID {
		return Caller{}, Session{}, bad("the token is not valid, or expired")
	}
	s.activity.touch(claims.UserID, now)
	return Caller{UserID: claims.UserID, SessionID: claims.SessionID}, sess, nil
}

const notAuthenticated = "not authenticated"

// session returns a session that has not ended, from the cache or the store.
func (s *Service) session(ctx context.Context, id string) (Session, error) {
	sess, hit, err := s.cfg.Sessions.Load(ctx, id, func(ctx context.Context) (Session, error) {
		return s.cfg.Store.Session(ctx, id)
	})
	s.cfg.Hooks.cacheLookup(ctx, "session", hit)
	switch {
	case errors.Is(err, ErrNotFound):
		return Session{}, Errorf(KindUnauthenticated, notAuthenticated, "the session was logged out")
	case err == nil && !s.cfg.Now().Before(sess.ExpiresAt):
		return Session{}, Errorf(KindUnauthenticated, notAuthenticated, "the session has expired: log in again")
	}
	return sess, err
}

// SessionEnds returns when the caller's session expires if it is not refreshed. If it
// has ended, the error is Unauthenticated.
func (s *Service) SessionEnds(ctx context.Context, c Caller) (time.Time, error) {
	sess, err := s.session(ctx, c.SessionID)
	return sess.ExpiresAt, err
}

// Alive reports whether the caller's session has not ended.
func (s *Service) Alive(ctx context.Context, c Caller) (bool, error) {
	_, err := s.session(ctx, c.SessionID)
	if KindOf(err) == KindUnauthenticated {
		return false, nil
	}
	return err == nil, err
}

// Active counts the caller as an active user. It is for connections, which are
// authenticated only once.
func (s *Service) Active(c Caller) { s.activity.touch(c.UserID, s.cfg.Now()) }

// Logout ends the caller's session on every node: its tokens become invalid, and its
// connections are closed.
func (s *Service) Logout(ctx context.Context, c Caller) error {
	return s.endSession(ctx, c.UserID, c.SessionID, EndedByUser, "")
}
