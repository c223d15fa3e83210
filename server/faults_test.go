package server_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onemeter/onemeter/internal/imclient"
	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server"
)

// A cluster is two nodes whose parts can fail: each is behind a proxy.
type cluster struct {
	a, b          *app
	db, redis, s3 *needs.Proxy

	alice, carol, bob *user // alice and carol are on a, bob is on b
	hers, cas, his    *socket
	group             int64 // of the three
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{}
	behind := func(raw string, p **needs.Proxy) string {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		*p = needs.NewProxy(t, u.Host)
		u.Host = (*p).Addr
		return u.String()
	}
	redis, prefix := needs.Redis(t)
	endpoint, bucket := needs.S3(t)
	db, redis, endpoint := behind(needs.MySQL(t), &c.db), behind(redis, &c.redis), behind(endpoint, &c.s3)
	same := func(conf *server.Config) {
		conf.DB, conf.JWTSecret, conf.Redis, conf.RedisPrefix = db, strings.Repeat("secret", 6), redis, prefix
		conf.Blob = "s3://" + bucket + "?endpoint=" + url.QueryEscape(endpoint)
		conf.MessageRate = 0
	}
	c.a, c.b = start(t, same), start(t, same)
	c.alice, c.carol, c.bob = c.a.register(t, "10001", "alice"), c.a.register(t, "10002", "carol"), c.b.register(t, "10003", "bob")
	c.hers, c.cas, c.his = c.alice.dial(t), c.carol.dial(t), c.bob.dial(t)
	c.group = decode[struct{ Data struct{ ID int64 } }](t, c.alice.do(t, http.StatusCreated, "POST", "/api/chats",
		map[string]any{"title": "g", "member_ids": []int64{c.bob.id, c.carol.id}})).Data.ID
	c.say(t, "before")
	c.his.expect(t, "message.new")
	t.Cleanup(func() { // before the nodes stop
		for _, p := range []*needs.Proxy{c.db, c.redis, c.s3} {
			p.Heal()
		}
	})
	return c
}

// say has alice write to the group, over her socket, and carol read it.
func (c *cluster) say(t *testing.T, text string) {
	t.Helper()
	c.hers.write(t, "message.send", map[string]any{"chat_id": c.group, "content": text, "client_msg_id": text})
	c.hers.expect(t, "message.ack")
	if got := content(t, c.cas.expect(t, "message.new")); got != text {
		t.Errorf("carol, on the same node, got %q, want %q", got, text)
	}
}

func content(t *testing.T, f frame) string {
	t.Helper()
	return decode[struct{ Message message }](t, f.Payload).Message.Content
}

// isReady waits until /readyz of a node answers with a status.
func (a *app) isReady(t *testing.T, code int, status string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		got, body := a.call(t, "", "GET", "/readyz", nil)
		if got == code && strings.Contains(string(body), `"status":"`+status+`"`) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("/readyz: %d %s, want %d %s", got, body, code, status)
		}
	}
}

// faults are the ways in which a part goes away.
var faults = map[string]func(*needs.Proxy){"stopped": (*needs.Proxy).Cut, "hangs": (*needs.Proxy).Freeze}

// TestRedisAway: messages are stored, and delivered on their node; what the
// other node did not hear comes to its clients, in order, when it hears again.
func TestRedisAway(t *testing.T) {
	for name, fail := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			before := c.redis.Calls()
			fail(c.redis)
			began := time.Now()
			const messages = 20
			for i := range messages {
				c.say(t, fmt.Sprint(i))
			}
			c.a.isReady(t, http.StatusOK, "degraded")
			c.b.isReady(t, http.StatusOK, "degraded")
			// While Redis is down, a node tries to reach it only a few times a second.
			if calls, long := c.redis.Calls()-before, time.Since(began); calls > 20+int(2*20*long.Seconds()) {
				t.Errorf("%d connections were tried in %s", calls, long)
			} else {
				t.Logf("%d connections were tried in %s", calls, long.Round(time.Millisecond))
			}
			c.redis.Heal()
			for i := range messages {
				if got := content(t, c.his.expect(t, "message.new")); got != fmt.Sprint(i) {
					t.Fatalf("bob, on the other node, got %q, want %d", got, i)
				}
			}
			c.a.isReady(t, http.StatusOK, "ok")
			c.b.isReady(t, http.StatusOK, "ok")
			c.say(t, "after")
			if got := content(t, c.his.expect(t, "message.new")); got != "after" {
				t.Errorf("bob got %q twice", got)
			}
		})
	}
}

// answerWithin is 3 s, and what a busy machine adds.
const answerWithin = 5 * time.Second

// TestDatabaseAway: each send is answered soon with an error that says what to
// do, none is acknowledged, and sent again each is stored once.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	for name, fail := range faults {
		t.Run(name, func(t *testing.T) {
			ownGoroutines := labelGoroutines(t)
			c := newCluster(t)
			const senders, each = 16, 20
			goroutines := ownGoroutines()
			fail(c.db)

			most := 0
			for i := range each {
				c.hers.write(t, "message.send", map[string]any{"chat_id": c.group, "content": "x", "client_msg_id": fmt.Sprint("ws", i)})
			}
			var all sync.WaitGroup
			for s := range senders {
				all.Go(func() {
					began := time.Now()
					status, body := c.a.call(t, c.carol.token, "POST", "/api/messages", map[string]any{
						"chat_id": c.group, "content": "x", "client_msg_id": fmt.Sprint("http", s)})
					if took := time.Since(began); status != http.StatusServiceUnavailable || took > answerWithin ||
						!strings.Contains(string(body), "again") {
						t.Errorf("%d after %s: %s", status, took, body)
					}
				})
			}
			began := time.Now()
			for range each {
				f := c.hers.expect(t, "error")
				if !strings.Contains(string(f.Payload), `"unavailable"`) || !strings.Contains(string(f.Payload), `"client_msg_id":"ws`) {
					t.Errorf("%s", f.Payload)
				}
				most = max(most, ownGoroutines())
			}
			if took := time.Since(began); took > answerWithin {
				t.Errorf("the answers took %s", took)
			}
			all.Wait()
			if n := c.hers.count("message.ack"); n != 1 {
				t.Errorf("%d messages were acknowledged, and one was stored", n)
			}
			// A request is a goroutine, and each end of its connection two more.
			if most > goroutines+8*senders {
				t.Errorf("%d goroutines became %d", goroutines, most)
			}
			t.Logf("%d goroutines became %d", goroutines, most)
			c.a.isReady(t, http.StatusServiceUnavailable, "unavailable")

			c.db.Heal()
			c.a.isReady(t, http.StatusOK, "ok")
			for i := range each {
				c.hers.write(t, "message.send", map[string]any{"chat_id": c.group, "content": "x", "client_msg_id": fmt.Sprint("ws", i)})
				c.hers.expect(t, "message.ack")
			}
			for s := range senders {
				c.carol.send(t, map[string]any{"chat_id": c.group, "content": "x", "client_msg_id": fmt.Sprint("http", s)})
			}
			c.complete(t, 1+each+senders)
		})
	}
}

// labelGoroutines labels the test's goroutine and all that it starts from here
// on, and returns a function that counts them: other tests run in parallel.
func labelGoroutines(t *testing.T) func() int {
	t.Helper()
	pprof.SetGoroutineLabels(pprof.WithLabels(t.Context(), pprof.Labels("test", t.Name())))
	label := []byte(strconv.Quote("test") + ":" + strconv.Quote(t.Name()))
	return func() int {
		var profile bytes.Buffer
		if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
			t.Fatal(err)
		}
		count, alike := 0, 0
		for line := range bytes.Lines(profile.Bytes()) { // "12 @ 0x…", then perhaps "# labels: {…}"
			if n, _, ok := bytes.Cut(line, []byte(" @ ")); ok {
				alike, _ = strconv.Atoi(string(n))
			} else if bytes.HasPrefix(line, []byte("# labels:")) && bytes.Contains(line, label) {
				count += alike
			}
		}
		if count == 0 {
			t.Error("no goroutine of the test's in the profile, not even its own")
		}
		return count
	}
}

// complete wants want messages in the group, their seq without a gap, and none
// twice; and bob to have got each of them live.
func (c *cluster) complete(t *testing.T, want int) {
	t.Helper()
	c.his.awaits(t, "message.new", want)
	seen := make(map[string]bool)
	for after := int64(0); ; {
		page := decode[struct{ Data []message }](t, c.bob.do(t, http.StatusOK, "GET",
			fmt.Sprintf("/api/messages?chat_id=%d&limit=200&after_seq=%d", c.group, after), nil)).Data
		for _, m := range page {
			if after++; m.Seq != after || seen[m.ClientMsgID] {
				t.Fatalf("at seq %d there is %+v; stored before: %v", after, m, seen[m.ClientMsgID])
			}
			seen[m.ClientMsgID] = true
		}
		if len(page) == 0 {
			break
		}
	}
	if len(seen) != want {
		t.Errorf("%d messages are stored, want %d", len(seen), want)
	}
}

// TestS3Away: uploads and downloads fail clearly, and chat does not notice.
func TestS3Away(t *testing.T) {
	for name, fail := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			upload := func() (int, []byte) {
				return c.a.call(t, c.alice.token, "POST", "/api/files/upload", imclient.File{Name: "a.txt", Content: []byte("kept")})
			}
			status, body := upload()
			if status != http.StatusCreated {
				t.Fatalf("%d %s", status, body)
			}
			file := decode[struct{ Data struct{ ID int64 } }](t, body).Data.ID
			fail(c.s3)
			var failing sync.WaitGroup
			failing.Go(func() {
				if status, body := upload(); status != http.StatusServiceUnavailable || !strings.Contains(string(body), "again") {
					t.Errorf("upload: %d %s", status, body)
				}
			})
			failing.Go(func() {
				if status, body := c.a.call(t, c.alice.token, "GET", "/api/files/:id/download", nil, file); status != http.StatusServiceUnavailable {
					t.Errorf("download: %d %s", status, body)
				}
			})
			for i := range 20 {
				c.say(t, fmt.Sprint(i))
				if got := content(t, c.his.expect(t, "message.new")); got != fmt.Sprint(i) {
					t.Errorf("bob got %q, want %d", got, i)
				}
			}
			failing.Wait()
			c.a.isReady(t, http.StatusOK, "degraded")
			c.s3.Heal()
			c.a.isReady(t, http.StatusOK, "ok")
			if status, body := upload(); status != http.StatusCreated {
				t.Errorf("upload afterwards: %d %s", status, body)
			}
			if got := c.alice.do(t, http.StatusOK, "GET", "/api/files/:id/download", nil, file); string(got) != "kept" {
				t.Errorf("the file holds %q", got)
			}
		})
	}
}

// TestSlowDatabase answers each statement half a second late. Of clients that
// send as fast as they can the server takes no more than it can keep, and leaves
// the rest to them; all of it is answered in the end.
func TestSlowDatabase(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	const senders, each = 8, 250
	const most = 4*256 + 2*256 + senders // wait, are being stored, are stored while the page is read, and wait to wait
	c.db.Delay(500 * time.Millisecond)
	sockets := make([]*socket, senders)
	var writing sync.WaitGroup
	for i := range sockets {
		s := c.alice.dial(t)
		sockets[i] = s
		writing.Go(func() {
			for k := range each {
				s.write(t, "message.send", map[string]any{"chat_id": c.group, "content": "x", "client_msg_id": fmt.Sprint(i, "-", k)})
			}
		})
	}
	answered := func(kind string) (n int) {
		for _, s := range sockets {
			n += s.count(kind)
		}
		return n
	}
	full := c.a.eventually(t, "a full queue", func(p page) bool {
		return p.samples[`im_frames_received_total{type="message.send"}`] > most
	})
	waiting := full.samples[`im_frames_received_total{type="message.send"}`] - full.samples["messages_sent_total"] - full.sum("im_messages_refused_total")
	if waiting > most {
		t.Errorf("%v messages were taken and neither stored nor refused, want %d at most", waiting, most)
	}
	c.db.Heal()
	writing.Wait()
	for i, s := range sockets {
		for deadline := time.Now().Add(3 * patience); s.count("message.ack")+s.count("error") < each; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("socket %d: %d of %d messages were answered", i, s.count("message.ack")+s.count("error"), each)
			}
		}
	}
	acked := answered("message.ack")
	t.Logf("%d messages were stored, %d refused", acked, answered("error"))
	if acked < 256 {
		t.Errorf("%d messages were stored: less than one transaction", acked)
	}
	c.complete(t, 1+acked)
}
