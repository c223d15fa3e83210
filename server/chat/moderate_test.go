package chat_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/onemeter/onemeter/server/chat"
)

// breaks makes the database refuse changes of a table.
func (w *world) breaks(t *testing.T, change, table string) {
	t.Helper()
	db, err := sql.Open("sqlite", w.path)
	if err == nil {
		_, err = db.ExecContext(t.Context(), fmt.Sprintf(`CREATE TRIGGER broken_%s BEFORE %s ON %[1]s BEGIN SELECT RAISE(ABORT, 'broken'); END`, table, change))
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestTheAuditHasNoActThatFailed lets the database fail in the midst of what the staff does.
func TestTheAuditHasNoActThatFailed(t *testing.T) {
	w := newWorld(t)
	var acts []chat.StaffActed
	n := w.node(t, nil, func(c *chat.Config) {
		c.Hooks.StaffActed = func(_ context.Context, d chat.StaffActed) { acts = append(acts, d) }
	})
	ann, ben := w.user(t), w.user(t)
	group, err := n.CreateGroup(t.Context(), ann, "a group", []int64{ben.UserID})
	if err != nil {
		t.Fatal(err)
	}
	m, err := n.Send(t.Context(), ann, chat.Draft{Target: chat.Target{ChatID: group.ID}, Content: "text"})
	if err != nil {
		t.Fatal(err)
	}
	w.breaks(t, "UPDATE", "messages")
	w.breaks(t, "DELETE", "members")
	w.breaks(t, "INSERT", "notices")
	for act, do := range map[chat.Act]func() error{
		chat.ActDeleteMessage: func() error { _, err := n.RemoveMessage(t.Context(), chat.Staff{}, m.ID); return err },
		chat.ActDeleteChat:    func() error { return n.DeleteChat(t.Context(), chat.Staff{}, group.ID) },
		chat.ActBroadcast:     func() error { _, err := n.Broadcast(t.Context(), chat.Staff{}, "hello"); return err },
	} {
		acts = nil
		if err := do(); chat.KindOf(err) != chat.KindInternal {
			t.Errorf("%s: %v", act, err)
		}
		if len(acts) != 1 || acts[0] != (chat.StaffActed{Act: act, Outcome: chat.OutcomeFailed}) {
			t.Errorf("%s: %v", act, acts)
		}
		if l, err := n.Audit(t.Context(), chat.AuditQuery{}, chat.Paging{}); err != nil || l.Total != 0 {
			t.Errorf("%s failed, and is in the audit: %+v, %v", act, l.Items, err)
		}
	}
}
