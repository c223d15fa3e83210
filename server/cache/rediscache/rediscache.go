// Package rediscache implements chat.Cache for a server of several nodes: a cache in process, such as memcache, in
// front of values in Redis that all nodes share.
//
// [New] makes a [Cache]. A key that one node drops is gone for all: from Redis when Drop returns, and from the other
// nodes when they get the signal over the bus.
//
// # How old a value may be
//
// While the nodes hear each other, another node may serve a dropped value for as long as a signal takes, about a
// millisecond. A node that does not hear the others notices this within three beats of the bus, and then trusts its
// values for one second. When it hears them again, it trusts none of its old values. If a node cannot reach Redis to
// drop a value, it remembers that, and loads the value from its source meanwhile. Other nodes that do reach Redis may
// read the old value until then, but at most for the TTL.
package rediscache

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/onemeter/onemeter/server/chat"
)

// Config configures a Cache. Name is required.
type Config struct {
	Name   string        // what is cached: a short word, unique among the server's caches
	Prefix string        // of keys, equal on all nodes; "im:"
	TTL    time.Duration // of values in Redis; 5 min
}

// Signals tell other nodes what was dropped; redisbus.Bus implements it. All other nodes get signals in order; if one
// may be lost, missed is called.
type Signals interface {
	Tell(topic string, data []byte)
	Listen(topic string, heard func(data []byte), missed func())
	Hears() bool // no signal older than a few seconds is missing
}

// A Cache keeps loaded values for all nodes. It is safe for concurrent use. Redis never causes an error: while it is
// unreachable, values come from their source. The caller must call Close.
type Cache[K comparable, V any] struct {
	client  redis.UniversalClient
	signals Signals
	local   chat.Cache[K, *Entry[V]]
	cfg     Config
	topic   string

	era   atomic.Uint64 // incremented when this node may have missed a Drop
	debts debts[K]
	count struct{ hits, misses, failures atomic.Uint64 }
}

// An Entry is a value in the local cache.
type Entry[V any] struct {
	value   V
	at      time.Time // before the value was read
	era     uint64    // at that time
	retired atomic.Bool
}

var _ chat.Cache[int64, int64] = (*Cache[int64, int64])(nil)

// staleAfter is how long a node that does not hear the others trusts its values.
const staleAfter = time.Second

// New makes a cache that keeps this node's values in local. It must be called before the bus starts. client should
// fail fast while Redis is unreachable, and obey the deadlines of contexts. Keys and values are stored as JSON, so a
// value must be unchanged by encoding and decoding.
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

// Load implements chat.Cache. A value that another node loaded is a hit. load gets the caller's context; commands to
// Redis time out after 250 ms.
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
		// Only one of the callers that find it stale drops it; otherwise they would drop each other's new value.
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

// stale reports whether a Drop of another node may have been missed since e was read.
func (c *Cache[K, V]) stale(e *Entry[V]) bool {
	return e.era != c.era.Load() || !c.signals.Hears() && time.Since(e.at) > staleAfter
}

// fetch returns the value in Redis, or loads it and stores it there. spared reports whether it was not loaded.
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

// Stats are counts since the start, except those marked as current.
type Stats struct {
	Hits, Misses uint64 // lookups in Redis, for values that this node did not have
	Failures     uint64 // commands that Redis did not answer
	Owed         int    // current: drops that Redis has not accepted yet
	Forgotten    uint64 // drops given up because too many were owed
}

// Stats returns the current numbers.
func (c *Cache[K, V]) Stats() Stats {
	owed, forgotten := c.debts.stats()
	return Stats{
		Hits: c.count.hits.Load(), Misses: c.count.misses.Load(), Failures: c.count.failures.Load(),
		Owed: owed, Forgotten: forgotten,
	}
}
