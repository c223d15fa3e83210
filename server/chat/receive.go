package chat

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// reorderWait is how long an event that came too early waits for earlier ones, which may
// be on their way from another node.
const reorderWait = 50 * time.Millisecond

// Sizes of what Receive and Resume keep in memory.
const (
	trackedConversations = 50_000 // at least; at most twice as many
	heldEvents           = 1000   // held events of one conversation
	recoverPage          = 200    // messages loaded at a time
	resumePage           = 1000   // messages that Resume looks through at a time
)

// resumeLimit is the most messages that Resume looks through: a few seconds' work. Tests
// change it.
var resumeLimit = 200_000

// arrivals puts the events of new messages that reach this node in order. Within a
// conversation it delivers them in the order of Seq, each once. Messages that the bus
// lost are loaded from the store.
type arrivals struct {
	mu      sync.Mutex // held while delivering, to keep the order
	deliver func(context.Context, Event)
	// The delivered messages by conversation. When now is full, it replaces before.
	now, before map[int64]track
	held        map[int64][]Event // messages that came too early, and events about them
	from        int64             // Resume loads only messages with larger ids
	closed      bool
	filling     sync.WaitGroup
}

// A track is the range of Seqs of a conversation that were delivered, from base to last.
// Nothing is known about messages before base.
type track struct{ base, last int64 }

func newArrivals() *arrivals {
	return &arrivals{now: make(map[int64]track), held: make(map[int64][]Event), deliver: func(context.Context, Event) {}}
}

// DeliverTo sets the function that gets each event for this node's connections. Call it
// once, before the first event is published. deliver must not block.
func (s *Service) DeliverTo(deliver func(context.Context, Event)) {
	s.arrivals.mu.Lock()
	defer s.arrivals.mu.Unlock()
	s.arrivals.deliver = deliver
}

// Receive passes an event of the bus on to the function of DeliverTo: at once, or after
// the messages before it if some are missing. It gathers presence events first. It is
// safe for concurrent use.
func (s *Service) Receive(ctx context.Context, e Event) {
	a := s.arrivals
	if e.Type == EventPresence && e.From == 0 {
		s.presences.add(e)
		return
	}
	if e.ConversationID == 0 { // typing or logout, for example: no order to keep
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
	case e.Seq < t.base: // the first event overtook it: late is better than never
		a.deliver(ctx, e)
	case e.Seq <= t.last: // a duplicate
	default:
		a.hold(ctx, e, s.fill)
	}
}

// follow delivers an event about a message (edited, read, recalled …) after the held
// messages, because it may be about one of them.
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
	if len(a.now) >= trackedConversations {
		a.before, a.now = a.now, make(map[int64]track)
	}
	a.now[e.ConversationID] = t
	a.deliver(ctx, e)
}

// hold keeps an event back, and starts fill, which loads the missing messages if they do
// not come.
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

// release delivers held events up to the next missing message. With force it delivers all
// of them: clients see the gap in seq, and sync.
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

// next releases held events, and returns which messages are missing before the others:
// those after the Seq after, up to upTo. With giveUp it releases all events.
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

// fill loads the messages that a conversation's held events wait for.
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
			s.cfg.Log.WarnContext(ctx, "messages not recovered; clients get them by sync", "conversation", conversationID, "err", err)
		}
		after, upTo = a.next(ctx, conversationID, err != nil || len(events) == 0)
	}
	s.cfg.Hooks.recovered(ctx, recovered, nil)
}

// load loads messages that the bus did not deliver, and returns their events.
func (s *Service) load(ctx context.Context, conversationID, after, upTo int64) ([]Event, error) {
	membership, err := s.membership(ctx, conversationID)
	if err != nil || len(membership.Members) == 0 {
		return nil, err
	}
	messages, _, err := s.cfg.Store.Messages(ctx, MessageQuery{
		UserID: membership.Members[0].UserID, ConversationID: conversationID,
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

// ResumeFromHere makes Resume ignore all messages that are already stored. Call it before
// the bus delivers events.
func (s *Service) ResumeFromHere(ctx context.Context) error {
	const ahead = 24 * time.Hour // more than the clock of any node is ahead
	id, err := s.cfg.Store.MessageIDBefore(ctx, s.cfg.Now().Add(ahead))
	s.arrivals.from = id
	return err
}

// clockSkew is the largest difference between the clocks of nodes that is handled.
const clockSkew = 5 * time.Second

// ErrMissedTooMuch is returned by Resume if it would have to look through too many
// messages. Then clients must sync.
var ErrMissedTooMuch = errors.New("chat: too many messages were missed to load them: clients must sync")

// Resume delivers the messages that other nodes published since a time at which this
// node could not reach the bus. It loads them from the store. Other events (typing,
// presence, edits) are lost; clients get edits by sync. The bus calls Resume when it is
// connected again.
func (s *Service) Resume(ctx context.Context, since time.Time) error {
	// A message is created before it is published, by its node's clock.
	since = since.Add(-clockSkew - s.cfg.Limits.CommitWithin)
	after, err := s.cfg.Store.MessageIDBefore(ctx, since)
	if err != nil {
		return err
	}
	stretches, err := s.missed(ctx, max(after, s.arrivals.from), since)
	if err != nil {
		return err
	}
	recovered := 0
	defer func() { s.cfg.Hooks.recovered(ctx, recovered, nil) }()
	for _, id := range slices.Sorted(maps.Keys(stretches)) { // the oldest conversation first
		missing := stretches[id]
		for missing.after < missing.upTo {
			events, err := s.load(ctx, id, missing.after, missing.upTo)
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
			missing.after = events[len(events)-1].Seq
		}
	}
	return nil
}

// A stretch is the part of a conversation with Seqs after after, up to upTo.
type stretch struct{ after, upTo int64 }

// missed returns, by conversation id, the messages with ids larger than behind that were
// not delivered to this node.
func (s *Service) missed(ctx context.Context, behind int64, since time.Time) (map[int64]stretch, error) {
	stretches := make(map[int64]stretch)
	for range resumeLimit / resumePage {
		places, err := s.cfg.Store.Since(ctx, behind, resumePage)
		if err != nil {
			return nil, err
		}
		s.arrivals.missed(stretches, places, since)
		if len(places) < resumePage {
			return stretches, nil
		}
		behind = places[len(places)-1].ID
	}
	return nil, ErrMissedTooMuch
}

// missed adds to stretches those of places that were not delivered to this node, by their
// Seq; in a conversation without a track, by their time.
func (a *arrivals) missed(stretches map[int64]stretch, places []MessagePlace, since time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range places {
		last := a.last(p.ConversationID)
		if p.Seq <= last || last == 0 && p.CreatedAt.Before(since) {
			continue
		}
		missing, ok := stretches[p.ConversationID]
		if !ok {
			missing = stretch{after: p.Seq - 1}
		}
		stretches[p.ConversationID] = stretch{after: min(missing.after, p.Seq-1), upTo: max(missing.upTo, p.Seq)}
	}
}

// close waits for the calls of fill. From then on hold delivers events at once.
func (a *arrivals) close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.filling.Wait()
}
