package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onemeter/onemeter/server"
	"github.com/onemeter/onemeter/server/chat"
)

// A lockedLog is read while others write it.
type lockedLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// take returns the lines since the last call.
func (l *lockedLog) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := strings.TrimSuffix(l.buf.String(), "\n")
	l.buf.Reset()
	return strings.Split(text, "\n")
}

// TestWarningsOfAnOutageAreSummedUp logs what ten thousand clients make the server log while its database is away.
func TestWarningsOfAnOutageAreSummedUp(t *testing.T) {
	const sums = 10*time.Second + time.Millisecond // by then, what came meanwhile is summed up
	synctest.Test(t, func(t *testing.T) {
		var out lockedLog
		log := slog.New(server.LogHandler(slog.NewTextHandler(&out, nil))).With("node", 1)
		away := fmt.Errorf("get user: %w", chat.Errorf(chat.KindUnavailable, "the database does not answer", ""))
		lines := func() []string {
			synctest.Wait()
			return out.take()
		}
		for user := range 10_000 {
			log.Warn("presence not updated", "user", user, "err", away)
			log.WarnContext(t.Context(), "request not served", "method", "GET", "route", "/api/chats", "err", context.DeadlineExceeded)
		}
		if got := lines(); len(got) != 2 || !strings.Contains(got[0], "user=0 ") || !strings.Contains(got[0], "node=1") || strings.Contains(got[0], "times") {
			t.Errorf("when it begins: %q", got)
		}
		time.Sleep(sums)
		if got := lines(); len(got) != 2 || !strings.Contains(strings.Join(got, "\n"), "user=9999 ") || strings.Count(strings.Join(got, ""), "times=9999 within=10s") != 2 {
			t.Errorf("10 s later: %q", got)
		}
		log.Warn("presence not updated", "user", 1, "err", away)
		time.Sleep(sums)
		if got := lines(); len(got) != 1 || !strings.Contains(got[0], "times=1 ") {
			t.Errorf("20 s later: %q", got)
		}
		time.Sleep(sums)
		log.Warn("presence not updated", "user", 2, "err", away)
		if got := lines(); len(got) != 1 || !strings.Contains(got[0], "user=2 ") || strings.Contains(got[0], "times") {
			t.Errorf("the next outage: %q", got)
		}
		time.Sleep(time.Minute)

		for range 5 { // of one part and of the other
			log.Warn("part not ready", "part", "database", "err", away)
			log.Warn("part not ready", "part", "redis", "err", errors.New("connection refused"))
			log.Warn("signals not read; trying again", "every", time.Second, "err", away)
			log.Warn("last seen not stored", "users", 1, "err", away)
		}
		if got := lines(); len(got) != 4 {
			t.Errorf("%q", got)
		}
		time.Sleep(sums)
		if got := lines(); len(got) != 4 || strings.Count(strings.Join(got, ""), "times=4") != 4 {
			t.Errorf("%q", got)
		}

		full := chat.Errorf(chat.KindUnavailable, "the disk is full", "")
		for _, err := range []error{away, full, away, full} { // of one message, but about two parts
			log.Warn("request not served", "route", "/api/chats", "err", err)
		}
		if got := lines(); len(got) != 2 {
			t.Errorf("%q", got)
		}
		server.FlushLog(log) // as the program does at its end
		if got := lines(); len(got) != 2 || strings.Count(strings.Join(got, ""), "times=1") != 2 {
			t.Errorf("at the end: %q", got)
		}
		time.Sleep(time.Minute)

		for range 2 { // none of these is summed up
			log.Warn("sockets are not checked", "err", away)
			log.Warn("presence not updated", "user", 1, "err", errors.New("a fault"))
			log.Error("refused attempt not in the audit", "user", 1, "err", away)
			log.Info("welcome", "user", 1)
		}
		if got := lines(); len(got) != 8 {
			t.Errorf("%q", got)
		}
	})
}
