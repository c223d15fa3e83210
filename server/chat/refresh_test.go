package chat_test

import (
	"crypto/sha256"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onemeter/onemeter/server/auth"
	"github.com/onemeter/onemeter/server/chat"
)

// A clock that the test sets.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// login creates an account with a session, on a node with this clock.
func login(t *testing.T) (w *world, n *node, c *clock, tokens chat.Tokens) {
	t.Helper()
	w, c = newWorld(t), new(clock)
	n = w.node(t, nil, func(cfg *chat.Config) { cfg.Now = c.now })
	tokens, err := n.Register(t.Context(), chat.Registration{Phone: "4912345", Password: "secret", Addr: netip.IPv6Loopback()})
	if err != nil {
		t.Fatal(err)
	}
	return w, n, c, tokens
}

// TestConcurrentRefreshesReturnSameToken refreshes from several tabs of a client, on two
// nodes.
func TestConcurrentRefreshesReturnSameToken(t *testing.T) {
	w, here, clock, first := login(t)
	there := w.node(t, nil, func(cfg *chat.Config) { cfg.Now = clock.now })
	refreshed := make([]chat.Tokens, 8)
	var wg sync.WaitGroup
	for i := range refreshed {
		wg.Go(func() {
			var err error
			if refreshed[i], err = []*node{here, there}[i%2].Refresh(t.Context(), first.Refresh); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, r := range refreshed {
		if r.Refresh != refreshed[0].Refresh || r.Refresh == first.Refresh {
			t.Errorf("refresh tokens %q and %q", r.Refresh, refreshed[0].Refresh)
		}
		if _, err := here.Authenticate(t.Context(), r.Access); err != nil {
			t.Error(err)
		}
	}
	clock.advance(9 * time.Second)
	if late, err := there.Refresh(t.Context(), first.Refresh); err != nil || late.Refresh != refreshed[0].Refresh {
		t.Errorf("within the grace: %q, %v", late.Refresh, err)
	}
	if _, err := here.Refresh(t.Context(), refreshed[0].Refresh); err != nil {
		t.Error("the new one:", err)
	}
	// The first token is older than the one with the grace. It is refused, and nothing ends.
	if _, err := here.Refresh(t.Context(), first.Refresh); chat.KindOf(err) != chat.KindUnauthenticated {
		t.Error(err)
	}
	if _, err := here.Refresh(t.Context(), refreshed[0].Refresh); err != nil {
		t.Error("the one that has the grace:", err)
	}
}

// TestReplayedRefreshTokenEndsSession uses tokens that were spent some time ago: the last
// one, and the one before it.
func TestReplayedRefreshTokenEndsSession(t *testing.T) {
	for rotations := 1; rotations <= 2; rotations++ {
		_, n, clock, first := login(t)
		last := first
		for range rotations {
			var err error
			if last, err = n.Refresh(t.Context(), last.Refresh); err != nil {
				t.Fatal(err)
			}
			clock.advance(11 * time.Second)
		}
		_, err := n.Refresh(t.Context(), first.Refresh)
		if chat.KindOf(err) != chat.KindUnauthenticated || !strings.Contains(err.Error(), "the session was ended") {
			t.Errorf("the replay: %v", err)
		}
		if _, err := n.Refresh(t.Context(), last.Refresh); chat.KindOf(err) != chat.KindUnauthenticated {
			t.Errorf("refreshed after the replay: %v", err)
		}
		if _, err := n.Authenticate(t.Context(), last.Access); chat.KindOf(err) != chat.KindUnauthenticated {
			t.Errorf("authenticated after the replay: %v", err)
		}
		n.mu.Lock()
		told := slices.ContainsFunc(n.events, func(e chat.Event) bool { return e.Type == chat.EventSessionEnded })
		n.mu.Unlock()
		if !told {
			t.Error("the session's connections were not closed")
		}
	}
}

// TestForgedRefreshTokenEndsNoSession tries what somebody with an access token, which has
// the session's id, could do.
func TestForgedRefreshTokenEndsNoSession(t *testing.T) {
	_, n, clock, first := login(t)
	last, err := n.Refresh(t.Context(), first.Refresh)
	if err != nil {
		t.Fatal(err)
	}
	clock.advance(time.Minute)
	id, _, _ := strings.Cut(first.Refresh, ".")
	for _, token := range []string{id, id + ".", id + ".0", id + ".0.", id + ".0.x", id + ".+0" + first.Refresh[len(id)+2:], first.Refresh + "x"} {
		if _, err := n.Refresh(t.Context(), token); chat.KindOf(err) != chat.KindUnauthenticated {
			t.Errorf("%q: %v", token, err)
		}
	}
	if _, err := n.Refresh(t.Context(), last.Refresh); err != nil {
		t.Errorf("the session is over: %v", err)
	}
}

// TestOldRefreshTokensAreAccepted: those of earlier versions, and those made with another
// secret.
func TestOldRefreshTokensAreAccepted(t *testing.T) {
	w, n, _, tokens := login(t)
	const old = "session.ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	sum := sha256.Sum256([]byte(old))
	err := w.store.CreateSession(t.Context(), chat.Session{
		ID: "session", UserID: tokens.User.ID, RefreshHash: sum[:], CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
	}, 0)
	if err != nil {
		t.Fatal(err)
	}
	next, err := n.Refresh(t.Context(), old)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Refresh(t.Context(), next.Refresh); err != nil {
		t.Error(err)
	}
	other := w.node(t, nil, func(cfg *chat.Config) { cfg.Signer = auth.NewSigner([]byte(strings.Repeat("other", 8))) })
	if _, err := other.Refresh(t.Context(), tokens.Refresh); err != nil {
		t.Error("after the secret was changed:", err)
	}
}
