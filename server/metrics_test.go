package server_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onemeter/onemeter/internal/imclient"
	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server"
)

// contract are the families of the metric contract, and what each must be.
var contract = map[string]string{
	"http_requests_total": "COUNTER", "http_request_duration_seconds": "HISTOGRAM",
	"messages_sent_total": "COUNTER", "online_users_current": "GAUGE", "im_active_users_total": "GAUGE",
	"db_query_duration_seconds": "HISTOGRAM", "redis_cache_hits_total": "COUNTER", "redis_cache_misses_total": "COUNTER",
	"webrtc_connections_active": "GAUGE", "mysql_connections_active": "GAUGE", "mysql_connections_idle": "GAUGE",
	"redis_memory_used_bytes": "GAUGE", "mysql_connections_max": "GAUGE", "redis_memory_max_bytes": "GAUGE",
	"mysql_slow_queries_total": "COUNTER", "message_delivery_delay_seconds": "GAUGE",
	"turn_relay_attempts_total": "COUNTER", "turn_relay_failures_total": "COUNTER",
}

func TestContractIsThereFromTheFirstScrape(t *testing.T) {
	a := start(t, nil)
	p := a.scrape(t)
	for name, kind := range contract {
		family, ok := p.families[name]
		if !ok {
			t.Errorf("%s is not on the first page", name)
			continue
		}
		if got := family.GetType().String(); got != kind {
			t.Errorf("%s is a %s, want %s", name, got, kind)
		}
		if family.GetHelp() == "" {
			t.Errorf("%s has no help", name)
		}
		if len(family.Metric) == 1 && len(family.Metric[0].Label) == 0 && p.samples[name] != 0 {
			t.Errorf("%s begins at %v", name, p.samples[name])
		}
	}
	if n := p.sum("telemetry_conflicts_total"); n != 0 {
		t.Errorf("%v conflicts among our own instruments", n)
	}
}

func TestMetricsOnTheirOwnAddress(t *testing.T) {
	a := start(t, func(c *server.Config) { c.MetricsAddr = "127.0.0.1:0" })
	if status, _ := a.call(t, "", "GET", "/metrics", nil); status != http.StatusNotFound {
		t.Errorf("/metrics on the main address: %d, want 404", status)
	}
	if a.metricsURL == a.url {
		t.Fatal("one address")
	}
	a.scrape(t)
	if got := a.scrape(t).samples[`http_requests_total{method="GET",path="/metrics",status="200"}`]; got != 1 {
		t.Errorf("%v scrapes are counted, want 1", got)
	}
}

// TestMetricsToken wants the token for both pages, wherever they are, and for
// nothing else.
func TestMetricsToken(t *testing.T) {
	const token = "0123456789abcdef"
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*server.Config){
		"main address": func(c *server.Config) { c.MetricsToken = token },
		"own address":  func(c *server.Config) { c.MetricsToken, c.MetricsAddr = token, "127.0.0.1:0" },
		"file":         func(c *server.Config) { c.MetricsTokenFile = file },
	} {
		a := start(t, change)
		for _, page := range []string{"/metrics", "/debug/telemetry"} {
			for header, want := range map[string]int{
				"Bearer " + token: 200, "bearer  " + token: 200,
				"": 401, "Bearer": 401, token: 401, "Basic " + token: 401, "Bearer " + token[1:]: 401, "Bearer " + token + "0": 401,
			} {
				res := get(t, a.metricsURL+page, "Authorization", header, "X-Forwarded-For", "198.51.100.7")
				if res.StatusCode != want {
					t.Errorf("%s: %s with %q: %s, want %d", name, page, header, res.Status, want)
				}
				if asks := res.Header.Get("WWW-Authenticate"); (asks == `Bearer realm="metrics"`) != (want == 401) {
					t.Errorf("%s: %s answers %d with WWW-Authenticate %q", name, page, want, asks)
				}
			}
		}
		if res := get(t, a.url+"/readyz"); res.StatusCode != 200 {
			t.Errorf("%s: /readyz: %s", name, res.Status)
		}
	}
	a := start(t, nil)
	if res := get(t, a.url+"/debug/telemetry", "X-Forwarded-For", "198.51.100.7"); res.StatusCode != 403 {
		t.Errorf("without a token, from elsewhere: %s", res.Status)
	}
}

func get(t *testing.T, url string, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res
}

// TestMetricsAreWhatClientsSaw drives the server over the network and compares
// the page with what its clients counted.
func TestMetricsAreWhatClientsSaw(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) { metricsAreWhatClientsSaw(t, nil, 0) })
	t.Run("mysql", func(t *testing.T) {
		url := needs.MySQL(t)
		metricsAreWhatClientsSaw(t, func(c *server.Config) {
			c.DB, c.JWTSecret = url+"?conns=7", strings.Repeat("secret", 6)
		}, 7)
	})
}

func metricsAreWhatClientsSaw(t *testing.T, change func(*server.Config), mysqlConns float64) {
	a := start(t, change)
	before := a.scrape(t)
	scrapes := 1.0

	alice, bob := a.register(t, "10001", "alice"), a.register(t, "10002", "bob")
	phone, laptop, his := alice.dial(t), alice.dial(t), bob.dial(t)
	a.call(t, "", "POST", "/api/auth/login", map[string]any{"phone": "10001", "password": "wrong password"})
	bob.do(t, http.StatusOK, "GET", "/api/messages", nil)
	bob.do(t, http.StatusNotFound, "GET", "/api/messages/:id", nil, 4711)
	bob.do(t, http.StatusBadRequest, "GET", "/api/messages/:id", nil, "x")
	content := []byte(strings.Repeat("file ", 1000))
	bob.do(t, http.StatusCreated, "POST", "/api/files/upload", imclient.File{Name: "a.txt", Content: content})

	const overREST, overWS, retries = 20, 30, 5
	for i := range overREST {
		alice.send(t, map[string]any{"receiver_id": bob.id, "content": fmt.Sprint("rest ", i), "client_msg_id": fmt.Sprint("r", i)})
	}
	for i := range retries {
		alice.send(t, map[string]any{"receiver_id": bob.id, "content": fmt.Sprint("rest ", i), "client_msg_id": fmt.Sprint("r", i)})
	}
	for i := range overWS {
		phone.write(t, "message.send", map[string]any{"receiver_id": bob.id, "content": fmt.Sprint("ws ", i), "client_msg_id": fmt.Sprint("w", i)})
	}
	phone.awaits(t, "message.ack", overWS)
	const stored = overREST + overWS
	his.awaits(t, "message.new", stored)
	laptop.awaits(t, "message.new", stored)
	phone.awaits(t, "message.new", overREST)

	delivered := float64(2*stored + overREST)
	p := a.eventually(t, "deliveries", func(p page) bool {
		scrapes++
		return p.samples["im_message_deliveries_total"] == delivered
	})
	for name, want := range map[string]float64{
		"messages_sent_total":                 stored,
		"online_users_current":                2,
		"im_active_users_total":               2,
		"im_connections_active":               3,
		"im_upload_bytes_total":               float64(len(content)),
		"im_message_deliveries_dropped_total": 0,
		`im_logins_rejected_total{operation="login",reason="unauthenticated"}`: 1,
		`im_frames_received_total{type="message.send"}`:                        overWS,
		"im_message_delivery_duration_seconds":                                 stored,
		"webrtc_connections_active":                                            0,
	} {
		if got := p.samples[name]; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if sum := phone.count("message.new") + laptop.count("message.new") + his.count("message.new"); float64(sum) != delivered {
		t.Errorf("clients saw %d deliveries, want %v", sum, delivered)
	}
	checkRequests(t, a, before, p, scrapes)
	checkStores(t, p)

	// Some are always in use for a moment, by writes in the background.
	if idle, active := p.samples["mysql_connections_idle"], p.samples["mysql_connections_active"]; (idle > 0) != (mysqlConns > 0) || active > mysqlConns {
		t.Errorf("%v idle and %v active connections of MySQL, at most %v", idle, active, mysqlConns)
	}
	for _, s := range []*socket{phone, laptop, his} {
		_ = s.conn.CloseNow()
	}
	a.eventually(t, "nobody is online", func(p page) bool {
		return p.samples["online_users_current"] == 0 && p.samples["im_connections_active"] == 0
	})
}

// checkRequests compares http_requests_total with the answers that clients
// counted; the scrapes but the last are among them.
func checkRequests(t *testing.T, a *app, before, after page, scrapes float64) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	for call, n := range a.calls {
		f := strings.Fields(call)
		series := fmt.Sprintf("{method=%q,path=%q,status=%q}", f[0], f[1], f[2])
		if got := after.samples["http_requests_total"+series]; got != float64(n) {
			t.Errorf("http_requests_total%s is %v, clients saw %d", series, got, n)
		}
		duration, ok := after.samples["http_request_duration_seconds"+series]
		switch webSocket := f[2] == "101"; {
		case webSocket && ok:
			t.Errorf("a WebSocket is in http_request_duration_seconds")
		case !webSocket && duration != float64(n):
			t.Errorf("http_request_duration_seconds%s has %v, clients saw %d", series, duration, n)
		}
	}
	if got := after.samples[`http_requests_total{method="GET",path="/metrics",status="200"}`]; got != scrapes-1 {
		t.Errorf("%v scrapes are counted, want %v", got, scrapes-1)
	}
	route := `http_server_request_duration_seconds{http_request_method="POST",http_response_status_code="200",` +
		`http_route="/api/messages",network_protocol_version="1.1",url_scheme="http"}`
	if got := after.samples[route]; got != 25 {
		t.Errorf("http.server.request.duration has %v on the route of messages, want 25", got)
	}
	for name := range after.samples {
		if strings.HasPrefix(name, "http_server_") && strings.Contains(name, `"/ws"`) {
			t.Errorf("a WebSocket is in %s", name)
		}
	}
}

// checkStores looks at the instruments of database and cache.
func checkStores(t *testing.T, p page) {
	t.Helper()
	for _, series := range []string{
		`db_query_duration_seconds{operation="insert",table="messages"}`,
		`db_query_duration_seconds{operation="insert",table="users"}`,
		`db_query_duration_seconds{operation="select",table="messages"}`,
		`db_query_duration_seconds{operation="commit",table="none"}`,
		"redis_cache_hits_total", "redis_cache_misses_total",
		`im_cache_lookups_total{cache="session",hit="true"}`,
		`im_cache_lookups_total{cache="membership",hit="true"}`,
	} {
		if p.samples[series] == 0 {
			t.Errorf("%s did not move", series)
		}
	}
	if hits, misses, all := p.samples["redis_cache_hits_total"], p.samples["redis_cache_misses_total"], p.sum("im_cache_lookups_total"); hits+misses != all {
		t.Errorf("%v hits and %v misses are not %v lookups", hits, misses, all)
	}
	if delay := p.samples["message_delivery_delay_seconds"]; delay <= 0 || delay > 5 {
		t.Errorf("message_delivery_delay_seconds is %v", delay)
	}
}

// TestWhatClientsMakeUpAddsNoSeries sends random URLs, hosts, methods and user
// agents.
func TestWhatClientsMakeUpAddsNoSeries(t *testing.T) {
	t.Parallel()
	a := start(t, nil)
	random := rand.New(rand.NewPCG(1, 2)) // the same in every run
	word := func() string { return fmt.Sprintf("x%x", random.Uint64()) }
	ask := func(method, path string) {
		req, err := http.NewRequestWithContext(t.Context(), method, a.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = word() + ".example"
		req.Header.Set("User-Agent", word())
		req.Header.Set("Traceparent", "00-"+strings.Repeat("a", 32)+"-"+strings.Repeat("b", 16)+"-01")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
	}
	round := func(n int) {
		for range n {
			ask("GET", "/"+word())
			ask("GET", "/api/"+word()+"/"+word()+"?"+word()+"="+word())
			ask("GET", fmt.Sprint("/api/messages/", random.Uint32()))
			ask("GET", "/api/messages/"+word()+"/../../"+word())
			ask(strings.ToUpper(word()), "/api/messages")
			ask(strings.ToUpper(word()), "/"+word())
			ask("POST", "/"+word())
			ask("DELETE", "/api/users/me")
			ask("get", "/health")
			ask("GET", "/ws?token="+word())
		}
	}
	round(1)
	// The server prunes sessions a few seconds after its start. The series of that must exist before the first scrape.
	a.eventually(t, "sessions and calls are pruned", func(p page) bool {
		return p.samples[`db_query_duration_seconds{operation="select",table="sessions"}`] > 0 &&
			p.samples[`db_query_duration_seconds{operation="select",table="call_legs"}`] > 0 &&
			p.samples[`db_query_duration_seconds{operation="select",table="calls"}`] > 0
	})
	before := a.scrape(t) // the series of a scrape itself exists by now
	round(200)
	after := a.scrape(t)
	for name := range after.samples {
		if _, ok := before.samples[name]; !ok {
			t.Errorf("a new series: %s", name)
		}
	}
	if n := after.sum("http_requests_total") - before.sum("http_requests_total"); n != 2_001 {
		t.Errorf("%v requests were counted, want 2001", n)
	}
}
