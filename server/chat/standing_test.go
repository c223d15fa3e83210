package chat_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/onemeter/onemeter/server/auth"
	"github.com/onemeter/onemeter/server/chat"
)

// A brittleStore fails in every method that would be a second step of an act of the staff.
type brittleStore struct{ chat.Store }

var errBrittle = errors.New("the second step failed")

func (brittleStore) EndSessions(context.Context, int64, string) ([]string, error) {
	return nil, errBrittle
}

func (brittleStore) SetPassword(context.Context, int64, int64, string, string) ([]string, error) {
	return nil, errBrittle
}

func (brittleStore) StopTwoFactor(context.Context, int64, string) ([]string, error) {
	return nil, errBrittle
}

func (brittleStore) DeleteUser(context.Context, int64, int64, time.Time) ([]string, error) {
	return nil, errBrittle
}

// TestStaffActsAreOneTransaction: a ban, a logout, a deletion and a new password also end all
// sessions of the account, in the same transaction.
func TestStaffActsAreOneTransaction(t *testing.T) {
	for what, act := range map[string]func(*node, int64) error{
		"ban": func(n *node, id int64) error {
			_, _, err := n.BanUser(t.Context(), chat.Staff{}, id, "", 0)
			return err
		},
		"logout": func(n *node, id int64) error {
			_, err := n.LogoutUser(t.Context(), chat.Staff{}, id, "")
			return err
		},
		"password": func(n *node, id int64) error {
			_, err := n.ResetUserPassword(t.Context(), chat.Staff{}, id, "another one")
			return err
		},
		"removal": func(n *node, id int64) error { return n.RemoveUser(t.Context(), chat.Staff{}, id) },
	} {
		t.Run(what, func(t *testing.T) {
			w, here, _, tokens := login(t)
			brittle := w.node(t, nil, func(c *chat.Config) { c.Store = brittleStore{c.Store} })
			id := tokens.User.ID
			if err := act(brittle, id); err != nil {
				t.Fatal(err)
			}
			if left, err := w.store.Sessions(t.Context(), id, 10, 0); len(left) > 0 || err != nil {
				t.Errorf("%d sessions are left, %v", len(left), err)
			}
			if _, err := here.Refresh(t.Context(), tokens.Refresh); chat.KindOf(err) != chat.KindUnauthenticated {
				t.Errorf("refreshed: %v", err)
			}
			if ids, _ := brittle.ended(); len(ids) != 1 {
				t.Errorf("the sockets of %d sessions are closed", len(ids))
			}
		})
	}
}

// A staleStore returns accounts as they were before all their sessions ended.
type staleStore struct{ chat.Store }

func (s staleStore) LoginOf(ctx context.Context, userID int64) (chat.Login, error) {
	l, err := s.Store.LoginOf(ctx, userID)
	l.Epoch--
	return l, err
}

// An awayStore fails all acts of the staff: the database is unavailable.
type awayStore struct{ chat.Store }

func (awayStore) ChangeStanding(context.Context, chat.StandingChange) (chat.Standing, []string, error) {
	return chat.Standing{}, nil, &chat.Error{Kind: chat.KindUnavailable, What: "the database does not answer"}
}

// TestAuditRecordsOutcome: a failed act is not recorded as done, and changes no role.
func TestAuditRecordsOutcome(t *testing.T) {
	w, _, _, tokens := login(t)
	id := tokens.User.ID
	stale := w.node(t, nil, func(c *chat.Config) { c.Store = staleStore{c.Store} })
	away := w.node(t, nil, func(c *chat.Config) { c.Store = awayStore{brittleStore{c.Store}} })
	if _, err := stale.SetRole(t.Context(), chat.Staff{}, id, chat.RoleModerator); err != nil {
		t.Fatal(err)
	}
	for what, act := range map[string]func() error{
		"leaving": func() error {
			return stale.DeleteMe(t.Context(), chat.Caller{UserID: id}, chat.Farewell{Password: "secret", Addr: netip.IPv6Loopback()})
		},
		"removal": func() error { return away.RemoveUser(t.Context(), chat.Staff{}, id) },
		"password": func() error {
			_, err := away.ResetUserPassword(t.Context(), chat.Staff{}, id, "another one")
			return err
		},
	} {
		if err := act(); err == nil {
			t.Errorf("%s: done", what)
		}
	}
	if u, err := w.store.Users(t.Context(), []int64{id}); err != nil || u[0].Role != chat.RoleModerator || u[0].Deleted {
		t.Errorf("%+v, %v", u, err)
	}
	entries, err := stale.Audit(t.Context(), chat.AuditQuery{Level: chat.LevelInfo}, chat.Paging{})
	if err != nil || entries.Total != 1 || entries.Items[0].Message != "role set to moderator" {
		t.Errorf("%+v, %v", entries, err)
	}
}

// TestBannedUserCannotRefresh: if a session still exists, it ends.
func TestBannedUserCannotRefresh(t *testing.T) {
	w, n, clock, tokens := login(t)
	id := tokens.User.ID
	_, _, err := w.store.ChangeStanding(t.Context(), chat.StandingChange{UserID: id, At: clock.now(),
		Decide: func(_ chat.Standing, to *chat.Standing, _ int) (chat.AuditEntry, error) {
			to.Ban = &chat.Ban{Reason: "spam", CreatedAt: clock.now()}
			return chat.AuditEntry{}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = n.Refresh(t.Context(), tokens.Refresh)
	if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.KindForbidden || e.Ban == nil || !strings.Contains(e.Why, "spam") {
		t.Errorf("%v", err)
	}
	if _, err := n.Refresh(t.Context(), tokens.Refresh); chat.KindOf(err) != chat.KindUnauthenticated {
		t.Errorf("the second time: %v", err)
	}
	if _, err := n.Authenticate(t.Context(), tokens.Access); chat.KindOf(err) != chat.KindUnauthenticated {
		t.Errorf("the access token: %v", err)
	}
	if ids, why := n.ended(); len(ids) != 1 || why != "the account is banned: spam" {
		t.Errorf("the sockets of %q are closed: %q", ids, why)
	}
}

// A slowStore calls a function after the code of a login was checked and before its session
// is stored.
type slowStore struct {
	chat.Store
	between func(userID int64)
}

func (s slowStore) CreateTrustedSession(ctx context.Context, x chat.Session, d chat.TrustedDevice, epoch int64) error {
	s.between(x.UserID)
	return s.Store.CreateTrustedSession(ctx, x, d, epoch)
}

// TestTrustedDeviceIsStoredWithSession: if the password changes or two-factor login is turned
// off during a login, neither the trusted device nor the session is stored.
func TestTrustedDeviceIsStoredWithSession(t *testing.T) {
	codes, err := auth.NewCodes(make([]byte, 32), "Onemeter")
	if err != nil {
		t.Fatal(err)
	}
	w, n, _, tokens := login(t)
	id := tokens.User.ID
	with := w.node(t, nil, func(c *chat.Config) { c.Codes = codes })
	me, err := with.Authenticate(t.Context(), tokens.Access)
	if err != nil {
		t.Fatal(err)
	}
	key, err := with.EnableTwoFactor(t.Context(), me, chat.TwoFactorSetUp{Password: "secret", Addr: netip.IPv6Loopback()})
	if err != nil {
		t.Fatal(err)
	}
	code, err := totp.GenerateCode(key.Secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	backup, err := with.VerifyTwoFactor(t.Context(), me, code)
	if err != nil {
		t.Fatal(err)
	}
	l, err := n.Login(t.Context(), chat.Credentials{Phone: "4912345", Password: "secret", Addr: netip.IPv6Loopback()})
	if err != nil || l.LoginToken == "" {
		t.Fatalf("%+v, %v", l, err)
	}
	late := w.node(t, nil, func(c *chat.Config) {
		c.Codes = codes
		c.Store = slowStore{c.Store, func(int64) {
			if _, err := n.ResetUserPassword(t.Context(), chat.Staff{}, id, "another one"); err != nil {
				t.Error(err)
			}
		}}
	})
	_, err = late.LoginSecond(t.Context(), chat.SecondFactor{LoginToken: l.LoginToken, Code: backup[0], TrustDevice: true, Addr: netip.IPv6Loopback()})
	if chat.KindOf(err) != chat.KindUnauthenticated {
		t.Errorf("logged in: %v", err)
	}
	devices, err := w.store.Devices(t.Context(), id, 10, 0)
	if err != nil || len(devices) > 0 {
		t.Errorf("trusted: %+v, %v", devices, err)
	}
	if left, err := w.store.Sessions(t.Context(), id, 10, 0); err != nil || len(left) > 0 {
		t.Errorf("%d sessions are open, %v", len(left), err)
	}
}
