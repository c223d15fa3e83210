package chat_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// TestGroupsAreNotifiedOfDeletedAccount: if the owner of a group leaves, the members are
// also notified of the new owner.
func TestGroupsAreNotifiedOfDeletedAccount(t *testing.T) {
	w, n, _, tokens := login(t)
	owner, err := n.Authenticate(t.Context(), tokens.Access)
	if err != nil {
		t.Fatal(err)
	}
	heir := w.user(t)
	g, err := n.CreateGroup(t.Context(), owner, "group", []int64{heir.UserID})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.DeleteMe(t.Context(), owner, chat.Farewell{Password: "secret", Addr: netip.IPv6Loopback()}); err != nil {
		t.Fatal(err)
	}
	want := map[chat.GroupChange]int64{chat.GroupLeft: owner.UserID, chat.GroupOwned: heir.UserID}
	timeout := time.After(patience)
	for len(want) > 0 {
		n.mu.Lock()
		for _, e := range n.events {
			if u, ok := e.Payload.(chat.GroupUpdated); ok && u.ChatID == g.ID && want[u.Change] == u.UserID {
				delete(want, u.Change)
			}
		}
		n.mu.Unlock()
		if len(want) == 0 {
			break
		}
		select {
		case <-n.came:
		case <-timeout:
			t.Fatalf("not told: %v", want)
		}
	}
	if _, why := n.ended(); why != "the account was deleted" {
		t.Errorf("clients were told %q", why)
	}
}

// TestAnotherNodeCompletesDeletion: the first node stopped after it had deleted the account.
func TestAnotherNodeCompletesDeletion(t *testing.T) {
	w, n, _, tokens := login(t)
	friend := w.user(t)
	me := chat.Caller{UserID: tokens.User.ID}
	g, err := n.CreateGroup(t.Context(), me, "group", []int64{friend.UserID})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.DeleteUser(t.Context(), me.UserID, 0, time.Now()); err != nil {
		t.Fatal(err)
	}
	n.LeaveAll()
	membership, err := w.store.Membership(t.Context(), g.ID)
	if err != nil || len(membership.Members) != 1 || membership.Members[0].Role != chat.RoleOwner {
		t.Errorf("%+v, %v", membership.Members, err)
	}
	if left, err := w.store.Leaving(t.Context(), 0, 10); len(left) != 0 || err != nil {
		t.Errorf("left to do: %v, %v", left, err)
	}
}

// TestNodeRemovesFilesForProcessWithoutBlobs: imserver admin deletes an account with a file,
// and a node removes the file.
func TestNodeRemovesFilesForProcessWithoutBlobs(t *testing.T) {
	w, n, _, tokens := login(t)
	operator := w.node(t, nil, func(c *chat.Config) { c.Blobs, c.NoUpkeep = nil, true })
	f, err := n.Upload(t.Context(), chat.Caller{UserID: tokens.User.ID}, chat.Upload{Name: "f", Body: strings.NewReader("bytes")})
	if err != nil {
		t.Fatal(err)
	}
	if err := operator.RemoveUser(t.Context(), chat.Staff{}, tokens.User.ID); err != nil {
		t.Fatal(err)
	}
	if left, err := w.store.Leaving(t.Context(), 0, 10); len(left) != 1 || err != nil {
		t.Errorf("left to do: %v, %v", left, err)
	}
	body, err := w.blobs.Open(t.Context(), f.Key)
	if err != nil {
		t.Fatal("the operator's process removed a file that it cannot reach: ", err)
	}
	_ = body.Close()
	n.LeaveAll()
	if left, err := w.store.Leaving(t.Context(), 0, 10); len(left) != 0 || err != nil {
		t.Errorf("left to do after a node has run: %v, %v", left, err)
	}
	if _, err := w.blobs.Open(t.Context(), f.Key); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("the bytes of the file: %v", err)
	}
	if _, err := w.store.File(t.Context(), f.ID); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("the file: %v", err)
	}
}

// A watchedStore counts the background work of a Service.
type watchedStore struct {
	chat.Store
	pruned, left, indexed atomic.Int32
}

func (s *watchedStore) DeleteExpiredSessions(ctx context.Context, at time.Time, limit int) (int, error) {
	s.pruned.Add(1)
	return s.Store.DeleteExpiredSessions(ctx, at, limit)
}

func (s *watchedStore) Leaving(ctx context.Context, after int64, limit int) ([]int64, error) {
	s.left.Add(1)
	return s.Store.Leaving(ctx, after, limit)
}

func (s *watchedStore) IndexMessages(ctx context.Context, before time.Time, limit int) (chat.Indexed, error) {
	s.indexed.Add(1)
	return s.Store.IndexMessages(ctx, before, limit)
}

// TestNoUpkeep: a process that runs for hours, such as a backup, does no background work.
func TestNoUpkeep(t *testing.T) {
	for _, operator := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			watched := &watchedStore{Store: w.store}
			n := w.node(t, nil, func(c *chat.Config) {
				if c.Store = watched; operator {
					c.Blobs, c.NoUpkeep = nil, true
				}
			})
			time.Sleep(2 * time.Hour)
			synctest.Wait()
			n.Close()
			for what, times := range map[string]*atomic.Int32{"pruned": &watched.pruned, "finished deletions": &watched.left, "indexed": &watched.indexed} {
				if done := times.Load() > 0; done == operator {
					t.Errorf("operator: %v, and it %s %d times", operator, what, times.Load())
				}
			}
		})
	}
}

// TestDeletionIsCompletedWithinAMinute: another node stopped after it had deleted the
// account, before it notified anybody.
func TestDeletionIsCompletedWithinAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := w.node(t, nil)
		time.Sleep(30 * time.Second) // in the test's own time: the first leaveAll has found nothing
		gone, friend := w.session(t), w.user(t)
		g := newGroup(t, n, gone, friend)
		if _, err := n.Message(t.Context(), gone, n.send(t, friend, gone.UserID, "1").ID); err != nil { // fills the caches
			t.Fatal(err)
		}
		if _, err := w.store.DeleteUser(t.Context(), gone.UserID, 0, time.Now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if left, err := w.store.Leaving(t.Context(), 0, 10); len(left) != 0 || err != nil {
			t.Errorf("left to do: %v, %v", left, err)
		}
		told := 0
		for _, e := range n.told(gone, chat.EventSessionEnded) {
			if e.Session == "" && e.Reason != "" {
				told++
			}
		}
		if told != 1 {
			t.Errorf("nodes were told %d times to close the sockets", told)
		}
		_, err := n.write(t.Context(), friend, gone, "are you there?")
		refused(t, "a message", err, "was deleted")
		if membership, err := w.store.Membership(t.Context(), g); err != nil || len(membership.Members) != 1 {
			t.Errorf("members %+v, %v", membership.Members, err)
		}
		left := 0
		for _, e := range n.told(friend, chat.EventChatUpdate) {
			if e.Payload.(chat.GroupUpdated).Change == chat.GroupLeft {
				left++
			}
		}
		if left != 1 {
			t.Errorf("the other member was told %d times", left)
		}
	})
}
