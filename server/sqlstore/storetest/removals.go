package storetest

import (
	"github.com/onemeter/onemeter/server/chat"
)

// entry is an entry for the audit.
func (w *world) entry(message string) chat.AuditEntry {
	return chat.AuditEntry{Level: chat.LevelInfo, Module: chat.ModuleSystem, Message: message, CreatedAt: w.now}
}

// audited returns the messages of the audit, the newest first.
func (w *world) audited() (messages []string) {
	w.Helper()
	entries, _, err := w.Audit(w.ctx(), chat.AuditQuery{BeforeID: 1 << 62, Module: chat.ModuleSystem, Limit: 100})
	w.ok(err)
	for _, e := range entries {
		messages = append(messages, e.Message)
	}
	return messages
}

// testRemovals deletes messages and groups for the staff: each with its entry of the audit, or neither.
func testRemovals(w *world) {
	u := w.users(3)
	w.role(u[0], chat.RoleModerator)
	w.role(u[1], chat.RoleAdministrator)
	ban := chat.Ban{Reason: "spam", CreatedAt: w.stored()}
	w.stand(u[0], func(to *chat.Standing) { to.Ban = &ban })
	g := w.group(u[1], u[2])
	m := w.send(g, u[2], "text")

	var actor, owner chat.Standing
	decide := func(message string, refusal error) func(chat.Standing, chat.Standing) (chat.AuditEntry, error) {
		return func(a, b chat.Standing) (chat.AuditEntry, error) {
			actor, owner = a, b
			return w.entry(message), refusal
		}
	}
	message := func(by int64, id int64, refusal error) error {
		return w.RemoveMessage(w.ctx(), chat.Removal{ActorID: by, ID: id, At: w.now, Decide: decide("message", refusal)})
	}
	group := func(by int64, id int64, refusal error) ([]int64, error) {
		return w.RemoveGroup(w.ctx(), chat.Removal{ActorID: by, ID: id, At: w.now, Decide: decide("group", refusal)})
	}
	no := chat.Errorf(chat.KindForbidden, "no", "%v", errDecided)
	equal(w, "kind of a refused removal", chat.KindOf(message(u[0], m.ID, no)), chat.KindForbidden)
	equal(w, "actor of Decide", actor, chat.Standing{UserID: u[0], Role: chat.RoleModerator, Ban: &ban})
	equal(w, "sender in Decide", owner, chat.Standing{UserID: u[2], Role: chat.RoleUser})
	_, err := group(1<<40, g, no)
	equal(w, "kind of a refused removal", chat.KindOf(err), chat.KindForbidden)
	equal(w, "actor without an account", actor, chat.Standing{UserID: 1 << 40, Role: chat.RoleUser})
	equal(w, "owner in Decide", owner, chat.Standing{UserID: u[1], Role: chat.RoleAdministrator})
	equal(w, "the message after a refusal", must[chat.Message](w)(w.Message(w.ctx(), m.ID)).Content, "text")
	equal(w, "audit after refusals", w.audited(), nil)

	w.ok(message(0, m.ID, nil))
	equal(w, "the operator", actor, chat.Operator())
	gone := must[chat.Message](w)(w.Message(w.ctx(), m.ID))
	equal(w, "deleted", []any{gone.Content, gone.Deleted, gone.UpdatedAt}, []any{"", true, w.stored()})
	w.is(message(0, m.ID, nil), chat.ErrNotFound)
	w.is(message(0, 1<<40, nil), chat.ErrNotFound)
	equal(w, "audit after one removal", w.audited(), []string{"message"})

	equal(w, "members of the removed group", must[[]int64](w)(group(u[1], g, nil)), u[1:])
	equal(w, "audit after two removals", w.audited(), []string{"group", "message"})
	equal(w, "members after the removal", len(must[chat.Membership](w)(w.Membership(w.ctx(), g)).Members), 0)
	_, err = group(0, g, nil) // deleted already
	w.is(err, chat.ErrNotFound)
	equal(w, "audit after a second removal", w.audited(), []string{"group", "message"})
	_, err = group(u[1], w.direct(u[0], u[1]), nil)
	w.is(err, chat.ErrNotFound)
	_, err = group(u[1], 1<<40, nil)
	w.is(err, chat.ErrNotFound)
}
