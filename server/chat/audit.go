package chat

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// An AuditEntry records what a member of the staff did or was refused. The server
// never changes or deletes entries.
type AuditEntry struct {
	ID        int64     `json:"id"`
	Level     Level     `json:"level"`
	Module    Module    `json:"module"`
	Message   string    `json:"message"`
	UserID    int64     `json:"user_id"` // who; 0: the operator
	Target    string    `json:"target"`  // "user:42", "message:7", "chat:3", "report:9", or empty
	IP        string    `json:"ip"`      // empty: not over the network
	CreatedAt time.Time `json:"created_at"`

	// Only in answers of Audit: who UserID and a target user are now.
	User       *AuditUser `json:"user,omitempty"`        // nil: the operator
	TargetUser *AuditUser `json:"target_user,omitempty"` // nil: Target is no user
}

// An AuditUser names a user. Nothing but the id is left of a deleted account.
type AuditUser struct {
	ID       int64  `json:"id"`
	Username string `json:"username,omitempty"`
	Nickname string `json:"nickname,omitempty"`
	Deleted  bool   `json:"deleted,omitempty"`
}

// Name returns the username, the nickname if there is none, or "deleted". It is empty if
// the account has no name.
func (u *AuditUser) Name() string {
	if u.Deleted {
		return "deleted"
	}
	return cmp.Or(u.Username, u.Nickname)
}

// A Level says whether an act was done or refused.
type Level string

// The levels.
const (
	LevelInfo    Level = "info"    // done
	LevelWarning Level = "warning" // refused
)

// A Module is the part of the server that an act was about.
type Module string

// The modules.
const (
	ModuleAccess   Module = "access"
	ModuleUsers    Module = "users"
	ModuleRoles    Module = "roles"
	ModuleMessages Module = "messages"
	ModuleChats    Module = "chats"
	ModuleReports  Module = "reports"
	ModuleSystem   Module = "system"
)

// maxAudit is the most bytes of an entry's message. Longer ones are cut.
const maxAudit = 2000

func targetUser(id int64) string    { return "user:" + strconv.FormatInt(id, 10) }
func targetMessage(id int64) string { return "message:" + strconv.FormatInt(id, 10) }
func targetChat(id int64) string    { return "chat:" + strconv.FormatInt(id, 10) }
func targetReport(id int64) string  { return "report:" + strconv.FormatInt(id, 10) }

// entry fills in the level, the actor and the time.
func (s *Service) entry(by Staff, level Level, e AuditEntry) AuditEntry {
	e.Level, e.UserID, e.IP, e.CreatedAt = level, by.UserID, by.IP, s.cfg.Now()
	if len(e.Message) > maxAudit {
		e.Message = e.Message[:maxAudit]
		for !utf8.ValidString(e.Message) {
			e.Message = e.Message[:len(e.Message)-1]
		}
	}
	return e
}

// acted reports the result of an act that was not refused to the hooks. The store has
// written the audit entry in the transaction of the act.
func (s *Service) acted(ctx context.Context, act Act, err error) {
	outcome := OutcomeDone
	if err != nil {
		outcome = OutcomeFailed
	}
	s.cfg.Hooks.staffActed(ctx, act, outcome)
}

// judged reports the result of an act to the hooks, and adds a refusal to the audit.
func (s *Service) judged(ctx context.Context, by Staff, act Act, e AuditEntry, err error) {
	switch KindOf(err) {
	case KindForbidden, KindNotFound, KindConflict, KindInvalid:
		s.refused(ctx, by, act, e, err, false)
	default:
		s.acted(ctx, act, err)
	}
}

// refused adds an entry about a refused attempt to the audit. plain says that the user is
// not a member of the staff: such users cannot flood the audit, because each gets one entry
// a minute, and the next entry has the number of the others.
func (s *Service) refused(ctx context.Context, by Staff, act Act, e AuditEntry, why error, plain bool) {
	s.cfg.Hooks.staffActed(ctx, act, OutcomeRefused)
	e.Message = "refused: " + e.Message + " (" + why.Error() + ")"
	if plain {
		more, tell := s.attempts.count(by.UserID, s.cfg.Now())
		if !tell {
			return
		}
		if more > 0 {
			e.Message += fmt.Sprintf("; %d more attempts since the last entry", more)
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Limits.CommitWithin)
	defer cancel()
	if err := s.cfg.Store.AddAudit(ctx, s.entry(by, LevelWarning, e)); err != nil {
		s.cfg.Log.ErrorContext(ctx, "refused attempt not in the audit", "user", by.UserID, "attempt", e.Message, "err", err)
	}
}

// attempts counts refused attempts by user since the user's last entry in the audit.
type attempts struct {
	mu   sync.Mutex
	last map[int64]attempt
}

type attempt struct {
	told time.Time // time of the entry
	more int       // attempts since then
}

const (
	attemptEvery = time.Minute
	maxAttempts  = 10_000 // users remembered
)

// count counts an attempt. tell reports whether it gets an entry, and more is the number of
// earlier attempts without one.
func (a *attempts) count(userID int64, now time.Time) (more int, tell bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	last, known := a.last[userID]
	if known && now.Sub(last.told) < attemptEvery {
		last.more++
		a.last[userID] = last
		return 0, false
	}
	if a.last == nil || len(a.last) >= maxAttempts {
		a.last = make(map[int64]attempt)
	}
	a.last[userID] = attempt{told: now}
	return last.more, true
}

// An AuditQuery selects entries, the newest first. Zero fields match every entry.
type AuditQuery struct {
	Level         Level
	Module        Module
	UserID        *int64 // who; 0: the operator
	Target        string
	BeforeID      int64 // below this id; 0: from the newest
	Limit, Offset int
	Count         int64 // count at most so many; 0: all
}

var (
	levels  = []Level{LevelInfo, LevelWarning}
	modules = []Module{ModuleAccess, ModuleUsers, ModuleRoles, ModuleMessages, ModuleChats, ModuleReports, ModuleSystem}
)

// Audit lists entries. Reading it is not audited.
func (s *Service) Audit(ctx context.Context, q AuditQuery, p Paging) (Listing[AuditEntry], error) {
	const what = "audit not listed"
	p, err := p.within(defaultPage, MaxPage, what)
	if err != nil {
		return Listing[AuditEntry]{}, err
	}
	if q.Level != "" && !slices.Contains(levels, q.Level) {
		return Listing[AuditEntry]{}, Errorf(KindInvalid, what, "level must be info or warning")
	}
	if q.Module != "" && !slices.Contains(modules, q.Module) {
		return Listing[AuditEntry]{}, Errorf(KindInvalid, what, "module must be one of %s", modules)
	}
	if q.BeforeID < 0 || len(q.Target) > maxName {
		return Listing[AuditEntry]{}, Errorf(KindInvalid, what, "before_id must be a positive number, and target at most %d bytes", maxName)
	}
	if q.BeforeID == 0 {
		q.BeforeID = math.MaxInt64
	}
	q.Limit, q.Offset, q.Count = p.Limit+1, p.Offset, maxTotal+1
	entries, total, err := s.cfg.Store.Audit(ctx, q)
	l := listing(entries, total, p)
	if err == nil {
		err = s.nameUsers(ctx, l.Items)
	}
	return l, err
}

// nameUsers fills in who the users of entries are, with one query.
func (s *Service) nameUsers(ctx context.Context, entries []AuditEntry) error {
	var ids []int64
	for i := range entries {
		e := &entries[i]
		if e.UserID != 0 {
			e.User = &AuditUser{ID: e.UserID, Deleted: true}
			ids = append(ids, e.UserID)
		}
		if text, ok := strings.CutPrefix(e.Target, "user:"); ok {
			if id, err := strconv.ParseInt(text, 10, 64); err == nil {
				e.TargetUser = &AuditUser{ID: id, Deleted: true}
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	users, err := s.cfg.Store.Users(ctx, slices.Compact(ids))
	if err != nil {
		return err
	}
	named := make(map[int64]AuditUser, len(users))
	for _, u := range users {
		named[u.ID] = AuditUser{ID: u.ID, Username: u.Username, Nickname: u.Nickname, Deleted: u.Deleted}
	}
	for _, e := range entries {
		for _, u := range []*AuditUser{e.User, e.TargetUser} {
			if u == nil {
				continue
			}
			if known, ok := named[u.ID]; ok {
				*u = known
			}
		}
	}
	return nil
}

// A Listing is a page of a list, with the total number of items.
type Listing[T any] struct {
	Part[T]
	Total     int64 // if it is counted in the database, at most 10 000: see MoreTotal
	MoreTotal bool  // there are more than Total: counting all of a large table takes too long
}

// maxTotal is the largest Total.
const maxTotal = 10_000

// listing makes a page of items, of which one more than p.Limit was asked for, and of
// their number, which was counted up to one more than maxTotal.
func listing[T any](items []T, total int64, p Paging) Listing[T] {
	return Listing[T]{partOf(items, p), min(total, maxTotal), total > maxTotal}
}
