package chat_test

import (
	"context"
	"strings"
	"testing"

	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/limit/memlimit"
)

// TestChangesAreRateLimited uses up the only turn. Then every change is refused.
func TestChangesAreRateLimited(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil, func(c *chat.Config) { c.Actions = memlimit.New[int64](0.001, 1, 1000) })
	a, b := w.user(t), w.user(t)
	g, err := n.CreateGroup(t.Context(), a, "g", []int64{b.UserID})
	if err != nil {
		t.Fatal(err)
	}
	m := n.send(t, a, b.UserID, "1")
	for name, do := range map[string]func(context.Context) error{
		"CreateGroup":  func(ctx context.Context) error { _, err := n.CreateGroup(ctx, a, "h", nil); return err },
		"AddMember":    func(ctx context.Context) error { _, err := n.AddMember(ctx, a, g.ID, b.UserID); return err },
		"RemoveMember": func(ctx context.Context) error { return n.RemoveMember(ctx, a, g.ID, b.UserID) },
		"SetAdmin":     func(ctx context.Context) error { _, err := n.SetAdmin(ctx, a, g.ID, b.UserID, true); return err },
		"SetMuted":     func(ctx context.Context) error { _, err := n.SetMuted(ctx, a, g.ID, b.UserID, true); return err },
		"Ban":          func(ctx context.Context) error { _, err := n.Ban(ctx, a, g.ID, b.UserID); return err },
		"Unban":        func(ctx context.Context) error { return n.Unban(ctx, a, g.ID, b.UserID) },
		"AddFriend":    func(ctx context.Context) error { _, err := n.AddFriend(ctx, a, b.UserID); return err },
		"Rename":       func(ctx context.Context) error { _, err := n.Rename(ctx, a, g.ID, "h"); return err },
		"DeleteGroup":  func(ctx context.Context) error { return n.DeleteGroup(ctx, a, g.ID) },
		"Unfriend":     func(ctx context.Context) error { return n.Unfriend(ctx, a, b.UserID) },
		"Block":        func(ctx context.Context) error { _, err := n.Block(ctx, a, b.UserID); return err },
		"Unblock":      func(ctx context.Context) error { return n.Unblock(ctx, a, b.UserID) },
		"Accept":       func(ctx context.Context) error { _, err := n.Accept(ctx, a, 1); return err },
		"Decline":      func(ctx context.Context) error { _, err := n.Decline(ctx, a, 1); return err },
		"SetPrivacy": func(ctx context.Context) error {
			_, err := n.SetPrivacy(ctx, a, chat.PrivacyChange{})
			return err
		},
		"UpdateMe": func(ctx context.Context) error { _, err := n.UpdateMe(ctx, a, chat.Profile{}); return err },
		"Upload": func(ctx context.Context) error {
			_, err := n.Upload(ctx, a, chat.Upload{Body: strings.NewReader("x")})
			return err
		},
		"Edit":     func(ctx context.Context) error { _, err := n.Edit(ctx, a, m.ID, "x"); return err },
		"Delete":   func(ctx context.Context) error { _, err := n.Delete(ctx, a, m.ID); return err },
		"Recall":   func(ctx context.Context) error { _, err := n.Recall(ctx, a, m.ID); return err },
		"MarkRead": func(ctx context.Context) error { _, err := n.MarkRead(ctx, a, m.ID); return err },
		"Typing":   func(ctx context.Context) error { return n.Typing(ctx, a, chat.Target{ChatID: g.ID}, true) },
		"MayAct":   func(ctx context.Context) error { return n.MayAct(ctx, a.UserID) },
	} {
		if err := do(t.Context()); chat.KindOf(err) != chat.KindRateLimited {
			t.Errorf("%s: %v", name, err)
		}
	}
}
