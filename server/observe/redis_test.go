package observe

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/onemeter/onemeter/internal/needs"
)

// TestEveryCommandIsTimed runs commands of every sort through a real Redis.
func TestEveryCommandIsTimed(t *testing.T) {
	url, prefix := needs.Redis(t)
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer client.Close()
	o, scrape := observed(t)
	client.AddHook(o.Redis())
	ctx, key := t.Context(), prefix+"k"
	defer client.Del(context.Background(), key)

	if err := client.Set(ctx, key, "v", time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	if err := client.Get(ctx, key+"no").Err(); !errors.Is(err, redis.Nil) {
		t.Fatal(err)
	}
	if err := client.Incr(ctx, key).Err(); err == nil {
		t.Fatal("a word was counted up")
	}
	if err := client.LPush(ctx, key, 1).Err(); err == nil {
		t.Fatal("a word was taken for a list")
	}
	for range 2 {
		if _, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
			p.Get(ctx, key)
			p.Get(ctx, key)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Get(ctx, key)
		p.Expire(ctx, key, time.Minute)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := client.Ping(ended).Err(); err == nil {
		t.Fatal("a context that has ended")
	}

	page := scrape()
	for labels, n := range map[string]string{
		`db_operation_name="SET",db_system_name="redis"`:                          "1",
		`db_operation_name="GET",db_system_name="redis"`:                          "1", // Nil is an answer
		`db_operation_name="INCR",db_system_name="redis",error_type="ERR"`:        "1",
		`db_operation_name="LPUSH",db_system_name="redis",error_type="WRONGTYPE"`: "1",
		`db_operation_name="PIPELINE GET",db_system_name="redis"`:                 "2",
		`db_operation_name="MULTI",db_system_name="redis"`:                        "1",
		`db_operation_name="PING",db_system_name="redis",error_type="cancelled"`:  "1",
	} {
		if want := "db_client_operation_duration_seconds_count{" + labels + "} " + n + "\n"; !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if strings.Contains(page, prefix) {
		t.Error("a key is on the page")
	}
}

type answer string

func (a answer) Error() string { return string(a) }
func (answer) RedisError()     {}

func TestRedisFailures(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""}, {redis.Nil, ""},
		{answer("NOSCRIPT No matching script"), "NOSCRIPT"}, {answer("SECRET is out"), "other"}, {answer(""), "other"},
		{context.Canceled, "cancelled"}, {context.DeadlineExceeded, "timeout"}, {os.ErrDeadlineExceeded, "timeout"},
		{redis.ErrPoolTimeout, "pool_timeout"}, {io.EOF, "connection"},
		{&net.OpError{Op: "dial", Err: errors.New("refused")}, "connection"},
	} {
		got := redisFailure(c.err)
		if got != c.want {
			t.Errorf("%v is %q, want %q", c.err, got, c.want)
		}
		if got != "" && !slices.Contains(redisWords, got) && !slices.Contains(redisPrefixes, got) {
			t.Errorf("%q is not told in METRICS.md", got)
		}
	}
}

// TestRecordingAllocatesNothing: statements and commands are many.
func TestRecordingAllocatesNothing(t *testing.T) {
	o, _ := observed(t)
	failed := errors.New("x")
	connector := o.SQL("sqlite", func(error) string { return "other" })(nil).(*timedConnector)
	ctx := t.Context()
	hook := o.Redis().ProcessHook(func(context.Context, redis.Cmder) error { return nil })
	cmd := redis.NewCmd(ctx, "get", "k")
	for name, record := range map[string]func(){
		"statement": func() { connector.clock.begin(ctx, "SELECT 1 FROM users").end(nil) },
		"failure":   func() { connector.clock.begin(ctx, "SELECT 1 FROM users").end(failed) },
		"command":   func() { _ = hook(ctx, cmd) },
	} {
		if n := testing.AllocsPerRun(100, record); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
