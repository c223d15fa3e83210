package redisbus_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server/bus/bustest"
	"github.com/onemeter/onemeter/server/bus/redisbus"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/redisconn/redistest"
)

// TestBus runs the contract with one node, with two, and in a cluster, where a
// channel belongs to a shard, and scripts to one slot.
func TestBus(t *testing.T) {
	open := func(t *testing.T, url, prefix string, n int) []bustest.Node {
		nodes, ends := make([]*node, n), make([]bustest.Node, n)
		for i := range nodes {
			nodes[i] = newNode(t, url, quick(prefix))
			ends[i] = nodes[i]
		}
		met(t, nodes...)
		return ends
	}
	for name, n := range map[string]int{"one node": 1, "two nodes": 2} {
		t.Run(name, func(t *testing.T) {
			bustest.Run(t, func(t *testing.T) []bustest.Node {
				url, prefix := needs.Redis(t)
				return open(t, url, prefix, n)
			})
		})
	}
	t.Run("cluster", func(t *testing.T) {
		url := redistest.Cluster(t)
		bustest.Run(t, func(t *testing.T) []bustest.Node { return open(t, url, t.Name(), 2) })
	})
}

// TestEventsInOrderOnBothNodes counts them, too.
func TestEventsInOrderOnBothNodes(t *testing.T) {
	a, b := twoNodes(t)
	const events = 5000
	for seq := range int64(events) {
		a.publish(t, seq+1)
	}
	if got := b.waitFor(t, events); !slices.Equal(got, upTo(events)) {
		t.Error("not in order")
	}
	needs.Eventually(t, "a beat came back", func() bool { return a.Stats().Lag > 0 })
	if got := a.waitFor(t, events); len(got) != events {
		t.Errorf("%d events on their own node", len(got))
	}
	s := b.Stats()
	if s.Received != events || s.Lost+s.Garbage+s.Resumes+s.Reconnects+s.Failures != 0 {
		t.Errorf("%+v", s)
	}
	if s := a.Stats(); s.Published != events || s.Dropped != 0 || s.Queued != 0 {
		t.Errorf("%+v", s)
	}
}

// TestOtherNodesGetWhatThisOneGets compares all that a client could see.
func TestOtherNodesGetWhatThisOneGets(t *testing.T) {
	a, b := twoNodes(t)
	at := time.Date(2026, 11, 22, 1, 2, 3, 456789012, time.UTC)
	user := chat.FrameSender{ID: 3, Username: "<b>&\u2028𠮷😀\"\\"}
	many := make([]int64, 1000)
	for i := range many {
		many[i] = int64(i*i) - 50
	}
	events := []chat.Event{
		{
			Type: chat.EventMessageNew, To: []int64{9, 3, 1 << 60, -4}, Except: 7, At: at,
			Payload:        chat.MessageNew{Message: chat.InFrame(chat.Message{ID: 5, Content: "<b>&\u2028𠮷😀\"\\\n", CreatedAt: at}), Sender: user},
			ConversationID: 11, Seq: 12, MessageID: 5, From: 3, Receipt: true,
		},
		{Type: chat.EventPresence, To: many, At: at, Payload: chat.PresenceChanged{UserID: 3, LastSeen: at}},
		{Type: chat.EventTyping, Payload: json.RawMessage(`{"a":[1,2]}`)},
		{Type: chat.EventTyping, Payload: strings.Repeat("x", 1<<20)},
		{Type: chat.EventSessionEnded, To: []int64{3}, Session: "s", Reason: "banned: ü", At: at},
		{Type: "call.end", To: []int64{3}, Only: 1<<64 - 7, Call: "a call", Payload: json.RawMessage(`{}`), At: at},
	}
	for _, e := range events {
		if err := a.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	b.waitFor(t, len(events))
	here, there := a.got(), b.got()
	for i, e := range events {
		want := here[i]
		if e.Except != want.Except {
			t.Errorf("Except %d here", want.Except)
		}
		want.Except = 0 // it is here
		if len(want.To) == 0 {
			want.To, there[i].To = nil, nil
		}
		if e.Payload != nil {
			wanted := string(raw(t, e.Payload))
			if string(there[i].Payload.(json.RawMessage)) != wanted || string(want.Payload.(json.RawMessage)) != wanted {
				t.Errorf("event %d: payload %.200s", i, there[i].Payload)
			}
			want.Payload, there[i].Payload = nil, nil
		}
		if diff := cmp.Diff(want, there[i]); diff != "" {
			t.Errorf("event %d: %s", i, diff)
		}
	}
}

func TestWhatCannotBeEncoded(t *testing.T) {
	a, b := twoNodes(t)
	for _, payload := range []any{func() {}, strings.Repeat("x", 5<<20), json.RawMessage(`{`)} {
		if err := a.Publish(t.Context(), chat.Event{Payload: payload}); err == nil {
			t.Errorf("%.20v: no error", payload)
		}
	}
	a.publish(t, 1)
	b.has(t, 1)
}

func TestSignals(t *testing.T) {
	a, b := twoNodes(t)
	a.Tell("topic", []byte("1\n2"))
	a.Tell("nobody's", []byte("?"))
	a.publish(t, 1)
	a.Tell("topic", nil)
	needs.Eventually(t, "both are heard", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return len(b.signals) == 2 })
	if diff := cmp.Diff([]string{"1\n2", ""}, b.signals); diff != "" || len(a.signals) != 0 {
		t.Error(diff, a.signals)
	}
	if s := b.Stats(); s.Garbage != 0 || s.Lost != 0 {
		t.Errorf("%+v", s)
	}
}

func TestCloseHandsOverWhatIsQueued(t *testing.T) {
	a, b := twoNodes(t)
	for seq := range int64(3000) {
		a.publish(t, seq+1)
	}
	a.Close()
	a.Close()
	if got := b.waitFor(t, 3000); !slices.Equal(got, upTo(3000)) {
		t.Error("not in order")
	}
	a.publish(t, 3001) // and afterwards its own clients still get everything
	a.has(t, 3001)
}

func TestGarbageOnTheChannel(t *testing.T) {
	url, prefix := needs.Redis(t)
	a, b := newNode(t, url, quick(prefix)), newNode(t, url, quick(prefix))
	met(t, a, b)
	garbage := []string{
		"", "\n", "im1", "im2 other 1 1 event\n{}\n", "im1 other 1 1\n{}", "im1 other x 1 event\n{}\n",
		"im1 other 1 x event\n{}\n", "im1  1 1 event\n{}\n", "im1 g1 1 1 event\n{", "im1 g2 1 1 event\n{\n{}",
		"im1 g3 1 1 event\n{}\n{", `im1 g4 1 1 event` + "\n" + `{"to":"!"}` + "\n", "im1 g5 1 1 other\n",
		`im1 g6 1 1 event` + "\n" + `{"to":"gA"}` + "\n", "im1 g7 -1 1 event\n{}\n",
		noise(1000), strings.Repeat("x", 10<<20), "im1 g8 1 1 event\n{}\n" + strings.Repeat(" ", 10<<20),
		fmt.Sprintf("im1 g9 1 1 event\n%s\n", strings.Repeat(`{"a":`, 1000)),
	}
	for _, g := range garbage {
		if err := a.client.Publish(t.Context(), prefix+"bus", g).Err(); err != nil {
			t.Fatal(err)
		}
	}
	a.publish(t, 1)
	if got := b.waitFor(t, 1); !slices.Equal(got, []int64{1}) {
		t.Errorf("got %v", got)
	}
	if s := b.Stats(); s.Garbage != uint64(len(garbage)) || s.Lost != 0 || s.Reconnects != 0 {
		t.Errorf("%d garbage: %+v", len(garbage), s)
	}
}

func TestZeroConfigAndCloseWithoutStart(t *testing.T) {
	url, _ := needs.Redis(t)
	b := redisbus.New(connect(t, url), redisbus.Config{})
	if err := b.Publish(t.Context(), event(1)); err != nil {
		t.Error(err)
	}
	b.Close()
}
