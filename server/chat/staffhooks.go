package chat

import "context"

// An Act is an action of the staff.
type Act string

// The acts.
const (
	ActAccess        Act = "access" // use of a call for the staff, if refused by StaffOf
	ActRole          Act = "role"
	ActBan           Act = "ban"
	ActUnban         Act = "unban"
	ActLogout        Act = "logout"
	ActDelete        Act = "delete_user"
	ActPassword      Act = "reset_password"
	ActTwoFactor     Act = "reset_two_factor"
	ActBroadcast     Act = "broadcast"
	ActReadMessages  Act = "read_messages"
	ActDeleteMessage Act = "delete_message"
	ActDeleteChat    Act = "delete_chat"
	ActReport        Act = "report"
	ActWarn          Act = "warn"
)

// Acts lists all acts.
var Acts = []Act{
	ActAccess, ActRole, ActBan, ActUnban, ActLogout, ActDelete, ActPassword, ActTwoFactor, ActBroadcast, ActReadMessages, ActDeleteMessage,
	ActDeleteChat, ActReport, ActWarn,
}

// An Outcome is the result of an act.
type Outcome string

// The outcomes.
const (
	OutcomeDone    Outcome = "done"
	OutcomeRefused Outcome = "refused"
	OutcomeFailed  Outcome = "failed"
)

// StaffActed is the data of Hooks.StaffActed.
type StaffActed struct {
	Act     Act
	Outcome Outcome
}

// UserBanned is the data of Hooks.UserBanned.
type UserBanned struct{ ForGood bool } // ForGood: the ban is permanent

// ReportMade is the data of Hooks.ReportMade.
type ReportMade struct{}

// NoticeSent is the data of Hooks.NoticeSent.
type NoticeSent struct{ Kind NoticeKind }

// ReportHandled is the data of Hooks.ReportHandled.
type ReportHandled struct{ Action ReportAction }

func (h *Hooks) staffActed(ctx context.Context, act Act, outcome Outcome) {
	if h.StaffActed != nil {
		h.StaffActed(ctx, StaffActed{Act: act, Outcome: outcome})
	}
}

func (h *Hooks) userBanned(ctx context.Context, d UserBanned) {
	if h.UserBanned != nil {
		h.UserBanned(ctx, d)
	}
}

func (h *Hooks) reportMade(ctx context.Context) {
	if h.ReportMade != nil {
		h.ReportMade(ctx, ReportMade{})
	}
}

func (h *Hooks) reportHandled(ctx context.Context, action ReportAction) {
	if h.ReportHandled != nil {
		h.ReportHandled(ctx, ReportHandled{Action: action})
	}
}

func (h *Hooks) noticeSent(ctx context.Context, kind NoticeKind) {
	if h.NoticeSent != nil {
		h.NoticeSent(ctx, NoticeSent{Kind: kind})
	}
}
