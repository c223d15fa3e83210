package bustest

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server/chat"
)

// An inbox keeps the events that a subscriber gets.
type inbox struct {
	mu     sync.Mutex
	events []chat.Event
}

func (b *inbox) deliver(_ context.Context, e chat.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, e)
}

func (b *inbox) seqs() (seqs []int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events {
		seqs = append(seqs, e.Seq)
	}
	return seqs
}

// waitFor waits until there are this many events, and returns them.
func (b *inbox) waitFor(t *testing.T, n int) []chat.Event {
	t.Helper()
	needs.Eventually(t, "all events are there", func() bool { return len(b.seqs()) >= n })
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events)
}

// subscribed returns an inbox for each node.
func subscribed(t *testing.T, nodes []Node) []*inbox {
	inboxes := make([]*inbox, len(nodes))
	for i, n := range nodes {
		inboxes[i] = new(inbox)
		t.Cleanup(n.Subscribe(inboxes[i].deliver))
	}
	return inboxes
}

func publish(t *testing.T, n Node, conversation, seq int64) {
	t.Helper()
	if err := n.Publish(context.Background(), chat.Event{Type: chat.EventTyping, ConversationID: conversation, Seq: seq}); err != nil {
		t.Error(err)
	}
}

// Each node publishes. When Publish returns, the subscribers on that node have the event.
func testEverySubscriberOnEveryNode(t *testing.T, nodes []Node) {
	const each = 500
	all := append(subscribed(t, nodes), subscribed(t, nodes)...)
	for i, n := range nodes {
		for seq := range int64(each) {
			publish(t, n, int64(i), seq+1)
			for _, own := range []*inbox{all[i], all[len(nodes)+i]} {
				if got := own.seqs(); got[len(got)-1] != seq+1 {
					t.Fatalf("Publish of event %d returned, and the node's own subscriber has event %d as its last", seq+1, got[len(got)-1])
				}
			}
		}
		for _, inbox := range all {
			inbox.waitFor(t, each*(i+1))
		}
	}
	for _, inbox := range all {
		inOrder(t, inbox.waitFor(t, each*len(nodes)), len(nodes), each)
	}
}

func testManyPublishers(t *testing.T, nodes []Node) {
	inboxes := subscribed(t, nodes)
	const publishers, each = 4, 200
	var wg sync.WaitGroup
	for i, n := range nodes {
		for p := range publishers {
			wg.Go(func() {
				for seq := range int64(each) {
					cancel := n.Subscribe(func(context.Context, chat.Event) {})
					publish(t, n, int64(i*publishers+p), seq+1)
					cancel()
				}
			})
		}
	}
	wg.Wait()
	for _, inbox := range inboxes {
		inOrder(t, inbox.waitFor(t, len(nodes)*publishers*each), len(nodes)*publishers, each)
	}
}

// inOrder checks the events of the given number of conversations, from 1 to most in each.
func inOrder(t *testing.T, events []chat.Event, conversations int, most int64) {
	t.Helper()
	last := make(map[int64]int64)
	for _, e := range events {
		if e.Seq != last[e.ConversationID]+1 {
			t.Fatalf("publisher %d: event %d follows %d", e.ConversationID, e.Seq, last[e.ConversationID])
		}
		last[e.ConversationID] = e.Seq
	}
	if int64(len(events)) != int64(conversations)*most {
		t.Errorf("%d events, want %d of each of %d publishers", len(events), most, conversations)
	}
}

func testNobodySubscribes(t *testing.T, nodes []Node) { publish(t, nodes[0], 1, 1) }

// An event has already happened, so it is delivered even if ctx has ended.
func testPublishAfterItsContextEnded(t *testing.T, nodes []Node) {
	inboxes := subscribed(t, nodes)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := nodes[0].Publish(ctx, chat.Event{Type: chat.EventTyping, Seq: 1}); err != nil {
		t.Error(err)
	}
	for _, inbox := range inboxes {
		inbox.waitFor(t, 1)
	}
}

func testCancelledSubscriber(t *testing.T, nodes []Node) {
	stays := subscribed(t, nodes)
	var gone inbox
	cancel := nodes[0].Subscribe(gone.deliver)
	publish(t, nodes[0], 1, 1)
	cancel()
	cancel() // may be called again
	for i, n := range nodes {
		publish(t, n, int64(2+i), 1)
	}
	for _, inbox := range stays {
		inbox.waitFor(t, 1+len(nodes))
	}
	if got := gone.seqs(); len(got) != 1 {
		t.Errorf("%d events, want the one before cancel", len(got))
	}
}

// A subscriber publishes, subscribes and cancels itself.
func testSubscriberUsesTheBus(t *testing.T, nodes []Node) {
	other := subscribed(t, nodes[len(nodes)-1:])[0]
	n := nodes[0]
	var got []int64
	var cancel func()
	cancel = n.Subscribe(func(_ context.Context, e chat.Event) {
		got = append(got, e.Seq)
		if e.Seq == 3 {
			cancel()
			return
		}
		n.Subscribe(func(context.Context, chat.Event) {})()
		publish(t, n, 1, e.Seq+1)
	})
	publish(t, n, 1, 1)
	publish(t, n, 1, 9)
	if !slices.Equal(got, []int64{1, 2, 3}) {
		t.Errorf("got %v, want 1, 2 and 3", got)
	}
	other.waitFor(t, 4)
}
