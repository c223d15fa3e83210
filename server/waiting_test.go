package server_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onemeter/onemeter/server"
	"github.com/onemeter/onemeter/telemetry"
)

// TestStartSaysWhatItWaitsFor where a part takes the connection and says
// nothing, as behind a firewall; a password is not said.
func TestStartSaysWhatItWaitsFor(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	addr := silent.Addr().String()
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
	for part, c := range map[string]struct {
		set func(*server.Config)
		at  string
	}{
		"database": {func(c *server.Config) {
			c.DB, c.JWTSecret = "mysql://im:hunter2@"+addr+"/chat?connect-timeout=5s", strings.Repeat("s", 32)
		}, "mysql://…@" + addr + "/chat"},
		"files": {func(c *server.Config) { c.Blob = "s3://bucket?endpoint=http://" + addr + "&timeout=5s" }, "s3://bucket"},
	} {
		cfg := server.DefaultConfig()
		cfg.Addr = "127.0.0.1:0"
		cfg.DB, cfg.Blob = "sqlite://"+filepath.Join(t.TempDir(), "im.db"), "file://"+t.TempDir()
		c.set(&cfg)
		tel, err := telemetry.New(t.Context(), telemetry.WithoutRuntime())
		if err != nil {
			t.Fatal(err)
		}
		var said said
		ctx, stop := context.WithTimeout(t.Context(), patience)
		go func() {
			for !strings.Contains(said.String(), "msg=waiting for="+part+" at=") && ctx.Err() == nil {
				time.Sleep(10 * time.Millisecond)
			}
			stop()
		}()
		_, err = server.New(ctx, cfg, tel, slog.New(slog.NewTextHandler(&said, nil)), "test")
		stop()
		if err == nil {
			t.Errorf("%s: it came up", part)
		}
		if err := tel.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if text := said.String(); !strings.Contains(text, "msg=waiting for="+part+" at=") || !strings.Contains(text, c.at) || strings.Contains(text, "hunter2") {
			t.Errorf("%s: it said %q, want where it waits: %s", part, text, c.at)
		}
	}
}

// said is a log that is written and read at once.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}
