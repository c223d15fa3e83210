package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/onemeter/onemeter/server/auth"
	"github.com/onemeter/onemeter/server/bus/membus"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/limit/memlimit"
	"github.com/onemeter/onemeter/server/sqlstore"
)

// An Operator does what super admins do, and more, for whoever has the database:
// whether a server runs or not. Nodes that run notice within two seconds. Its
// methods are safe for concurrent use. Close it.
type Operator struct {
	cfg   Config
	store *sqlstore.Store
	chat  *chat.Service
}

// OpenOperator opens the database that cfg names, of which only DB, Blob and what
// belongs to these counts. A database that is not there is not made.
func OpenOperator(ctx context.Context, cfg Config, log *slog.Logger) (*Operator, error) {
	db, err := cfg.database()
	if err != nil {
		return nil, fmt.Errorf("--db: %w", err)
	}
	if db.Path != "" {
		if _, err := os.Stat(db.Path); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no database %s: name the one of the server with --db, or start imserver once to have one made", db.Path)
		}
	}
	db.UsernameKey = auth.Usernames{}.Key
	store, err := sqlstore.Open(ctx, db)
	if err != nil {
		return nil, err
	}
	nobody := membus.New() // is known to be connected: only nodes know
	none := memlimit.New[string](0, 0, 1)
	o := &Operator{cfg: cfg, store: store}
	o.chat = chat.New(chat.Config{
		Store: store, Bus: signaller{store}, Presence: nobody,
		Sessions:    signalCache[string, chat.Session]{store, "session"},
		Memberships: signalCache[int64, chat.Membership]{store, "membership"},
		Directs:     signalCache[chat.Pair, int64]{store, "direct"},
		Users:       signalCache[int64, chat.User]{store, "user"},
		Messages:    memlimit.New[int64](0, 0, 1), LoginAccounts: none, LoginAddrs: none, Registrations: none,
		Hasher: auth.NewHasher(), Signer: auth.NewSigner(nil), Usernames: auth.Usernames{},
		NoUpkeep: true, Log: log, // and no Blobs: nodes remove what deleted accounts uploaded
	})
	return o, nil
}

// Close closes the database, once what is under way is stored.
func (o *Operator) Close() error {
	o.chat.Close()
	return o.store.Close()
}

// A Who names an account in one of three ways.
type Who struct {
	ID       int64
	Username string
	Phone    string
}

// ErrWho is for a Who that names nobody, or names him twice.
var ErrWho = errors.New("name one account: by its username, its phone or its id")

// Find returns an account.
func (o *Operator) Find(ctx context.Context, w Who) (chat.Account, error) {
	given := 0
	for _, is := range []bool{w.ID != 0, w.Username != "", w.Phone != ""} {
		if is {
			given++
		}
	}
	if given != 1 {
		return chat.Account{}, ErrWho
	}
	if w.ID != 0 {
		return o.chat.Account(ctx, w.ID)
	}
	return o.chat.FindAccount(ctx, w.Phone, w.Username)
}

// withAccount does something to the account that w names, and returns it as it is then.
func (o *Operator) withAccount(ctx context.Context, w Who, do func(userID int64) error) (chat.Account, error) {
	a, err := o.Find(ctx, w)
	if err != nil {
		return a, err
	}
	if err := do(a.ID); err != nil {
		return chat.Account{}, err
	}
	return o.chat.Account(ctx, a.ID)
}

// SetRole gives an account a role: user, moderator, admin or super_admin.
func (o *Operator) SetRole(ctx context.Context, w Who, role string) (chat.Account, error) {
	return o.withAccount(ctx, w, func(id int64) error {
		_, err := o.chat.SetRole(ctx, chat.Staff{}, id, chat.AccountRole(role))
		return err
	})
}

// Staff lists the accounts whose role is above user, the highest first.
func (o *Operator) Staff(ctx context.Context) (all []chat.Account, err error) {
	for _, role := range []chat.AccountRole{chat.RoleSuperAdmin, chat.RoleAdministrator, chat.RoleModerator} {
		for page, more := 1, true; more; page++ {
			some, err := o.chat.Accounts(ctx, chat.AccountQuery{Role: role}, chat.Paging{Page: page, Limit: 200})
			if err != nil {
				return nil, err
			}
			all, more = append(all, some.Items...), some.HasMore
		}
	}
	return all, nil
}

// Ban keeps an account out, for a time or, with 0, for good.
func (o *Operator) Ban(ctx context.Context, w Who, reason string, d time.Duration) (chat.Account, error) {
	return o.withAccount(ctx, w, func(id int64) error {
		_, _, err := o.chat.BanUser(ctx, chat.Staff{}, id, reason, d)
		return err
	})
}

// Unban ends a ban.
func (o *Operator) Unban(ctx context.Context, w Who) (chat.Account, error) {
	return o.withAccount(ctx, w, func(id int64) error { return o.chat.UnbanUser(ctx, chat.Staff{}, id) })
}

// Delete deletes an account, and returns it as it was.
func (o *Operator) Delete(ctx context.Context, w Who) (chat.Account, error) {
	a, err := o.Find(ctx, w)
	if err == nil {
		err = o.chat.RemoveUser(ctx, chat.Staff{}, a.ID)
	}
	return a, err
}

// Logout ends all sessions of an account, and tells how many there were.
func (o *Operator) Logout(ctx context.Context, w Who, reason string) (a chat.Account, ended int, err error) {
	a, err = o.withAccount(ctx, w, func(id int64) error {
		ended, err = o.chat.LogoutUser(ctx, chat.Staff{}, id, reason)
		return err
	})
	return a, ended, err
}

// ResetPassword gives an account a password, or, where it is empty, one that it
// makes and returns. All sessions end.
func (o *Operator) ResetPassword(ctx context.Context, w Who, password string) (a chat.Account, set string, err error) {
	a, err = o.withAccount(ctx, w, func(id int64) error {
		set, err = o.chat.ResetUserPassword(ctx, chat.Staff{}, id, password)
		return err
	})
	return a, set, err
}

// Sessions lists the logins of an account.
func (o *Operator) Sessions(ctx context.Context, w Who) ([]chat.SessionInfo, error) {
	a, err := o.Find(ctx, w)
	if err != nil {
		return nil, err
	}
	sessions, err := o.chat.UserSessions(ctx, a.ID, chat.Paging{})
	return sessions.Items, err
}

// Users lists accounts, the newest first.
func (o *Operator) Users(ctx context.Context, q UserQuery) (chat.Listing[chat.Account], error) {
	return o.chat.Accounts(ctx, chat.AccountQuery{
		Name: q.Name, Phone: q.Phone, Status: chat.AccountStatus(q.Status), Role: chat.AccountRole(q.Role),
	}, chat.Paging{Page: q.Page, Limit: q.Limit})
}

// A UserQuery selects accounts; what is empty selects all.
type UserQuery struct {
	Name, Phone, Status, Role string
	Page, Limit               int
}

// Audit lists what the staff did, the newest first.
func (o *Operator) Audit(ctx context.Context, q AuditQuery) (chat.Listing[chat.AuditEntry], error) {
	what := chat.AuditQuery{Level: chat.Level(q.Level), Module: chat.Module(q.Module), Target: q.Target}
	if q.By != nil {
		what.UserID = q.By
	}
	return o.chat.Audit(ctx, what, chat.Paging{Page: q.Page, Limit: q.Limit})
}

// An AuditQuery selects entries of the audit; what is empty selects all.
type AuditQuery struct {
	Level, Module, Target string
	By                    *int64 // 0: the operator
	Page, Limit           int
}

type (
	// Account is the account that an Operator answers with.
	Account = chat.Account
	// SessionInfo is one login of an account.
	SessionInfo = chat.SessionInfo
	// AuditEntry is one act of the staff.
	AuditEntry = chat.AuditEntry
)
