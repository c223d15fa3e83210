package chat

import (
	"context"
	"time"
)

// Receipts tell who has read a message, and whom it was delivered to, the sender
// left out. Who has read it has got it, too.
type Receipts struct {
	MessageID   int64             `json:"message_id"`
	Seq         int64             `json:"seq"`
	ReadBy      []ReadReceipt     `json:"read_by"`
	DeliveredTo []DeliveryReceipt `json:"delivered_to"`
}

// A ReadReceipt is a member who has read a message; see Receipt for its time.
type ReadReceipt struct {
	UserID int64      `json:"user_id"`
	ReadAt *time.Time `json:"read_at,omitempty"`
}

// A DeliveryReceipt is a member to whom a message was delivered.
type DeliveryReceipt struct {
	UserID      int64      `json:"user_id"`
	DeliveredAt *time.Time `json:"delivered_at,omitempty"`
}

// Receipts tells a member of the conversation how far a message has come. Who
// joined after it is not among those who have read it, nor is who has blocked the
// caller, or, of two, whom he has blocked.
func (s *Service) Receipts(ctx context.Context, c Caller, id int64) (Receipts, error) {
	m, room, err := s.message(ctx, c, id, noMessage)
	if err != nil {
		return Receipts{}, err
	}
	blocks, err := s.blocks(ctx, c.UserID)
	if err != nil {
		return Receipts{}, err
	}
	// Messages have times in milliseconds, members in microseconds.
	list, err := s.cfg.Store.Receipts(ctx, m.ConversationID, m.Seq, m.CreatedAt.Add(time.Millisecond))
	r := Receipts{MessageID: id, Seq: m.Seq, ReadBy: []ReadReceipt{}, DeliveredTo: []DeliveryReceipt{}}
	for _, x := range list {
		if x.UserID == m.SenderID || x.UserID != c.UserID && !blocks.tracesOf(room.Conversation.Kind, x.UserID) {
			continue
		}
		if x.Read {
			r.ReadBy = append(r.ReadBy, ReadReceipt{x.UserID, orNil(x.ReadAt)})
		}
		r.DeliveredTo = append(r.DeliveredTo, DeliveryReceipt{x.UserID, orNil(x.DeliveredAt)})
	}
	return r, err
}

func orNil(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}
