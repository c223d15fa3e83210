package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// messageColumns are the columns of message x in conversation c. The receiver is the
// other user of the pair, and the status is computed from the readers' marks. In a
// left join without a message, every column still has a value.
const messageColumns = `COALESCE(x.id, 0), COALESCE(x.conversation_id, 0), COALESCE(x.seq, 0), COALESCE(x.sender_id, 0),
	COALESCE(x.content, ''), COALESCE(x.type, ''), COALESCE(x.reply_to_id, 0), COALESCE(x.file_id, 0), COALESCE(x.client_msg_id, ''),
	COALESCE(x.edited, 0), COALESCE(x.recalled, 0), COALESCE(x.deleted, 0), COALESCE(x.created_at, 0), COALESCE(x.updated_at, 0),
	c.kind, COALESCE(c.pair_low + c.pair_high - x.sender_id, 0),
	CASE WHEN x.recalled = 1 THEN 'recalled'
	     WHEN x.edited = 1 THEN 'edited'
	     WHEN EXISTS (SELECT 1 FROM members r WHERE r.conversation_id = x.conversation_id
	          AND r.read_seq >= x.seq AND r.user_id <> COALESCE(x.sender_id, 0)) THEN 'read'
	     WHEN c.kind = 'direct' AND EXISTS (SELECT 1 FROM members r WHERE r.conversation_id = x.conversation_id
	          AND r.delivered_seq >= x.seq AND r.user_id <> COALESCE(x.sender_id, 0)) THEN 'delivered'
	     ELSE 'sent' END,
	CASE WHEN x.file_id IS NULL THEN 0 ELSE COALESCE((SELECT f.deleted FROM files f WHERE f.id = x.file_id), 1) END`

// messageRow holds the scanned messageColumns.
type messageRow struct {
	m                chat.Message
	kind             chat.ConversationKind
	receiver         int64
	created, updated int64
}

func (r *messageRow) dest() []any {
	m := &r.m
	return []any{
		&m.ID, &m.ConversationID, &m.Seq, &m.SenderID, &m.Content, &m.Type, &m.ReplyToID, &m.FileID, &m.ClientMsgID,
		&m.Edited, &m.Recalled, &m.Deleted, &r.created, &r.updated, &r.kind, &r.receiver, &m.Status, &m.FileGone,
	}
}

func (r *messageRow) message() chat.Message {
	r.m.CreatedAt, r.m.UpdatedAt = timeOf(r.created), timeOf(r.updated)
	address(&r.m, r.kind, r.receiver)
	return r.m
}

// address sets the receiver or the group of m, depending on the kind of conversation.
func address(m *chat.Message, kind chat.ConversationKind, receiver int64) {
	if kind == chat.Direct {
		m.ReceiverID = receiver
	} else {
		m.ChatID = m.ConversationID
	}
}

func scanMessage(r scanner) (chat.Message, error) {
	var row messageRow
	err := r.Scan(row.dest()...)
	return row.message(), err
}

// A dialogRow is a dialog, the seqs up to which its user has read and cleared it, and
// whether the user has hidden single messages of it.
type dialogRow struct {
	chat.Dialog
	read, cleared int64
	hides         bool
}

func scanDialog(r scanner, userID int64) (dialogRow, error) {
	var d dialogRow
	var last messageRow
	var pair, created int64
	dest := []any{&d.ID, &d.Kind, &d.Title, &d.OwnerID, &d.LastSeq, &created, &pair, &d.read, &d.cleared, &d.hides}
	if err := r.Scan(append(dest, last.dest()...)...); err != nil {
		return d, err
	}
	d.CreatedAt = timeOf(created)
	if d.Kind == chat.Direct {
		d.ReceiverID = pair - userID
	} else {
		d.ChatID = d.ID
	}
	if m := last.message(); m.ID != 0 {
		d.LastMessage = &m
	}
	return d, nil
}

const messageByID = `SELECT ` + messageColumns + ` FROM messages x JOIN conversations c ON c.id = x.conversation_id WHERE x.id = ?`

// Message implements chat.MessageStore.
func (s *Store) Message(ctx context.Context, id int64) (chat.Message, error) {
	m, err := one(ctx, s.read, scanMessage, messageByID, id)
	return m, s.fail(ctx, "message", err)
}

// Messages implements chat.MessageStore. Without a conversation it ignores Ascending,
// AfterSeq and BeforeSeq.
func (s *Store) Messages(ctx context.Context, q chat.MessageQuery) ([]chat.Message, int64, error) {
	page := s.newest
	switch {
	case q.ConversationID == 0:
		page = s.newestOfAll
	case q.Ascending:
		page = s.following
	}
	list, total, err := page(ctx, q)
	return list, total, s.fail(ctx, "messages", err)
}

// A view is the part of a conversation that a user may see: nothing if the user is no
// member.
type view struct {
	last, cleared int64
	hides         bool // single messages
}

func (s *Store) viewOf(ctx context.Context, q chat.MessageQuery) (v view, err error) {
	err = row(ctx, s.read, `SELECT c.last_seq, m.cleared_seq, m.hides FROM conversations c JOIN members m ON m.conversation_id = c.id
		WHERE c.id = ? AND m.user_id = ? AND m.state = 0`, []any{q.ConversationID, q.UserID}, &v.last, &v.cleared, &v.hides)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	if q.Whole {
		v.cleared, v.hides = 0, false
	}
	return v, err
}

const messagesBetween = `SELECT ` + messageColumns + ` FROM messages x JOIN conversations c ON c.id = x.conversation_id
	WHERE x.conversation_id = ? AND x.seq > ? AND x.seq <= ?`

const messagesUp = messagesBetween + ` ORDER BY x.seq`

const messagesDown = messagesUp + ` DESC`

// following pages forward from AfterSeq. Seqs have no gaps, so an offset in messages
// is an offset in seqs.
func (s *Store) following(ctx context.Context, q chat.MessageQuery) ([]chat.Message, int64, error) {
	v, err := s.viewOf(ctx, q)
	last := v.last
	total := last - max(q.AfterSeq, 0)
	if err != nil || total <= 0 {
		return nil, 0, err
	}
	from := max(q.AfterSeq, 0) + int64(q.Offset)
	if from >= last {
		return nil, total, nil
	}
	list, err := collect(ctx, s.read, scanMessage, messagesUp, q.ConversationID, from, min(last, from+int64(q.Limit)))
	if err != nil {
		return nil, 0, err
	}
	return list, total, s.hide(ctx, q.UserID, list, v)
}

// newest pages backward from the last message, or from the one before BeforeSeq, to
// the seq up to which the user has cleared the conversation.
func (s *Store) newest(ctx context.Context, q chat.MessageQuery) ([]chat.Message, int64, error) {
	v, err := s.viewOf(ctx, q)
	last := v.last
	if q.BeforeSeq > 0 {
		last = min(last, q.BeforeSeq-1)
	}
	total := max(last-v.cleared, 0)
	upTo := last - int64(q.Offset)
	if err != nil || upTo <= v.cleared {
		return nil, total, err
	}
	list, err := collect(ctx, s.read, scanMessage, messagesDown, q.ConversationID, max(upTo-int64(q.Limit), v.cleared), upTo)
	if err != nil {
		return nil, 0, err
	}
	return list, total, s.hide(ctx, q.UserID, list, v)
}

// messagesOfAll selects the conversations with the newest last messages, then the
// newest messages of each, and then the newest of these; each time as many as could
// be on the page.
const messagesOfAll = `SELECT ` + messageColumns + `
	FROM (SELECT y.id
	      FROM (SELECT d.id, d.last_seq FROM members m JOIN conversations d ON d.id = m.conversation_id
	            JOIN messages l ON l.conversation_id = d.id AND l.seq = d.last_seq
	            WHERE m.user_id = ? AND m.state = 0 ORDER BY l.id DESC LIMIT ?) recent
	      JOIN messages y ON y.conversation_id = recent.id AND y.seq > recent.last_seq - ?
	      ORDER BY y.id DESC LIMIT ? OFFSET ?) k
	JOIN messages x ON x.id = k.id JOIN conversations c ON c.id = x.conversation_id
	ORDER BY x.id DESC`

// newestOfAll pages backward through all conversations of the user.
func (s *Store) newestOfAll(ctx context.Context, q chat.MessageQuery) ([]chat.Message, int64, error) {
	var total int64
	var v view
	err := row(ctx, s.read, `SELECT COALESCE(SUM(c.last_seq), 0), COALESCE(MAX(m.cleared_seq), 0), COALESCE(MAX(m.hides), 0)
		FROM members m JOIN conversations c ON c.id = m.conversation_id
		WHERE m.user_id = ? AND m.state = 0`, []any{q.UserID}, &total, &v.cleared, &v.hides)
	if err != nil || int64(q.Offset) >= total {
		return nil, total, err
	}
	most := q.Offset + q.Limit
	list, err := collect(ctx, s.read, scanMessage, messagesOfAll, q.UserID, most, most, q.Limit, q.Offset)
	if err != nil || v.cleared == 0 && !v.hides {
		return list, total, err
	}
	return list, total, s.hideOfAll(ctx, q.UserID, list)
}

// MessageIDBefore implements chat.MessageStore. It is a binary search over the ids,
// because an index of times would make every insert slower.
func (s *Store) MessageIDBefore(ctx context.Context, at time.Time) (int64, error) {
	first, _, err := s.messageFrom(ctx, 0)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	var last int64
	if err == nil {
		last, err = one(ctx, s.read, scanID, `SELECT MAX(id) FROM messages`)
	}
	none := first - 1
	before := none
	for err == nil && before < last {
		var id, made int64
		middle := before + (last-before+1)/2
		if id, made, err = s.messageFrom(ctx, middle); made < micros(at) {
			before = id
		} else {
			last = middle - 1
		}
	}
	if before == none {
		before = 0
	}
	return before, s.fail(ctx, "message before", err)
}

// messageFrom returns the first message with an id of from or more, and its time.
func (s *Store) messageFrom(ctx context.Context, from int64) (id, made int64, err error) {
	err = row(ctx, s.read, `SELECT id, created_at FROM messages WHERE id >= ? ORDER BY id LIMIT 1`, []any{from}, &id, &made)
	return id, made, err
}

// Since implements chat.MessageStore.
func (s *Store) Since(ctx context.Context, id int64, limit int) ([]chat.MessagePlace, error) {
	list, err := collect(ctx, s.read, scanPlace, `SELECT id, conversation_id, seq, created_at FROM messages WHERE id > ? ORDER BY id LIMIT ?`, id, limit)
	return list, s.fail(ctx, "messages since", err)
}

func scanPlace(r scanner) (p chat.MessagePlace, err error) {
	var at int64
	err = r.Scan(&p.ID, &p.ConversationID, &p.Seq, &at)
	p.CreatedAt = timeOf(at)
	return p, err
}

// EditMessage implements chat.MessageStore.
func (s *Store) EditMessage(ctx context.Context, id int64, content string, at time.Time) error {
	err := s.changeText(ctx, id, `UPDATE messages SET content = ?, edited = 1, updated_at = ?
		WHERE id = ? AND recalled = 0 AND deleted = 0 AND EXISTS (SELECT 1 FROM members m
			WHERE m.conversation_id = messages.conversation_id AND m.user_id = messages.sender_id AND m.state = 0 AND m.muted = 0)`,
		content, micros(at), id)
	return s.fail(ctx, "edit message", err)
}

const retractQuery = `UPDATE messages SET content = '', file_id = NULL, recalled = ?, deleted = ?, updated_at = ?
	WHERE id = ? AND recalled = 0 AND deleted = 0`

// RetractMessage implements chat.MessageStore.
func (s *Store) RetractMessage(ctx context.Context, id int64, recalled bool, at time.Time) error {
	err := s.changeText(ctx, id, retractQuery, recalled, !recalled, micros(at), id)
	return s.fail(ctx, "retract message", err)
}

// changeText runs a statement that changes the text of a message, and clears the
// signature of the message's block.
func (s *Store) changeText(ctx context.Context, id int64, query string, args ...any) error {
	var b blockKey
	err := s.write.inTx(ctx, func(ctx context.Context, t querier) (err error) {
		b, err = changeText(ctx, t, id, query, args...)
		return err
	})
	if err == nil {
		s.renew(b)
	}
	return err
}

// changeText is Store.changeText in a transaction. The caller renews the block after
// the commit.
func changeText(ctx context.Context, t querier, id int64, query string, args ...any) (b blockKey, err error) {
	if err := changed(exec(ctx, t, query, args...)); err != nil {
		return b, err
	}
	var conversation, seq int64
	if err := row(ctx, t, `SELECT conversation_id, seq FROM messages WHERE id = ?`, []any{id}, &conversation, &seq); err != nil {
		return b, err
	}
	b = blockOf(conversation, seq)
	return b, clearBlock(ctx, t, b)
}
