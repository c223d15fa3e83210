package needs

import (
	"os"
	"testing"
)

// Chromium returns the program. Its tests are not for every run, since it is
// large: they are skipped, also in CI, unless IM_TEST_CHROMIUM names it, as make
// test-browser has it.
func Chromium(t testing.TB) string {
	t.Helper()
	path := os.Getenv("IM_TEST_CHROMIUM")
	if path == "" {
		t.Skip("needs Chromium (IM_TEST_CHROMIUM): make test-browser")
	}
	return path
}

// Axe returns the file of axe-core, which make test-browser gets from npm.
func Axe(t testing.TB) string {
	t.Helper()
	return env(t, "axe-core", "IM_TEST_AXE")
}
