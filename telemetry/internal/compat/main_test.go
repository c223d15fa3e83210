package compat_test

import (
	"log/slog"
	"os"
	"testing"
)

// Warnings also go to the default log; tests that check them set their own logger.
func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}
