package ws

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/onemeter/onemeter/server/bus/membus"
	"github.com/onemeter/onemeter/server/cache/memcache"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/limit/memlimit"
)

const checkedSoon = 20 * time.Millisecond

// beside is another node on w's database, which hears nothing of it: its bus is its
// own. Its store is what change makes of w's.
func (w *world) beside(cfg Config, change func(chat.Store) chat.Store) *world {
	w.t.Helper()
	const size, ttl = 1000, time.Hour
	bus := membus.New()
	n := &world{t: w.t, store: w.store, failed: make(chan error, 16)}
	n.svc = chat.New(chat.Config{
		Store: change(w.store), Bus: bus, Presence: bus,
		Sessions: memcache.New[string, chat.Session](size, ttl), Memberships: memcache.New[int64, chat.Membership](size, ttl),
		Directs: memcache.New[chat.Pair, int64](size, ttl), Users: memcache.New[int64, chat.User](size, ttl),
		Messages: memlimit.New[int64](0, 1, size), LoginAccounts: memlimit.New[string](0, 1, size),
		LoginAddrs: memlimit.New[string](0, 1, size), Registrations: memlimit.New[string](0, 1, size),
		Hasher: plain{}, Signer: plain{}, Log: slog.New(slog.DiscardHandler),
	})
	n.hub = New(n.svc, cfg)
	n.svc.DeliverTo(n.hub.Deliver)
	bus.Subscribe(n.svc.Receive)
	n.srv = httptest.NewServer(http.HandlerFunc(n.serve))
	w.t.Cleanup(func() {
		n.stop()
		n.srv.Close()
		n.svc.Close()
	})
	return n
}

func asItIs(s chat.Store) chat.Store { return s }

// TestNodesFindSessionsThatEnded: whoever ended them told nobody, as where he died
// between the commit and the event, and each node closes the sockets of these
// sessions, of no others, and forgets what it has cached.
func TestNodesFindSessionsThatEnded(t *testing.T) {
	here := newWorld(t, Config{SessionCheck: checkedSoon})
	there := here.beside(Config{SessionCheck: checkedSoon}, asItIs)
	ann, bob := here.user("ann"), here.user("bob")
	gone := []*client{here.dial(ann), here.dial(ann), there.dial(ann)}
	stay := []*client{here.dial(bob), there.dial(bob)}
	if ids, err := here.store.EndSessions(t.Context(), ann.User.ID, ""); len(ids) != 1 || err != nil {
		t.Fatal(ids, err)
	}
	for _, c := range gone {
		c.wantClosed(StatusSessionEnded)
	}
	for _, c := range stay {
		c.send("ping", nil)
		c.want("pong")
	}
	for _, n := range []*world{here, there} {
		if _, err := n.svc.Authenticate(t.Context(), ann.Access); chat.KindOf(err) != chat.KindUnauthenticated {
			t.Errorf("the token: %v", err)
		}
	}
}

// An unsureStore does not learn what became of a commit, which came about.
type unsureStore struct{ chat.Store }

func (s unsureStore) ChangeStanding(ctx context.Context, c chat.StandingChange) (chat.Standing, []string, error) {
	_, _, err := s.Store.ChangeStanding(ctx, c)
	return chat.Standing{}, nil, errors.Join(err, &chat.Error{Kind: chat.KindUnavailable, What: "the database does not answer"})
}

// TestSocketsOfUnsureEndsAreClosedAtOnce: nobody knows which sessions a change has
// ended, or whether it has; those that go on keep their sockets.
func TestSocketsOfUnsureEndsAreClosedAtOnce(t *testing.T) {
	here := newWorld(t, Config{})
	ann, bob := here.user("ann"), here.user("bob")
	unsure := here.beside(Config{SessionCheck: time.Hour}, func(s chat.Store) chat.Store { return unsureStore{s} })
	c, other := unsure.dial(ann), unsure.dial(bob)
	if _, _, err := unsure.svc.BanUser(t.Context(), chat.Staff{}, ann.User.ID, "spam", 0); chat.KindOf(err) != chat.KindUnavailable {
		t.Fatal(err)
	}
	c.wantClosed(StatusSessionEnded)
	if _, err := unsure.svc.SetRole(t.Context(), chat.Staff{}, bob.User.ID, chat.RoleModerator); chat.KindOf(err) != chat.KindUnavailable {
		t.Fatal(err)
	}
	unsure.hub.Deliver(t.Context(), chat.Event{Type: chat.EventSessionEnded, To: []int64{bob.User.ID, 1 << 40}})
	other.send("ping", nil)
	other.want("pong")
}

// An askedStore notes what it is asked for, and fails as long as it is told to.
type askedStore struct {
	chat.Store
	asked chan []string
	fails chan error
}

func (s askedStore) LiveSessions(ctx context.Context, ids []string) ([]string, error) {
	select {
	case s.asked <- ids:
	case <-ctx.Done(): // the test is over
		return nil, ctx.Err()
	}
	select {
	case err := <-s.fails:
		if err != nil {
			return nil, err
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return s.Store.LiveSessions(ctx, ids)
}

// TestSessionsAreAskedForOnce: one of many sockets is asked for once a round, and a
// round that fails closes nothing.
func TestSessionsAreAskedForOnce(t *testing.T) {
	here := newWorld(t, Config{})
	ann := here.user("ann")
	store := askedStore{asked: make(chan []string), fails: make(chan error)}
	n := here.beside(Config{SessionCheck: checkedSoon}, func(s chat.Store) chat.Store { store.Store = s; return store })
	sockets := []*client{n.dial(ann), n.dial(ann), n.dial(ann)}
	for _, err := range []error{errors.New("the database is away"), nil} {
		if ids := <-store.asked; len(ids) != 1 {
			t.Errorf("asked for %q", ids)
		}
		store.fails <- err
	}
	<-store.asked
	for _, c := range sockets {
		c.send("ping", nil)
		c.want("pong")
	}
	if _, err := here.store.EndSessions(t.Context(), ann.User.ID, ""); err != nil {
		t.Fatal(err)
	}
	store.fails <- errors.New("the database is away")
	<-store.asked
	store.fails <- nil
	for _, c := range sockets {
		c.wantClosed(StatusSessionEnded)
	}
}

// TestTokensOfUnsureEndsAreAskedForAgain: a client without a socket is out at once, too,
// although its session was cached.
func TestTokensOfUnsureEndsAreAskedForAgain(t *testing.T) {
	here := newWorld(t, Config{})
	ann := here.user("ann")
	unsure := here.beside(Config{}, func(s chat.Store) chat.Store { return unsureStore{s} })
	if _, err := unsure.svc.Authenticate(t.Context(), ann.Access); err != nil {
		t.Fatal(err)
	}
	if _, _, err := unsure.svc.BanUser(t.Context(), chat.Staff{}, ann.User.ID, "spam", 0); chat.KindOf(err) != chat.KindUnavailable {
		t.Fatal(err)
	}
	if _, err := unsure.svc.Authenticate(t.Context(), ann.Access); chat.KindOf(err) != chat.KindUnauthenticated {
		t.Errorf("after the ban: %v", err)
	}
}
