package chat

import (
	"context"
	"time"
)

const (
	pruneFirst = 10 * time.Second // delay after the start, when the server has other work
	pruneEvery = time.Hour
	leaveEvery = time.Minute // interval of leaveAll
	pruneChunk = 1000        // sessions deleted by one transaction: few enough not to delay others
)

// prune deletes expired sessions, messages of deleted groups and unused files, and completes
// deletions of accounts, until the Service is closed. Every node does this: rows that one
// has deleted do not exist for the others.
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

// pruneAll deletes all expired sessions. If it fails, prune tries again an hour later.
func (s *Service) pruneAll() {
	now := s.cfg.Now()
	for n := pruneChunk; n == pruneChunk && s.background.Err() == nil; {
		var err error
		if n, err = s.pruneOnce(now); err != nil && s.background.Err() == nil {
			s.cfg.Log.WarnContext(s.background, "expired sessions not removed; the next try is in an hour", "err", err)
		}
	}
}

func (s *Service) pruneOnce(now time.Time) (int, error) {
	ctx, cancel := context.WithTimeout(s.background, s.cfg.Limits.CommitWithin)
	defer cancel()
	return s.cfg.Store.DeleteExpiredSessions(ctx, now, pruneChunk)
}
