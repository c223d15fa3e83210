package sqlstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/onemeter/onemeter/server/chat"
)

// few is the largest batch for appendFew: one of two needs a sixth less CPU time than by
// the general way, one of three as much, and one of four a tenth more.
const few = 2

// storeNext stores a message as the next one of its conversation. It needs no answer in
// between: the UPDATE leaves the seq in LAST_INSERT_ID. If the sender is not a member, or
// muted, the UPDATE finds no row, and the INSERT fails because its seq is NULL.
const storeNext = `UPDATE conversations c STRAIGHT_JOIN members m ON m.conversation_id = c.id
	SET c.last_seq = LAST_INSERT_ID(c.last_seq + 1) WHERE c.id = ? AND m.user_id = ? AND m.state = 0 AND m.muted = 0; ` +
	`INSERT INTO messages (conversation_id, seq, sender_id, content, type, reply_to_id, client_msg_id, created_at, updated_at)
	VALUES (?, IF(ROW_COUNT() = 1, LAST_INSERT_ID(), NULL), ?, ?, ?, ?, ?, ?, ?)`

// fitsOneTrip reports whether a batch can be stored by appendFew: each message has a
// ClientMsgID, by which it is found if the answer is lost, and no file, which would have to
// be locked.
func fitsOneTrip(batch []chat.NewMessage) bool {
	for i := range batch {
		if n := &batch[i]; n.ConversationID == 0 || n.ClientMsgID == "" || n.FileID != 0 {
			return false
		}
	}
	return len(batch) <= few
}

// appendFew stores a small batch in one round trip, because round trips and the SELECT of
// Append cost more than the rest. The results are nil, without an error, if the general way
// has to find out which of the messages cannot be stored, and why.
func (s *Store) appendFew(ctx context.Context, p *remotePool, batch []chat.NewMessage) ([]chat.Appended, error) {
	messages := make([]chat.Message, len(batch))
	order := make([]int, len(batch))
	for i := range batch {
		messages[i], order[i] = messageOf(&batch[i]), i
		kind := chat.Group
		if batch[i].ReceiverID != 0 {
			kind = chat.Direct
		}
		address(&messages[i], kind, batch[i].ReceiverID)
	}
	// Always in the same order, so that two nodes cannot deadlock.
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(messages[i].ConversationID, messages[j].ConversationID) })
	args := make([]any, 0, 10*len(batch))
	for _, i := range order {
		m := &messages[i]
		at := micros(m.CreatedAt)
		args = append(args, m.ConversationID, m.SenderID,
			m.ConversationID, m.SenderID, m.Content, string(m.Type), m.ReplyToID, m.ClientMsgID, at, at)
	}
	ids, err := p.inOneTrip(ctx, repeat(storeNext, "; ", len(batch)), args...)
	if _, unknown := errors.AsType[*unknownError](err); unknown && ctx.Err() == nil {
		return s.findFew(ctx, messages, messages[order[0]].ConversationID, err)
	} else if unknown || err != nil && (ctx.Err() != nil || p.classify(err) == failAway) {
		return nil, err
	} else if err != nil {
		return nil, nil
	}
	for k, i := range order {
		messages[i].Seq, messages[i].ID = ids[2*k], ids[2*k+1]
	}
	return appended(messages), nil
}

// findFew returns the results of appendFew if it failed with err, an [unknownError], and
// its messages are stored all the same. locked is the conversation that it locked first.
func (s *Store) findFew(ctx context.Context, messages []chat.Message, locked int64, err error) ([]chat.Appended, error) {
	args := make([]any, 0, 2*len(messages))
	for i := range messages {
		args = append(args, messages[i].SenderID, messages[i].ClientMsgID)
	}
	found, looked := s.findOut(ctx, locked, retriesQuery(len(messages)), args...)
	if looked != nil {
		return nil, fmt.Errorf("%w, and then: %w", err, looked)
	}
	for i := range messages {
		k := slices.IndexFunc(found, func(f chat.Message) bool { return sameSend(f, messages[i]) })
		if k < 0 {
			return nil, nil
		}
		messages[i] = found[k]
	}
	return appended(messages), nil
}

func appended(messages []chat.Message) []chat.Appended {
	results := make([]chat.Appended, len(messages))
	for i, m := range messages {
		results[i].Message = m
	}
	return results
}
