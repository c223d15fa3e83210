package chat

import (
	"context"
	"time"
)

// Hooks are called when something happens in the domain, like those of
// net/http/httptrace. Each may be nil. The others must be safe for concurrent use, and
// must return quickly, because the domain waits for them.
type Hooks struct {
	// MessageStored: a new message is durable. It is not called for retries.
	MessageStored func(context.Context, MessageStored)
	// MessageRefused: a message was not accepted.
	MessageRefused func(context.Context, MessageRefused)
	// BatchCommitted: one transaction stored a batch of messages, or failed.
	BatchCommitted func(context.Context, BatchCommitted)
	// CacheLookup: a key was looked up in a cache.
	CacheLookup func(context.Context, CacheLookup)
	// LoginRejected: a login or a registration was refused.
	LoginRejected func(context.Context, LoginRejected)
	// SessionsEnded: sessions ended before they expired.
	SessionsEnded func(context.Context, SessionsEnded)
	// PasswordChanged: an account has a new password.
	PasswordChanged func(context.Context, PasswordChanged)
	// TwoFactor: two-factor login was turned on or off, or somebody gave a code.
	TwoFactor func(context.Context, TwoFactorEvent)
	// AccountDeleted: an account was deleted.
	AccountDeleted func(context.Context, AccountDeleted)
	// Exported: an export of a user's data was completed, failed with Err, or was cancelled.
	Exported func(context.Context, Exported)
	// FileStored: an uploaded file is durable.
	FileStored func(context.Context, FileStored)
	// Blocked: a user blocked or unblocked another one.
	Blocked func(context.Context, Blocked)
	// FileDeleted: the owner of a file deleted it.
	FileDeleted func(context.Context, FileDeleted)
	// Searched: a search for messages by their text ended.
	Searched func(context.Context, Searched)
	// Request: a stranger's request was made, answered or refused.
	Request func(context.Context, RequestChanged)
	// PublishFailed: an event of a stored change was not published. Clients get the
	// change by sync.
	PublishFailed func(context.Context, error)
	// Recovered: messages that the bus did not deliver were loaded from the store. With
	// Err, some were not.
	Recovered func(context.Context, Recovered)
	// StaffActed: a member of the staff did something, or was refused.
	StaffActed func(context.Context, StaffActed)
	// UserBanned: an account was banned.
	UserBanned func(context.Context, UserBanned)
	// ReportMade: a user reported a message or another user.
	ReportMade func(context.Context, ReportMade)
	// ReportHandled: a moderator decided about a report.
	ReportHandled func(context.Context, ReportHandled)
	// NoticeSent: the staff sent a notice to users.
	NoticeSent func(context.Context, NoticeSent)
}

// A Tracer connects spans across goroutines and nodes: the work for a request may go on
// after its caller has returned. It is safe for concurrent use.
type Tracer interface {
	// Carrier returns the span of ctx as text, for Start, which may run on another node.
	// It is "" if the span is not recorded.
	Carrier(ctx context.Context) string
	// Start begins a span. causes are carriers: the first is the parent, the others are
	// links. The caller calls end once, with the error if the work failed.
	Start(ctx context.Context, name string, causes []string) (_ context.Context, end func(error))
}

// carrier is Tracer.Carrier. It is "" without a Tracer.
func (s *Service) carrier(ctx context.Context) string {
	if s.cfg.Tracer == nil {
		return ""
	}
	return s.cfg.Tracer.Carrier(ctx)
}

// span is Tracer.Start. Without causes it does nothing.
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

// EndedBy is the reason why a session ended.
type EndedBy string

// The reasons.
const (
	EndedByUser      EndedBy = "user"            // the user logged out, from this or another session
	EndedByPassword  EndedBy = "password"        // the user changed the password
	EndedByTwoFactor EndedBy = "two_factor"      // the user turned two-factor login on or off
	EndedByReplay    EndedBy = "replay"          // a spent refresh token was used again
	EndedByOperator  EndedBy = "operator"        // the staff ended it
	EndedByLeaving   EndedBy = "account_deleted" // the user deleted the account
)

// SessionsEnded is the data of Hooks.SessionsEnded.
type SessionsEnded struct {
	Count int
	By    EndedBy
}

// PasswordChanged is the data of Hooks.PasswordChanged.
type PasswordChanged struct{ By EndedBy } // EndedByPassword: the user; EndedByOperator: the staff

// TwoFactorEvent is the data of Hooks.TwoFactor.
type TwoFactorEvent string

// The events of two-factor logins.
const (
	TwoFactorEnabled    TwoFactorEvent = "enabled"
	TwoFactorDisabled   TwoFactorEvent = "disabled"
	TwoFactorCode       TwoFactorEvent = "code"           // a code was right
	TwoFactorBackupCode TwoFactorEvent = "backup_code"    // a backup code was right
	TwoFactorDevice     TwoFactorEvent = "trusted_device" // a trusted device needed no code
	TwoFactorRefused    TwoFactorEvent = "refused"        // a code was wrong, or used before
	TwoFactorLocked     TwoFactorEvent = "locked"         // a code was not checked, after too many attempts
)

// AccountDeleted is the data of Hooks.AccountDeleted.
type AccountDeleted struct{ By EndedBy } // EndedByLeaving: the user; EndedByOperator: the staff

// Exported is the data of Hooks.Exported.
type Exported struct {
	Bytes   int64 // of files
	Outcome ExportOutcome
}

// An ExportOutcome is how an export came to its end.
type ExportOutcome string

// The outcomes of an export. One that is cancelled is incomplete, and its client had gone,
// a write to the client had failed, or its session had ended. Any error then counts as
// cancelled, also one of the server.
const (
	ExportComplete  ExportOutcome = "complete"
	ExportCancelled ExportOutcome = "cancelled"
	ExportFailed    ExportOutcome = "failed"
)

// FileStored is the data of Hooks.FileStored.
type FileStored struct{ Bytes int64 }

// Blocked is the data of Hooks.Blocked.
type Blocked struct{ Undone bool } // Undone: the user was unblocked

// FileDeleted is the data of Hooks.FileDeleted.
type FileDeleted struct{ Bytes int64 }

// Searched is the data of Hooks.Searched.
type Searched struct {
	Duration time.Duration // including the wait for a turn
	Outcome  SearchOutcome
}

// A SearchOutcome is the result of a search.
type SearchOutcome string

// The outcomes of a search. A partial one reached its limit of work before it had
// searched everything or filled a page. The client may continue it.
const (
	SearchDone    SearchOutcome = "done"
	SearchPartial SearchOutcome = "partial"
	SearchFailed  SearchOutcome = "failed"
)

// RequestChanged is the data of Hooks.Request.
type RequestChanged struct {
	Kind    RequestKind // empty if unknown
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

func (h *Hooks) exported(ctx context.Context, d Exported) {
	if h.Exported != nil {
		h.Exported(ctx, d)
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
