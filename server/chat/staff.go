package chat

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// An AccountRole is the role of an account on this server. It decides what its user may
// do to others.
type AccountRole string

// Roles of accounts, the lowest first. Each may do what the lower ones may.
const (
	RoleUser          AccountRole = "user"        // of every account that registers
	RoleModerator     AccountRole = "moderator"   // handles reports and messages
	RoleAdministrator AccountRole = "admin"       // and users
	RoleSuperAdmin    AccountRole = "super_admin" // and roles
)

// roleOperator is whoever has the database: no account has it.
const roleOperator AccountRole = "operator"

var ranks = map[AccountRole]int{RoleUser: 0, RoleModerator: 1, RoleAdministrator: 2, RoleSuperAdmin: 3, roleOperator: 4}

// Known reports whether accounts can have this role.
func (r AccountRole) Known() bool {
	_, ok := ranks[r]
	return ok && r != roleOperator
}

// AtLeast reports whether r is least or higher.
func (r AccountRole) AtLeast(least AccountRole) bool { return ranks[r] >= ranks[least] }

// A Staff is a member of the staff: a user with a role above user, or the operator,
// who has access to the database and is the zero Staff.
type Staff struct {
	UserID int64
	IP     string // of the request; empty: not over the network
}

const notAllowed = "not allowed"

// StaffOf returns the caller as staff if the caller's role is least or higher. Otherwise
// the error is Forbidden, and the audit records the refusal with asked. Methods that
// change another account check the roles of both again.
func (s *Service) StaffOf(ctx context.Context, c Caller, ip string, least AccountRole, asked string) (Staff, error) {
	if err := s.pace(ctx, c, notAllowed); err != nil {
		return Staff{}, err
	}
	u, err := s.user(ctx, c.UserID)
	if errors.Is(err, ErrNotFound) {
		return Staff{}, Errorf(KindUnauthenticated, notAuthenticated, "the account was deleted")
	}
	if err != nil {
		return Staff{}, err
	}
	by := Staff{UserID: c.UserID, IP: ip}
	if !u.Role.AtLeast(least) {
		err := Errorf(KindForbidden, notAllowed, "the role %s is required, and yours is %s", least, u.Role)
		s.refused(ctx, by, ActAccess, AuditEntry{Module: ModuleAccess, Message: asked}, err, u.Role == RoleUser)
		return Staff{}, err
	}
	return by, nil
}

// A Standing is what decides over an account.
type Standing struct {
	UserID    int64
	Role      AccountRole
	Epoch     int64 // of its logins: see Login
	TwoFactor bool  // a password is not enough to log in
	Ban       *Ban  // nil: none that is in force
}

// A StandingChange is what the staff does to an account.
type StandingChange struct {
	ActorID int64 // 0: the operator
	UserID  int64
	At      time.Time // bans that are over by then are none

	// Decide changes target, or refuses, and says what the audit is to hold. It is
	// given both as they are in the transaction, and how many super admins there
	// are besides the target, banned ones left out. It may be called more than
	// once, and does nothing else: others wait for it.
	Decide func(actor Standing, target *Standing, otherSupers int) (AuditEntry, error)

	// One of these at most is done besides, in the same transaction, once Decide has
	// agreed. Each ends all sessions of the account.
	EndSessions   bool   // as SessionStore.EndSessions does
	PasswordHash  string // as SessionStore.SetPassword does; empty: not
	StopTwoFactor bool   // as TwoFactorStore.StopTwoFactor does
	Delete        bool   // as UserStore.DeleteUser does
}

// A deed is what the staff does to one account.
type deed struct {
	act    Act
	least  AccountRole
	what   string // failed, in the words of an Error
	entry  AuditEntry
	self   bool   // one may do it to oneself
	target string // who the account is, for an Error; empty: the user
	change func(actor Standing, target *Standing, otherSupers int) error

	also StandingChange // what is done besides, if anything
	why  string         // sessions end, for who uses them
	kind EndedBy        // and for the count of them
}

// do has by do something to userID, where both are what they have to be, and
// puts it into the audit; refusals, too. It returns how many sessions ended.
func (s *Service) do(ctx context.Context, by Staff, userID int64, d deed) (after Standing, ended int, err error) {
	d.entry.Target = targetUser(userID)
	change := d.also
	change.ActorID, change.UserID, change.At = by.UserID, userID, s.cfg.Now()
	change.Decide = func(actor Standing, target *Standing, otherSupers int) (AuditEntry, error) {
		if err := d.allows(actor, *target); err != nil {
			return AuditEntry{}, err
		}
		if d.change != nil {
			if err := d.change(actor, target, otherSupers); err != nil {
				return AuditEntry{}, err
			}
		}
		return s.entry(by, LevelInfo, d.entry), nil
	}
	var before []string
	if d.kind != "" {
		if before, err = s.sessionsOf(ctx, userID); err != nil {
			return Standing{}, 0, err
		}
	}
	after, sessions, stored := s.cfg.Store.ChangeStanding(ctx, change)
	err = dropped(ctx, s, s.cfg.Users, userID, orNotFound(stored, d.what, "there is no such user"))
	s.judged(ctx, by, d.act, d.entry, err)
	if d.kind != "" {
		if told := s.sessionsEnded(ctx, userID, before, sessions, stored, d.kind, d.why); err == nil {
			err = told
		}
	}
	return after, len(sessions), err
}

// allows is the rule between two accounts: nobody acts on one whose role is his
// own or above, super admins and the operator excepted.
func (d deed) allows(actor, target Standing) error {
	super := actor.Role.AtLeast(RoleSuperAdmin)
	switch {
	case actor.Ban != nil || !actor.Role.AtLeast(d.least):
		return Errorf(KindForbidden, d.what, "the role %s is required, and yours is %s", d.least, actor.Role)
	case actor.UserID == target.UserID && !d.self:
		return Errorf(KindForbidden, d.what, "you cannot do this to yourself")
	case !super && actor.UserID != target.UserID && target.Role.AtLeast(actor.Role):
		return Errorf(KindForbidden, d.what, "%s has the role %s, and you may do this only to users with roles below your own", cmp.Or(d.target, "the user"), target.Role)
	}
	return nil
}

// lastSuper refuses what would leave nobody who gives roles.
func lastSuper(what string, target *Standing, otherSupers int) error {
	if target.Role == RoleSuperAdmin && target.Ban == nil && otherSupers == 0 {
		return errLastSuper(what)
	}
	return nil
}

func errLastSuper(what string) error {
	return Errorf(KindConflict, what, "the user is the last super admin: make another user one first")
}

const notRole = "role not changed"

// SetRole changes the role of an account. Only super admins may do this. The error is
// Conflict for the last super admin.
func (s *Service) SetRole(ctx context.Context, by Staff, userID int64, role AccountRole) (User, error) {
	if !role.Known() {
		return User{}, Errorf(KindInvalid, notRole, "role must be user, moderator, admin or super_admin")
	}
	_, _, err := s.do(ctx, by, userID, deed{
		act: ActRole, least: RoleSuperAdmin, what: notRole, self: true,
		entry: AuditEntry{Module: ModuleRoles, Message: "role set to " + string(role)},
		change: func(_ Standing, target *Standing, otherSupers int) error {
			if role != RoleSuperAdmin {
				if err := lastSuper(notRole, target, otherSupers); err != nil {
					return err
				}
			}
			target.Role = role
			return nil
		},
	})
	if err != nil {
		return User{}, err
	}
	return s.user(ctx, userID)
}

// Operator is the standing of whoever has the database, who is no account.
func Operator() Standing { return Standing{Role: roleOperator} }
