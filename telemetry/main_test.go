package telemetry_test

import (
	"log/slog"
	"testing"

	"go.uber.org/goleak"

	_ "github.com/onemeter/onemeter/telemetry/otlp"
)

// Warnings also go to the default log; tests that check them set their own logger.
func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m)
}
