package chat

import "testing"

// LimitResume has Resume look through n messages at most, until t ends.
func LimitResume(t *testing.T, n int) {
	before := resumeLimit
	resumeLimit = n
	t.Cleanup(func() { resumeLimit = before })
}

// LeaveAll is what prune does for accounts that were deleted.
func (s *Service) LeaveAll() { s.leaveAll() }
