// Package redislimit implements chat.Limiter for a server of several nodes: they share one bucket per key in Redis.
//
// [New] makes a [Limiter] on top of a local one, which decides alone while Redis is unreachable. If the local limiter
// refuses, or Redis refused a moment ago, the node does not ask Redis, so a flood does not reach it. A limiter of a
// frequent event takes several turns from Redis at a time.
package redislimit

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/redis/go-redis/v9"

	"github.com/onemeter/onemeter/server/chat"
)

// Config configures a Limiter. Name, PerSecond and Burst are required. PerSecond and Burst must equal those of the
// local limiter.
type Config struct {
	Name      string  // what is limited: a short word, unique among the server's limiters
	Prefix    string  // of keys, equal on all nodes; "im:"
	PerSecond float64 // turns per second; 0: no limit
	Burst     int     // turns at once

	// Batch is how many turns a node takes from Redis at a time, to use them without asking again; 1. Because unused
	// turns are kept, each node may allow up to this many more than Burst.
	Batch int
	// Keys is how many keys the node remembers; 100,000. For a forgotten key it asks Redis again.
	Keys int
}

// A Limiter bounds how often something may happen for each key, on all nodes together. It is safe for concurrent use,
// and need not be closed.
type Limiter[K comparable] struct {
	shared *redis_rate.Limiter
	local  chat.Limiter[K]
	limit  redis_rate.Limit
	cfg    Config

	failures atomic.Uint64

	mu    sync.Mutex
	known *simplelru.LRU[K, note]
}

// A note is what a node remembers of a key.
type note struct {
	turns int       // taken from Redis and not used yet
	until time.Time // Redis has no turn before this time
}

var _ chat.Limiter[int64] = (*Limiter[int64])(nil)

// within bounds a command to Redis, because a client is waiting to log in or to send.
const within = 250 * time.Millisecond

// New returns a limiter. client should fail fast while Redis is unreachable, and obey the deadlines of contexts.
func New[K comparable](client redis.UniversalClient, local chat.Limiter[K], cfg Config) *Limiter[K] {
	if cfg.Prefix == "" {
		cfg.Prefix = "im:"
	}
	if cfg.Keys <= 0 {
		cfg.Keys = 100_000
	}
	cfg.Burst, cfg.Batch = max(cfg.Burst, 1), min(max(cfg.Batch, 1), max(cfg.Burst, 1))
	known, err := simplelru.NewLRU[K, note](cfg.Keys, nil)
	if err != nil {
		panic(err) // only for a size below 1
	}
	l := &Limiter[K]{shared: redis_rate.NewLimiter(client), local: local, cfg: cfg, known: known}
	if cfg.PerSecond > 0 {
		// One turn per period, because the library counts whole turns.
		period := time.Duration(min(float64(longest), float64(time.Second)/cfg.PerSecond))
		l.limit = redis_rate.Limit{Rate: 1, Burst: cfg.Burst, Period: max(period, 1)}
	}
	return l
}

// longest is the slowest rate, one turn a year: Redis counts in seconds.
const longest = 365 * 24 * time.Hour

// Take implements chat.Limiter. While Redis is unreachable, the node decides alone.
func (l *Limiter[K]) Take(ctx context.Context, key K) (wait time.Duration) {
	if l.limit.IsZero() {
		return 0
	}
	// What this node allows is a part of what all nodes allow.
	if wait := l.local.Peek(ctx, key); wait > 0 {
		return wait
	}
	owned, wait := l.own(key)
	if !owned && wait == 0 {
		wait = l.ask(ctx, key)
	}
	if wait > 0 {
		return wait
	}
	return l.local.Take(ctx, key)
}

// Peek implements chat.Limiter.
func (l *Limiter[K]) Peek(ctx context.Context, key K) (wait time.Duration) {
	if l.limit.IsZero() {
		return 0
	}
	if wait := l.local.Peek(ctx, key); wait > 0 {
		return wait
	}
	l.mu.Lock()
	n, _ := l.known.Peek(key)
	l.mu.Unlock()
	if wait := n.wait(); wait > 0 || n.turns > 0 {
		return wait
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	r, err := l.shared.AllowN(ctx, l.name(key), l.limit, 0)
	if err != nil {
		l.failures.Add(1)
		return 0
	}
	// The bucket is full after ResetAfter; it has one turn earlier.
	return max(0, r.ResetAfter-time.Duration(l.limit.Burst-1)*l.limit.Period)
}

// own uses a turn that was taken from Redis before. If there is none, wait is how long Redis will have none either,
// as it said.
func (l *Limiter[K]) own(key K) (owned bool, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, ok := l.known.Get(key)
	if !ok || n.turns == 0 {
		return false, n.wait()
	}
	n.turns--
	l.known.Add(key, n)
	return true, 0
}

// wait returns how long a key has no turn, as far as the node remembers.
func (n note) wait() time.Duration {
	if n.turns > 0 || n.until.IsZero() {
		return 0
	}
	return max(0, time.Until(n.until))
}

// ask takes turns from Redis: one for the caller, the others for later.
func (l *Limiter[K]) ask(ctx context.Context, key K) (wait time.Duration) {
	// Redis is asked even if the caller gives up, which a client may do on purpose.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	r, err := l.shared.AllowAtMost(ctx, l.name(key), l.limit, l.cfg.Batch)
	if err != nil {
		l.failures.Add(1)
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	n, _ := l.known.Get(key)
	if r.Allowed > 0 {
		n.turns += r.Allowed - 1
	} else {
		// Add a little, because Redis rounds.
		wait = max(r.RetryAfter, 0) + 10*time.Microsecond
		n.until = time.Now().Add(wait)
	}
	if n.turns > 0 || wait > 0 {
		l.known.Add(key, n)
	}
	return wait
}

// name returns the key in Redis, without the library's own prefix.
func (l *Limiter[K]) name(key K) string {
	text, err := json.Marshal(key)
	if err != nil {
		text = nil // keys that cannot be encoded as JSON share a bucket
	}
	return l.cfg.Prefix + l.cfg.Name + ":" + string(text)
}

// Failures returns the number of commands that Redis did not answer.
func (l *Limiter[K]) Failures() uint64 { return l.failures.Load() }
