package chat

import (
	"context"
	"time"
)

// Receipts list who has read a message, and to whom it was delivered, without the sender.
// DeliveredTo includes those in ReadBy.
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

// Receipts returns the receipts of a message. The caller must be a member of its
// conversation. Members who joined after the message are left out, and so are members who
// have blocked the caller, and in a direct conversation also one whom the caller has
// blocked.
func (s *Service) Receipts(ctx context.Context, c Caller, id int64) (Receipts, error) {
	m, membership, err := s.message(ctx, c, id, noMessage)
	if err != nil {
		return Receipts{}, err
	}
	blocks, err := s.blocks(ctx, c.UserID)
	if err != nil {
		return Receipts{}, err
	}
	// The times of messages are in milliseconds, those of members in microseconds.
	list, err := s.cfg.Store.Receipts(ctx, m.ConversationID, m.Seq, m.CreatedAt.Add(time.Millisecond))
	r := Receipts{MessageID: id, Seq: m.Seq, ReadBy: []ReadReceipt{}, DeliveredTo: []DeliveryReceipt{}}
	for _, x := range list {
		if x.UserID == m.SenderID || x.UserID != c.UserID && !blocks.tracesOf(membership.Conversation.Kind, x.UserID) {
			continue
		}
		if x.Read {
			r.ReadBy = append(r.ReadBy, ReadReceipt{x.UserID, timeOrNil(x.ReadAt)})
		}
		r.DeliveredTo = append(r.DeliveredTo, DeliveryReceipt{x.UserID, timeOrNil(x.DeliveredAt)})
	}
	return r, err
}

func timeOrNil(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}
