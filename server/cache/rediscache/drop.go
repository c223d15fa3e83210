package rediscache

import (
	"context"
	"crypto/rand"
	"encoding/json"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"time"
)

// dropBatch is how many keys one pipeline and one signal carry.
const dropBatch = 1000

// Drop implements chat.Cache. When it returns, this node loads the keys again, and so does every node that looks into
// Redis. If Redis is unreachable, Drop still succeeds, and the keys are deleted when Redis is back.
func (c *Cache[K, V]) Drop(ctx context.Context, keys ...K) error {
	for some := range slices.Chunk(keys, dropBatch) {
		// From here on, this node does not look into Redis for these keys.
		word := rand.Text()
		c.debts.add(some, word)
		if err := c.local.Drop(ctx, some...); err != nil {
			return err
		}
		if err := c.settle(ctx, some, word); err != nil {
			c.debts.collect(c.settleLater)
		}
	}
	return nil
}

// settle makes first Redis, then the other nodes forget keys, because they look into Redis next.
func (c *Cache[K, V]) settle(ctx context.Context, keys []K, word string) error {
	err := c.bury(ctx, keys, word)
	if err == nil {
		c.debts.paid(keys, word)
	}
	data, encodeErr := json.Marshal(keys)
	if encodeErr != nil {
		return encodeErr
	}
	c.signals.Tell(c.topic, data) // even if Redis still has the values: other nodes may have nothing else outdated
	return err
}

// settleLater settles keys that Redis has not dropped, until none is left or the cache is closed.
func (c *Cache[K, V]) settleLater() {
	const first, most = 100 * time.Millisecond, 5 * time.Second
	wait := first
	for {
		keys, word := c.debts.some(dropBatch)
		if len(keys) == 0 {
			return
		}
		timer := time.NewTimer(wait/2 + mathrand.N(wait/2))
		select {
		case <-timer.C:
		case <-c.debts.closing:
			timer.Stop()
			return
		}
		if c.settle(context.Background(), keys, word) != nil {
			wait = min(2*wait, most)
		} else {
			wait = first
		}
	}
}

// Close stops the attempts to drop keys in Redis. Other nodes may then use these values for up to the TTL. It may be
// called again.
func (c *Cache[K, V]) Close() { c.debts.close() }

// maxDebts is how many keys are remembered at most.
const maxDebts = 100_000

// debts are the keys that were dropped here but not yet in Redis.
type debts[K comparable] struct {
	closing chan struct{}
	working sync.WaitGroup

	mu        sync.Mutex
	words     map[K]string // the word of the last Drop of each key
	busy      bool         // settleLater is running
	closed    bool
	forgotten uint64
}

func (d *debts[K]) init() { d.closing, d.words = make(chan struct{}), make(map[K]string) }

func (d *debts[K]) owes(key K) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, owes := d.words[key]
	return owes
}

func (d *debts[K]) add(keys []K, word string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, key := range keys {
		if _, known := d.words[key]; !known && len(d.words) >= maxDebts {
			d.forgotten++
			continue
		}
		d.words[key] = word
	}
}

// paid removes keys, except those that were dropped again since.
func (d *debts[K]) paid(keys []K, word string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, key := range keys {
		if d.words[key] == word {
			delete(d.words, key)
		}
	}
}

// some returns keys that are owed, with a new word.
func (d *debts[K]) some(most int) (keys []K, word string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	word = rand.Text()
	for key := range d.words {
		if len(keys) == most {
			break
		}
		keys = append(keys, key)
		d.words[key] = word
	}
	d.busy = len(keys) > 0
	return keys, word
}

// collect runs settle in a goroutine, unless it is running.
func (d *debts[K]) collect(settle func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.busy && !d.closed {
		d.busy = true
		d.working.Go(settle)
	}
}

func (d *debts[K]) close() {
	d.mu.Lock()
	if !d.closed {
		d.closed = true
		close(d.closing)
	}
	d.mu.Unlock()
	d.working.Wait()
}

func (d *debts[K]) stats() (owed int, forgotten uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.words), d.forgotten
}
