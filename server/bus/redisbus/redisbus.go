// Package redisbus implements chat.Bus and chat.Presence for a server of
// several nodes, over Redis.
//
// [New] makes the [Bus] of a node. What it publishes reaches the node's own
// subscriber at once, whatever becomes of Redis, and the other nodes by one
// pub/sub channel. Redis may lose what it carries there; the bus does not
// prevent that, it notices: events are numbered by their node, and each node
// says every second how far it has come. Whoever missed something is told since
// when, and loads it from the database.
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

// Config of a Bus. Every field may be zero.
type Config struct {
	Prefix      string        // of the channel and of keys, the same on all nodes; "im:"
	QueueEvents int           // that wait for Redis at most; 20,000
	QueueBytes  int           // 32 MiB
	Beat        time.Duration // how often the node says how far it has come; 1 s
	Expiry      time.Duration // a node that is silent for so long is gone, and its users with it; 30 s
	Log         *slog.Logger  // discards
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

// A Bus is one node's end of the bus. It is safe for concurrent use. Subscribe,
// Listen, OnResume and OnPresence come first, then Start, and Close at the end.
type Bus struct {
	*presence
	client  redis.UniversalClient
	cluster bool // channels belong to a shard, which keeps the order
	cfg     Config
	node    string // this one's name, new with each start
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

// New makes the bus of a node, which does nothing until Start. The client is
// the caller's to close, after the Bus. It should fail fast when Redis is away,
// and obey the deadlines of contexts.
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

// Subscribe has deliver called with every event from now on: those of this
// node by the goroutine that publishes them, those of others by one goroutine,
// which reads no further meanwhile. deliver must be quick, and safe for
// concurrent use. Once cancel has returned no further event is begun.
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

// OnResume has resume called whenever the node hears the others again after it
// may have missed something, with the time from which on it may have. The bus
// reads on once resume has returned, or after 5 s; if it fails it is called
// again, with the same time. It is set before Start.
func (b *Bus) OnResume(resume func(ctx context.Context, since time.Time) error) { b.onResume = resume }

// Listen has heard called with what other nodes tell under topic, in the order
// in which it and their events were published, and missed whenever something
// may have been missed: before OnResume's func. It comes before Start; a topic
// is a short word, and has one listener.
func (b *Bus) Listen(topic string, heard func(data []byte), missed func()) {
	b.listeners[topic] = listener{heard, missed}
}

// Tell tells the other nodes, as soon as Redis takes it. It does not wait.
func (b *Bus) Tell(topic string, data []byte) { b.out.put(kindSignal, encodeSignal(topic, data)) }

// Publish implements chat.Bus. When it returns, this node's subscribers have
// the event, and it is queued for the others; both also where Redis is away or
// ctx has ended. The payload is encoded here, once for all. An error says that
// the event cannot be encoded.
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

// Start begins to publish and to hear. It waits until the node hears the
// others, but no longer than one try takes: a Redis that is away is no error,
// for the bus goes on trying. Call it once.
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

// closeWithin is how long Close tries to hand over what is queued.
const closeWithin = 2 * time.Second

// Close publishes what is queued, as far as Redis takes it within 2 s, and takes
// the node's users off the presence. What is left is logged, and the other nodes
// find out by themselves. After it, events of other nodes are not delivered any
// more. Twice is as good as once.
func (b *Bus) Close() {
	b.closed.Do(func() {
		close(b.closing)
		b.writing.Wait()
		b.cancel()
		b.link.hangUp()
		b.reading.Wait()
		err := b.quit()
		if left := b.out.len(); left > 0 || err != nil {
			b.cfg.Log.Warn("the other nodes were not told everything", "events", left, "err", err)
		}
	})
}

// Stats are counted from the start of the Bus, except for what is said to be now.
type Stats struct {
	Connected  bool          // now: the node hears the others, Lag ago at the latest
	Nodes      int           // now: other nodes that are heard
	Queued     int           // now: events that wait for Redis
	Lag        time.Duration // now: from Publish to receipt, of this node's own beat
	Reconnects uint64        // subscriptions after the first
	Published  uint64        // events that Redis took
	Dropped    uint64        // events that found the queue full, or drove others out of it
	Received   uint64        // events of other nodes
	Lost       uint64        // events of other nodes that did not come
	Garbage    uint64        // messages that no node of this version wrote
	Resumes    uint64        // times that something had been missed and was made up for
	Failures   uint64        // publishing, subscribing, resuming and presence: tries that failed
}

type counters struct {
	reconnects, published, received, lost, garbage, resumes, failures atomic.Uint64
}

// Stats reads the current numbers.
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
