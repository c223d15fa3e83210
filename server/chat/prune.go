package chat

import (
	"context"
	"time"
)

// When sessions that expired are deleted, and how many in one transaction: few
// enough that nobody notices.
const (
	pruneFirst = 10 * time.Second // after the start, which has other things to do
	pruneEvery = time.Hour
	leaveEvery = time.Minute // deletions of accounts that other nodes have not finished
	pruneChunk = 1000
)

// prune deletes expired sessions, what is left of deleted groups (at once), and
// files that nobody can use (cleanFiles), and finishes deletions, until the Service is closed. Every node does: what one has deleted is not
// there for the next.
func (s *Service) prune() {
	wait := time.NewTimer(pruneFirst)
	defer wait.Stop()
	leave := time.NewTicker(leaveEvery)
	defer leave.Stop()
	for {
		select {
		case <-s.background.Done():
			return
		case <-s.purges:
			s.purgeGroups()
		case <-leave.C:
			s.leaveAll()
		case <-wait.C:
			s.pruneAll()
			s.purgeGroups()
			s.leaveAll()
			s.cleanFiles()
			wait.Reset(pruneEvery)
		}
	}
}

// pruneAll deletes chunk after chunk. What fails is done an hour later: nobody
// can use what expired, it takes up room alone.
func (s *Service) pruneAll() {
	now := s.cfg.Now()
	for n := pruneChunk; n == pruneChunk && s.background.Err() == nil; {
		var err error
		if n, err = s.pruneOnce(now); err != nil && s.background.Err() == nil {
			s.cfg.Log.WarnContext(s.background, "expired sessions not deleted", "err", err)
		}
	}
}

func (s *Service) pruneOnce(now time.Time) (int, error) {
	ctx, cancel := context.WithTimeout(s.background, s.cfg.Limits.CommitWithin)
	defer cancel()
	return s.cfg.Store.DeleteExpiredSessions(ctx, now, pruneChunk)
}
