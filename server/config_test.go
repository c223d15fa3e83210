package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/onemeter/onemeter/server"
)

// TestEveryFaultOfTheURLsIsNamed gives all three URLs at once, wrong in every
// way that there is to write a password: one error names them all, and holds no
// part of it.
func TestEveryFaultOfTheURLsIsNamed(t *testing.T) {
	const secret = "hunter2"
	for name, c := range map[string]struct{ db, redis, blob, wants string }{
		"settings": {
			"mysql://im:hunter2@db/chat?tls=maybe&conns=1&timeout=soon&color=red",
			"redis://im:hunter2@r:6379/x?master_name=m",
			"s3://B?region=a+b&create=perhaps&timeout=1h&ca=",
			"tls: |conns: |timeout: |color: |\"x\"|master_name|bucket: |region: |create: |ca: ",
		},
		"places": {
			"mysql://:hunter2@:99999/a/b#x", "redis+sentinel://:hunter2@/x", "s3://key:hunter2@bucket/a//b?endpoint=http://u:hunter2@minio",
			"no user|no host|port|a /|a #|no host|master_name|AWS_ACCESS_KEY_ID|prefix: |endpoint: ",
		},
		"not encoded": {
			"mysql://im:hunter2#@db/chat", "redis://im:hunter2#@r:6379", "s3://key:hunter2#@bucket",
			"db: |redis: |blob: ",
		},
		"a slash":      {"mysql://im:/hunter2@db/chat", "redis://im:/hunter2@r", "s3://key:/hunter2@bucket", "db: |redis: |blob: "},
		"a question":   {"mysql://im:?hunter2@db/chat", "redis://im:?hunter2@r", "s3://key:?hunter2@bucket", "db: |redis: |blob: "},
		"a percent":    {"mysql://im:%hunter2@db/chat", "redis://im:%hunter2@r", "s3://key:%hunter2@bucket", "db: |redis: |blob: "},
		"a port":       {"mysql://im@db:hunter2/chat", "redis://r:hunter2", "s3://bucket?endpoint=http://minio:hunter2", "db: |redis: |blob: "},
		"a scheme":     {"postgres://im:hunter2@db/chat", "amqp://im:hunter2@r", "gs://key:hunter2@bucket", "db: |redis: |blob: "},
		"no scheme":    {"im:hunter2@db/chat", "im:hunter2@r", "key:hunter2@bucket", "db: |redis: |blob: "},
		"a setting":    {"mysql://im@db/chat?password=hunter2&conns=1", "redis://r?password=hunter2", "s3://bucket?secret=hunter2", "password: |conns: |redis: |secret"},
		"no such file": {"mysql://im:hunter2@db/chat?ca=/nowhere", "rediss://im:hunter2@r?ca=/nowhere", "s3://bucket?endpoint=https://minio&ca=/nowhere", "db: ca|redis: ca|blob: ca"},
		"control":      {"mysql://im:hunter2\x00@db/chat", "redis://im:hunter2\n@r", "s3://key:hunter2\x7f@bucket", "db: |redis: |blob: "},
	} {
		cfg := server.DefaultConfig()
		cfg.DB, cfg.Redis, cfg.Blob, cfg.JWTSecret = c.db, c.redis, c.blob, strings.Repeat("s", 32)
		err := cfg.Validate()
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for want := range strings.SplitSeq(c.wants, "|") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: the error does not say %q:\n%v", name, want, err)
			}
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error holds the password:\n%v", name, err)
		}
	}
}

func TestAMessageHasToFitIntoAColumn(t *testing.T) {
	cfg := server.DefaultConfig()
	cfg.MaxContent, cfg.MaxFrame, cfg.MaxBody = 1<<24, 1<<25, 1<<25
	if err := cfg.Validate(); err != nil {
		t.Errorf("SQLite: %v", err)
	}
	cfg.DB, cfg.JWTSecret = "mysql://im@db/chat", strings.Repeat("s", 32)
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "--max-content") {
		t.Errorf("MySQL: %v", err)
	}
}

// TestSettingsThatCannotBeMeant are refused, and the error says what is allowed.
func TestSettingsThatCannotBeMeant(t *testing.T) {
	type config = server.Config
	for want, set := range map[string]func(*config){
		"--session-ttl: is 1m0s, but must be at least --token-ttl, which is 1h0m0s":     func(c *config) { c.SessionTTL = time.Minute },
		"--session-ttl: is 720h0m0s, but must be at least --token-ttl, which is 721h":   func(c *config) { c.TokenTTL = 721 * time.Hour },
		"--max-members: is 100001, but must be at most 100000":                          func(c *config) { c.MaxMembers = 100_001 },
		`--db: is "sqlite://:memory:", which keeps nothing: want a path`:                func(c *config) { c.DB = "sqlite://:memory:" },
		`--allowed-origins: "http://x.y/z" has a path, but must be a host or an origin`: func(c *config) { c.AllowedOrigins = []string{"http://x.y/z"} },
		`--allowed-origins: "x.y/" has a path`:                                          func(c *config) { c.AllowedOrigins = []string{"x.y/"} },
		`--turn-relay-ports: is "1-2-3", but must be the first and the last port`:       func(c *config) { c.TURNRelayPorts = "1-2-3" },
		"--shutdown-timeout: is -1s, but must be a positive duration":                   func(c *config) { c.ShutdownTimeout = -time.Second },
		"--call-ring: is 0s, but must be a positive duration":                           func(c *config) { c.CallRing = 0 },
	} {
		cfg := server.DefaultConfig()
		set(&cfg)
		if err := cfg.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want %s", err, want)
		}
	}
	cfg := server.DefaultConfig()
	cfg.SessionTTL, cfg.MaxMembers = cfg.TokenTTL, 100_000
	cfg.AllowedOrigins = []string{"https://*.example.com:8443", "localhost:*", "*"}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}
