package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/go-logr/logr"
)

// OpenTelemetry logs through logr: errors, and messages whose verbosity stands for a level.
const (
	verbosityWarn = 1
	verbosityInfo = 4
)

// newLogger bridges OpenTelemetry's log to slog. OpenTelemetry's info messages, one for every meter, become DEBUG. Warnings
// about duplicate instruments of p are dropped, because p reports these itself, with the places in the code.
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
	return s.provider.log.logger().Enabled(context.Background(), level(v))
}

func (s *logSink) Info(v int, msg string, kvs ...any) {
	if s.reportedByCatalog(msg, kvs) {
		return
	}
	mailbox.post(s.provider.log, level(v), "opentelemetry: "+s.name+msg, append(slices.Clone(s.values), kvs...))
}

func (s *logSink) Error(err error, msg string, kvs ...any) {
	mailbox.post(s.provider.log, slog.LevelError, "opentelemetry: "+s.name+msg, append(append([]any{"error", err}, s.values...), kvs...))
}

func (s *logSink) WithValues(kvs ...any) logr.LogSink {
	return &logSink{provider: s.provider, name: s.name, values: append(append([]any{}, s.values...), kvs...)}
}

func (s *logSink) WithName(name string) logr.LogSink {
	return &logSink{provider: s.provider, name: s.name + name + ": ", values: s.values}
}

// reportedByCatalog recognizes the SDK's warnings about instruments that the catalog has compared already.
func (s *logSink) reportedByCatalog(msg string, kvs []any) bool {
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

// otelError is OpenTelemetry's error handler.
func (v voice) otelError(err error) {
	mailbox.post(v, slog.LevelError, "opentelemetry: "+err.Error(), nil)
}

// mailbox queues what OpenTelemetry logs, and what is logged within an export, on its way to slog. OpenTelemetry may
// hold locks meanwhile, and a log handler may request an instrument or an export. So a separate goroutine delivers;
// it ends when the queue is empty.
var mailbox letters

// maxLetters bounds the queue for a slow log.
const maxLetters = 1000

type letters struct {
	mu         sync.Mutex
	waiting    []letter
	lost       int
	delivering chan struct{} // closed when the queue is empty; nil if no goroutine delivers
}

// A letter is a function to call, mostly one that logs.
type letter func()

// post queues a log message.
func (m *letters) post(to voice, level slog.Level, text string, args []any) {
	m.do(func() { to.logger().Log(context.Background(), level, text, args...) })
}

// do queues a call, which runs in another goroutine, so that the caller's locks cannot block it.
func (m *letters) do(what letter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.waiting) == maxLetters {
		m.lost++
		return
	}
	m.waiting = append(m.waiting, what)
	if m.delivering == nil {
		m.delivering = make(chan struct{})
		go m.deliver(m.delivering)
	}
}

func (m *letters) deliver(done chan struct{}) {
	defer close(done)
	for {
		m.mu.Lock()
		all, lost := m.waiting, m.lost
		m.waiting, m.lost = nil, 0
		if len(all) == 0 {
			m.delivering = nil
			m.mu.Unlock()
			return
		}
		m.mu.Unlock()
		for _, what := range all {
			what()
		}
		if lost > 0 {
			voice{}.warn("log messages were lost, because the log handler is too slow", "lost", lost)
		}
	}
}

// flush waits until everything posted before is delivered, or ctx ends.
func (m *letters) flush(ctx context.Context) {
	m.mu.Lock()
	done := m.delivering
	m.mu.Unlock()
	if done == nil {
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}
