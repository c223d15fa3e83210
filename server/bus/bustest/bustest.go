// Package bustest is the contract of chat.Bus and chat.Presence as a test suite. Call [Run] with a function that
// opens the nodes of one bus.
package bustest

import (
	"context"
	"testing"

	"github.com/onemeter/onemeter/server/chat"
)

// A Node is one node's part of a bus.
type Node interface {
	chat.Bus
	chat.Presence
	Subscribe(deliver func(context.Context, chat.Event)) (cancel func())
}

// Run tests the buses that open returns. open returns one node or more of a bus that no other test uses. The nodes
// hear each other, and are closed by t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) []Node) {
	for _, c := range []struct {
		name string
		test func(*testing.T, []Node)
	}{
		{"EverySubscriberOnEveryNode", testEverySubscriberOnEveryNode},
		{"ManyPublishers", testManyPublishers},
		{"NobodySubscribes", testNobodySubscribes},
		{"PublishAfterItsContextEnded", testPublishAfterItsContextEnded},
		{"CancelledSubscriber", testCancelledSubscriber},
		{"SubscriberUsesTheBus", testSubscriberUsesTheBus},
		{"FirstAndLast", testFirstAndLast},
		{"OneIsFirstAndOneIsLast", testOneIsFirstAndOneIsLast},
		{"ComingAndGoingAtOnce", testComingAndGoingAtOnce},
		{"Online", testOnline},
		{"Everyone", testEveryone},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}
