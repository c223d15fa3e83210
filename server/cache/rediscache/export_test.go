package rediscache

// Name is the key in Redis.
func Name[K comparable, V any](c *Cache[K, V], key K) (string, error) { return c.name(key) }
