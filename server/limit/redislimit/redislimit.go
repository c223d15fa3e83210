// Package redislimit implements chat.Limiter for a server of several nodes: all
// of them take turns from one bucket in Redis.
//
// [New] makes a [Limiter] on top of one in process, which decides by itself
// where Redis is away. What the node alone refuses, and what Redis refused a
// moment ago, costs no question to Redis, so a flood does not pass it on. A
// limiter of something frequent takes turns from Redis several at a time.
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

// Config of a Limiter. Name, PerSecond and Burst are required, and those of the
// limiter in process.
type Config struct {
	Name      string  // of what is limited, among the limiters of the server: a short word
	Prefix    string  // of keys, the same on all nodes; "im:"
	PerSecond float64 // turns; 0: no limit
	Burst     int     // turns at once

	// Batch is how many turns a node takes from Redis at a time, and hands out
	// without asking; 1. Each node may so give away that many more than Burst
	// says, for turns that it took and did not need are kept.
	Batch int
	// Keys is how many keys the node remembers something of; 100,000. Of a key
	// that is forgotten, Redis is asked again.
	Keys int
}

// A Limiter bounds how often something may happen under each key, on all nodes
// together. It is safe for concurrent use, and needs not be closed.
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
	turns int       // taken from Redis, and not handed out yet
	until time.Time // Redis has no turn before
}

var _ chat.Limiter[int64] = (*Limiter[int64])(nil)

// within bounds a question to Redis: somebody waits to log in or to send.
const within = 250 * time.Millisecond

// New makes a limiter. The client should fail fast when Redis is away, and obey
// the deadlines of contexts.
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
		panic(err) // of a size below 1 only
	}
	l := &Limiter[K]{shared: redis_rate.NewLimiter(client), local: local, cfg: cfg, known: known}
	if cfg.PerSecond > 0 {
		// One turn a period, since the library counts in whole turns.
		period := time.Duration(min(float64(longest), float64(time.Second)/cfg.PerSecond))
		l.limit = redis_rate.Limit{Rate: 1, Burst: cfg.Burst, Period: max(period, 1)}
	}
	return l
}

// longest is the slowest rate, a turn a year: Redis counts seconds.
const longest = 365 * 24 * time.Hour

// Take implements chat.Limiter. Where Redis is away, the node decides alone.
func (l *Limiter[K]) Take(ctx context.Context, key K) (wait time.Duration) {
	if l.limit.IsZero() {
		return 0
	}
	// What this node handed out is part of what all did.
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
	// The bucket is full after ResetAfter, and has a turn before that.
	return max(0, r.ResetAfter-time.Duration(l.limit.Burst-1)*l.limit.Period)
}

// own hands out a turn that was taken from Redis before. If there is none, wait
// is how long Redis said that it will have none either.
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

// wait is how long a key has no turn, as far as the node remembers.
func (n note) wait() time.Duration {
	if n.turns > 0 || n.until.IsZero() {
		return 0
	}
	return max(0, time.Until(n.until))
}

// ask takes turns from Redis: one for the caller, the others for later.
func (l *Limiter[K]) ask(ctx context.Context, key K) (wait time.Duration) {
	// A caller who gives up does not leave Redis unasked: it may be on purpose.
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
		// A little more than it takes, for Redis rounds.
		wait = max(r.RetryAfter, 0) + 10*time.Microsecond
		n.until = time.Now().Add(wait)
	}
	if n.turns > 0 || wait > 0 {
		l.known.Add(key, n)
	}
	return wait
}

// name is the key in Redis, behind the library's own prefix.
func (l *Limiter[K]) name(key K) string {
	text, err := json.Marshal(key)
	if err != nil {
		text = nil // a key that is no JSON shares one bucket with its like
	}
	return l.cfg.Prefix + l.cfg.Name + ":" + string(text)
}

// Failures counts the questions that Redis did not answer.
func (l *Limiter[K]) Failures() uint64 { return l.failures.Load() }
