package server

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/observe"
)

// TestAgesStayWhilePollsFail: a node that cannot read the backlog for two days does not know that it is as old.
func TestAgesStayWhilePollsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Server
		began, polls := time.Now(), 0
		s.backlog.poll(pollEvery, func(context.Context) (chat.Backlog, error) {
			if polls++; polls > 1 {
				return chat.Backlog{}, errors.New("the database does not answer")
			}
			w := chat.Waiting{N: 2, Since: began.Add(-time.Minute)}
			return chat.Backlog{Reports: w, Deletions: w, Unindexed: w, FileBytes: 3}, nil
		})
		synctest.Wait()
		time.Sleep(48 * time.Hour) // of the bubble's clock
		if err := s.backlog.stop(); err != nil || polls < 2 {
			t.Fatalf("%d polls, %v", polls, err)
		}
		var state observe.State
		s.backlogState(&state)
		if state.Reports != 2 || state.Deletions != 2 || state.Unindexed != 2 || state.FileBytes != 3 {
			t.Errorf("the last values are gone: %+v", state)
		}
		for what, age := range map[string]time.Duration{
			"reports": state.ReportsWait, "deletions": state.DeletionsWait, "messages": state.UnindexedWait,
		} {
			if age != time.Minute {
				t.Errorf("%s waited %s when they were polled, and %s later", what, time.Minute, age)
			}
		}
		s.backlogAlerts(func(name, _ string, _ ...any) { t.Errorf("%s", name) })
	})
}
