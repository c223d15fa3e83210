package chat

import (
	"context"
	"time"
)

// Hooks are told what happens in the domain, in the manner of
// net/http/httptrace. A nil func is not called; the others must be quick and
// safe for concurrent use.
type Hooks struct {
	// MessageStored: a message was accepted and is durable. Retries of it are
	// not told again.
	MessageStored func(context.Context, MessageStored)
	// MessageRefused: a message was not accepted.
	MessageRefused func(context.Context, MessageRefused)
	// BatchCommitted: one transaction stored a group of messages, or failed to.
	BatchCommitted func(context.Context, BatchCommitted)
	// CacheLookup: something was looked up in a cache.
	CacheLookup func(context.Context, CacheLookup)
	// LoginRejected: a login or a registration was turned away.
	LoginRejected func(context.Context, LoginRejected)
	// SessionsEnded: sessions were ended before their time.
	SessionsEnded func(context.Context, SessionsEnded)
	// PasswordChanged: an account has a new password.
	PasswordChanged func(context.Context, PasswordChanged)
	// TwoFactor: something happened to somebody's two-factor login, or by it.
	TwoFactor func(context.Context, TwoFactorEvent)
	// AccountDeleted: an account is gone.
	AccountDeleted func(context.Context, AccountDeleted)
	// Exported: an export of a user's data is complete, or, with Err, is not.
	Exported func(context.Context, Exported)
	// FileStored: an upload is complete and durable.
	FileStored func(context.Context, FileStored)
	// Blocked: somebody blocked another user, or unblocked him.
	Blocked func(context.Context, Blocked)
	// FileDeleted: the owner of a file deleted it.
	FileDeleted func(context.Context, FileDeleted)
	// Searched: messages were searched by their text.
	Searched func(context.Context, Searched)
	// Request: a stranger asked, or was answered or refused.
	Request func(context.Context, RequestChanged)
	// PublishFailed: a stored message could not be handed to the bus; clients
	// get it by sync.
	PublishFailed func(context.Context, error)
	// Recovered: messages that the bus did not bring were loaded from the
	// store, or, with Err, some were not.
	Recovered func(context.Context, Recovered)
	// StaffActed: somebody of the staff did something, or was refused.
	StaffActed func(context.Context, StaffActed)
	// UserBanned: an account was banned.
	UserBanned func(context.Context, UserBanned)
	// ReportMade: a user reported a message or another user.
	ReportMade func(context.Context, ReportMade)
	// ReportHandled: a moderator decided over a report.
	ReportHandled func(context.Context, ReportHandled)
	// NoticeSent: the staff told users something.
	NoticeSent func(context.Context, NoticeSent)
}

// A Tracer carries traces to where the domain goes on without its caller. It is
// safe for concurrent use.
type Tracer interface {
	// Carrier names the span of ctx, for Start and for other nodes; "" where
	// nothing is recorded.
	Carrier(ctx context.Context) string
	// Start begins a span on behalf of causes, each a carrier; the first is its
	// parent. end is called once, with what it failed with.
	Start(ctx context.Context, name string, causes []string) (_ context.Context, end func(error))
}

// carrier is the Tracer's, if there is one.
func (s *Service) carrier(ctx context.Context) string {
	if s.cfg.Tracer == nil {
		return ""
	}
	return s.cfg.Tracer.Carrier(ctx)
}

// span is the Tracer's Start, if there is a cause.
func (s *Service) span(ctx context.Context, name string, causes []string) (context.Context, func(error)) {
	if len(causes) == 0 {
		return ctx, func(error) {}
	}
	return s.cfg.Tracer.Start(ctx, name, causes)
}

// MessageStored is the data of Hooks.MessageStored.
type MessageStored struct {
	Kind ConversationKind
	Type MessageType
}

// MessageRefused is the data of Hooks.MessageRefused.
type MessageRefused struct{ Reason Kind }

// BatchCommitted is the data of Hooks.BatchCommitted.
type BatchCommitted struct {
	Messages int
	Duration time.Duration
	Err      error
}

// CacheLookup is the data of Hooks.CacheLookup.
type CacheLookup struct {
	Cache string // "session", "membership", "direct", "user" or "blocks"
	Hit   bool
}

// LoginRejected is the data of Hooks.LoginRejected.
type LoginRejected struct {
	Registration bool
	Reason       Kind
}

// EndedBy says what ended a session.
type EndedBy string

// What ends sessions.
const (
	EndedByUser      EndedBy = "user"       // logged out, here or from another session
	EndedByPassword  EndedBy = "password"   // it was changed by its user
	EndedByTwoFactor EndedBy = "two_factor" // it was turned on or off
	EndedByReplay    EndedBy = "replay"     // of a spent refresh token
	EndedByOperator  EndedBy = "operator"
	EndedByLeaving   EndedBy = "account_deleted"
)

// SessionsEnded is the data of Hooks.SessionsEnded.
type SessionsEnded struct {
	Count int
	By    EndedBy
}

// PasswordChanged is the data of Hooks.PasswordChanged.
type PasswordChanged struct{ By EndedBy } // EndedByPassword: its user; EndedByOperator

// TwoFactorEvent is the data of Hooks.TwoFactor.
type TwoFactorEvent string

// What happens to two-factor logins.
const (
	TwoFactorEnabled    TwoFactorEvent = "enabled"
	TwoFactorDisabled   TwoFactorEvent = "disabled"
	TwoFactorCode       TwoFactorEvent = "code"           // one was right
	TwoFactorBackupCode TwoFactorEvent = "backup_code"    // one was used up
	TwoFactorDevice     TwoFactorEvent = "trusted_device" // stood in for a code
	TwoFactorRefused    TwoFactorEvent = "refused"        // a code was wrong, or used before
)

// AccountDeleted is the data of Hooks.AccountDeleted.
type AccountDeleted struct{ By EndedBy } // EndedByLeaving: its user; EndedByOperator

// Exported is the data of Hooks.Exported.
type Exported struct {
	Bytes int64 // of files
	Err   error
}

// FileStored is the data of Hooks.FileStored.
type FileStored struct{ Bytes int64 }

// Blocked is the data of Hooks.Blocked.
type Blocked struct{ Undone bool }

// FileDeleted is the data of Hooks.FileDeleted.
type FileDeleted struct{ Bytes int64 }

// Searched is the data of Hooks.Searched.
type Searched struct {
	Duration time.Duration // waiting for a turn included
	Outcome  SearchOutcome
}

// A SearchOutcome is how a search came to its end.
type SearchOutcome string

// The outcomes of a search. One that is partial was given up before it had looked
// at everything or found a page full, and its client may go on.
const (
	SearchDone    SearchOutcome = "done"
	SearchPartial SearchOutcome = "partial"
	SearchFailed  SearchOutcome = "failed"
)

// RequestChanged is the data of Hooks.Request.
type RequestChanged struct {
	Kind    RequestKind // empty where it is not known
	Outcome RequestOutcome
}

// Recovered is the data of Hooks.Recovered.
type Recovered struct {
	Messages int
	Err      error
}

func (h *Hooks) recovered(ctx context.Context, messages int, err error) {
	if h.Recovered != nil && (messages > 0 || err != nil) {
		h.Recovered(ctx, Recovered{Messages: messages, Err: err})
	}
}

func (h *Hooks) messageStored(ctx context.Context, d MessageStored) {
	if h.MessageStored != nil {
		h.MessageStored(ctx, d)
	}
}

func (h *Hooks) messageRefused(ctx context.Context, err error) {
	if h.MessageRefused != nil {
		h.MessageRefused(ctx, MessageRefused{Reason: KindOf(err)})
	}
}

func (h *Hooks) batchCommitted(ctx context.Context, d BatchCommitted) {
	if h.BatchCommitted != nil {
		h.BatchCommitted(ctx, d)
	}
}

func (h *Hooks) cacheLookup(ctx context.Context, cache string, hit bool) {
	if h.CacheLookup != nil {
		h.CacheLookup(ctx, CacheLookup{Cache: cache, Hit: hit})
	}
}

func (h *Hooks) loginRejected(ctx context.Context, registration bool, err error) {
	if h.LoginRejected != nil {
		h.LoginRejected(ctx, LoginRejected{Registration: registration, Reason: KindOf(err)})
	}
}

func (h *Hooks) sessionsEnded(ctx context.Context, n int, by EndedBy) {
	if h.SessionsEnded != nil && n > 0 {
		h.SessionsEnded(ctx, SessionsEnded{Count: n, By: by})
	}
}

func (h *Hooks) passwordChanged(ctx context.Context, by EndedBy) {
	if h.PasswordChanged != nil {
		h.PasswordChanged(ctx, PasswordChanged{By: by})
	}
}

func (h *Hooks) twoFactor(ctx context.Context, e TwoFactorEvent) {
	if h.TwoFactor != nil {
		h.TwoFactor(ctx, e)
	}
}

func (h *Hooks) accountDeleted(ctx context.Context, by EndedBy) {
	if h.AccountDeleted != nil {
		h.AccountDeleted(ctx, AccountDeleted{By: by})
	}
}

func (h *Hooks) exported(ctx context.Context, bytes int64, err error) {
	if h.Exported != nil {
		h.Exported(ctx, Exported{Bytes: bytes, Err: err})
	}
}

func (h *Hooks) fileStored(ctx context.Context, bytes int64) {
	if h.FileStored != nil {
		h.FileStored(ctx, FileStored{Bytes: bytes})
	}
}

func (h *Hooks) blocked(ctx context.Context, d Blocked) {
	if h.Blocked != nil {
		h.Blocked(ctx, d)
	}
}

func (h *Hooks) fileDeleted(ctx context.Context, bytes int64) {
	if h.FileDeleted != nil {
		h.FileDeleted(ctx, FileDeleted{Bytes: bytes})
	}
}

func (h *Hooks) searched(ctx context.Context, full bool, found Found, took time.Duration, err error) {
	if h.Searched == nil {
		return
	}
	outcome := SearchDone
	switch {
	case err != nil:
		outcome = SearchFailed
	case found.Next != 0 && !full:
		outcome = SearchPartial
	}
	h.Searched(ctx, Searched{Duration: took, Outcome: outcome})
}

func (h *Hooks) request(ctx context.Context, d RequestChanged) {
	if h.Request != nil {
		h.Request(ctx, d)
	}
}

func (h *Hooks) publishFailed(ctx context.Context, err error) {
	if h.PublishFailed != nil {
		h.PublishFailed(ctx, err)
	}
}
