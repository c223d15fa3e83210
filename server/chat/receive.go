package chat

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// reorderWait is how long an event that came too early waits for those before
// it, which may be on their way from another node.
const reorderWait = 50 * time.Millisecond

// Sizes of what Receive remembers.
const (
	trackedRooms = 50_000 // at least so many conversations, and at most twice
	heldEvents   = 1000   // of one conversation
	recoverPage  = 200    // messages loaded at a time
	resumePage   = 1000   // that Resume looks through at a time
)

// resumeLimit is how many messages Resume looks through at most: a few seconds'
// work. Changed by tests.
var resumeLimit = 200_000

// An arrivals puts the events of new messages that reach this node in order,
// whatever the bus did to them: within a conversation they are delivered in the
// order of Seq, none twice, and one that the bus lost is loaded from the store.
type arrivals struct {
	mu      sync.Mutex // held while delivering: order is the point
	deliver func(context.Context, Event)
	// The Seq of the last message delivered, by conversation; when now is full
	// it becomes before, and what was in before is forgotten.
	now, before map[int64]track
	held        map[int64][]Event // that came too early, and what is told of them
	from        int64             // what Resume looks for has a larger id
	closed      bool
	filling     sync.WaitGroup
}

// A track is what is known of a conversation: from base on, messages were
// delivered up to last. What is before base came before anything was known.
type track struct{ base, last int64 }

func newArrivals() *arrivals {
	return &arrivals{now: make(map[int64]track), held: make(map[int64][]Event), deliver: func(context.Context, Event) {}}
}

// DeliverTo calls deliver with each event for this node's connections. It
// must be quick, and is called once, before anything is published.
func (s *Service) DeliverTo(deliver func(context.Context, Event)) {
	s.arrivals.mu.Lock()
	defer s.arrivals.mu.Unlock()
	s.arrivals.deliver = deliver
}

// Receive takes an event from the bus. DeliverTo's func gets it: at once, or,
// where messages before it are missing, after those. Presence is gathered first.
func (s *Service) Receive(ctx context.Context, e Event) {
	a := s.arrivals
	if e.Type == EventPresence && e.From == 0 {
		s.presences.add(e)
		return
	}
	if e.ConversationID == 0 { // typing, logout: in no order
		a.deliver(ctx, e)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if e.Type != EventMessageNew {
		a.follow(ctx, e)
		return
	}
	switch t := a.track(e.ConversationID); {
	case t.last == 0 || e.Seq == t.last+1:
		a.pass(ctx, e)
		a.release(ctx, e.ConversationID, false)
	case e.Seq < t.base: // overtaken by the first that came: late is better than never
		a.deliver(ctx, e)
	case e.Seq <= t.last: // a second time
	default:
		a.hold(ctx, e, s.fill)
	}
}

// follow delivers what is told of a message (edited, read, recalled …) after
// the messages that are held, of which it may be one.
func (a *arrivals) follow(ctx context.Context, e Event) {
	waiting := a.held[e.ConversationID]
	if len(waiting) == 0 || len(waiting) >= heldEvents {
		a.deliver(ctx, e)
		return
	}
	e.Seq = waiting[len(waiting)-1].Seq
	a.held[e.ConversationID] = append(waiting, e)
}

func (a *arrivals) track(conversationID int64) track {
	if t, ok := a.now[conversationID]; ok {
		return t
	}
	return a.before[conversationID]
}

func (a *arrivals) last(conversationID int64) int64 { return a.track(conversationID).last }

func (a *arrivals) pass(ctx context.Context, e Event) {
	t := a.track(e.ConversationID)
	if t.last == 0 {
		t.base = e.Seq
	}
	t.last = e.Seq
	if len(a.now) >= trackedRooms {
		a.before, a.now = a.now, make(map[int64]track)
	}
	a.now[e.ConversationID] = t
	a.deliver(ctx, e)
}

// hold keeps an event back, and has what is missing filled in if it does not
// come by itself.
func (a *arrivals) hold(ctx context.Context, e Event, fill func(int64)) {
	waiting := a.held[e.ConversationID]
	i, there := slices.BinarySearchFunc(waiting, e.Seq, func(h Event, seq int64) int { return int(h.Seq - seq) })
	if there {
		return
	}
	waiting = slices.Insert(waiting, i, e)
	a.held[e.ConversationID] = waiting
	switch {
	case a.closed || len(waiting) > heldEvents:
		a.release(ctx, e.ConversationID, true)
	case len(waiting) == 1:
		a.filling.Go(func() { fill(e.ConversationID) })
	}
}

// release delivers what was held and follows on what was delivered; with force,
// all of it: clients see the gap in seq, and sync.
func (a *arrivals) release(ctx context.Context, conversationID int64, force bool) {
	waiting := a.held[conversationID]
	n := 0
	for _, e := range waiting {
		last := a.last(conversationID)
		if e.Seq > last+1 && !force {
			break
		}
		switch n++; {
		case e.Type != EventMessageNew:
			a.deliver(ctx, e)
		case e.Seq > last:
			a.pass(ctx, e)
		}
	}
	if n == len(waiting) {
		delete(a.held, conversationID)
	} else {
		a.held[conversationID] = waiting[n:]
	}
}

// next releases what can be, and tells what is missing before the rest. If
// giveUp is set, nothing is held any longer.
func (a *arrivals) next(ctx context.Context, conversationID int64, giveUp bool) (after, upTo int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.release(ctx, conversationID, giveUp)
	waiting := a.held[conversationID]
	if len(waiting) == 0 {
		return 0, 0
	}
	return a.last(conversationID), waiting[0].Seq - 1
}

// fill loads what a conversation's held events wait for.
func (s *Service) fill(conversationID int64) {
	ctx, cancel := context.WithTimeout(s.background, s.cfg.Limits.CommitWithin)
	defer cancel()
	select {
	case <-time.After(reorderWait):
	case <-ctx.Done():
	}
	a, recovered := s.arrivals, 0
	for after, upTo := a.next(ctx, conversationID, false); after < upTo; {
		events, err := s.load(ctx, conversationID, after, upTo)
		a.mu.Lock()
		for _, e := range events {
			if e.Seq == a.last(conversationID)+1 {
				a.pass(ctx, e)
				recovered++
			}
		}
		a.mu.Unlock()
		if err != nil {
			s.cfg.Hooks.recovered(ctx, 0, err)
			s.cfg.Log.WarnContext(ctx, "messages not recovered; clients sync", "conversation", conversationID, "err", err)
		}
		after, upTo = a.next(ctx, conversationID, err != nil || len(events) == 0)
	}
	s.cfg.Hooks.recovered(ctx, recovered, nil)
}

// load makes events of messages that the bus did not bring.
func (s *Service) load(ctx context.Context, conversationID, after, upTo int64) ([]Event, error) {
	room, err := s.membership(ctx, conversationID)
	if err != nil || len(room.Members) == 0 {
		return nil, err
	}
	messages, _, err := s.cfg.Store.Messages(ctx, MessageQuery{
		UserID: room.Members[0].UserID, ConversationID: conversationID,
		Ascending: true, AfterSeq: after, Limit: int(min(upTo-after, recoverPage)), Whole: true,
	})
	events := make([]Event, 0, len(messages))
	for _, m := range messages {
		e, eventErr := s.eventOf(ctx, stored{message: m, accepted: m.CreatedAt})
		if eventErr != nil {
			return events, errors.Join(err, eventErr)
		}
		events = append(events, e)
	}
	return events, err
}

// ResumeFromHere has Resume look no further back than what is stored now. It is
// called before the bus begins to bring messages.
func (s *Service) ResumeFromHere(ctx context.Context) error {
	const ahead = 24 * time.Hour // of the clock of any node
	id, err := s.cfg.Store.MessageIDBefore(ctx, s.cfg.Now().Add(ahead))
	s.arrivals.from = id
	return err
}

// clockSkew is how far apart the clocks of nodes may be.
const clockSkew = 5 * time.Second

// ErrMissedTooMuch is Resume's answer where clients had better sync.
var ErrMissedTooMuch = errors.New("chat: more messages were missed than can be looked through")

// Resume makes up for what other nodes published while this one could not hear
// them, from since on: messages are loaded from the store, and whatever else
// was told meanwhile (typing, presence, edits) is left to the clients. The bus
// calls it once it hears again.
func (s *Service) Resume(ctx context.Context, since time.Time) error {
	// What was published then had been made before, by its node's clock.
	since = since.Add(-clockSkew - s.cfg.Limits.CommitWithin)
	after, err := s.cfg.Store.MessageIDBefore(ctx, since)
	if err != nil {
		return err
	}
	rooms, err := s.missed(ctx, max(after, s.arrivals.from), since)
	if err != nil {
		return err
	}
	recovered := 0
	defer func() { s.cfg.Hooks.recovered(ctx, recovered, nil) }()
	for _, id := range slices.Sorted(maps.Keys(rooms)) { // the oldest conversation first
		r := rooms[id]
		for r.after < r.upTo {
			events, err := s.load(ctx, id, r.after, r.upTo)
			if err != nil {
				return err
			}
			if len(events) == 0 {
				break
			}
			for _, e := range events {
				s.Receive(ctx, e)
			}
			recovered += len(events)
			r.after = events[len(events)-1].Seq
		}
	}
	return nil
}

// A stretch of a conversation: the messages behind after, up to upTo.
type stretch struct{ after, upTo int64 }

// missed finds, by conversation, what was not delivered here of the messages
// behind an id.
func (s *Service) missed(ctx context.Context, behind int64, since time.Time) (map[int64]stretch, error) {
	rooms := make(map[int64]stretch)
	for range resumeLimit / resumePage {
		places, err := s.cfg.Store.Since(ctx, behind, resumePage)
		if err != nil {
			return nil, err
		}
		s.arrivals.missed(rooms, places, since)
		if len(places) < resumePage {
			return rooms, nil
		}
		behind = places[len(places)-1].ID
	}
	return nil, ErrMissedTooMuch
}

// missed adds to rooms what was not delivered here: by its Seq, or, of a
// conversation that nothing is known of, by its time.
func (a *arrivals) missed(rooms map[int64]stretch, places []MessagePlace, since time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range places {
		last := a.last(p.ConversationID)
		if p.Seq <= last || last == 0 && p.CreatedAt.Before(since) {
			continue
		}
		r, ok := rooms[p.ConversationID]
		if !ok {
			r = stretch{after: p.Seq - 1}
		}
		rooms[p.ConversationID] = stretch{after: min(r.after, p.Seq-1), upTo: max(r.upTo, p.Seq)}
	}
}

// close waits for what is being filled in; what is held is delivered as it is.
func (a *arrivals) close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.filling.Wait()
}
