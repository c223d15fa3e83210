package chat

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"
)

// Connected counts a connection of the caller, and tells contacts if it is the
// user's first.
func (s *Service) Connected(ctx context.Context, c Caller) error {
	s.Active(c)
	first, err := s.cfg.Presence.Connected(ctx, c.UserID)
	if err != nil || !first {
		return err
	}
	return s.tellPresence(ctx, c.UserID, true, s.cfg.Now())
}

// Disconnected is the end of what Connected began.
func (s *Service) Disconnected(ctx context.Context, c Caller) error {
	last, err := s.cfg.Presence.Disconnected(ctx, c.UserID)
	if err != nil || !last {
		return err
	}
	return errors.Join(s.departures.put(ctx, c.UserID), s.tellPresence(ctx, c.UserID, false, s.cfg.Now()))
}

// depart stores when users were last seen: together, as they leave when the
// server stops.
func (s *Service) depart(userIDs []int64) {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Limits.CommitWithin)
	defer cancel()
	if err := s.storeLastSeen(ctx, userIDs, s.cfg.Now()); err != nil {
		s.cfg.Log.ErrorContext(ctx, "last seen not stored", "users", len(userIDs), "err", err)
	}
}

func (s *Service) storeLastSeen(ctx context.Context, userIDs []int64, at time.Time) error {
	return errors.Join(s.cfg.Store.SetLastSeen(ctx, userIDs, at), s.cfg.Users.Drop(ctx, userIDs...))
}

// MayTellPresence takes a turn for a client that says whether its user is there.
func (s *Service) MayTellPresence(ctx context.Context, c Caller) error {
	return s.pace(ctx, c, "presence not told")
}

// RepeatPresence tells those who share a conversation with the caller once more
// whether he is there.
func (s *Service) RepeatPresence(ctx context.Context, c Caller) error {
	if err := s.MayTellPresence(ctx, c); err != nil {
		return err
	}
	return s.tellPresence(ctx, c.UserID, true, s.cfg.Now())
}

// NodePresence tells contacts of users whether they are there, where no
// connection can tell it: the node that had their connections is gone, since at,
// or was thought to be and is not. An error says that not all were told, or that
// it is not stored when they were last seen: call it again.
func (s *Service) NodePresence(ctx context.Context, userIDs []int64, online bool, at time.Time) error {
	var errs []error
	if !online {
		errs = append(errs, s.storeLastSeen(ctx, userIDs, at))
	}
	for _, id := range userIDs {
		errs = append(errs, s.tellPresence(ctx, id, online, at))
	}
	return errors.Join(errs...)
}

// tellPresence publishes also where nobody is to be told: nodes that remember
// how it was forget it.
func (s *Service) tellPresence(ctx context.Context, userID int64, online bool, at time.Time) error {
	contacts, err := s.cfg.Store.Contacts(ctx, userID, contactsLimit)
	if err != nil {
		return err
	}
	s.publish(ctx, Event{
		Type: EventPresence, To: contacts, At: s.cfg.Now(),
		Payload: PresenceChanged{UserID: userID, IsOnline: online, LastSeen: at},
	})
	return nil
}

// How long presence is gathered, and of how many users is told at a time: few
// enough for a client's queue.
const (
	presenceDelay = 100 * time.Millisecond
	presenceChunk = 256
)

// presences gathers the presence of users, from all nodes. Of each the last
// event counts, and of that how it is when its turn comes: who goes and is back,
// or moves to another node, is told of once, and what is told last is true.
type presences struct {
	*gatherer
	mu    sync.Mutex
	last  map[int64]Event
	order []int64 // of users, as they came
}

func newPresences(tell func([]int64, map[int64]Event)) *presences {
	p := &presences{last: make(map[int64]Event)}
	p.gatherer = newGatherer(presenceDelay, func() {
		if users, events := p.take(); len(users) > 0 {
			tell(users, events)
		}
	})
	return p
}

func (p *presences) add(e Event) {
	change, ok := presenceOf(e)
	if !ok || len(e.To) == 0 {
		return
	}
	e.Payload = change
	p.mu.Lock()
	if _, waits := p.last[change.UserID]; !waits {
		p.order = append(p.order, change.UserID)
	}
	p.last[change.UserID] = e
	p.mu.Unlock()
	p.poke()
}

// take takes those who wait longest.
func (p *presences) take() ([]int64, map[int64]Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(len(p.order), presenceChunk)
	users, events := p.order[:n:n], make(map[int64]Event, n)
	for _, id := range users {
		events[id] = p.last[id]
		delete(p.last, id)
	}
	if p.order = p.order[n:]; len(p.order) > 0 {
		p.poke()
	}
	return users, events
}

// presenceOf reads the payload, which is JSON where a bus brought it.
func presenceOf(e Event) (p PresenceChanged, ok bool) {
	switch payload := e.Payload.(type) {
	case PresenceChanged:
		return payload, true
	case json.RawMessage:
		return p, json.Unmarshal(payload, &p) == nil
	}
	return p, false
}

// tellGathered hands what was gathered to this node's connections, as it is now.
func (s *Service) tellGathered(users []int64, events map[int64]Event) {
	ctx, cancel := context.WithTimeout(s.background, s.cfg.Limits.CommitWithin)
	defer cancel()
	online, err := s.cfg.Presence.Online(ctx, users)
	if err != nil {
		s.cfg.Log.WarnContext(ctx, "presence is told as it was", "err", err)
	}
	for _, id := range users {
		e := events[id]
		p := e.Payload.(PresenceChanged) // add put it there
		if err == nil && p.IsOnline != online[id] {
			p.IsOnline, p.LastSeen = online[id], s.cfg.Now()
			e.Payload = p
		}
		s.arrivals.deliver(ctx, e)
	}
}
