package sqlstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/onemeter/onemeter/server/chat"
)

// maxOneTrip is the largest batch for appendInOneTrip: two messages need a sixth less CPU
// time than in the general way, three as much, and four a tenth more.
const maxOneTrip = 2

// storeNext stores a message as the next one of its conversation. It needs no answer in
// between: the UPDATE leaves the seq in LAST_INSERT_ID. If the sender is not a member, or
// muted, the UPDATE finds no row, and the INSERT fails because its seq is NULL. Like all
// transactions, it locks the conversation before the member.
const storeNext = `UPDATE conversations c STRAIGHT_JOIN members m ON m.conversation_id = c.id
	SET c.last_seq = LAST_INSERT_ID(c.last_seq + 1) WHERE c.id = ? AND m.user_id = ? AND m.state = 0 AND m.muted = 0; ` +
	`INSERT INTO messages (conversation_id, seq, sender_id, content, type, reply_to_id, client_msg_id, created_at, updated_at)
	VALUES (?, IF(ROW_COUNT() = 1, LAST_INSERT_ID(), NULL), ?, ?, ?, ?, ?, ?, ?)`

// fitsOneTrip reports whether a batch can be stored by appendInOneTrip: each message has a
// ClientMsgID, by which it is found if the answer is lost, and no file, which would have to
// be locked.
func fitsOneTrip(batch []chat.NewMessage) bool {
	if len(batch) > maxOneTrip {
		return false
	}
	for i := range batch {
		if n := &batch[i]; n.ConversationID == 0 || n.ClientMsgID == "" || n.FileID != 0 {
			return false
		}
	}
	return true
}

// appendInOneTrip stores a small batch in one round trip, because round trips and the
// SELECT of the general way cost more than the rest. done is false if the batch was not
// stored, and the general way may find out why; err is then an [unknownError], which the
// general way has to return if it fails, or nil.
func (s *Store) appendInOneTrip(ctx context.Context, p *remotePool, batch []chat.NewMessage) (results []chat.Appended, done bool, err error) {
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
	ids, err := p.inOneTrip(ctx, 2*len(batch), repeat(storeNext, "; ", len(batch)), args...)
	_, unknown := errors.AsType[*unknownError](err)
	switch {
	case err == nil:
		for k, i := range order {
			messages[i].Seq, messages[i].ID = ids[2*k], ids[2*k+1]
		}
		return appended(messages), true, nil
	case ctx.Err() != nil || p.classify(err) == failAway && !unknown || lockedTooLong(err):
		return nil, true, err
	case !unknown:
		return nil, false, nil
	}
	found, looked := s.findSent(ctx, messages, messages[order[0]].ConversationID)
	if looked != nil {
		return nil, true, fmt.Errorf("%w, and then: %w", err, looked)
	}
	return found, found != nil, err
}

// findSent returns the results of appendInOneTrip if its messages are stored although it was
// not answered, and nil if they are not, or not yet. locked is the conversation that it
// locked first.
func (s *Store) findSent(ctx context.Context, messages []chat.Message, locked int64) ([]chat.Appended, error) {
	args := make([]any, 0, 2*len(messages))
	for i := range messages {
		args = append(args, messages[i].SenderID, messages[i].ClientMsgID)
	}
	found, err := s.findOut(ctx, locked, retriesQuery(len(messages)), args...)
	if err != nil {
		return nil, err
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
