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

// roleOperator is the role of the operator, who has access to the database. No account has
// it.
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

// A Standing is the part of an account that the staff changes, or that decides whether it may.
type Standing struct {
	UserID    int64
	Role      AccountRole
	Epoch     int64 // see Login
	TwoFactor bool  // two-factor login is on
	Ban       *Ban  // the current ban; nil: none
}

// A StandingChange is a change of an account by the staff.
type StandingChange struct {
	ActorID int64 // 0: the operator
	UserID  int64
	At      time.Time // bans that end before it do not count

	// Decide changes target, or refuses by an error. It returns the entry for the audit.
	// It gets both accounts as they are in the transaction, and the number of other super
	// admins who are not banned. It may be called more than once, and must be quick and
	// have no other effects, because it runs in the transaction.
	Decide func(actor Standing, target *Standing, otherSupers int) (AuditEntry, error)

	// At most one of these is set. It is done in the same transaction after Decide. Each
	// ends all sessions of the account.
	EndSessions   bool   // see SessionStore.EndSessions
	PasswordHash  string // see SessionStore.SetPassword; empty: unchanged
	StopTwoFactor bool   // see TwoFactorStore.StopTwoFactor
	Delete        bool   // see UserStore.DeleteUser
}

// A deed is an action of the staff on one account.
type deed struct {
	act    Act
	least  AccountRole // lowest role that may do it
	what   string      // the What of its errors
	entry  AuditEntry
	self   bool   // members of the staff may do it to themselves
	target string // who the account is, for an Error; empty: the user
	change func(actor Standing, target *Standing, otherSupers int) error

	also StandingChange // has at most one of EndSessions, PasswordHash, StopTwoFactor and Delete
	why  string         // why sessions end, for the user
	kind EndedBy        // why sessions end; empty: they do not
}

// do carries out a deed of by on userID, if the roles of both allow it. The audit records
// it, and also a refusal. It returns the number of ended sessions.
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

// allows returns an error if actor may not do this to target. Except for super admins and
// the operator, the role of target must be lower than that of actor.
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

// lastSuper returns an error if target is the only super admin, because then nobody could
// change roles.
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

// Operator returns the standing of the operator, who has no account.
func Operator() Standing { return Standing{Role: roleOperator} }
