package chat_test

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/onemeter/onemeter/server/auth"
	"github.com/onemeter/onemeter/server/blob"
	"github.com/onemeter/onemeter/server/bus/membus"
	"github.com/onemeter/onemeter/server/cache/memcache"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/limit/memlimit"
	"github.com/onemeter/onemeter/server/sqlstore"
	"github.com/onemeter/onemeter/server/sqlstore/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// migrated gives each test a database of its own that has all tables.
var migrated = storetest.Template(func(path string) (io.Closer, error) {
	return sqlstore.Open(context.Background(), sqlstore.Config{Path: path})
})

// cheap is the cost of hashes where it does not matter: one of the default cost takes 100 times as long.
var cheap = auth.Cost{Memory: 8, Passes: 1, Threads: 1}

const patience = 20 * time.Second

// A world is a database and the nodes that share it.
type world struct {
	store *sqlstore.Store
	blobs *blob.Store
	path  string // of the database
	dir   string // of the blobs
	users int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	path, dir := migrated(t), filepath.Join(t.TempDir(), "files")
	store, err := sqlstore.Open(t.Context(), sqlstore.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := blob.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = blobs.Close()
		_ = store.Close()
	})
	return &world{store: store, blobs: blobs, path: path, dir: dir}
}

// user creates an account.
func (w *world) user(t *testing.T) chat.Caller {
	t.Helper()
	w.users++
	u, err := w.store.CreateUser(t.Context(), chat.User{Phone: fmt.Sprint(10000 + w.users), Role: chat.RoleUser}, "")
	if err != nil {
		t.Fatal(err)
	}
	return chat.Caller{UserID: u.ID}
}

// A node is one Service and what it delivers to its connections.
type node struct {
	*chat.Service
	mu     sync.Mutex
	events []chat.Event
	came   chan struct{} // has room for one signal: an event was delivered
}

// node starts a Service whose events go to bus, or only to its own connections if bus is
// nil.
func (w *world) node(t *testing.T, bus chat.Bus, change ...func(*chat.Config)) *node {
	t.Helper()
	own := membus.New()
	if bus == nil {
		bus = own
	}
	const keys = 1000
	cfg := chat.Config{
		Store: w.store, Blobs: w.blobs, Bus: bus, Presence: own,
		Sessions:    memcache.New[string, chat.Session](keys, time.Hour),
		Memberships: memcache.New[int64, chat.Membership](keys, time.Hour),
		Directs:     memcache.New[chat.Pair, int64](keys, time.Hour),
		Users:       memcache.New[int64, chat.User](keys, time.Hour),
		Messages:    memlimit.New[int64](0, 0, keys), LoginAccounts: memlimit.New[string](0, 0, keys),
		LoginAddrs: memlimit.New[string](0, 0, keys), Registrations: memlimit.New[string](0, 0, keys),
		Hasher: auth.NewHasherAt(cheap), Signer: auth.NewSigner(make([]byte, 32)),
	}
	for _, c := range change {
		c(&cfg)
	}
	n := &node{Service: chat.New(cfg), came: make(chan struct{}, 1)}
	n.DeliverTo(func(_ context.Context, e chat.Event) {
		n.mu.Lock()
		n.events = append(n.events, e)
		n.mu.Unlock()
		select {
		case n.came <- struct{}{}:
		default:
		}
	})
	own.Subscribe(n.Receive)
	t.Cleanup(n.Close)
	return n
}

// delivered waits until want new messages were delivered, and returns all their Seqs.
func (n *node) delivered(t *testing.T, want int) []int64 {
	t.Helper()
	timeout := time.After(patience)
	for {
		var seqs []int64
		n.mu.Lock()
		for _, e := range n.events {
			if e.Type == chat.EventMessageNew {
				seqs = append(seqs, e.Seq)
			}
		}
		n.mu.Unlock()
		if len(seqs) >= want {
			return seqs
		}
		select {
		case <-n.came:
		case <-timeout:
			t.Fatalf("%d of %d messages were delivered: %v", len(seqs), want, seqs)
		}
	}
}

func (n *node) send(t *testing.T, from chat.Caller, to int64, id string) chat.Message {
	t.Helper()
	m, err := n.Send(t.Context(), from, chat.Draft{Target: chat.Target{ReceiverID: to}, Content: "text " + id, ClientMsgID: id})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// session creates an account with a session, for tests of calls that check it.
func (w *world) session(t *testing.T) chat.Caller {
	t.Helper()
	c := w.user(t)
	c.SessionID = fmt.Sprint("session ", c.UserID)
	err := w.store.CreateSession(t.Context(), chat.Session{
		ID: c.SessionID, UserID: c.UserID, RefreshHash: []byte(c.SessionID), CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
	}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
