package needs

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// Prometheus returns the path of Prometheus, for a test to start.
func Prometheus(t testing.TB) string {
	t.Helper()
	return env(t, "Prometheus", "IM_TEST_PROMETHEUS")
}

// Run runs promtool or amtool and returns its output. If the tool fails, Run fails the test, but does not end it.
func Run(t testing.TB, tool string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(Prometheus(t)), tool), args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s %q: %v\n%s", tool, args, err, out)
	}
	return string(out)
}

// Collector returns the path of an OpenTelemetry Collector, for a test to start.
func Collector(t testing.TB) string {
	t.Helper()
	return env(t, "an OpenTelemetry Collector", "IM_TEST_COLLECTOR")
}
