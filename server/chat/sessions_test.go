package chat_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/onemeter/onemeter/server/chat"
)

// ended lists the sessions whose connections a node had to close, and the last reason.
func (n *node) ended() (ids []string, reason string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.events {
		if e.Type == chat.EventSessionEnded {
			ids, reason = append(ids, e.Session), e.Reason
		}
	}
	slices.Sort(ids)
	return ids, reason
}

func (n *node) loginAgain(t *testing.T) (chat.Tokens, chat.Caller) {
	t.Helper()
	tokens, err := n.Login(t.Context(), chat.Credentials{Phone: "4912345", Password: "secret", Addr: netip.IPv6Loopback()})
	if err != nil {
		t.Fatal(err)
	}
	caller, err := n.Authenticate(t.Context(), tokens.Access)
	if err != nil {
		t.Fatal(err)
	}
	return tokens, caller
}

// TestEndAllSessions: their tokens become invalid, and their connections are closed.
func TestEndAllSessions(t *testing.T) {
	_, here, _, first := login(t)
	_, stays := here.loginAgain(t)
	third, _ := here.loginAgain(t)
	if n, err := here.EndMyOtherSessions(t.Context(), stays); n != 2 || err != nil {
		t.Fatalf("%d sessions ended, %v", n, err)
	}
	for _, gone := range []chat.Tokens{first, third} {
		if _, err := here.Authenticate(t.Context(), gone.Access); chat.KindOf(err) != chat.KindUnauthenticated {
			t.Errorf("the access token: %v", err)
		}
		if _, err := here.Refresh(t.Context(), gone.Refresh); chat.KindOf(err) != chat.KindUnauthenticated {
			t.Errorf("the refresh token: %v", err)
		}
	}
	if alive, err := here.Alive(t.Context(), stays); !alive || err != nil {
		t.Errorf("the session that stays: %v, %v", alive, err)
	}
	if ids, _ := here.ended(); len(ids) != 2 || slices.Contains(ids, stays.SessionID) {
		t.Errorf("connections of %q are closed", ids)
	}
	reason := strings.Repeat("spämming\n", 50)
	if n, err := here.LogoutUser(t.Context(), chat.Staff{}, first.User.ID, reason); n != 1 || err != nil {
		t.Fatalf("%d sessions ended, %v", n, err)
	}
	if _, told := here.ended(); len(told) > 100 || !utf8.ValidString(told) || !strings.HasPrefix(told, "logged out: spämming spämming") {
		t.Errorf("the reason is %q", told)
	}
	here.loginAgain(t) // a new login succeeds
	if _, err := here.LogoutUser(t.Context(), chat.Staff{}, 1<<40, ""); chat.KindOf(err) != chat.KindNotFound {
		t.Errorf("of nobody: %v", err)
	}
}

// A hurriedStore ends all sessions of an account during a login, after the account was read
// and before the session is stored.
type hurriedStore struct {
	chat.Store
	end func(userID int64)
}

func (h hurriedStore) UserByLogin(ctx context.Context, phone, username string) (chat.Login, error) {
	l, err := h.Store.UserByLogin(ctx, phone, username)
	if err == nil {
		h.end(l.ID)
	}
	return l, err
}

// TestLoginInProgressFailsIfSessionsEnd: an operator ends all sessions after the password was
// checked.
func TestLoginInProgressFailsIfSessionsEnd(t *testing.T) {
	w, here, _, first := login(t)
	there := w.node(t, nil, func(cfg *chat.Config) {
		cfg.Store = hurriedStore{w.store, func(userID int64) {
			if _, err := here.LogoutUser(t.Context(), chat.Staff{}, userID, ""); err != nil {
				t.Error(err)
			}
		}}
	})
	_, err := there.Login(t.Context(), chat.Credentials{Phone: "4912345", Password: "secret", Addr: netip.IPv6Loopback()})
	if chat.KindOf(err) != chat.KindUnauthenticated || !strings.Contains(err.Error(), "try again") {
		t.Errorf("the login: %v", err)
	}
	if left, err := w.store.Sessions(t.Context(), first.User.ID, 10, 0); len(left) != 0 || err != nil {
		t.Errorf("%d sessions are left, %v", len(left), err)
	}
}
