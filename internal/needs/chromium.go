package needs

import (
	"os"
	"testing"
)

// Chromium returns the program. Its tests are not for every run, since it is
// large: they are left out, also in CI, unless IM_TEST_CHROMIUM names it, as make
// test-browser has it.
func Chromium(t testing.TB) string {
	t.Helper()
	path := os.Getenv("IM_TEST_CHROMIUM")
	if path == "" {
		leaveOut(t, "Chromium, make test-browser")
		t.Skip("needs Chromium, and IM_TEST_CHROMIUM is empty: run it by make test-browser")
	}
	return path
}
