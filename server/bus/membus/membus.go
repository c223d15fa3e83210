// Package membus implements chat.Bus and chat.Presence for a server of one process. [New] makes the [Bus]; owners of
// connections call Subscribe.
package membus

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/onemeter/onemeter/server/chat"
)

// A Bus delivers events to its subscribers and counts connections. It is safe for concurrent use.
type Bus struct {
	mu          sync.Mutex
	subscribers []*subscriber // replaced, never changed

	online struct {
		sync.Mutex
		connections map[int64]int // by user; users without any have no entry
	}
}

type subscriber struct {
	deliver func(context.Context, chat.Event)
}

var (
	_ chat.Bus      = (*Bus)(nil)
	_ chat.Presence = (*Bus)(nil)
)

// New returns a Bus without subscribers.
func New() *Bus {
	b := &Bus{}
	b.online.connections = make(map[int64]int)
	return b
}

// Subscribe makes the bus call deliver with every event published from now on. The publishing goroutine calls it:
// deliver must be fast and safe for concurrent use. It may publish, subscribe and cancel. After cancel returns, no
// new call begins, but one that has begun may still be running. cancel may be called again.
func (b *Bus) Subscribe(deliver func(context.Context, chat.Event)) (cancel func()) {
	s := &subscriber{deliver}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subscribers = append(slices.Clip(b.subscribers), s)
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.subscribers = slices.DeleteFunc(slices.Clone(b.subscribers), func(o *subscriber) bool { return o == s })
	}
}

// Publish implements chat.Bus. It returns when every subscriber has e. It also delivers if ctx has ended, because the
// event has already happened.
func (b *Bus) Publish(ctx context.Context, e chat.Event) error {
	b.mu.Lock()
	subscribers := b.subscribers
	b.mu.Unlock()
	for _, s := range subscribers {
		s.deliver(ctx, e)
	}
	return nil
}

// Connected implements chat.Presence.
func (b *Bus) Connected(_ context.Context, userID int64) (first bool, err error) {
	b.online.Lock()
	defer b.online.Unlock()
	b.online.connections[userID]++
	return b.online.connections[userID] == 1, nil
}

// Disconnected implements chat.Presence. For a user without connections, last is false.
func (b *Bus) Disconnected(_ context.Context, userID int64) (last bool, err error) {
	b.online.Lock()
	defer b.online.Unlock()
	switch n := b.online.connections[userID]; n {
	case 0:
		return false, nil
	case 1:
		delete(b.online.connections, userID)
		return true, nil
	default:
		b.online.connections[userID] = n - 1
		return false, nil
	}
}

// Online implements chat.Presence.
func (b *Bus) Online(_ context.Context, ids []int64) (map[int64]bool, error) {
	online := make(map[int64]bool)
	b.online.Lock()
	defer b.online.Unlock()
	for _, id := range ids {
		if b.online.connections[id] > 0 {
			online[id] = true
		}
	}
	return online, nil
}

// Everyone implements chat.Presence.
func (b *Bus) Everyone(context.Context) ([]int64, error) {
	b.online.Lock()
	defer b.online.Unlock()
	return slices.Collect(maps.Keys(b.online.connections)), nil
}
