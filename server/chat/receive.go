package chat

import (
	"context"
	"errors"
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
	resumeLimit  = 50_000 // messages that Resume looks through at most
	resumeMargin = 1000   // ids that another node may have taken, and stored later
)

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
	lastID      int64             // the largest id that came
	closed      bool
	filling     sync.WaitGroup
}

// A track is what is known of a conversation: from base on, messages were
// delivered up to last. What is before base came before anything was known.
type track struct{ base, last int64 }

func newArrivals() *arrivals {
	return &arrivals{now: make(map[int64]track), held: make(map[int64][]Event), deliver: func(context.Context, Event) {}}
}

// Subscribe has deliver called with each event for this node's connections. It
// must be quick, and is called once, before anything is published.
func (s *Service) Subscribe(deliver func(context.Context, Event)) {
	s.arrivals.mu.Lock()
	defer s.arrivals.mu.Unlock()
	s.arrivals.deliver = deliver
}

// Receive takes an event from the bus. Subscribe's func gets it: at once, or,
// where messages before it are missing, after those.
func (s *Service) Receive(ctx context.Context, e Event) {
	a := s.arrivals
	if e.ConversationID == 0 { // typing, presence, logout: in no order
		a.deliver(ctx, e)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if e.Type != EventMessageNew {
		a.follow(ctx, e)
		return
	}
	a.lastID = max(a.lastID, e.MessageID)
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
	if a.closed || len(waiting) >= heldEvents {
		a.release(ctx, e.ConversationID, true)
		a.pass(ctx, e)
		return
	}
	i, there := slices.BinarySearchFunc(waiting, e.Seq, func(h Event, seq int64) int { return int(h.Seq - seq) })
	if there {
		return
	}
	a.held[e.ConversationID] = slices.Insert(waiting, i, e)
	if len(waiting) == 0 {
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
		Ascending: true, AfterSeq: after, Limit: int(min(upTo-after, recoverPage)),
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
	id, err := s.cfg.Store.LastMessageID(ctx)
	s.arrivals.mu.Lock()
	defer s.arrivals.mu.Unlock()
	s.arrivals.lastID = max(s.arrivals.lastID, id)
	return err
}

// Resume makes up for what other nodes published while this one could not hear
// them, from since on: messages are loaded from the store, and whatever else
// was told meanwhile (typing, presence, edits) is left to the clients. The bus
// calls it once it hears again.
func (s *Service) Resume(ctx context.Context, since time.Time) error {
	a := s.arrivals
	a.mu.Lock()
	after := max(0, a.lastID-resumeMargin)
	a.mu.Unlock()
	recovered := 0
	for range resumeLimit / recoverPage {
		messages, err := s.cfg.Store.MessagesSince(ctx, after, recoverPage)
		if err != nil {
			return err
		}
		for _, m := range messages {
			after = m.ID
			if !s.missed(m, since) {
				continue
			}
			e, err := s.eventOf(ctx, stored{message: m, accepted: m.CreatedAt})
			if err != nil {
				return err
			}
			s.Receive(ctx, e)
			recovered++
		}
		if len(messages) < recoverPage {
			break
		}
	}
	s.cfg.Hooks.recovered(ctx, recovered, nil)
	return nil
}

// clockSkew is how far apart the clocks of nodes may be.
const clockSkew = 5 * time.Second

// missed tells whether a message was not delivered here: by its Seq, or, of a
// conversation that nothing is known of, by its time.
func (s *Service) missed(m Message, since time.Time) bool {
	a := s.arrivals
	a.mu.Lock()
	defer a.mu.Unlock()
	if last := a.last(m.ConversationID); last != 0 {
		return m.Seq > last
	}
	return m.CreatedAt.After(since.Add(-clockSkew))
}

// close waits for what is being filled in; what is held is delivered as it is.
func (a *arrivals) close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.filling.Wait()
}
