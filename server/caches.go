package server

import (
	"time"

	"github.com/onemeter/onemeter/server/cache/memcache"
	"github.com/onemeter/onemeter/server/cache/rediscache"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/observe"
)

// The limits of the caches in process: the longest time and the most entries.
const (
	cacheTTL          = 5 * time.Minute
	cachedMemberships = 10_000
	cachedPairs       = 100_000
	cachedUsers       = 100_000
	cachedLogins      = 100_000
)

func (s *Server) addCaches(cfg *chat.Config) {
	cfg.Sessions = newCache[string, chat.Session](s, "session", cachedLogins)
	cfg.Memberships = newCache[int64, chat.Membership](s, "membership", cachedMemberships)
	cfg.Directs = newCache[chat.Pair, int64](s, "direct", cachedPairs)
	cfg.Users = newCache[int64, chat.User](s, "user", cachedUsers)
	cfg.Blocks = newCache[int64, chat.Blocks](s, "blocks", cachedUsers)
	dropsOf(s, "session", cfg.Sessions)
	dropsOf(s, "membership", cfg.Memberships)
	dropsOf(s, "user", cfg.Users)
	dropsOf(s, "blocks", cfg.Blocks)
}

// newCache makes a cache in this process. With Redis, it is in front of a cache that all nodes share.
func newCache[K comparable, V any](s *Server, name string, size int) chat.Cache[K, V] {
	if s.shared.client == nil {
		c := memcache.New[K, V](size, cacheTTL)
		s.caches = append(s.caches, func() observe.Cache { return observe.Cache{Name: name, Entries: c.Len()} })
		return c
	}
	local := memcache.New[K, *rediscache.Entry[V]](size, cacheTTL)
	c := rediscache.New[K, V](s.shared.client, s.shared.bus, local, rediscache.Config{Name: name, Prefix: s.cfg.RedisPrefix, TTL: cacheTTL})
	s.close = append(s.close, func() error { c.Close(); return nil })
	s.caches = append(s.caches, func() observe.Cache {
		st := c.Stats()
		return observe.Cache{Name: name, Entries: local.Len(), Shared: &st}
	})
	return c
}
