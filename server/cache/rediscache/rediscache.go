// Package rediscache implements chat.Cache for a server of several nodes: a
// cache in process, such as memcache, in front of values in Redis that all
// nodes share.
//
// [New] makes a [Cache]. What one node drops is gone for all: from Redis when
// Drop returns, and from the other nodes as soon as they hear of it, over the
// signals of the bus.
//
// # How old a value may be
//
// While the nodes hear each other, another node may serve a dropped value for
// as long as a signal takes, about a millisecond. When a node does not hear the
// others, it notices within three beats of the bus, and from then on trusts
// what it holds for one second. When it hears again it trusts nothing that it
// held. When it cannot reach Redis to drop a value there, it remembers to, and
// meanwhile loads the value from its source; other nodes that do reach Redis
// may read the old one until then, and at most for the TTL.
package rediscache

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/onemeter/onemeter/server/chat"
)

// Config of a Cache. Name is required.
type Config struct {
	Name   string        // of what is cached, among the caches of the server: a short word
	Prefix string        // of keys, the same on all nodes; "im:"
	TTL    time.Duration // of values in Redis; 5 min
}

// Signals are how nodes tell each other what they dropped: redisbus.Bus. What
// they tell comes to all other nodes in order, or else missed is called.
type Signals interface {
	Tell(topic string, data []byte)
	Listen(topic string, heard func(data []byte), missed func())
	Hears() bool // nothing that was told a few seconds ago is missing
}

// A Cache keeps loaded values for all nodes. It is safe for concurrent use.
// Redis is never the reason for an error: where it is away, values come from
// their source. Close it.
type Cache[K comparable, V any] struct {
	client  redis.UniversalClient
	signals Signals
	local   chat.Cache[K, *Entry[V]]
	cfg     Config
	topic   string

	era   atomic.Uint64 // grows when this node may have missed a Drop
	debts debts[K]
	count struct{ hits, misses, failures atomic.Uint64 }
}

// An Entry is what the cache in process holds.
type Entry[V any] struct {
	value   V
	at      time.Time // before it was read
	era     uint64    // of then
	retired atomic.Bool
}

var _ chat.Cache[int64, int64] = (*Cache[int64, int64])(nil)

// staleAfter is how long a node that does not hear the others trusts itself.
const staleAfter = time.Second

// New makes a cache that holds in local what this node uses, and has to be made
// before the signals start. The client should fail fast when Redis is away, and
// obey the deadlines of contexts. Keys and values are kept as JSON: a value is
// the same after it was encoded and decoded.
func New[K comparable, V any](client redis.UniversalClient, signals Signals, local chat.Cache[K, *Entry[V]], cfg Config) *Cache[K, V] {
	if cfg.Prefix == "" {
		cfg.Prefix = "im:"
	}
	if cfg.TTL <= 0 {
		cfg.TTL = 5 * time.Minute
	}
	c := &Cache[K, V]{client: client, signals: signals, local: local, cfg: cfg, topic: "cache." + cfg.Name}
	c.debts.init()
	signals.Listen(c.topic, c.heard, func() { c.era.Add(1) })
	return c
}

// Load implements chat.Cache. A value that another node loaded is a hit. load
// has the caller's context; questions to Redis have a quarter of a second.
func (c *Cache[K, V]) Load(ctx context.Context, key K, load func(context.Context) (V, error)) (v V, hit bool, err error) {
	spared := true
	fetch := func(ctx context.Context) (*Entry[V], error) {
		var e *Entry[V]
		var err error
		e, spared, err = c.fetch(ctx, key, load)
		return e, err
	}
	for range 3 {
		e, held, err := c.local.Load(ctx, key, fetch)
		if err != nil {
			return v, held, err
		}
		if !held || !c.stale(e) {
			return e.value, held || spared, nil
		}
		// One of those who find it so drops it, or they would drop each other's.
		if e.retired.CompareAndSwap(false, true) {
			if err := c.local.Drop(ctx, key); err != nil {
				return v, false, err
			}
		}
	}
	e, err := fetch(ctx)
	if err != nil {
		return v, false, err
	}
	return e.value, spared, nil
}

// stale tells whether a Drop of another node may have been missed since e was
// read.
func (c *Cache[K, V]) stale(e *Entry[V]) bool {
	return e.era != c.era.Load() || !c.signals.Hears() && time.Since(e.at) > staleAfter
}

// fetch returns the value in Redis, or else loads it and puts it there. spared
// tells whether it was not loaded.
func (c *Cache[K, V]) fetch(ctx context.Context, key K, load func(context.Context) (V, error)) (e *Entry[V], spared bool, err error) {
	e = &Entry[V]{at: time.Now(), era: c.era.Load()}
	name, seen, known := c.look(ctx, key)
	if known && json.Unmarshal(valueOf(seen), &e.value) == nil {
		c.count.hits.Add(1)
		return e, true, nil
	}
	c.count.misses.Add(1)
	if e.value, err = load(ctx); err != nil {
		return nil, false, err
	}
	if known && time.Since(e.at) < maxLoad {
		c.keep(ctx, name, seen, e.value)
	}
	return e, false, nil
}

// heard drops what another node dropped.
func (c *Cache[K, V]) heard(data []byte) {
	var keys []K
	if err := json.Unmarshal(data, &keys); err != nil {
		c.count.failures.Add(1)
		c.era.Add(1)
		return
	}
	if err := c.local.Drop(context.Background(), keys...); err != nil {
		c.era.Add(1)
	}
}

// Stats are counted from the start, except for what is said to be now.
type Stats struct {
	Hits, Misses uint64 // values looked for in Redis; what this node held itself is not counted
	Failures     uint64 // questions that Redis did not answer
	Owed         int    // now: drops that Redis has not taken yet
	Forgotten    uint64 // drops given up since too many were owed
}

// Stats reads the current numbers.
func (c *Cache[K, V]) Stats() Stats {
	owed, forgotten := c.debts.stats()
	return Stats{
		Hits: c.count.hits.Load(), Misses: c.count.misses.Load(), Failures: c.count.failures.Load(),
		Owed: owed, Forgotten: forgotten,
	}
}
