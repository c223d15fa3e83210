package needs

import (
	"os"
	"testing"
)

// Chromium returns the path of Chromium. Because it is large, its tests are skipped, even in CI, unless
// IM_TEST_CHROMIUM is set, as make test-browser does.
func Chromium(t testing.TB) string {
	t.Helper()
	path := os.Getenv("IM_TEST_CHROMIUM")
	if path == "" {
		t.Skip("needs Chromium (IM_TEST_CHROMIUM): make test-browser")
	}
	return path
}

// Axe returns the path of axe-core, which make test-browser gets from npm.
func Axe(t testing.TB) string {
	t.Helper()
	return env(t, "axe-core", "IM_TEST_AXE")
}
