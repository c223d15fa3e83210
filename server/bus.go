package server

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/onemeter/onemeter/server/bus/membus"
	"github.com/onemeter/onemeter/server/bus/redisbus"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/observe"
	"github.com/onemeter/onemeter/server/redisconn"
)

// A bus carries events and presence between nodes, or within the only node.
type bus interface {
	chat.Bus
	chat.Presence
	Subscribe(deliver func(context.Context, chat.Event)) (cancel func())
}

// shared has what several nodes share in Redis. It is zero without Redis.
type shared struct {
	client redis.UniversalClient
	bus    *redisbus.Bus
}

// openBus opens the bus: over Redis, or in process.
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
	client.AddHook(seen.Redis()) // behind the breaker, so that commands which it refuses are not measured
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

var errDeaf = errors.New("other nodes are not heard: clients of this node get messages of other nodes late, from the database")

func (s *Server) hearsOthers(ctx context.Context) error {
	if err := s.shared.client.Ping(ctx).Err(); err != nil {
		return err
	}
	if !s.shared.bus.Hears() {
		return errDeaf
	}
	return nil
}

// startBus begins to receive from other nodes, after all subscribers have been added.
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
			s.log.Warn("missed too many events of other nodes: closing all WebSockets, so that clients reconnect and sync", "since", since)
			s.hub.Restart()
			return nil // reconnecting checks the sessions and resumes calls
		}
		return errors.Join(err, s.checkSessions(ctx), s.ringAgain(ctx))
	})
	s.shared.bus.OnPresence(s.chat.NodePresence)
	s.shared.bus.Start(ctx)
	return nil
}

// checkSessions closes the connections of sessions that were logged out on another node while this node was not
// connected to the bus.
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

// checkBus adds the faults of the settings for Redis.
func (c Config) checkBus(f *faults) {
	if c.Redis == "" {
		return
	}
	client, err := redisconn.Open(redisconn.Config{URL: c.Redis}) // connects to nothing
	if err == nil {
		err = client.Close()
	}
	f.add("--redis", err)
	db, _ := c.database()
	f.unless(db.MySQL != "", "--redis", "is for several nodes, which need a shared database: set --db mysql://…")
}
