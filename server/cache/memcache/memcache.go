// Package memcache implements chat.Cache in the memory of one process.
//
// [New] makes a [Cache] with a maximum number of values and a maximum age. When it is full, the least recently used
// value is removed.
package memcache

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/onemeter/onemeter/server/chat"
)

// A Cache keeps loaded values. It is safe for concurrent use, has no goroutines, and need not be closed.
type Cache[K comparable, V any] struct {
	ttl time.Duration
	now func() time.Time

	mu      sync.Mutex
	kept    *simplelru.LRU[K, entry[V]]
	loading map[K]*call[V]
}

type entry[V any] struct {
	value   V
	expires time.Time
}

// A call is one load in progress. Its fields are written before done is closed.
type call[V any] struct {
	done      chan struct{}
	value     V
	err       error
	abandoned bool // ended because of its caller's context: the others try again
}

var _ chat.Cache[int64, int64] = (*Cache[int64, int64])(nil)

// New returns a cache of at most size values, each kept for ttl after it was loaded.
func New[K comparable, V any](size int, ttl time.Duration) *Cache[K, V] {
	return newCache[K, V](size, ttl, time.Now)
}

func newCache[K comparable, V any](size int, ttl time.Duration, now func() time.Time) *Cache[K, V] {
	kept, err := simplelru.NewLRU[K, entry[V]](max(size, 1), nil)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &Cache[K, V]{ttl: ttl, now: now, kept: kept, loading: make(map[K]*call[V])}
}

// Load implements chat.Cache. The first caller runs load in its goroutine with its context; if that context ends, the
// next caller takes over. Errors are not cached. A caller that waits for another's load gives up when its own context
// ends.
func (c *Cache[K, V]) Load(ctx context.Context, key K, load func(context.Context) (V, error)) (v V, hit bool, err error) {
	for {
		c.mu.Lock()
		if e, ok := c.kept.Get(key); ok && c.now().Before(e.expires) {
			c.mu.Unlock()
			return e.value, true, nil
		}
		other, busy := c.loading[key]
		if !busy {
			return c.lead(ctx, key, load)
		}
		c.mu.Unlock()
		select {
		case <-other.done:
			if !other.abandoned {
				return other.value, true, other.err
			}
		case <-ctx.Done():
			return v, false, ctx.Err()
		}
	}
}

// lead loads the value for all waiting callers. The caller holds mu; lead releases it.
func (c *Cache[K, V]) lead(ctx context.Context, key K, load func(context.Context) (V, error)) (V, bool, error) {
	mine := &call[V]{done: make(chan struct{}), abandoned: true} // false once load returns
	c.loading[key] = mine
	c.mu.Unlock()
	defer c.finish(key, mine)
	mine.value, mine.err = load(ctx)
	mine.abandoned = ctx.Err() != nil && isContext(mine.err)
	return mine.value, false, mine.err
}

// finish stores the loaded value, unless it was dropped meanwhile, and lets the others continue.
func (c *Cache[K, V]) finish(key K, mine *call[V]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.loading[key] == mine {
		delete(c.loading, key)
		if mine.err == nil && !mine.abandoned {
			c.kept.Add(key, entry[V]{mine.value, c.now().Add(c.ttl)})
		}
	}
	close(mine.done)
}

func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// Drop implements chat.Cache. A later Load does not join a load that began before Drop.
func (c *Cache[K, V]) Drop(_ context.Context, keys ...K) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range keys {
		c.kept.Remove(key)
		delete(c.loading, key)
	}
	return nil
}

// Len returns the number of values kept, including expired ones.
func (c *Cache[K, V]) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kept.Len()
}
