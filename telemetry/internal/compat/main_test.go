package compat_test

import (
	"log/slog"
	"os"
	"testing"
)

// What is told goes to the log too; the tests that look at it set a logger of their own.
func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}
