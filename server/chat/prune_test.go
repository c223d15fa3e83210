package chat_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// TestExpiredSessionsAreDeleted starts a Service with more expired sessions than one
// transaction deletes.
func TestExpiredSessionsAreDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		u := w.user(t)
		expire := func(id string, at time.Time) {
			t.Helper()
			err := w.store.CreateSession(t.Context(), chat.Session{ID: id, UserID: u.UserID, RefreshHash: []byte{1}, ExpiresAt: at}, 0)
			if err != nil {
				t.Fatal(err)
			}
		}
		left := func(id string) bool {
			t.Helper()
			_, err := w.store.Session(t.Context(), id)
			if err != nil && !errors.Is(err, chat.ErrNotFound) {
				t.Fatal(err)
			}
			return err == nil
		}
		start := time.Now()
		for i := range 1100 {
			expire(fmt.Sprint("old ", i), start.Add(-time.Hour))
		}
		expire("soon", start.Add(30*time.Minute))
		expire("alive", start.Add(48*time.Hour))
		n := w.node(t, nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		for i := range 1100 {
			if left(fmt.Sprint("old ", i)) {
				t.Fatal("an expired session is still there")
			}
		}
		if !left("soon") || !left("alive") {
			t.Fatal("a session was deleted before its time")
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if left("soon") || !left("alive") {
			t.Errorf("an hour later: soon %v, alive %v", left("soon"), left("alive"))
		}
		n.Close()
	})
}

// A failingStore cannot delete sessions.
type failingStore struct {
	chat.Store
	asked atomic.Int32
}

func (s *failingStore) DeleteExpiredSessions(ctx context.Context, _ time.Time, _ int) (int, error) {
	if s.asked.Add(1) == 3 {
		<-ctx.Done() // until Close
	}
	return 0, errors.New("no")
}

func TestPruneRetriesAndStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var failing *failingStore
		n := w.node(t, nil, func(c *chat.Config) {
			failing = &failingStore{Store: c.Store}
			c.Store = failing
			c.Limits.CommitWithin = 24 * time.Hour
		})
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if asked := failing.asked.Load(); asked != 3 {
			t.Errorf("asked %d times in three hours", asked)
		}
		n.Close() // during the third try
	})
}
