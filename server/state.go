package server

import (
	"github.com/redis/go-redis/v9"

	"github.com/onemeter/onemeter/server/observe"
)

// state returns the current state for the metrics. It is called whenever they are collected.
func (s *Server) state() observe.State {
	state := observe.State{
		Sockets: s.hub.Stats(), Chat: s.chat.Stats(), Calls: s.calls.Stats(),
		Engine: s.store.Engine(), DB: s.store.Stats(), SlowQueries: s.slowQueries.last(), Memory: s.memory.last(),
	}
	s.backlogState(&state)
	if s.turn != nil {
		state.TURN = s.turn.Stats()
	}
	for _, cache := range s.caches {
		state.Caches = append(state.Caches, cache())
	}
	if s.shared.client != nil {
		bus := s.shared.bus.Stats()
		state.Pool, state.Bus = s.shared.client.PoolStats(), &bus
		if one, ok := s.shared.client.(*redis.Client); ok {
			state.PoolSize = one.Options().PoolSize
		}
	}
	return state
}

// backlogState adds what waited to be done when it was last polled.
func (s *Server) backlogState(state *observe.State) {
	backlog, at := s.backlog.lastAt()
	state.Reports, state.ReportsWait = backlog.Reports.N, backlog.Reports.Age(at)
	state.Deletions, state.DeletionsWait = backlog.Deletions.N, backlog.Deletions.Age(at)
	state.Unindexed, state.UnindexedWait = backlog.Unindexed.N, backlog.Unindexed.Age(at)
	state.FileBytes, state.FileQuota = backlog.FileBytes, s.cfg.TotalQuota
}
