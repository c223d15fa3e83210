package redisbus_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server/bus/redisbus"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/redisconn"
)

func TestMain(m *testing.M) {
	redisconn.LogTo(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m)
}

func connect(t testing.TB, url string) redis.UniversalClient {
	t.Helper()
	client, err := redisconn.Open(redisconn.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// A node is a bus and what it was told.
type node struct {
	*redisbus.Bus
	client redis.UniversalClient

	mu      sync.Mutex
	events  []chat.Event
	signals []string
	missed  int
	resumes []time.Time  // since
	calls   []time.Time  // when
	resume  func() error // nil: succeeds
	gone    []int64      // users told of
	back    []int64
	seen    time.Time // when those who are gone were last
	tell    func() error
}

func quick(prefix string) redisbus.Config {
	return redisbus.Config{Prefix: prefix, Beat: 20 * time.Millisecond, Expiry: time.Second}
}

// newNode starts a node, and stops it when t ends.
func newNode(t testing.TB, url string, cfg redisbus.Config) *node {
	t.Helper()
	n := idleNode(t, url, cfg)
	n.Start(t.Context())
	return n
}

func idleNode(t testing.TB, url string, cfg redisbus.Config) *node {
	t.Helper()
	n := &node{client: connect(t, url)}
	n.Bus = redisbus.New(n.client, cfg)
	n.Subscribe(func(_ context.Context, e chat.Event) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.events = append(n.events, e)
	})
	n.Listen("topic", func(data []byte) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.signals = append(n.signals, string(data))
	}, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.missed++
	})
	n.OnResume(func(_ context.Context, since time.Time) error {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.resumes, n.calls = append(n.resumes, since), append(n.calls, time.Now())
		if n.resume != nil {
			return n.resume()
		}
		return nil
	})
	n.OnPresence(func(_ context.Context, users []int64, online bool, at time.Time) error {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.tell != nil {
			return n.tell()
		}
		if online {
			n.back = append(n.back, users...)
		} else {
			n.gone, n.seen = append(n.gone, users...), at
		}
		return nil
	})
	t.Cleanup(n.Close)
	return n
}

// twoNodes are connected by the Redis of all tests.
func twoNodes(t testing.TB) (a, b *node) {
	t.Helper()
	url, prefix := needs.Redis(t)
	a, b = newNode(t, url, quick(prefix)), newNode(t, url, quick(prefix))
	met(t, a, b)
	return a, b
}

// met waits until nodes have heard of each other: a node cannot miss what one
// published that it never heard of.
func met(t testing.TB, nodes ...*node) {
	t.Helper()
	needs.Eventually(t, "the nodes hear each other", func() bool {
		for _, n := range nodes {
			if s := n.Stats(); !s.Connected || s.Nodes != len(nodes)-1 {
				return false
			}
		}
		return true
	})
}

func (n *node) got() []chat.Event {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]chat.Event(nil), n.events...)
}

func (n *node) len() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.events)
}

func (n *node) resumed() []time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]time.Time(nil), n.resumes...)
}

func (n *node) publish(t testing.TB, seq int64) {
	t.Helper()
	if err := n.Publish(t.Context(), event(seq)); err != nil {
		t.Fatal(err)
	}
}

func event(seq int64) chat.Event {
	return chat.Event{Type: chat.EventMessageNew, To: []int64{1, 2}, Seq: seq, ConversationID: 1, At: time.Now()}
}

// waitFor waits until n has so many events, and returns their Seq.
func (n *node) waitFor(t testing.TB, events int) []int64 {
	t.Helper()
	needs.Eventually(t, "all events are there", func() bool { return n.len() >= events })
	var seqs []int64
	for _, e := range n.got() {
		seqs = append(seqs, e.Seq)
	}
	return seqs
}

// has waits until n has the event of seq.
func (n *node) has(t testing.TB, seq int64) {
	t.Helper()
	needs.Eventually(t, "an event is there", func() bool {
		for _, e := range n.got() {
			if e.Seq == seq {
				return true
			}
		}
		return false
	})
}

func upTo(n int64) []int64 {
	var seqs []int64
	for seq := int64(1); seq <= n; seq++ {
		seqs = append(seqs, seq)
	}
	return seqs
}

func raw(t testing.TB, v any) json.RawMessage {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(b.Bytes())
}

func noise(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return string(b)
}
