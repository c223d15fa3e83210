package rediscache

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// A key in Redis holds a value, as "=" and JSON, or after a Drop a grave: "!" and a unique word. Before loading a
// value, a node reads the key. It stores the value only if the key is unchanged, which it is not after a Drop.
const (
	markValue = '='
	markGrave = '!'
)

const (
	within  = 250 * time.Millisecond // timeout of a lookup
	dropIn  = 500 * time.Millisecond // timeout of a Drop, which matters more
	maxLoad = 20 * time.Second       // values that took longer to load are not stored
	// graveFor is longer than maxLoad, so that a grave cannot expire before a node that read the key earlier stores
	// its value.
	graveFor = 30 * time.Second
)

var replace = redis.NewScript(`
	if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
	redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
	return 1`)

// name returns the key in Redis.
func (c *Cache[K, V]) name(key K) (string, error) {
	text, err := json.Marshal(key)
	return c.cfg.Prefix + c.cfg.Name + ":" + string(text), err
}

// look reads key from Redis. known is false if Redis is unreachable, or does not know of a Drop yet.
func (c *Cache[K, V]) look(ctx context.Context, key K) (name, seen string, known bool) {
	name, err := c.name(key)
	if err != nil || c.debts.owes(key) {
		return "", "", false
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	seen, err = c.client.Get(ctx, name).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		c.count.failures.Add(1)
		return "", "", false
	}
	return name, seen, true
}

// valueOf returns the JSON in the content of a key, or nil.
func valueOf(seen string) []byte {
	if seen == "" || seen[0] != markValue {
		return nil
	}
	return []byte(seen[1:])
}

// keep stores a value, if the key still holds what was seen before loading.
func (c *Cache[K, V]) keep(ctx context.Context, name, seen string, value V) {
	text, err := json.Marshal(value)
	if err != nil {
		c.count.failures.Add(1)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	err = replace.Run(ctx, c.client, []string{name}, seen, string(markValue)+string(text), c.cfg.TTL.Milliseconds()).Err()
	if err != nil {
		c.count.failures.Add(1)
	}
}

// bury replaces values by graves.
func (c *Cache[K, V]) bury(ctx context.Context, keys []K, word string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropIn)
	defer cancel()
	pipe := c.client.Pipeline()
	for _, key := range keys {
		name, err := c.name(key)
		if err != nil {
			return err
		}
		pipe.Set(ctx, name, string(markGrave)+word, graveFor)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		c.count.failures.Add(1)
		return err
	}
	return nil
}
