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

// An Operator can do on the database what super admins can do, and more, whether servers run or not. Running nodes
// notice within two seconds. It needs no account: access to the database is enough. Its methods are safe for concurrent
// use. Call Close after use.
type Operator struct {
	cfg   Config
	store *sqlstore.Store
	chat  *chat.Service
}

// OpenOperator opens the database that cfg names. It only uses DB, Blob and the settings that belong to them. It
// returns an error if an SQLite file does not exist, and if a database has the schema of an older version, which nodes
// of that version may be using: see Migrate.
func OpenOperator(ctx context.Context, cfg Config, log *slog.Logger) (*Operator, error) {
	store, err := openOperatorStore(ctx, cfg, true)
	if errors.Is(err, sqlstore.ErrOldSchema) {
		err = fmt.Errorf("%w: use the imserver that the nodes run; or, once all of them have stopped, give --migrate to bring the database up to date", err)
	}
	if err != nil {
		return nil, err
	}
	nobody := membus.New() // presence: only nodes know who is online
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
		NoUpkeep: true, Log: log, // without Blobs: nodes remove the files of deleted accounts
	})
	return o, nil
}

// Migrate brings the database that cfg names up to date, as a server does that starts. Nodes of an older version must
// have stopped.
func Migrate(ctx context.Context, cfg Config) error {
	store, err := openOperatorStore(ctx, cfg, false)
	if err != nil {
		return err
	}
	return store.Close()
}

func openOperatorStore(ctx context.Context, cfg Config, keepSchema bool) (*sqlstore.Store, error) {
	db, err := cfg.database()
	if err != nil {
		return nil, fmt.Errorf("--db: %w", err)
	}
	if db.Path != "" {
		if _, err := os.Stat(db.Path); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no database %s: name the server's database with --db, or start imserver once to create it", absolute(db.Path))
		}
	}
	db.UsernameKey, db.KeepSchema = auth.Usernames{}.Key, keepSchema
	return sqlstore.Open(ctx, db)
}

// Close waits for pending writes and closes the database.
func (o *Operator) Close() error {
	o.chat.Close()
	return o.store.Close()
}

// A Who names an account. Exactly one field must be set.
type Who struct {
	ID       int64
	Username string
	Phone    string
}

// ErrWho is returned for a Who in which not exactly one field is set.
var ErrWho = errors.New("name one account: by its username, its phone or its id")

// Find returns the account that w names. Like the other methods, it returns ErrWho, or a *chat.Error of kind NotFound
// if there is no such account.
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

// withAccount calls do with the id of the account that w names, and returns the changed account.
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

// Staff returns the accounts whose role is above user, the highest role first.
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

// Ban bans an account for the duration d, or permanently if d is 0.
func (o *Operator) Ban(ctx context.Context, w Who, reason string, d time.Duration) (chat.Account, error) {
	return o.withAccount(ctx, w, func(id int64) error {
		_, _, err := o.chat.BanUser(ctx, chat.Staff{}, id, reason, d)
		return err
	})
}

// Unban ends the ban of an account.
func (o *Operator) Unban(ctx context.Context, w Who) (chat.Account, error) {
	return o.withAccount(ctx, w, func(id int64) error { return o.chat.UnbanUser(ctx, chat.Staff{}, id) })
}

// Delete deletes an account, and returns it as it was before.
func (o *Operator) Delete(ctx context.Context, w Who) (chat.Account, error) {
	a, err := o.Find(ctx, w)
	if err == nil {
		err = o.chat.RemoveUser(ctx, chat.Staff{}, a.ID)
	}
	return a, err
}

// Logout ends all sessions of an account, and returns their number.
func (o *Operator) Logout(ctx context.Context, w Who, reason string) (a chat.Account, ended int, err error) {
	a, err = o.withAccount(ctx, w, func(id int64) error {
		ended, err = o.chat.LogoutUser(ctx, chat.Staff{}, id, reason)
		return err
	})
	return a, ended, err
}

// ResetPassword sets the password of an account, and ends all its sessions. If password is empty, it generates one. It
// returns the new password.
func (o *Operator) ResetPassword(ctx context.Context, w Who, password string) (a chat.Account, set string, err error) {
	a, err = o.withAccount(ctx, w, func(id int64) error {
		set, err = o.chat.ResetUserPassword(ctx, chat.Staff{}, id, password)
		return err
	})
	return a, set, err
}

// ResetTwoFactor turns two-factor login off for an account that has lost its second
// factor, and tells how many sessions ended: all.
func (o *Operator) ResetTwoFactor(ctx context.Context, w Who) (a chat.Account, ended int, err error) {
	a, err = o.withAccount(ctx, w, func(id int64) error {
		ended, err = o.chat.ResetTwoFactor(ctx, chat.Staff{}, id)
		return err
	})
	return a, ended, err
}

// Sessions returns the sessions of an account.
func (o *Operator) Sessions(ctx context.Context, w Who) ([]chat.SessionInfo, error) {
	a, err := o.Find(ctx, w)
	if err != nil {
		return nil, err
	}
	sessions, err := o.chat.UserSessions(ctx, a.ID, chat.Paging{})
	return sessions.Items, err
}

// Users returns a page of the accounts that q selects, newest first.
func (o *Operator) Users(ctx context.Context, q UserQuery) (chat.Listing[chat.Account], error) {
	return o.chat.Accounts(ctx, chat.AccountQuery{
		Name: q.Name, Phone: q.Phone, Status: chat.AccountStatus(q.Status), Role: chat.AccountRole(q.Role),
	}, chat.Paging{Page: q.Page, Limit: q.Limit})
}

// MaxPage is the largest page of Users and Audit. A larger Limit counts as MaxPage.
const MaxPage = chat.MaxPage

// A UserQuery selects accounts. An empty field selects all.
type UserQuery struct {
	Name, Phone, Status, Role string
	Page, Limit               int
}

// Audit returns a page of the audit, newest first.
func (o *Operator) Audit(ctx context.Context, q AuditQuery) (chat.Listing[chat.AuditEntry], error) {
	what := chat.AuditQuery{Level: chat.Level(q.Level), Module: chat.Module(q.Module), Target: q.Target}
	if q.By != nil {
		what.UserID = q.By
	}
	return o.chat.Audit(ctx, what, chat.Paging{Page: q.Page, Limit: q.Limit})
}

// An AuditQuery selects entries of the audit. An empty field selects all.
type AuditQuery struct {
	Level, Module, Target string
	By                    *int64 // 0: the operator
	Page, Limit           int
}

type (
	// Account is an account as the staff sees it.
	Account = chat.Account
	// SessionInfo is a session of an account.
	SessionInfo = chat.SessionInfo
	// AuditEntry is an entry of the audit: one action of the staff.
	AuditEntry = chat.AuditEntry
	// Listing is a page of accounts or of the audit.
	Listing[T any] = chat.Listing[T]
	// Error is a refusal, or a failure whose cause the operator can mend.
	Error = chat.Error
)
