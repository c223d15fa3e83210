package chat

import (
	"context"
	"slices"
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

// Delivered records that a socket of userID was written a message. It returns at
// once; the mark is stored and its sender told a little later, so that this does
// not cost a transaction and a frame for each message.
func (s *Service) Delivered(conversationID, userID, seq int64) {
	s.delivered.add(conversationID, userID, seq)
}

// storeDelivered stores delivery marks and tells the senders, in direct conversations,
// unless one of the two has blocked the other.
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
		room, err := s.membership(ctx, m.ConversationID)
		if err != nil || room.Conversation.Kind != Direct {
			continue
		}
		sender := room.peer(m.UserID)
		// Without a word where it is not known whether one of them has blocked the other.
		if told, err := s.seers(ctx, room, m.UserID, true); err != nil || !slices.Contains(told, sender) {
			continue
		}
		s.publish(ctx, Event{Type: EventMessageDelivered, To: []int64{sender}, At: now, Payload: MessageDelivered{
			Seq: m.Delivered, SenderID: sender, ReceiverID: m.UserID, DeliveredTo: m.UserID, DeliveredAt: now,
		}})
	}
	return nil
}

// gotByAsking takes messages that a user asked for as delivered.
func (s *Service) gotByAsking(room Membership, userID int64, messages []Message) {
	if !wantsReceipts(room) {
		return
	}
	var seq int64
	for _, m := range messages {
		if m.Status == StatusSent && m.SenderID != userID {
			seq = max(seq, m.Seq)
		}
	}
	if seq > 0 {
		s.Delivered(room.Conversation.ID, userID, seq)
	}
}

// receiptMembers is how many members a group has at most of which it is known
// whom a message was delivered to: each is a row to change.
const receiptMembers = 32

func wantsReceipts(room Membership) bool {
	return room.Conversation.Kind == Direct || len(room.Members) <= receiptMembers
}

// deliveredDelay is how long delivery marks are gathered.
const deliveredDelay = 100 * time.Millisecond

// deliveries gathers delivery marks: of each member only the furthest counts, and
// what was stored a while ago is not stored again.
type deliveries struct {
	*gatherer
	mu           sync.Mutex
	seqs         map[member]int64
	done, before map[member]int64 // stored; when done is full it becomes before
}

// doneMarks is how many marks are remembered, at least, and at most twice as many.
const doneMarks = 50_000

type member struct{ conversation, user int64 }

func newDeliveries(store func([]Mark) error) *deliveries {
	d := &deliveries{seqs: make(map[member]int64), done: make(map[member]int64)}
	d.gatherer = newGatherer(deliveredDelay, func() {
		if marks := d.take(); len(marks) > 0 && store(marks) != nil {
			d.forget(marks) // a status that stays at sent does no harm; the next mark covers it
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
