package chat

import (
	"context"
	"errors"
	"time"
)

// A ReportAction is a moderator's decision about a report.
type ReportAction string

// The actions.
const (
	ReportDismiss ReportAction = "dismiss"
	ReportDelete  ReportAction = "delete" // the message
	ReportWarn    ReportAction = "warn"   // the user, by a notice
	ReportBan     ReportAction = "ban"    // the user
)

// A Report is a user's complaint about a message or another user.
type Report struct {
	ID         int64        `json:"id"`
	ReporterID int64        `json:"reporter_id"`
	UserID     int64        `json:"user_id"`              // whom it is about
	MessageID  int64        `json:"message_id,omitempty"` // 0: the user as such
	Reason     string       `json:"reason"`
	Comment    string       `json:"comment"`
	Content    string       `json:"content,omitempty"` // of the message, when it was reported
	Status     string       `json:"status"`            // pending or handled
	Action     ReportAction `json:"action,omitempty"`
	HandledBy  int64        `json:"handled_by,omitempty"` // 0: the operator
	HandledAt  time.Time    `json:"handled_at,omitzero"`
	CreatedAt  time.Time    `json:"created_at"`

	Reporter *User `json:"reporter,omitempty"`
	User     *User `json:"user,omitempty"`
}

// The statuses of a report.
const (
	ReportPending = "pending"
	ReportDone    = "handled"
)

const (
	notReported      = "nothing reported"
	notHandled       = "report not handled"
	maxReportReason  = 200 // bytes
	maxReportComment = 1000
	mostReports      = 50 // pending reports of one user
)

// Report reports a message that the caller can see, or a user, to the moderators. If
// the caller's same report is already pending, it returns that one. made reports
// whether it is new.
func (s *Service) Report(ctx context.Context, c Caller, r Report) (_ Report, made bool, err error) {
	if err := s.pace(ctx, c, notReported); err != nil {
		return Report{}, false, err
	}
	if err := errors.Join(checkText("reason", r.Reason, maxReportReason), checkText("comment", r.Comment, maxReportComment)); err != nil {
		return Report{}, false, allFaults(err, notReported)
	}
	switch {
	case r.Reason == "":
		return Report{}, false, Errorf(KindInvalid, notReported, "reason is required")
	case (r.MessageID > 0) == (r.UserID > 0) || r.MessageID < 0 || r.UserID < 0:
		return Report{}, false, Errorf(KindInvalid, notReported, "give message_id or user_id, a positive number, and not both")
	}
	if r.MessageID != 0 {
		m, _, err := s.message(ctx, c, r.MessageID, notReported)
		if err != nil {
			return Report{}, false, err
		}
		r.UserID, r.Content = m.SenderID, m.Content
	} else if _, err := s.user(ctx, r.UserID); err != nil {
		return Report{}, false, orNotFound(err, notReported, "there is no such user")
	}
	if r.UserID == c.UserID {
		return Report{}, false, Errorf(KindInvalid, notReported, "you cannot report yourself or your own message")
	}
	r.ReporterID, r.CreatedAt = c.UserID, s.cfg.Now()
	r, made, err = s.cfg.Store.CreateReport(ctx, r, mostReports)
	if errors.Is(err, ErrConflict) {
		return Report{}, false, Errorf(KindRateLimited, notReported, "%d of your reports are pending: wait until a moderator has handled some", mostReports)
	}
	if err == nil && made {
		s.cfg.Hooks.reportMade(ctx)
	}
	return r, made, err
}

// A ReportQuery selects pending reports, the oldest first, or handled ones, the newest
// first.
type ReportQuery struct {
	Handled       bool
	UserID        int64 // whom they are about; 0: any user
	Limit, Offset int
	Count         int64 // count at most so many; 0: all
}

// Reports lists reports for moderators, with the accounts that they are about.
func (s *Service) Reports(ctx context.Context, q ReportQuery, p Paging) (Listing[Report], error) {
	p, err := p.within(defaultPage, MaxPage, "reports not listed")
	if err != nil {
		return Listing[Report]{}, err
	}
	q.Limit, q.Offset, q.Count = p.Limit+1, p.Offset, maxTotal+1
	reports, total, err := s.cfg.Store.Reports(ctx, q)
	if err != nil {
		return Listing[Report]{}, err
	}
	l := listing(reports, total, p)
	for i := range l.Items {
		r := &l.Items[i]
		if r.Reporter, err = s.profile(ctx, 0, r.ReporterID); err != nil {
			return Listing[Report]{}, err
		}
		if r.User, err = s.profile(ctx, 0, r.UserID); err != nil {
			return Listing[Report]{}, err
		}
	}
	return l, nil
}

// A Verdict is a moderator's decision about a report, with its details.
type Verdict struct {
	Action   ReportAction
	Note     string        // text of the warning, or reason of the ban; empty: a default
	Duration time.Duration // of a ban; 0: permanent
}

// A Handling is the change of a report in the store.
type Handling struct {
	ReportID int64
	Action   ReportAction
	By       int64
	At       time.Time
	Entry    AuditEntry
	Notice   *Notice // to the user; nil: none
}

// HandleReport carries out the verdict, and closes the report. If two moderators do this
// at once, the second gets Conflict. What the second has done to the user by then is
// not undone, and is in the audit.
func (s *Service) HandleReport(ctx context.Context, by Staff, id int64, v Verdict) (Report, error) {
	if err := checkText("note", v.Note, maxStaffReason); err != nil {
		return Report{}, err
	}
	r, err := s.cfg.Store.Report(ctx, id)
	if err != nil {
		return Report{}, orNotFound(err, notHandled, "there is no such report")
	}
	if r.Status != ReportPending {
		return Report{}, Errorf(KindConflict, notHandled, "it was handled already: %s", r.Action)
	}
	if err := s.mayHandle(ctx, by, r); err != nil {
		if KindOf(err) == KindForbidden {
			what := AuditEntry{Module: ModuleReports, Message: "handle: " + plainText(string(v.Action), maxName), Target: targetReport(id)}
			s.refused(ctx, by, ActReport, what, err, false)
		}
		return Report{}, err
	}
	handling := Handling{
		ReportID: id, Action: v.Action, By: by.UserID, At: s.cfg.Now(),
		Entry: s.entry(by, LevelInfo, AuditEntry{Module: ModuleReports, Message: "handled: " + string(v.Action), Target: targetReport(id)}),
	}
	if err := s.carryOut(ctx, by, r, v, &handling); err != nil {
		return Report{}, err
	}
	notice, err := s.cfg.Store.HandleReport(ctx, handling)
	if errors.Is(err, ErrConflict) {
		err = Errorf(KindConflict, notHandled, "somebody else handled it at the same time")
		s.refused(ctx, by, ActReport, AuditEntry{Module: ModuleReports, Message: handling.Entry.Message, Target: targetReport(id)}, err, false)
	}
	if err != nil {
		return Report{}, orNotFound(err, notHandled, "there is no such report")
	}
	s.cfg.Hooks.staffActed(ctx, ActReport, OutcomeDone)
	s.cfg.Hooks.reportHandled(ctx, v.Action)
	if handling.Notice != nil {
		s.tellNotice(ctx, notice)
	}
	return s.cfg.Store.Report(ctx, id)
}

// mayHandle returns an error if a report is about the moderator, or about a user with the
// same or a higher role. It asks the store, because cached roles may be stale.
func (s *Service) mayHandle(ctx context.Context, by Staff, r Report) error {
	found, err := s.cfg.Store.Users(ctx, []int64{by.UserID, r.UserID})
	if err != nil {
		return err
	}
	actor, target := Standing{Role: RoleUser}, Standing{UserID: r.UserID, Role: RoleUser}
	if by.UserID == 0 {
		actor = Operator()
	}
	for _, u := range found {
		if u.ID == by.UserID {
			actor = Standing{UserID: u.ID, Role: u.Role}
		}
		if u.ID == r.UserID {
			target.Role = u.Role
		}
	}
	switch {
	case r.UserID == by.UserID:
		return Errorf(KindForbidden, notHandled, "it is about you: leave it to another member of the staff")
	case !actor.Role.AtLeast(RoleSuperAdmin) && target.Role.AtLeast(actor.Role):
		return Errorf(KindForbidden, notHandled, "it is about a user with the role %s, and yours is %s: leave it to a higher role", target.Role, actor.Role)
	}
	return nil
}

// carryOut carries out a verdict on the message or the user. It is idempotent, because a
// report that could not be closed is handled again.
func (s *Service) carryOut(ctx context.Context, by Staff, r Report, v Verdict, h *Handling) error {
	switch v.Action {
	case ReportDismiss:
		return nil
	case ReportDelete:
		if r.MessageID == 0 {
			return Errorf(KindInvalid, notHandled, "it is about a user and has no message to delete: choose another action")
		}
		_, err := s.RemoveMessage(ctx, by, r.MessageID)
		return err
	case ReportWarn:
		if v.Note == "" {
			v.Note = "a moderator warns you: you were reported for " + r.Reason
		}
		h.Notice = &Notice{UserID: r.UserID, Kind: NoticeWarning, Message: v.Note, CreatedAt: h.At}
		_, _, err := s.do(ctx, by, r.UserID, deed{
			act: ActWarn, least: RoleModerator, what: notHandled,
			entry: AuditEntry{Module: ModuleReports, Message: "warned: " + v.Note},
		})
		return err
	case ReportBan:
		if v.Note == "" {
			v.Note = r.Reason
		}
		_, _, err := s.ban(ctx, by, RoleModerator, r.UserID, v.Note, v.Duration)
		return err
	}
	return Errorf(KindInvalid, notHandled, "action must be dismiss, delete, warn or ban")
}
