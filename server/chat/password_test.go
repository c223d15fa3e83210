package chat_test

import (
	"net/netip"
	"sync"
	"testing"

	"github.com/onemeter/onemeter/server/chat"
)

func (n *node) tryPassword(t *testing.T, password string) chat.Kind {
	t.Helper()
	_, err := n.Login(t.Context(), chat.Credentials{Phone: "4912345", Password: password, Addr: netip.IPv6Loopback()})
	return chat.KindOf(err)
}

// TestOneOfTwoPasswordChangesWins changes the password from two devices at once. One fails,
// and its session ends.
func TestOneOfTwoPasswordChangesWins(t *testing.T) {
	_, n, _, _ := login(t)
	passwords := []string{"password one", "password two"}
	callers, errs := make([]chat.Caller, 2), make([]error, 2)
	for i := range callers {
		_, callers[i] = n.loginAgain(t)
	}
	var wg sync.WaitGroup
	for i, p := range passwords {
		wg.Go(func() {
			errs[i] = n.ChangePassword(t.Context(), callers[i], chat.PasswordChange{Old: "secret", New: p})
		})
	}
	wg.Wait()
	won := 0
	for i, p := range passwords {
		alive, err := n.Alive(t.Context(), callers[i])
		if err != nil {
			t.Fatal(err)
		}
		switch kind := chat.KindOf(errs[i]); {
		case kind == "":
			won++
			if got := n.tryPassword(t, p); got != "" || !alive {
				t.Errorf("who won: login %q, session alive: %v", got, alive)
			}
		case kind != chat.KindConflict && kind != chat.KindForbidden: // the old password was still right, or not any more
			t.Errorf("who lost: %v", errs[i])
		case alive || n.tryPassword(t, p) != chat.KindUnauthenticated:
			t.Errorf("who lost is still logged in: %v", alive)
		}
	}
	if won != 1 {
		t.Errorf("%d changes won: %v", won, errs)
	}
}

// TestOperatorResetsPassword: the old password and all sessions become invalid.
func TestOperatorResetsPassword(t *testing.T) {
	_, n, _, tokens := login(t)
	id := tokens.User.ID
	operator := chat.Staff{}
	for _, bad := range []string{"short", string(make([]byte, 1025))} {
		if _, err := n.ResetUserPassword(t.Context(), operator, id, bad); chat.KindOf(err) != chat.KindInvalid {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
	if _, err := n.ResetUserPassword(t.Context(), operator, 1<<40, "long enough"); chat.KindOf(err) != chat.KindNotFound {
		t.Errorf("of nobody: %v", err)
	}
	if _, err := n.Authenticate(t.Context(), tokens.Access); err != nil {
		t.Error("refused resets ended the session:", err)
	}
	if _, err := n.ResetUserPassword(t.Context(), operator, id, "from the operator"); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Authenticate(t.Context(), tokens.Access); chat.KindOf(err) != chat.KindUnauthenticated {
		t.Errorf("the session: %v", err)
	}
	if got := n.tryPassword(t, "secret"); got != chat.KindUnauthenticated {
		t.Errorf("the old password: %q", got)
	}
	if got := n.tryPassword(t, "from the operator"); got != "" {
		t.Errorf("the new password: %q", got)
	}
	if _, why := n.ended(); why != "the password was reset by an operator" {
		t.Errorf("clients were told %q", why)
	}
}
