package redisbus

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// A link is the state of the node's subscription.
type link struct {
	first    chan struct{} // closed after the first attempt
	firstTry sync.Once

	up       atomic.Bool
	beatSent atomic.Int64 // when the last beat that came back was sent, in microseconds
	beatBack atomic.Int64 // when it came back, or the subscription began, in microseconds
	lag      atomic.Int64
	peers    atomic.Int64

	mu      sync.Mutex
	current *redis.PubSub
	closed  bool

	heard map[string]*peer // by node; only the reader uses it
}

// A peer is what is known of another node.
type peer struct {
	n     uint64    // number of its last event
	sent  time.Time // when that was sent, by the peer's clock
	at    time.Time // when it was received, by this node's clock
	fresh bool      // everything it has published so far is being recovered, whatever n says
	quiet bool      // it fell silent, and that was handled
}

// since returns the time from which on something from the peer may be missing.
func (p *peer) since() time.Time {
	if p.at.Before(p.sent) { // its clock is ahead of ours
		return p.at
	}
	return p.sent
}

// Limits of the link, in beats.
const (
	freshBeats  = 3  // without an own beat coming back: the node may not hear the others
	silentBeats = 10 // without any message: the connection is dead
	goneBeats   = 10 // without a message from a node: it is gone, or cut off

	// rememberFor is how long the number of a silent node is kept. If it returns within this time, the gap shows what
	// it could not publish.
	rememberFor  = time.Hour
	leastSilence = 2 * time.Second // a message may be large, and the network slow

	// quietFor is how long a node must be silent before it counts as killed: the last events that it stored may be
	// unpublished.
	quietFor = 5 * time.Second
)

// Hears reports whether the node hears the others: nothing that they published more than three beats ago is missing.
func (b *Bus) Hears() bool {
	return b.link.up.Load() && time.Since(time.UnixMicro(b.link.beatBack.Load())) < freshBeats*b.cfg.Beat
}

// read keeps the subscription running until the bus closes.
func (b *Bus) read() {
	tries, warned := 0, false
	for b.ctx.Err() == nil {
		begun := time.Now()
		err := b.session()
		was := b.link.up.Swap(false)
		b.link.firstTry.Do(func() { close(b.link.first) })
		if b.ctx.Err() != nil {
			return
		}
		b.count.failures.Add(1)
		if was || !warned {
			b.cfg.Log.Warn("other nodes are not heard", "err", err)
			warned = true
		}
		if was && time.Since(begun) > maxBackoff {
			tries = 0 // otherwise a Redis that accepts and drops connections would get a storm of them
		}
		if !sleep(b.ctx.Done(), backoff(&tries)) {
			return
		}
	}
}

// session subscribes and receives until an error, or until nothing arrives any more, not even the node's own beats.
func (b *Bus) session() error {
	subscription := b.client.Subscribe(b.ctx) // to nothing yet, so it does not connect
	defer subscription.Close()
	if !b.link.use(subscription) {
		return context.Canceled
	}
	subscribe := subscription.Subscribe
	if b.cluster {
		subscribe = subscription.SSubscribe
	}
	if err := subscribe(b.ctx, b.channel); err != nil {
		return err
	}
	for {
		received, err := subscription.ReceiveTimeout(b.ctx, max(silentBeats*b.cfg.Beat, leastSilence))
		if err != nil {
			return err
		}
		switch m := received.(type) {
		case *redis.Message:
			b.receive(m.Payload)
		case *redis.Subscription:
			if strings.HasSuffix(m.Kind, "unsubscribe") { // the shard moved
				return errors.New(m.Kind)
			}
			b.connected()
		}
	}
}

// use sets the subscription that hangUp closes.
func (l *link) use(s *redis.PubSub) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current = s
	return !l.closed
}

// hangUp closes the subscription, which ends its reader.
func (l *link) hangUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.current != nil {
		_ = l.current.Close()
	}
}

// connected is called when Redis has confirmed a subscription. Unless it is the first, something may have been
// missed.
func (b *Bus) connected() {
	l := &b.link
	first := false
	l.firstTry.Do(func() { first = true })
	if !first {
		b.missed(b.heardUntil())
	}
	l.beatBack.Store(time.Now().UnixMicro())
	l.up.Store(true)
	if first {
		close(l.first)
		return
	}
	b.count.reconnects.Add(1)
	b.cfg.Log.Info("other nodes are heard again")
	b.mend()
}

// heardUntil returns the time until which nothing is missing, when a new subscription begins. A node's messages
// arrive in order, so everything that it published before its last received message has arrived. Nodes that were
// already silent keep their numbers, which show what is missing.
func (b *Bus) heardUntil() time.Time {
	until := time.UnixMicro(b.link.beatSent.Load())
	lost := time.UnixMicro(b.link.beatBack.Load())
	for _, p := range b.link.heard {
		if lost.Sub(p.at) > goneBeats*b.cfg.Beat {
			continue
		}
		if p.since().Before(until) {
			until = p.since()
		}
		p.fresh = true
	}
	return until
}

// receive handles one message from the channel.
func (b *Bus) receive(raw string) {
	m, err := decode(raw)
	switch {
	case err != nil:
		b.count.garbage.Add(1)
	case m.node == b.node:
		b.ownCame(m)
	case m.kind == kindBeat:
		b.beatCame(m)
	case m.kind == kindBye:
		b.beatCame(m)
		delete(b.link.heard, m.node)
		b.countPeers()
	case m.kind == kindEvent || m.kind == kindSignal:
		b.peerCame(m)
	default:
		b.count.garbage.Add(1)
	}
}

// ownCame measures the lag with this node's own beat. Its own events were delivered when they were published.
func (b *Bus) ownCame(m message) {
	if m.kind != kindBeat {
		return
	}
	now := time.Now()
	b.link.lag.Store(int64(now.Sub(time.UnixMicro(m.sent))))
	b.link.beatSent.Store(m.sent)
	b.link.beatBack.Store(now.UnixMicro())
	b.countPeers()
	b.noteQuiet()
}

// beatCame checks whether everything that the node published before the beat has arrived.
func (b *Bus) beatCame(m message) {
	p := b.peer(m)
	if m.n > p.n {
		b.gap(p, m.n-p.n)
	}
	p.learn(m)
}

// peerCame delivers an event of another node, after recovering missed ones. It ignores an event that has arrived
// before and was published again because Redis did not answer.
func (b *Bus) peerCame(m message) {
	p := b.peer(m)
	if m.n <= p.n {
		return
	}
	if m.n > p.n+1 {
		b.gap(p, m.n-p.n-1)
	}
	p.learn(m)
	if m.kind == kindSignal {
		b.signal(m.body)
		return
	}
	e, err := decodeEvent(m.body)
	if err != nil {
		b.count.garbage.Add(1)
		return
	}
	b.count.received.Add(1)
	b.deliver(b.ctx, e)
}

// peer returns the sender of m. From a node that was not heard before, nothing is missing except what it published
// before the subscription.
func (b *Bus) peer(m message) *peer {
	p, ok := b.link.heard[m.node]
	if !ok {
		p = &peer{fresh: true}
		b.link.heard[m.node] = p
		defer b.countPeers()
	}
	if p.fresh {
		p.n = m.n
		if m.kind != kindBeat {
			p.n--
		}
		p.fresh, p.sent, p.at = false, time.UnixMicro(m.sent), time.Now()
	}
	return p
}

// learn records that everything up to m has arrived.
func (p *peer) learn(m message) {
	p.n, p.sent, p.at, p.quiet = max(p.n, m.n), time.UnixMicro(m.sent), time.Now(), false
}

// countPeers counts the nodes that are heard, and forgets those that have been gone for long.
func (b *Bus) countPeers() {
	there := 0
	for node, p := range b.link.heard {
		switch silent := time.Since(p.at); {
		case silent > rememberFor:
			delete(b.link.heard, node)
		case silent <= goneBeats*b.cfg.Beat:
			there++
		}
	}
	b.link.peers.Store(int64(there))
}

// noteQuiet recovers events of nodes that fell silent without a bye.
func (b *Bus) noteQuiet() {
	found := false
	for _, p := range b.link.heard {
		if !p.quiet && time.Since(p.at) > max(quietFor, goneBeats*b.cfg.Beat/2) {
			p.quiet, found = true, true
			b.missed(p.since())
		}
	}
	if found {
		b.mend()
	}
}

// gap records that events of a node are missing, and recovers them.
func (b *Bus) gap(p *peer, lost uint64) {
	b.count.lost.Add(lost)
	b.missed(p.since())
	b.mend()
}

func (b *Bus) signal(body string) {
	topic, data, _ := strings.Cut(body, "\n")
	if l, ok := b.listeners[topic]; ok {
		l.heard([]byte(data))
	}
}
