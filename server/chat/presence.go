package chat

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"
)

// Connected counts a connection of the caller. If it is the user's only one, contacts are
// notified. Call Disconnected when it ends.
func (s *Service) Connected(ctx context.Context, c Caller) error {
	s.Active(c)
	first, err := s.cfg.Presence.Connected(ctx, c.UserID)
	if err != nil || !first {
		return err
	}
	return s.tellPresence(ctx, c.UserID, true, s.cfg.Now())
}

// Disconnected undoes Connected. If it was the user's last connection, contacts are
// notified.
func (s *Service) Disconnected(ctx context.Context, c Caller) error {
	last, err := s.cfg.Presence.Disconnected(ctx, c.UserID)
	if err != nil || !last {
		return err
	}
	return errors.Join(s.departures.put(ctx, c.UserID), s.tellPresence(ctx, c.UserID, false, s.cfg.Now()))
}

// depart stores when users were last seen. It gets many users at once when the server
// stops.
func (s *Service) depart(userIDs []int64) {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Limits.CommitWithin)
	defer cancel()
	if err := s.storeLastSeen(ctx, userIDs, s.cfg.Now()); err != nil {
		s.cfg.Log.WarnContext(ctx, "last seen not stored; contacts see an older time", "users", len(userIDs), "err", err)
	}
}

func (s *Service) storeLastSeen(ctx context.Context, userIDs []int64, at time.Time) error {
	return errors.Join(s.cfg.Store.SetLastSeen(ctx, userIDs, at), s.cfg.Users.Drop(ctx, userIDs...))
}

// MayTellPresence counts a presence command of a client as an action. If the client is
// too fast, the error is RateLimited.
func (s *Service) MayTellPresence(ctx context.Context, c Caller) error {
	return s.pace(ctx, c, "presence not told")
}

// RepeatPresence notifies the caller's contacts again that the caller is online. If the
// client is too fast, the error is RateLimited.
func (s *Service) RepeatPresence(ctx context.Context, c Caller) error {
	if err := s.MayTellPresence(ctx, c); err != nil {
		return err
	}
	return s.tellPresence(ctx, c.UserID, true, s.cfg.Now())
}

// NodePresence notifies contacts of users that they went offline at a time because their
// node is gone, or that they are online because the node has returned. If it returns an
// error, some contacts were not notified or some times not stored: call it again.
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

// tellPresence notifies the contacts of a user. It publishes even if there are none, so
// that nodes forget what they remember of the user's presence.
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

const (
	presenceDelay = 100 * time.Millisecond // how long presences gathers
	presenceChunk = 256                    // most users at a time: fewer than fit into a client's queue
)

// presences gathers presence events of users from all nodes, and keeps the last one of
// each user. A user who leaves and comes back, or moves to another node, causes one
// event. Before delivery its content is replaced by the current presence.
type presences struct {
	*gatherer
	mu    sync.Mutex
	last  map[int64]Event
	order []int64 // user ids, in the order of their first event
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

// take removes and returns the events that wait longest.
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

// presenceOf returns the payload, which is JSON if another node sent it.
func presenceOf(e Event) (p PresenceChanged, ok bool) {
	switch payload := e.Payload.(type) {
	case PresenceChanged:
		return payload, true
	case json.RawMessage:
		return p, json.Unmarshal(payload, &p) == nil
	}
	return p, false
}

// tellGathered delivers the current presence of users to this node's connections.
func (s *Service) tellGathered(users []int64, events map[int64]Event) {
	ctx, cancel := context.WithTimeout(s.background, s.cfg.Limits.CommitWithin)
	defer cancel()
	online, err := s.cfg.Presence.Online(ctx, users)
	if err != nil {
		s.cfg.Log.WarnContext(ctx, "current presence unknown; contacts get an older one", "users", len(users), "err", err)
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
