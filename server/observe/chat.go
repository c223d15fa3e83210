package observe

import (
	"context"
	"strconv"

	"github.com/onemeter/onemeter/server/chat"

	"go.opentelemetry.io/otel/attribute"
)

// Chat returns the hooks that feed the instruments of the domain.
func (o *Observer) Chat() chat.Hooks {
	ins := o.ins
	refused := by(ins.refused, value("reason"))
	lookups := by(ins.cacheLookups, lookupAttrs)
	searches := by(ins.searchDuration, value("outcome"))
	hooks := chat.Hooks{
		MessageStored: func(ctx context.Context, _ chat.MessageStored) { ins.messagesSent.Add(ctx, 1) },
		MessageRefused: func(ctx context.Context, d chat.MessageRefused) {
			refused.of(string(d.Reason)).Add(ctx, 1)
		},
		BatchCommitted: func(ctx context.Context, d chat.BatchCommitted) {
			if d.Err != nil {
				ins.commitFailures.Add(ctx, 1)
				return
			}
			ins.batchSize.Record(ctx, int64(d.Messages))
			ins.commitDuration.Record(ctx, d.Duration.Seconds())
		},
		CacheLookup: func(ctx context.Context, d chat.CacheLookup) {
			if d.Hit {
				ins.cacheHits.Add(ctx, 1)
			} else {
				ins.cacheMisses.Add(ctx, 1)
			}
			lookups.of(d).Add(ctx, 1)
		},
		FileStored: func(ctx context.Context, d chat.FileStored) { ins.uploadBytes.Add(ctx, d.Bytes) },
		FileDeleted: func(ctx context.Context, d chat.FileDeleted) {
			ins.filesDeleted.Add(ctx, 1)
			ins.deletedBytes.Add(ctx, d.Bytes)
		},
		Searched: func(ctx context.Context, d chat.Searched) {
			searches.of(string(d.Outcome)).Record(ctx, d.Duration.Seconds())
		},
		Recovered: func(ctx context.Context, d chat.Recovered) {
			ins.recovered.Add(ctx, int64(d.Messages))
			if d.Err != nil {
				ins.recoveryFailures.Add(ctx, 1)
			}
		},
		PublishFailed: func(ctx context.Context, _ error) { ins.publishFailures.Add(ctx, 1) },
	}
	o.accountHooks(&hooks)
	o.staffHooks(&hooks)
	return hooks
}

// accountHooks sets the hooks for logins, sessions, and what users do with their accounts.
func (o *Observer) accountHooks(h *chat.Hooks) {
	ins := o.ins
	rejections := by(ins.loginsRejected, rejectionAttrs)
	for _, reason := range []chat.Kind{chat.KindUnauthenticated, chat.KindRateLimited} { // as seldom does: an alert counts them
		rejections.of(chat.LoginRejected{Reason: reason}).Add(context.Background(), 0)
	}
	blocks, requests := seldom(ins.blocks, byBlock), seldom(ins.requests, byAnswer)
	ended, passwords, leavings := seldom(ins.sessionsEnded, byEnder), seldom(ins.passwordChanges, byWhom), seldom(ins.accountsDeleted, byWhom)
	factors, exports := seldom(ins.twoFactor, byFactor), seldom(ins.exports, byExport)
	h.LoginRejected = func(ctx context.Context, d chat.LoginRejected) {
		rejections.of(d).Add(ctx, 1)
	}
	h.Blocked = func(ctx context.Context, d chat.Blocked) {
		change := blockMade
		if d.Undone {
			change = blockUndone
		}
		blocks.of(change).Add(ctx, 1)
	}
	h.Request = func(ctx context.Context, d chat.RequestChanged) {
		requests.of(string(d.Outcome)).Add(ctx, 1)
	}
	h.SessionsEnded = func(ctx context.Context, d chat.SessionsEnded) {
		ended.of(string(d.By)).Add(ctx, int64(d.Count))
	}
	h.PasswordChanged = func(ctx context.Context, d chat.PasswordChanged) { passwords.of(whom(d.By)).Add(ctx, 1) }
	h.TwoFactor = func(ctx context.Context, e chat.TwoFactorEvent) { factors.of(string(e)).Add(ctx, 1) }
	h.AccountDeleted = func(ctx context.Context, d chat.AccountDeleted) { leavings.of(whom(d.By)).Add(ctx, 1) }
	h.Exported = func(ctx context.Context, d chat.Exported) { exports.of(string(d.Outcome)).Add(ctx, 1) }
}

// staffHooks sets the hooks for what the staff does.
func (o *Observer) staffHooks(h *chat.Hooks) {
	ins := o.ins
	acts := by(ins.staffActs, staffAttrs)
	for _, act := range chat.Acts { // as seldom does
		acts.of(chat.StaffActed{Act: act, Outcome: chat.OutcomeDone}).Add(context.Background(), 0)
		acts.of(chat.StaffActed{Act: act, Outcome: chat.OutcomeRefused}).Add(context.Background(), 0)
	}
	bans, handled, notices := seldom(ins.bans, byBan), seldom(ins.reportsHandled, byAction), seldom(ins.notices, byNotice)
	h.StaffActed = func(ctx context.Context, d chat.StaffActed) { acts.of(d).Add(ctx, 1) }
	h.UserBanned = func(ctx context.Context, d chat.UserBanned) {
		kind := "temporary"
		if d.ForGood {
			kind = "for_good"
		}
		bans.of(kind).Add(ctx, 1)
	}
	h.ReportMade = func(ctx context.Context, _ chat.ReportMade) { ins.reports.Add(ctx, 1) }
	h.ReportHandled = func(ctx context.Context, d chat.ReportHandled) { handled.of(string(d.Action)).Add(ctx, 1) }
	h.NoticeSent = func(ctx context.Context, d chat.NoticeSent) { notices.of(string(d.Kind)).Add(ctx, 1) }
}

// Values of change in im.blocks.
const (
	blockMade   = "blocked"
	blockUndone = "unblocked"
)

// Values of by for changes of an account.
const (
	byUser     = "user"
	byOperator = "operator"
)

// whom returns the value of by for a change of an account.
func whom(by chat.EndedBy) string {
	if by == chat.EndedByOperator {
		return byOperator
	}
	return byUser
}

func lookupAttrs(d chat.CacheLookup) []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String("cache", d.Cache), attribute.String("hit", strconv.FormatBool(d.Hit))}
}

func staffAttrs(d chat.StaffActed) []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String("act", string(d.Act)), attribute.String("outcome", string(d.Outcome))}
}

func rejectionAttrs(d chat.LoginRejected) []attribute.KeyValue {
	operation := "login"
	if d.Registration {
		operation = "register"
	}
	return []attribute.KeyValue{attribute.String("operation", operation), attribute.String("reason", string(d.Reason))}
}
