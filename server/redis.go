package server

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/onemeter/onemeter/server/bus/membus"
	"github.com/onemeter/onemeter/server/bus/redisbus"
	"github.com/onemeter/onemeter/server/cache/memcache"
	"github.com/onemeter/onemeter/server/cache/rediscache"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/limit/memlimit"
	"github.com/onemeter/onemeter/server/limit/redislimit"
	"github.com/onemeter/onemeter/server/observe"
	"github.com/onemeter/onemeter/server/redisconn"
)

// bus is what nodes, or the one node there is, hear each other by.
type bus interface {
	chat.Bus
	chat.Presence
	Subscribe(deliver func(context.Context, chat.Event)) (cancel func())
}

// shared is what several nodes have in common, by Redis; without Redis it is
// zero.
type shared struct {
	client redis.UniversalClient
	bus    *redisbus.Bus
}

// openBus opens the bus: Redis's, or the one in process.
func (s *Server) openBus(seen *observe.Observer) error {
	if s.cfg.Redis == "" {
		s.bus = membus.New()
		return nil
	}
	redisconn.LogTo(s.log)
	client, err := redisconn.Open(redisconn.Config{URL: s.cfg.Redis})
	if err != nil {
		return err
	}
	client.AddHook(seen.Redis()) // behind the breaker: what that refuses does not reach Redis
	s.close = append(s.close, client.Close)
	bus := redisbus.New(client, redisbus.Config{Prefix: s.cfg.RedisPrefix, Expiry: s.cfg.NodeExpiry, Log: s.log})
	s.shared = shared{client: client, bus: bus}
	s.bus = bus
	s.close = append(s.close, func() error { s.shared.bus.Close(); return nil })
	s.parts = append(s.parts, part{name: "redis", optional: true, ping: s.hearsOthers})
	s.memory.poll(pollEvery, func(ctx context.Context) (redisconn.Memory, error) { return redisconn.ReadMemory(ctx, client) })
	s.close = append(s.close, s.memory.stop)
	return nil
}

var errDeaf = errors.New("other nodes are not heard: messages reach their clients late, from the database")

func (s *Server) hearsOthers(ctx context.Context) error {
	if err := s.shared.client.Ping(ctx).Err(); err != nil {
		return err
	}
	if !s.shared.bus.Hears() {
		return errDeaf
	}
	return nil
}

// startBus lets the node hear the others, once everything that listens is there.
func (s *Server) startBus(ctx context.Context) error {
	if s.shared.bus == nil {
		return nil
	}
	if err := s.chat.ResumeFromHere(ctx); err != nil {
		return err
	}
	s.shared.bus.OnResume(func(ctx context.Context, since time.Time) error {
		err := s.chat.Resume(ctx, since)
		if errors.Is(err, chat.ErrMissedTooMuch) {
			s.log.Warn("too much was missed of other nodes: the clients are asked to connect again, and sync", "since", since)
			s.hub.Restart()
			return nil // who connects again is asked for the session, and told of calls
		}
		return errors.Join(err, s.checkSessions(ctx), s.ringAgain(ctx))
	})
	s.shared.bus.OnPresence(s.chat.NodePresence)
	s.shared.bus.Start(ctx)
	return nil
}

// checkSessions closes the connections of sessions that were logged out on
// another node while this one could not hear it.
func (s *Server) checkSessions(ctx context.Context) error {
	for _, c := range s.hub.Callers() {
		alive, err := s.chat.Alive(ctx, c)
		if err != nil {
			return err
		}
		if !alive {
			s.hub.Deliver(ctx, chat.Event{Type: chat.EventSessionEnded, To: []int64{c.UserID}, Session: c.SessionID})
		}
	}
	return nil
}

// newCache makes a cache of this process, or, with Redis, in front of one that
// all nodes share.
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

// newLimiter makes a limiter of this process, or, with Redis, one that all
// nodes share, of which each takes batch turns at a time.
func newLimiter[K comparable](s *Server, name string, perSecond float64, burst, batch int) chat.Limiter[K] {
	local := memlimit.New[K](perSecond, burst, limitedKeys)
	if s.shared.client == nil {
		return local
	}
	return redislimit.New[K](s.shared.client, local, redislimit.Config{
		Name: name, Prefix: s.cfg.RedisPrefix, PerSecond: perSecond, Burst: burst, Batch: batch, Keys: limitedKeys,
	})
}
