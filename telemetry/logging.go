package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/go-logr/logr"
)

// OpenTelemetry logs through logr: errors, and messages of a verbosity that stands for a level.
const (
	verbosityWarn = 1
	verbosityInfo = 4
)

// newLogger bridges OpenTelemetry's own log to slog. Its informational messages, one for every meter, are DEBUG
// here. Warnings about duplicate instruments of p are left out: p tells of those itself, with the sites.
func newLogger(p *Provider) logr.Logger { return logr.New(&logSink{provider: p}) }

type logSink struct {
	provider *Provider
	name     string
	values   []any
}

func (*logSink) Init(logr.RuntimeInfo) {}

func level(verbosity int) slog.Level {
	switch {
	case verbosity <= verbosityWarn:
		return slog.LevelWarn
	case verbosity <= verbosityInfo:
		return slog.LevelDebug
	}
	return slog.LevelDebug - 4
}

func (s *logSink) Enabled(v int) bool {
	return slog.Default().Enabled(context.Background(), level(v))
}

func (s *logSink) Info(v int, msg string, kvs ...any) {
	if s.toldOtherwise(msg, kvs) {
		return
	}
	slog.Log(context.Background(), level(v), "opentelemetry: "+s.name+msg, append(s.values, kvs...)...)
}

func (s *logSink) Error(err error, msg string, kvs ...any) {
	slog.Error("opentelemetry: "+s.name+msg, append(append([]any{"error", err}, s.values...), kvs...)...)
}

func (s *logSink) WithValues(kvs ...any) logr.LogSink {
	return &logSink{provider: s.provider, name: s.name, values: append(append([]any{}, s.values...), kvs...)}
}

func (s *logSink) WithName(name string) logr.LogSink {
	return &logSink{provider: s.provider, name: s.name + name + ": ", values: s.values}
}

// toldOtherwise recognizes the SDK's warnings about instruments that our catalog has judged.
func (s *logSink) toldOtherwise(msg string, kvs []any) bool {
	if msg != "duplicate metric stream definitions" {
		return false
	}
	for i := 0; i+1 < len(kvs); i += 2 {
		if kvs[i] != "names" {
			continue
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(fmt.Sprint(kvs[i+1]), `"`), `"`)
		return s.provider.catalog.creates(name)
	}
	return false
}

// logError is OpenTelemetry's error handler.
func logError(err error) { slog.Error("opentelemetry: " + err.Error()) }
