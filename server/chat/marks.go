package chat

import (
	"context"
	"sync"
	"time"
)

// A pendingMark is a read mark on its way through a transaction.
type pendingMark struct {
	mark Mark
	done chan error
}

// markRead stores a mark together with others, and returns when it is durable.
func (s *Service) markRead(ctx context.Context, m Mark) error {
	p := &pendingMark{mark: m, done: make(chan error, 1)}
	if err := s.marks.put(ctx, p); err != nil {
		return err
	}
	select {
	case err := <-p.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Service) advance(batch []*pendingMark) {
	marks := make([]Mark, len(batch))
	for i, p := range batch {
		marks[i] = p.mark
	}
	err := s.storeMarks(marks)
	for _, p := range batch {
		p.done <- err
	}
}

func (s *Service) storeMarks(marks []Mark) error {
	ctx, cancel := context.WithTimeout(s.background, s.cfg.Limits.CommitWithin)
	defer cancel()
	return s.cfg.Store.Advance(ctx, marks)
}

// Delivered records that a socket of userID was written a message of a direct
// conversation. It returns at once; the mark is stored a little later, so that
// marks do not cost a transaction for each message.
func (s *Service) Delivered(conversationID, userID, seq int64) {
	s.delivered.add(conversationID, userID, seq)
}

// deliveredDelay is how long delivery marks are gathered.
const deliveredDelay = 100 * time.Millisecond

// deliveries gathers delivery marks: of each member only the furthest counts.
type deliveries struct {
	*gatherer
	mu   sync.Mutex
	seqs map[member]int64
}

type member struct{ conversation, user int64 }

func newDeliveries(store func([]Mark) error) *deliveries {
	d := &deliveries{seqs: make(map[member]int64)}
	d.gatherer = newGatherer(deliveredDelay, func() {
		if marks := d.take(); len(marks) > 0 {
			// A status that stays at sent does no harm; the next mark covers it.
			_ = store(marks)
		}
	})
	return d
}

func (d *deliveries) add(conversationID, userID, seq int64) {
	key := member{conversationID, userID}
	d.mu.Lock()
	d.seqs[key] = max(d.seqs[key], seq)
	d.mu.Unlock()
	d.poke()
}

func (d *deliveries) take() []Mark {
	d.mu.Lock()
	defer d.mu.Unlock()
	marks := make([]Mark, 0, len(d.seqs))
	for key, seq := range d.seqs {
		marks = append(marks, Mark{ConversationID: key.conversation, UserID: key.user, Delivered: seq})
	}
	clear(d.seqs)
	return marks
}
