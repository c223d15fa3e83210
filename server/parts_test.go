package server_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/redis/go-redis/v9"

	"github.com/onemeter/onemeter/internal/imclient"
	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server"
	"github.com/onemeter/onemeter/server/redisconn/redistest"
)

// TestFramesAreCounted compares what went over WebSockets with what clients saw
// and sent, and has every reason for a refusal that a client can bring about.
func TestFramesAreCounted(t *testing.T) {
	a := start(t, nil)
	alice, bob := a.register(t, "10001", ""), a.register(t, "10002", "")
	hers, his := alice.dial(t), bob.dial(t)
	for i := range 10 {
		hers.write(t, "message.send", map[string]any{"receiver_id": bob.id, "content": strings.Repeat("x", 20_000*i+1)})
	}
	hers.awaits(t, "error", 6) // over 64 KiB
	hers.awaits(t, "message.ack", 4)
	his.awaits(t, "message.new", 4)
	hers.write(t, "message.send", map[string]any{"chat_id": 4711, "content": "into nowhere"})
	hers.write(t, "ping", nil)
	hers.write(t, "dance", nil)
	hers.write(t, "message.send", 7)
	hers.awaits(t, "pong", 1)
	hers.awaits(t, "error", 9)
	if status, _ := a.call(t, alice.token, "POST", "/api/messages", map[string]any{"receiver_id": bob.id}); status != http.StatusBadRequest {
		t.Errorf("no content: %d", status)
	}

	p := a.eventually(t, "frames", func(p page) bool {
		n, bytes, sent := hers.traffic()
		m, more, _ := his.traffic()
		return p.samples["im_frames_sent_total"] == float64(n+m) && p.samples["im_frames_sent_size_bytes_total"] == float64(bytes+more) &&
			p.samples["im_frames_received_size_bytes_total"] == float64(sent)
	})
	for name, want := range map[string]float64{
		`im_frames_received_total{type="message.send"}`: 12,
		`im_frames_received_total{type="ping"}`:         1,
		`im_frames_received_total{type="other"}`:        1,
		`im_frames_refused_total{code="too_large"}`:     6,
		`im_frames_refused_total{code="not_found"}`:     1,
		`im_frames_refused_total{code="unknown_type"}`:  1,
		`im_frames_refused_total{code="bad_json"}`:      1,
		`im_messages_refused_total{reason="too_large"}`: 6,
		`im_messages_refused_total{reason="not_found"}`: 1,
		`im_messages_refused_total{reason="invalid"}`:   1,
		"messages_sent_total":                           4,
		"im_connections_slow_total":                     0,
	} {
		if got := p.samples[name]; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if n := p.sum("im_frames_refused_total"); n != float64(hers.count("error")) {
		t.Errorf("%v refusals, the client saw %d", n, hers.count("error"))
	}
	asDocumented(t, p)
}

// TestSlowClientIsCounted has a client that does not read, and one that does.
func TestSlowClientIsCounted(t *testing.T) {
	t.Parallel()
	a := start(t, func(c *server.Config) { c.MessageRate = 0 })
	alice, bob := a.register(t, "10001", ""), a.register(t, "10002", "")
	hers, his := alice.dial(t), bob.dial(t)
	bob.connect(t) // never reads
	content, n := strings.Repeat("x", 60_000), 0
	for deadline := time.Now().Add(2 * patience); a.scrape(t).samples["im_connections_slow_total"] == 0; {
		if time.Now().After(deadline) {
			t.Fatalf("not cut off after %d messages", n)
		}
		for range 20 {
			hers.write(t, "message.send", map[string]any{"receiver_id": bob.id, "content": content})
			n++
		}
		hers.awaits(t, "message.ack", n)
	}
	his.awaits(t, "message.new", n)
	p := a.eventually(t, "the end of the connection", func(p page) bool { return p.samples["im_connections_active"] == 2 })
	if got := p.samples["im_connections_slow_total"]; got != 1 {
		t.Errorf("%v slow clients, want 1", got)
	}
	if got := p.samples[`im_connection_duration_seconds{reason="slow"}`]; got != 1 {
		t.Errorf("%v connections ended as slow, want 1", got)
	}
	if got := p.samples["im_message_deliveries_dropped_total"]; got == 0 {
		t.Error("no delivery was dropped")
	}
}

// TestDatabaseConnectionsAreCounted compares the pool with what the server of
// the database says, and has more callers than connections.
func TestDatabaseConnectionsAreCounted(t *testing.T) {
	t.Parallel()
	where := needs.MySQL(t)
	a := start(t, func(c *server.Config) { c.DB, c.JWTSecret = where+"?conns=2", strings.Repeat("secret", 6) })
	alice, bob := a.register(t, "10001", ""), a.register(t, "10002", "")
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			for range 10 {
				if status, body := a.call(t, alice.token, "GET", "/api/messages/dialogs", nil); status != http.StatusOK {
					t.Errorf("dialogs: %d %s", status, body)
				}
			}
		})
	}
	callers.Wait()
	alice.send(t, map[string]any{"receiver_id": bob.id, "content": "x"})
	if status, _ := a.call(t, "", "POST", "/api/auth/register", map[string]any{"phone": "10001", "password": password}); status != http.StatusConflict {
		t.Errorf("a phone that is taken: %d", status)
	}
	p := a.eventually(t, "as many connections as the server has", func(p page) bool {
		return p.sum("im_db_connections") == connectionsTo(t, where)
	})
	for name, want := range map[string]float64{
		`db_client_connection_count{db_client_connection_pool_name="mysql",db_client_connection_state="idle"}`: p.samples[`im_db_connections{state="idle"}`],
		`db_client_connection_max{db_client_connection_pool_name="mysql"}`:                                     2,
		"mysql_connections_max": 2,
		`db_client_operation_duration_seconds{db_collection_name="users",db_operation_name="insert",db_system_name="mysql",error_type="duplicate"}`: 1,
	} {
		if got := p.samples[name]; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if got := p.samples["im_db_connections_wait_seconds_total"]; got <= 0 {
		t.Errorf("16 callers of 2 connections waited %v s", got)
	}
	if have, want := p.sum("db_client_operation_duration_seconds"), p.sum("db_query_duration_seconds"); have != want {
		t.Errorf("%v operations and %v statements", have, want)
	}
	asDocumented(t, p)
}

// connectionsTo asks MySQL how many connections use a database.
func connectionsTo(t *testing.T, where string) float64 {
	t.Helper()
	u, err := url.Parse(where)
	if err != nil {
		t.Fatal(err)
	}
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr, cfg.User = "tcp", u.Host, u.User.Username()
	cfg.Passwd, _ = u.User.Password()
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	var n float64
	query := "SELECT COUNT(*) FROM information_schema.processlist WHERE db = ?"
	if err := db.QueryRowContext(t.Context(), query, strings.Trim(u.Path, "/")).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestBusAndCachesAreCounted: two nodes tell each other of messages, share what
// they cached, lose Redis and get it back.
func TestBusAndCachesAreCounted(t *testing.T) {
	t.Parallel()
	db, own, prefix := needs.MySQL(t), redistest.New(t), "im:"
	same := func(c *server.Config) {
		c.DB, c.JWTSecret, c.Redis, c.RedisPrefix = db, strings.Repeat("secret", 6), own.URL()+"?pool_size=7", prefix
		c.MessageRate = 0
	}
	a, b := start(t, same), start(t, same)
	heard := func(p page) bool {
		return p.samples["im_bus_connected"] == 1 && p.samples["im_bus_nodes"] == 1 && p.samples["im_bus_lag_seconds"] > 0
	}
	a.eventually(t, "the other node", heard)
	b.eventually(t, "the other node", heard)

	alice, bob := a.register(t, "10001", ""), a.register(t, "10002", "").on(b)
	his := bob.dial(t)
	const messages = 20
	received := b.scrape(t).samples["im_bus_events_received_total"]
	for i := range messages {
		alice.send(t, map[string]any{"receiver_id": bob.id, "content": fmt.Sprint(i)})
	}
	his.awaits(t, "message.new", messages)
	p := b.scrape(t)
	if got := p.samples["im_bus_events_received_total"] - received; got < messages {
		t.Errorf("%v events were received, the client saw %d messages", got, messages)
	}
	if p.samples["im_messages_recovered_total"] != 0 || p.samples["im_bus_events_lost_total"] != 0 {
		t.Errorf("%v lost, %v recovered", p.samples["im_bus_events_lost_total"], p.samples["im_messages_recovered_total"])
	}
	if got := a.scrape(t).samples["im_bus_events_published_total"]; got < messages {
		t.Errorf("%v events were published, want %d", got, messages)
	}
	// The other node has put the session and the account into the shared cache.
	if got := p.samples[`im_cache_shared_lookups_total{cache="session",hit="true"}`] + p.samples[`im_cache_shared_lookups_total{cache="session",hit="false"}`]; got == 0 {
		t.Error("no session was looked for in Redis")
	}
	if got := p.samples[`im_cache_entries{cache="session"}`]; got != 1 {
		t.Errorf("%v sessions are kept, want 1", got)
	}
	checkRedisPool(t, p)
	asDocumented(t, p)

	client := redis.NewClient(&redis.Options{Addr: own.Addr()})
	defer client.Close()
	asRedisCounted(t, client, a, b)
	if err := client.Publish(t.Context(), prefix+"bus", "what nobody wrote").Err(); err != nil {
		t.Fatal(err)
	}
	b.eventually(t, "garbage", func(p page) bool { return p.samples["im_bus_events_garbage_total"] == 1 })

	own.Stop()
	for _, node := range []*app{a, b} {
		node.eventually(t, "nobody is heard", func(p page) bool { return p.samples["im_bus_connected"] == 0 })
	}
	alice.send(t, map[string]any{"receiver_id": bob.id, "content": "while Redis is away"})
	alice.do(t, http.StatusOK, "PUT", "/api/users/me", map[string]any{"nickname": "a"})
	p = a.eventually(t, "what Redis does not take", func(p page) bool {
		return p.samples["im_bus_queued"] > 0 && p.sum("im_cache_shared_owed") > 0 && p.sum("im_cache_shared_failures_total") > 0
	})
	if n := failedOf(p, "redis"); n == 0 {
		t.Error("no command of Redis failed")
	}
	own.Start()
	his.awaits(t, "message.new", messages+1)
	b.eventually(t, "the others are heard again", func(p page) bool {
		return heard(p) && p.samples["im_bus_reconnects_total"] > 0 && p.samples["im_bus_resumes_total"] > 0
	})
	p = a.eventually(t, "nothing is owed", func(p page) bool {
		return heard(p) && p.samples["im_bus_queued"] == 0 && p.sum("im_cache_shared_owed") == 0
	})
	if got := p.sum("telemetry_conflicts_total"); got != 0 {
		t.Errorf("%v conflicts", got)
	}
	asDocumented(t, p)
}

func checkRedisPool(t *testing.T, p page) {
	t.Helper()
	if got := p.samples[`db_client_connection_max{db_client_connection_pool_name="redis"}`]; got != 7 {
		t.Errorf("the pool has %v connections at most, want 7", got)
	}
	var open float64
	for _, state := range []string{"used", "idle"} {
		open += p.samples[fmt.Sprintf("db_client_connection_count{db_client_connection_pool_name=%q,db_client_connection_state=%q}", "redis", state)]
	}
	if open < 1 || open > 7 {
		t.Errorf("%v connections to Redis", open)
	}
	if got := p.sum("im_redis_connections_requests_total"); got == 0 {
		t.Error("the pool was asked for nothing")
	}
}

// asRedisCounted compares the scripts that nodes ran with what Redis ran.
func asRedisCounted(t *testing.T, client *redis.Client, nodes ...*app) {
	t.Helper()
	needs.Eventually(t, "as many scripts as Redis ran", func() bool {
		info, err := client.Info(t.Context(), "commandstats").Result()
		if err != nil {
			t.Fatal(err)
		}
		var timed float64
		for _, node := range nodes {
			for name, n := range node.scrape(t).samples {
				if strings.HasPrefix(name, `db_client_operation_duration_seconds{db_operation_name="EVALSHA",`) {
					timed += n
				}
			}
		}
		return timed > 0 && strings.Contains(info, fmt.Sprintf("cmdstat_evalsha:calls=%v,", timed))
	})
}

// failedOf adds up the failed operations of a system.
func failedOf(p page, system string) (n float64) {
	for name, v := range p.samples {
		if strings.HasPrefix(name, "db_client_operation_duration_seconds{") &&
			strings.Contains(name, fmt.Sprintf("db_system_name=%q", system)) && strings.Contains(name, "error_type=") {
			n += v
		}
	}
	return n
}

// TestFilesAddNoSeries: what S3 is asked is told apart by nothing that clients
// choose.
func TestFilesAddNoSeries(t *testing.T) {
	endpoint, bucket := needs.S3(t)
	a := start(t, func(c *server.Config) { c.Blob = "s3://" + bucket + "/prefix?endpoint=" + url.QueryEscape(endpoint) })
	alice := a.register(t, "10001", "")
	round := func(n int) page {
		for i := range n {
			file := decode[struct{ Data struct{ ID int64 } }](t, alice.do(t, http.StatusCreated, "POST", "/api/files/upload",
				imclient.File{Name: fmt.Sprint("name", i), Content: []byte(strings.Repeat("x", i+1))})).Data.ID
			alice.do(t, http.StatusOK, "GET", "/api/files/:id/download", nil, file)
		}
		return a.scrape(t)
	}
	before, after := round(1), round(20)
	asked := func(p page) (n float64) { return p.sum("http_client_request_duration_seconds") }
	if asked(after)-asked(before) < 40 {
		t.Errorf("S3 was asked %v times for 20 files", asked(after)-asked(before))
	}
	for name := range after.samples {
		if !strings.HasPrefix(name, "http_client_") {
			continue
		}
		if _, ok := before.samples[name]; !ok {
			t.Errorf("a new series: %s", name)
		}
		if strings.Contains(name, bucket) || strings.Contains(name, "prefix") {
			t.Errorf("a name of an object: %s", name)
		}
	}
}

var (
	documented      = regexp.MustCompile("(?m)^### `([a-z0-9_]+)`$")
	documentedLabel = regexp.MustCompile("(?m)^- label `([a-z0-9_]+)`: (.*)$")
)

// asDocumented holds the labels of what is on the page, and their values where
// they are listed, to METRICS.md.
func asDocumented(t *testing.T, p page) {
	t.Helper()
	text, err := os.ReadFile("observe/METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	names, sections := documented.FindAllStringSubmatch(string(text), -1), documented.Split(string(text), -1)
	if len(names) < 40 {
		t.Fatalf("METRICS.md has %d metrics", len(names))
	}
	for i, name := range names {
		told := make(map[string]string)
		for _, l := range documentedLabel.FindAllStringSubmatch(sections[i+1], -1) {
			told[l[1]] = l[2]
		}
		for _, m := range p.families[name[1]].GetMetric() {
			for _, l := range m.Label {
				values, ok := told[l.GetName()]
				closed := strings.HasPrefix(values, "`") && strings.Trim(values, "`abcdefghijklmnopqrstuvwxyz_ ") == ""
				if !ok || closed && !strings.Contains(values, "`"+l.GetValue()+"`") {
					t.Errorf("%s has %s=%q, METRICS.md says %q", name[1], l.GetName(), l.GetValue(), values)
				}
			}
		}
	}
}
