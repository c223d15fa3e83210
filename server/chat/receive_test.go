package chat_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// A network is a bus between nodes that loses, duplicates and reorders events.
type network struct {
	mu    sync.Mutex
	nodes []*node
	bend  func([]chat.Event) []chat.Event // nil: nothing is bent
	queue []chat.Event
}

// A port is a node's bus. The node's own events come back at once.
type port struct {
	*network
	i int
}

func (p port) Publish(ctx context.Context, e chat.Event) error {
	p.mu.Lock()
	p.queue = append(p.queue, e)
	p.mu.Unlock()
	p.nodes[p.i].Receive(ctx, e)
	return nil
}

// carry delivers published events to the other node.
func (n *network) carry(to int) {
	n.mu.Lock()
	events := n.queue
	n.queue = nil
	n.mu.Unlock()
	if n.bend != nil {
		events = n.bend(events)
	}
	for _, e := range events {
		n.nodes[to].Receive(context.Background(), e)
	}
}

func twoNodes(t *testing.T, change ...func(*chat.Config)) (w *world, net *network, here, there *node) {
	w, net = newWorld(t), &network{}
	net.nodes = make([]*node, 2)
	net.nodes[0] = w.node(t, port{net, 0}, change...)
	net.nodes[1] = w.node(t, port{net, 1}, change...)
	return w, net, net.nodes[0], net.nodes[1]
}

func TestLossyBusLosesNoMessages(t *testing.T) {
	const messages = 300
	random := rand.New(rand.NewPCG(1, 2))
	for name, bend := range map[string]func([]chat.Event) []chat.Event{
		"faithful": nil,
		"reorders": func(e []chat.Event) []chat.Event {
			// Slightly reordered, as by two nodes that publish at once.
			for i := 1; i+1 < len(e); i += 2 {
				e[i], e[i+1] = e[i+1], e[i]
			}
			return e
		},
		"doubles": func(e []chat.Event) []chat.Event { return append(e, e...) },
		"loses": func(e []chat.Event) []chat.Event {
			kept := e[:1]
			for _, e := range e[1 : len(e)-1] {
				if random.IntN(3) > 0 {
					kept = append(kept, e)
				}
			}
			return append(kept, e[len(e)-1])
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, net, here, there := twoNodes(t)
			a, b := w.user(t), w.user(t)
			net.bend = bend
			for i := range messages {
				here.send(t, a, b.UserID, name+string(rune(i)))
			}
			here.delivered(t, messages)
			net.carry(1)
			if got := there.delivered(t, messages); !slices.Equal(got, upTo(messages)) {
				t.Errorf("delivered %v", got)
			}
		})
	}
}

// TestResume cuts a node off from the bus, and then connects it again.
func TestResume(t *testing.T) {
	var recovered int
	var mu sync.Mutex
	w, net, here, there := twoNodes(t, func(c *chat.Config) {
		c.Hooks.Recovered = func(_ context.Context, r chat.Recovered) {
			mu.Lock()
			defer mu.Unlock()
			recovered += r.Messages
		}
	})
	a, b, c := w.user(t), w.user(t), w.user(t)
	here.send(t, a, b.UserID, "before")
	here.delivered(t, 1)
	net.carry(1)
	there.delivered(t, 1)

	since := time.Now()
	net.bend = func([]chat.Event) []chat.Event { return nil }
	for _, id := range []string{"1", "2", "3"} {
		here.send(t, a, b.UserID, id)
	}
	here.send(t, a, c.UserID, "elsewhere") // a conversation without a track on the other node
	here.delivered(t, 5)
	net.carry(1)
	if err := there.Resume(t.Context(), since); err != nil {
		t.Fatal(err)
	}
	if got := there.delivered(t, 5); !slices.Equal(got, []int64{1, 2, 3, 4, 1}) {
		t.Errorf("delivered %v", got)
	}
	if err := there.Resume(t.Context(), since); err != nil {
		t.Fatal(err)
	}
	if got := there.delivered(t, 5); len(got) != 5 {
		t.Errorf("a second time: %v", got)
	}
	mu.Lock()
	defer mu.Unlock()
	if recovered != 4 {
		t.Errorf("%d are told as recovered, want 4", recovered)
	}
}

// TestResumeWithOwnMessages: a node also gets what it missed if it has stored later messages
// itself.
func TestResumeWithOwnMessages(t *testing.T) {
	w, net, here, there := twoNodes(t)
	a, b, c := w.user(t), w.user(t), w.user(t)
	since := time.Now()
	net.bend = func([]chat.Event) []chat.Event { return nil }
	here.send(t, a, b.UserID, "missed")
	const own = 1500
	for i := range own {
		there.send(t, c, c.UserID, fmt.Sprint(i))
	}
	there.delivered(t, own)
	if err := there.Resume(t.Context(), since); err != nil {
		t.Fatal(err)
	}
	if got := there.delivered(t, own+1); got[own] != 1 {
		t.Errorf("after its own, seq %d was delivered", got[own])
	}
	chat.LimitResume(t, own-500)
	if err := there.Resume(t.Context(), since); !errors.Is(err, chat.ErrMissedTooMuch) {
		t.Errorf("more than it may look through: %v", err)
	}
}

// TestGapThatCannotBeFilled: later messages are delivered. Clients see the gap, and sync.
func TestGapThatCannotBeFilled(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil)
	a, b := w.user(t), w.user(t)
	n.send(t, a, b.UserID, "1")
	n.delivered(t, 1)
	n.Receive(t.Context(), chat.Event{Type: chat.EventMessageNew, ConversationID: 1, Seq: 7})
	n.Receive(t.Context(), chat.Event{Type: chat.EventMessageNew, ConversationID: 1, Seq: 8})
	if got := n.delivered(t, 3); !slices.Equal(got, []int64{1, 7, 8}) {
		t.Errorf("delivered %v", got)
	}
}

// TestFirstEventIsOvertaken delivers a message late if the first event of its conversation
// overtook it.
func TestFirstEventIsOvertaken(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil)
	for _, seq := range []int64{2, 1, 3, 2, 5, 4} {
		n.Receive(t.Context(), chat.Event{Type: chat.EventMessageNew, ConversationID: 1, Seq: seq})
	}
	if got := n.delivered(t, 5); !slices.Equal(got, []int64{2, 1, 3, 4, 5}) {
		t.Errorf("delivered %v", got)
	}
}

// TestChangesComeAfterTheirMessage recalls and edits new messages at once, on this node and
// on one that still waits for the message.
func TestChangesComeAfterTheirMessage(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil)
	a, b := w.user(t), w.user(t)
	const each = 100
	for i := range each {
		m := n.send(t, a, b.UserID, fmt.Sprint(i))
		if _, err := n.Edit(t.Context(), a, m.ID, "edited"); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Recall(t.Context(), a, m.ID); err != nil {
			t.Fatal(err)
		}
	}
	n.Close()
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.events) != 3*each {
		t.Fatalf("%d events, want %d", len(n.events), 3*each)
	}
	for i, e := range n.events {
		if want := []chat.EventType{chat.EventMessageNew, chat.EventMessageEdit, chat.EventMessageRecall}[i%3]; e.Type != want {
			t.Fatalf("event %d is %s, want %s", i, e.Type, want)
		}
	}

	remote := w.node(t, nil)
	for _, e := range []chat.Event{
		{Type: chat.EventMessageNew, ConversationID: 9, Seq: 1},
		{Type: chat.EventMessageNew, ConversationID: 9, Seq: 3},
		{Type: chat.EventMessageRecall, ConversationID: 9},
		{Type: chat.EventMessageNew, ConversationID: 9, Seq: 2},
	} {
		remote.Receive(t.Context(), e)
	}
	remote.delivered(t, 3)
	remote.mu.Lock()
	defer remote.mu.Unlock()
	if last := remote.events[len(remote.events)-1]; last.Type != chat.EventMessageRecall {
		t.Errorf("the last event is %s", last.Type)
	}
}

// TestHiddenMessageIsRecoveredForOthers loads messages that the bus lost, one of which the
// first member of the conversation deleted only for themself.
func TestHiddenMessageIsRecoveredForOthers(t *testing.T) {
	w, net, here, there := twoNodes(t)
	ann, bob := w.user(t), w.user(t) // ann is the first member
	net.bend = func(e []chat.Event) []chat.Event { return []chat.Event{e[0], e[len(e)-1]} }
	here.send(t, bob, ann.UserID, "1")
	lost := here.send(t, bob, ann.UserID, "2")
	if _, err := here.DeleteForMe(t.Context(), ann, lost.ID); err != nil {
		t.Fatal(err)
	}
	here.send(t, bob, ann.UserID, "3")
	here.delivered(t, 3)
	net.carry(1)
	there.delivered(t, 3)
	there.mu.Lock()
	defer there.mu.Unlock()
	for _, e := range there.events {
		if n, ok := e.Payload.(chat.MessageNew); ok && n.Message.ID == lost.ID && n.Message.Content != "text 2" {
			t.Errorf("the others get %+v", n.Message)
		}
	}
}
