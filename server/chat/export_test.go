package chat

import "testing"

// LimitResume sets resumeLimit to n until t ends.
func LimitResume(t *testing.T, n int) {
	before := resumeLimit
	resumeLimit = n
	t.Cleanup(func() { resumeLimit = before })
}

// LeaveAll completes deletions of accounts, as prune does.
func (s *Service) LeaveAll() { s.leaveAll() }
