package telemetry_test

import (
	"log/slog"
	"testing"

	"go.uber.org/goleak"

	_ "github.com/onemeter/onemeter/telemetry/otlp"
)

// What is told goes to the log too; the tests that look at it set a logger of their own.
func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m)
}
