package chat

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A pendingMark is a read mark that waits for its transaction.
type pendingMark struct {
	mark Mark
	done chan error
}

// markRead stores a mark, in one transaction with others. It returns when the mark is
// durable.
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

// Delivered records that a message was written to a socket of userID. It does not block.
// A little later the mark is stored, and the sender notified, so that not every message
// costs a transaction and a frame.
func (s *Service) Delivered(conversationID, userID, seq int64) {
	s.delivered.add(conversationID, userID, seq)
}

// storeDelivered stores delivery marks. In direct conversations it notifies the senders,
// unless one of the two users has blocked the other.
func (s *Service) storeDelivered(marks []Mark) error {
	now := s.cfg.Now()
	for i := range marks {
		marks[i].At = now
	}
	if err := s.storeMarks(marks); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.background, s.cfg.Limits.CommitWithin)
	defer cancel()
	for _, m := range marks {
		membership, err := s.membership(ctx, m.ConversationID)
		if err != nil || membership.Conversation.Kind != Direct {
			continue
		}
		sender := membership.peer(m.UserID)
		// If it is unknown whether one has blocked the other, nobody is notified.
		if told, err := s.viewers(ctx, membership, m.UserID, true); err != nil || !slices.Contains(told, sender) {
			continue
		}
		s.publish(ctx, Event{Type: EventMessageDelivered, To: []int64{sender}, At: now, Payload: MessageDelivered{
			Seq: m.Delivered, SenderID: sender, ReceiverID: m.UserID, DeliveredTo: m.UserID, DeliveredAt: now,
		}})
	}
	return nil
}

// deliveredByRequest marks messages that a user has requested as delivered.
func (s *Service) deliveredByRequest(membership Membership, userID int64, messages []Message) {
	if !wantsReceipts(membership) {
		return
	}
	var seq int64
	for _, m := range messages {
		if m.Status == StatusSent && m.SenderID != userID {
			seq = max(seq, m.Seq)
		}
	}
	if seq > 0 {
		s.Delivered(membership.Conversation.ID, userID, seq)
	}
}

// receiptMembers is the size of the largest group for which delivery marks are stored.
// Each mark changes a row.
const receiptMembers = 32

func wantsReceipts(membership Membership) bool {
	return membership.Conversation.Kind == Direct || len(membership.Members) <= receiptMembers
}

// deliveredDelay is how long deliveries gathers marks.
const deliveredDelay = 100 * time.Millisecond

// deliveries gathers delivery marks. It keeps only the last one of each member, and does
// not store a mark again that it remembers.
type deliveries struct {
	*gatherer
	mu           sync.Mutex
	seqs         map[member]int64
	done, before map[member]int64 // stored marks; when done is full, it replaces before
}

// doneMarks is how many stored marks are remembered, at least; at most twice as many.
const doneMarks = 50_000

type member struct{ conversation, user int64 }

func newDeliveries(store func([]Mark) error) *deliveries {
	d := &deliveries{seqs: make(map[member]int64), done: make(map[member]int64)}
	d.gatherer = newGatherer(deliveredDelay, func() {
		if marks := d.take(); len(marks) > 0 && store(marks) != nil {
			d.forget(marks) // the status stays at sent for now; the next mark includes this one
		}
	})
	return d
}

func (d *deliveries) add(conversationID, userID, seq int64) {
	key := member{conversationID, userID}
	d.mu.Lock()
	known := seq <= max(d.seqs[key], d.done[key], d.before[key])
	if !known {
		d.seqs[key] = seq
	}
	d.mu.Unlock()
	if !known {
		d.poke()
	}
}

func (d *deliveries) take() []Mark {
	d.mu.Lock()
	defer d.mu.Unlock()
	marks := make([]Mark, 0, len(d.seqs))
	for key, seq := range d.seqs {
		marks = append(marks, Mark{ConversationID: key.conversation, UserID: key.user, Delivered: seq})
		if len(d.done) >= doneMarks {
			d.before, d.done = d.done, make(map[member]int64)
		}
		d.done[key] = seq
	}
	clear(d.seqs)
	return marks
}

func (d *deliveries) forget(marks []Mark) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range marks {
		delete(d.done, member{m.ConversationID, m.UserID})
		delete(d.before, member{m.ConversationID, m.UserID})
	}
}
