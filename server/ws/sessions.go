package ws

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// sessionsAtOnce is how many sessions are asked for with one call.
const sessionsAtOnce = 500

// suspectAgain is when suspects are asked for again where the store did not answer.
const suspectAgain = time.Second

// suspects are users of whom sessions may have ended, and why.
type suspects struct {
	mu    sync.Mutex
	users map[int64]string
	wake  chan struct{} // holds one: there are some
}

func newSuspects() *suspects {
	return &suspects{users: make(map[int64]string), wake: make(chan struct{}, 1)}
}

func (s *suspects) add(users []int64, why string) {
	s.mu.Lock()
	for _, id := range users {
		s.users[id] = why
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *suspects) take() map[int64]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.users
	s.users = make(map[int64]string)
	return taken
}

// checkSessions closes connections whose sessions have ended, although this node was
// not told: the event was lost, or whoever was to publish it died, or did not learn
// which sessions they were. One goroutine asks, a batch at a time: of suspects at
// once, and of all connections from time to time.
func (h *Hub) checkSessions() {
	ticker := time.NewTicker(h.cfg.SessionCheck)
	defer ticker.Stop()
	for {
		select {
		case <-h.done:
			return
		case <-h.suspects.wake:
			for id, why := range h.suspects.take() {
				if !h.check(h.of(id), why) {
					time.AfterFunc(suspectAgain, func() { h.suspects.add([]int64{id}, why) })
				}
			}
		case <-ticker.C:
			h.check(h.all(nil), "")
		}
	}
}

// of lists the connections of a user.
func (h *Hub) of(userID int64) []*conn {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return slices.Clone(h.users[userID].conns)
}

// check closes those of conns whose sessions have ended; why is for their clients. It
// tells whether all could be asked.
func (h *Hub) check(conns []*conn, why string) bool {
	bySession := make(map[string][]*conn, len(conns))
	for _, c := range conns {
		bySession[c.caller.SessionID] = append(bySession[c.caller.SessionID], c)
	}
	closed, all := 0, true
	for ids := range slices.Chunk(slices.Collect(maps.Keys(bySession)), sessionsAtOnce) {
		ctx, cancel := h.request()
		ended, err := h.svc.EndedSessions(ctx, ids)
		cancel()
		for _, id := range ended {
			for _, c := range bySession[id] {
				c.endSession(why)
				closed++
			}
		}
		if err != nil {
			if h.ctx.Err() == nil {
				h.cfg.Log.Warn("sockets are not checked for sessions that have ended; it is tried again", "within", h.cfg.SessionCheck, "err", err)
			}
			all = false
			break
		}
	}
	if closed > 0 {
		h.cfg.Log.Info("sockets closed whose sessions had ended without this node being told", "sockets", closed)
	}
	return all
}
