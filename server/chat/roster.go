package chat

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"time"
)

// An AccountStatus says whether an account can be used.
type AccountStatus string

// The statuses.
const (
	AccountActive AccountStatus = "active"
	AccountBanned AccountStatus = "banned"
	AccountGone   AccountStatus = "deleted"
)

// An Account is a user as the staff sees them.
type Account struct {
	User
	Status AccountStatus `json:"status"`
	Ban    *Ban          `json:"ban,omitempty"`
}

// An AccountQuery selects accounts, the newest first. Empty fields match every account.
type AccountQuery struct {
	Name          string // part of the username or the nickname
	Phone         string // the beginning of the phone number
	Status        AccountStatus
	Role          AccountRole
	At            time.Time // bans that end before it do not count
	Limit, Offset int
	Count         int64 // count at most so many; 0: all
}

// Accounts lists accounts for the staff.
func (s *Service) Accounts(ctx context.Context, q AccountQuery, p Paging) (Listing[Account], error) {
	const what = "users not listed"
	p, err := p.within(defaultPage, MaxPage, what)
	if err != nil {
		return Listing[Account]{}, err
	}
	q.Name, q.Phone = strings.TrimSpace(q.Name), strings.TrimSpace(q.Phone)
	if err := errors.Join(checkText("username", q.Name, maxSearch), checkText("phone", q.Phone, maxSearch), q.check()); err != nil {
		return Listing[Account]{}, allFaults(err, what)
	}
	q.At, q.Limit, q.Offset, q.Count = s.cfg.Now(), p.Limit+1, p.Offset, maxTotal+1
	accounts, total, err := s.cfg.Store.Accounts(ctx, q)
	if err != nil {
		return Listing[Account]{}, err
	}
	l := listing(accounts, total, p)
	ids := make([]int64, len(l.Items))
	for i, a := range l.Items {
		ids[i] = a.ID
	}
	online, err := s.cfg.Presence.Online(ctx, ids)
	for i, a := range l.Items {
		l.Items[i].User = s.seen(a.User, online, Blocks{})
	}
	return l, err
}

func (q AccountQuery) check() error {
	switch {
	case q.Status != "" && q.Status != AccountActive && q.Status != AccountBanned && q.Status != AccountGone:
		return errors.New("status must be active, banned or deleted")
	case q.Role != "" && !q.Role.Known():
		return errors.New("role must be user, moderator, admin or super_admin")
	}
	return nil
}

// Account returns an account for the staff. The error is NotFound if there is none with
// this id.
func (s *Service) Account(ctx context.Context, userID int64) (Account, error) {
	u, err := s.user(ctx, userID)
	if err != nil {
		return Account{}, orNotFound(err, "no such user", "there is no user with this id")
	}
	a := Account{User: u, Status: AccountActive}
	if u.Deleted {
		a.Status = AccountGone
		return a, nil
	}
	ban, err := s.cfg.Store.Ban(ctx, userID)
	switch {
	case err == nil && ban.inForce(s.cfg.Now()):
		a.Status, a.Ban = AccountBanned, &ban
	case err != nil && !errors.Is(err, ErrNotFound):
		return Account{}, err
	}
	online, err := s.cfg.Presence.Online(ctx, []int64{userID})
	a.User = s.seen(a.User, online, Blocks{})
	return a, err
}

// FindAccount is Account for a phone number or a username, whichever is not empty.
func (s *Service) FindAccount(ctx context.Context, phone, username string) (Account, error) {
	l, err := s.cfg.Store.UserByLogin(ctx, phone, username)
	if err != nil {
		return Account{}, orNotFound(err, "no such user", "nobody has this username or phone number")
	}
	return s.Account(ctx, l.ID)
}

// A Present is a user who is connected.
type Present struct {
	UserID       int64       `json:"user_id"`
	Username     string      `json:"username"`
	Nickname     string      `json:"nickname"`
	Role         AccountRole `json:"role"`
	Status       string      `json:"online_status"`
	IP           string      `json:"ip_address"`
	Device       string      `json:"device"`
	LoginTime    time.Time   `json:"login_time"`
	LastActivity time.Time   `json:"last_activity"`
	Sessions     int         `json:"session_count"`
}

// mostSessions is the most sessions of a user that are counted.
const mostSessions = 100

// OnlineUsers lists the users who are connected to any node, by id. Address, device and
// times are those of the session that was used last.
func (s *Service) OnlineUsers(ctx context.Context, p Paging) (Listing[Present], error) {
	p, err := p.within(defaultPage, MaxPage, "users not listed")
	if err != nil {
		return Listing[Present]{}, err
	}
	ids, err := s.cfg.Presence.Everyone(ctx)
	if err != nil {
		return Listing[Present]{}, err
	}
	slices.Sort(ids)
	from := min(p.Offset, len(ids))
	users, err := s.cfg.Store.Users(ctx, ids[from:min(from+p.Limit, len(ids))])
	if err != nil {
		return Listing[Present]{}, err
	}
	present := make([]Present, len(users))
	for i, u := range users {
		if present[i], err = s.present(ctx, u); err != nil {
			return Listing[Present]{}, err
		}
	}
	return Listing[Present]{
		Part:  Part[Present]{Items: present, Paging: p, HasMore: from+p.Limit < len(ids)},
		Total: int64(len(ids)),
	}, nil
}

func (s *Service) present(ctx context.Context, u User) (Present, error) {
	p := Present{UserID: u.ID, Username: u.Username, Nickname: u.Nickname, Role: u.Role, Status: "online"}
	sessions, err := s.cfg.Store.Sessions(ctx, u.ID, mostSessions, 0)
	p.Sessions = len(sessions)
	for _, x := range sessions {
		if used := later(x.CreatedAt, x.RotatedAt); used.After(p.LastActivity) {
			p.IP, p.Device, p.LoginTime, p.LastActivity = x.Addr, x.Device, x.CreatedAt, used
		}
	}
	if at, ok := s.activity.of(u.ID); ok && at.After(p.LastActivity) {
		p.LastActivity = at
	}
	return p, err
}

// An Analysis has numbers about a user's behaviour.
type Analysis struct {
	UserID   int64 `json:"user_id"`
	Messages int64 `json:"total_messages"`
	// MoreMessages is true if counting ended early: the user may have sent more messages.
	MoreMessages bool      `json:"more_messages"`
	Chats        int64     `json:"total_chats"`
	LastActive   time.Time `json:"last_active_time"`
	Violations   int64     `json:"violation_count"` // reports about the user that were handled and not dismissed
	Reported     int64     `json:"reported_count"`  // all reports about the user
	Banned       bool      `json:"is_banned"`
	Ban          *Ban      `json:"ban,omitempty"`
}

// Analyse counts a user's messages and chats, and the reports about the user.
func (s *Service) Analyse(ctx context.Context, userID int64) (Analysis, error) {
	account, err := s.Account(ctx, userID)
	if err != nil {
		return Analysis{}, err
	}
	a, err := s.cfg.Store.Analysis(ctx, userID)
	a.UserID, a.LastActive, a.Banned, a.Ban = userID, account.LastSeen, account.Ban != nil, account.Ban
	return a, err
}

// newest is larger than every id.
const newest = math.MaxInt64
