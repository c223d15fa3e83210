package redisconn

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server/redisconn/redistest"
)

func TestMain(m *testing.M) {
	LogTo(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m)
}

func open(t testing.TB, cfg Config) redis.UniversalClient {
	t.Helper()
	client, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// TestFaultsAreNamed also checks that no error contains the password.
func TestFaultsAreNamed(t *testing.T) {
	const secret = "s3cr3t"
	for url, want := range map[string][]string{
		"":                                      {"scheme"},
		"host:6379":                             {"scheme"},
		"http://u:s3cr3t@h":                     {`"http"`},
		"redis://":                              {"no host"},
		"redis://:s3cr3t@":                      {"no host"},
		"redis://u:s3cr3t@h/x":                  {`"x"`},
		"redis://u:s3cr3t@h:port":               {"port must be a number"},
		"redis://u:s3cr3t/x@h:6379":             {"%2F"},
		"redis://u:1#s3cr3t@h:6379":             {"%23"},
		"redis://u:1?s3cr3t@h:6379":             {"%3F"},
		"redis://u:1/s3cr3t@h:6379":             {"%2F"},
		"redis://u:%zzs3cr3t@h:6379":            {"%25"},
		"redis://u:s3cr3t@h:6379#f":             {"#"},
		"redis://u:s3cr3t@h?pool_size=many":     {"pool_size"},
		"redis://u:s3cr3t@h?color=red":          {"color"},
		"redis://u:s3cr3t@h?master_name=m":      {"redis+sentinel"},
		"redis+sentinel://u:s3cr3t@/x":          {"no host", `"x"`, "master_name"},
		"redis+sentinel://h?master_name=m&a=1":  {"a"},
		"redis+cluster://u:s3cr3t@/3":           {"no host", "only one"},
		"redis+cluster://u:s3cr3t@h?addr=other": {"addr"},
		"unix://":                               {"no socket"},
	} {
		_, err := Open(Config{URL: url})
		if err == nil {
			t.Errorf("%s: no error", url)
			continue
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v does not say %s", url, err, w)
			}
		}
		if strings.Contains(err.Error(), secret) || strings.Contains(Show(url), secret) {
			t.Errorf("%s: shows the password: %v, %s", url, err, Show(url))
		}
	}
	if got := Show("rediss://u:p@h:1/2?sentinel_password=x"); got != "rediss://h:1/2" {
		t.Error(got)
	}
}

func TestDefaultsAndSettings(t *testing.T) {
	o := open(t, Config{URL: "redis://h:6379/3?read_timeout=3s", PoolSize: 7}).(*redis.Client).Options()
	if o.DB != 3 || o.ReadTimeout != 3*time.Second || o.WriteTimeout != time.Second || o.DialTimeout != 2*time.Second ||
		o.PoolSize != 7 || o.MaxRetries != 1 || o.DialerRetries != 1 || !o.ContextTimeoutEnabled {
		t.Errorf("%+v", o)
	}
	o = open(t, Config{URL: "rediss://h?pool_size=5", PoolSize: 7}).(*redis.Client).Options()
	if o.PoolSize != 5 || o.TLSConfig == nil || o.TLSConfig.ServerName != "h" || o.TLSConfig.MinVersion < tls.VersionTLS12 {
		t.Errorf("%+v", o)
	}
	c := open(t, Config{URL: "redis+cluster://a:1?addr=b:2"}).(*redis.ClusterClient).Options()
	if len(c.Addrs) != 2 || c.ReadTimeout != time.Second {
		t.Errorf("%+v", c)
	}
}

func TestTLS(t *testing.T) {
	url, _ := needs.RedisTLS(t)
	if err := open(t, Config{URL: with(url, needs.CA(t))}).Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
	if err := open(t, Config{URL: url}).Ping(t.Context()).Err(); err == nil {
		t.Error("a stranger's certificate is believed")
	}
	plain, _ := needs.Redis(t)
	empty := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(empty, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{with(plain, needs.CA(t)), with(url, "/nowhere"), with(url, empty), with(url, "")} {
		if _, err := Open(Config{URL: wrong}); err == nil || !strings.Contains(err.Error(), "ca") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

// with returns a URL with a ca.
func with(raw, ca string) string { return raw + "?ca=" + url.QueryEscape(ca) }

// TestSentinel connects through a sentinel.
func TestSentinel(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	host, port, _ := strings.Cut(server.Addr(), ":")
	text := "sentinel monitor main " + host + " " + port + " 1\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel := redistest.NewWith(t, file, "--sentinel")
	client := open(t, Config{URL: "redis+sentinel://" + sentinel.Addr() + "/0?master_name=main"})
	if err := client.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Error(err)
	}
}

func TestCluster(t *testing.T) {
	client := open(t, Config{URL: redistest.Cluster(t)})
	for _, key := range []string{"a", "b", "c"} {
		if err := client.Set(t.Context(), key, "v", 0).Err(); err != nil {
			t.Error(err)
		}
	}
	if m, err := ReadMemory(t.Context(), client); m.Used <= 0 || m.Max <= m.Used || err != nil {
		t.Error(m, err)
	}
}

func TestMemory(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	client := open(t, Config{URL: server.URL()})
	if m, err := ReadMemory(t.Context(), client); m.Used < 100_000 || m.Max < 100<<20 || err != nil {
		t.Error(m, err)
	}
	if err := client.ConfigSet(t.Context(), "maxmemory", "50mb").Err(); err != nil {
		t.Fatal(err)
	}
	if m, err := ReadMemory(t.Context(), client); m.Max != 50<<20 || err != nil {
		t.Error(m, err)
	}
}

// TestAwayIsQuick: after a few failures nothing waits, few connections are
// tried, and everything works once Redis is back.
func TestAwayIsQuick(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(*redistest.Server){"stopped": (*redistest.Server).Stop, "hanging": (*redistest.Server).Pause} {
		t.Run(name, func(t *testing.T) {
			server := redistest.New(t)
			client := open(t, Config{URL: server.URL()})
			dials := &dialCounter{}
			client.AddHook(dials)
			if err := client.Ping(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			away(server)
			quick := 0
			began := time.Now()
			for range 1000 {
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				err := client.Get(ctx, "k").Err()
				if errors.Is(err, ErrAway) {
					quick++
				} else if err == nil || errors.Is(err, redis.Nil) {
					t.Fatal("it is not away")
				}
				_, err = client.Pipelined(ctx, func(p redis.Pipeliner) error { p.Get(ctx, "k"); return nil })
				if errors.Is(err, ErrAway) {
					quick++
				}
				cancel()
			}
			if took := time.Since(began); took > 2*time.Second || quick < 1980 {
				t.Errorf("2000 commands took %v, %d were not tried", took, quick)
			}
			if n := dials.count(); n > 50 {
				t.Errorf("%d connections", n)
			}
			if name == "stopped" {
				server.Start()
			} else {
				server.Continue()
			}
			needs.Eventually(t, "it is back", func() bool { return client.Ping(t.Context()).Err() == nil })
		})
	}
}

type dialCounter struct {
	mu sync.Mutex
	n  int
}

func (d *dialCounter) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.n
}

func (d *dialCounter) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		d.mu.Lock()
		d.n++
		d.mu.Unlock()
		return next(ctx, network, addr)
	}
}
func (d *dialCounter) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (d *dialCounter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// TestBreaker steps through its states.
func TestBreaker(t *testing.T) {
	now := time.Now()
	b := newBreaker(func() time.Time { return now })
	fault := errors.New("connection refused")
	enter := func(want bool) {
		t.Helper()
		if b.enter() != want {
			t.Fatalf("enter is %v", !want)
		}
	}
	for _, harmless := range []error{nil, redis.Nil, answer("ERR no"), answer("WRONGTYPE")} {
		enter(true)
		b.leave(fault)
		b.leave(fault)
		b.leave(harmless)
	}
	for _, err := range []error{fault, answer("LOADING"), context.DeadlineExceeded} {
		enter(true)
		b.leave(err)
	}
	enter(false)
	b.leave(fault) // of a command that began before
	for range 10 {
		now = now.Add(maxWait)
		enter(true)
		enter(false) // only one at a time
		b.leave(context.Canceled)
		enter(true) // a cancelled command says nothing about Redis
		b.leave(fault)
		enter(false)
	}
	now = now.Add(maxWait)
	enter(true)
	b.leave(nil)
	enter(true)
	enter(true)
}

type answer string

func (a answer) Error() string { return string(a) }
func (answer) RedisError()     {}

func TestLogTo(t *testing.T) {
	var text strings.Builder
	LogTo(slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug})))
	logger{slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))}.Printf(t.Context(), "%d", 7)
	LogTo(slog.New(slog.DiscardHandler))
	if !strings.Contains(text.String(), "says=7") {
		t.Error(text.String())
	}
}
