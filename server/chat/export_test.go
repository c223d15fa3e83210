package chat

import "testing"

// LimitResume has Resume look through n messages at most, until t ends.
func LimitResume(t *testing.T, n int) {
	before := resumeLimit
	resumeLimit = n
	t.Cleanup(func() { resumeLimit = before })
}
