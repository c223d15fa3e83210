// Package redisbus implements chat.Bus and chat.Presence for a server of several nodes, over Redis.
//
// [New] makes the [Bus] of a node. An event reaches the node's own subscribers at once, even while Redis is
// unreachable, and the other nodes through one pub/sub channel. Redis may lose messages there. The bus does not
// prevent that, but notices it: each node numbers its events, and announces its last number every second. A node that
// missed something learns since when, and loads it from the database.
package redisbus

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/onemeter/onemeter/server/chat"
)

// Config configures a Bus. Every field may be zero.
type Config struct {
	Prefix      string        // of the channel and of keys, equal on all nodes; "im:"
	QueueEvents int           // most events that wait for Redis; 20,000
	QueueBytes  int           // most bytes that wait for Redis; 32 MiB
	Beat        time.Duration // how often the node announces its last number; 1 s
	Expiry      time.Duration // a node that is silent for this time is gone, and its users are offline; 30 s
	Log         *slog.Logger  // discards if nil
}

func (c Config) withDefaults() Config {
	orElse(&c.Prefix, "im:")
	orElse(&c.QueueEvents, 20_000)
	orElse(&c.QueueBytes, 32<<20)
	orElse(&c.Beat, time.Second)
	orElse(&c.Expiry, 30*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func orElse[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// A Bus is one node's part of the bus. It is safe for concurrent use. Call Subscribe, Listen, OnResume and OnPresence
// first, then Start, and Close at the end.
type Bus struct {
	*presence
	client  redis.UniversalClient
	cluster bool // channels are sharded, which keeps the order
	cfg     Config
	node    string // the name of this node, new at each start
	channel string

	mu          sync.Mutex
	subscribers []*subscriber // replaced, never changed
	listeners   map[string]listener
	onResume    func(context.Context, time.Time) error
	onPresence  func(context.Context, []int64, bool, time.Time) error

	out    *outbox
	link   link
	mender mender
	count  counters

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	closing chan struct{}
	writing sync.WaitGroup
	reading sync.WaitGroup
	closed  sync.Once
}

type subscriber struct {
	deliver func(context.Context, chat.Event)
}

type listener struct {
	heard  func(data []byte)
	missed func()
}

var (
	_ chat.Bus      = (*Bus)(nil)
	_ chat.Presence = (*Bus)(nil)
)

// New makes the bus of a node. It does nothing until Start. The caller must close client after the Bus. client should
// fail fast while Redis is unreachable, and obey the deadlines of contexts.
func New(client redis.UniversalClient, cfg Config) *Bus {
	cfg = cfg.withDefaults()
	b := &Bus{
		client: client, cfg: cfg, node: rand.Text(), channel: cfg.Prefix + "bus",
		listeners: make(map[string]listener),
		out:       newOutbox(cfg.QueueEvents, cfg.QueueBytes),
		closing:   make(chan struct{}),
	}
	_, b.cluster = client.(*redis.ClusterClient)
	b.ctx, b.cancel = context.WithCancel(context.Background())
	b.presence = newPresence(client, b.node, cfg)
	b.link.first = make(chan struct{})
	b.link.heard = make(map[string]*peer)
	b.mender.wake = make(chan struct{}, 1)
	return b
}

// Subscribe makes the bus call deliver with every event from now on. Events of this node are delivered by the
// goroutine that publishes them. Events of other nodes are delivered by one goroutine, which reads nothing else
// meanwhile. deliver must be fast and safe for concurrent use. After cancel returns, no new call begins.
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

// OnResume sets a function that the bus calls when it may have missed events of other nodes and hears them again,
// with the time since when it may have missed some. The bus continues to read when resume has returned, or after 5 s.
// If resume fails, it is called again with the same time. It must be set before Start.
func (b *Bus) OnResume(resume func(ctx context.Context, since time.Time) error) { b.onResume = resume }

// Listen makes the bus call heard with what other nodes send under topic with Tell, in the order in which it and
// their events were published. It calls missed, before OnResume's function, whenever something may have been missed.
// Listen must be called before Start. A topic is a short word and has one listener.
func (b *Bus) Listen(topic string, heard func(data []byte), missed func()) {
	b.listeners[topic] = listener{heard, missed}
}

// Tell sends data to the listeners of the other nodes, as soon as Redis accepts it. It does not wait.
func (b *Bus) Tell(topic string, data []byte) { b.out.put(kindSignal, encodeSignal(topic, data)) }

// Publish implements chat.Bus. When it returns, this node's subscribers have the event, and it is queued for the
// other nodes, even if Redis is unreachable or ctx has ended. It encodes the payload once, for all. It returns an
// error only if the event cannot be encoded.
func (b *Bus) Publish(ctx context.Context, e chat.Event) error {
	if e.Payload != nil {
		payload, err := encodePayload(e.Payload)
		if err != nil {
			return fmt.Errorf("event %s: %w", e.Type, err)
		}
		e.Payload = payload
	}
	body, err := encodeEvent(e)
	if err != nil {
		return err
	}
	b.out.put(kindEvent, body)
	b.deliver(ctx, e)
	return nil
}

func (b *Bus) deliver(ctx context.Context, e chat.Event) {
	if e.Type == chat.EventPresence {
		b.presence.told(e)
	}
	b.mu.Lock()
	subscribers := b.subscribers
	b.mu.Unlock()
	for _, s := range subscribers {
		s.deliver(ctx, e)
	}
}

// Start begins to publish and to receive. It waits until the node hears the others, but only for one attempt: if
// Redis is unreachable, the bus keeps trying. Call it once.
func (b *Bus) Start(ctx context.Context) {
	b.link.beatSent.Store(time.Now().UnixMicro())
	b.link.beatBack.Store(time.Now().UnixMicro())
	b.writing.Go(b.write)
	b.reading.Go(b.read)
	b.reading.Go(b.mendLater)
	b.reading.Go(b.presenceBeats)
	b.reading.Go(b.watchNodes)
	select {
	case <-b.link.first:
	case <-ctx.Done():
	}
}

// closeWithin is how long Close tries to publish what is queued.
const closeWithin = 2 * time.Second

// Close publishes what is queued, for at most 2 s, and removes the node's users from the presence. It logs what is
// left; the other nodes notice what they missed. After Close, events of other nodes are not delivered. It may be
// called again.
func (b *Bus) Close() {
	b.closed.Do(func() {
		close(b.closing)
		b.writing.Wait()
		b.cancel()
		b.link.hangUp()
		b.reading.Wait()
		err := b.quit()
		if left := b.out.len(); left > 0 || err != nil {
			b.cfg.Log.Warn("could not publish everything before closing; the other nodes load it from the database", "events", left, "err", err)
		}
	})
}

// Stats are counts since the start of the Bus, except those marked as current.
type Stats struct {
	Connected  bool          // current: the node hears the others
	Nodes      int           // current: other nodes that are heard
	Queued     int           // current: events that wait for Redis
	Lag        time.Duration // current: from publishing to receiving this node's own beat
	Reconnects uint64        // subscriptions after the first
	Published  uint64        // events that Redis accepted
	Dropped    uint64        // events dropped because the queue was full
	Received   uint64        // events of other nodes
	Lost       uint64        // events of other nodes that did not arrive
	Garbage    uint64        // messages that no node of this version sent
	Resumes    uint64        // how often missed events were recovered
	Failures   uint64        // failed attempts to publish, subscribe, resume or update the presence
}

type counters struct {
	reconnects, published, received, lost, garbage, resumes, failures atomic.Uint64
}

// Stats returns the current numbers.
func (b *Bus) Stats() Stats {
	queued, dropped := b.out.stats()
	return Stats{
		Connected: b.Hears(), Nodes: int(b.link.peers.Load()), Queued: queued, Dropped: dropped,
		Lag:        time.Duration(b.link.lag.Load()),
		Reconnects: b.count.reconnects.Load(), Published: b.count.published.Load(),
		Received: b.count.received.Load(), Lost: b.count.lost.Load(), Garbage: b.count.garbage.Load(),
		Resumes:  b.count.resumes.Load(),
		Failures: b.count.failures.Load() + b.presence.failures.Load(),
	}
}
