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

// exec runs a statement on the database, past the store.
func (w *world) exec(t *testing.T, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", w.path)
	if err == nil {
		_, err = db.ExecContext(t.Context(), statement)
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// breaks makes the database refuse changes of a table.
func (w *world) breaks(t *testing.T, change, table string) {
	t.Helper()
	w.exec(t, fmt.Sprintf(`CREATE TRIGGER broken_%s BEFORE %s ON %[1]s BEGIN SELECT RAISE(ABORT, 'broken'); END`, table, change))
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

// TestLargeListsAreNotCounted has more entries in the audit than are counted: their total says so, and pages go on.
func TestLargeListsAreNotCounted(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil)
	const rows, counted, page = 10_050, 10_000, 50
	w.exec(t, fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO audit (level, module, message, user_id, target, ip, created_at) SELECT 'info', 'system', 'x', 0, '', '', 1 FROM n`, rows))
	for _, c := range []struct {
		offset int
		items  int
		more   bool
	}{{0, page, true}, {rows - page - 1, page, true}, {rows - page, page, false}, {rows - 1, 1, false}, {rows, 0, false}} {
		l, err := n.Audit(t.Context(), chat.AuditQuery{}, chat.Paging{Offset: c.offset})
		if err != nil || l.Total != counted || !l.MoreTotal || len(l.Items) != c.items || l.HasMore != c.more {
			t.Errorf("from %d: %d entries of %d (more: %v), has more: %v, %v", c.offset, len(l.Items), l.Total, l.MoreTotal, l.HasMore, err)
		}
	}
	w.exec(t, fmt.Sprintf(`DELETE FROM audit WHERE id > %d`, counted))
	if l, err := n.Audit(t.Context(), chat.AuditQuery{}, chat.Paging{Page: counted / page}); err != nil || l.Total != counted || l.MoreTotal || l.HasMore {
		t.Errorf("%d, %v, %v, %v", l.Total, l.MoreTotal, l.HasMore, err)
	}
}
