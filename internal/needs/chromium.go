package needs

import (
	"os"
	"testing"
)

// Chromium returns the path of Chromium, which IM_TEST_CHROMIUM has in make test-browser. If that is not set, it skips the
// test, even in CI, because Chromium is large.
func Chromium(t testing.TB) string {
	t.Helper()
	path := os.Getenv("IM_TEST_CHROMIUM")
	if path == "" {
		t.Skip("needs Chromium (IM_TEST_CHROMIUM): make test-browser")
	}
	return path
}

// Axe returns the path of axe-core's source code, which make test-browser gets from npm.
func Axe(t testing.TB) string {
	t.Helper()
	return env(t, "axe-core", "IM_TEST_AXE")
}
