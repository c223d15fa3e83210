package sqlstore

import (
	"context"
	"slices"

	"github.com/onemeter/onemeter/server/chat"
)

// appendTries bounds how often Append begins anew when a message turns out to
// be stored already.
const appendTries = 3

// Append implements chat.MessageStore. It does not look for duplicates: the
// unique index finds them, and then the transaction is begun anew with a look.
func (s *Store) Append(ctx context.Context, batch []chat.NewMessage) (results []chat.Appended, err error) {
	if len(batch) == 0 {
		return nil, nil
	}
	for try := range appendTries {
		err = s.write.inTx(ctx, func(ctx context.Context, t *tx) error {
			a := appending{s: s, t: t, batch: batch, results: make([]chat.Appended, len(batch)), look: try > 0}
			results = a.results
			return a.run(ctx)
		})
		if err == nil || s.dialect.classify(err) != failDuplicate {
			break
		}
	}
	if err != nil {
		return nil, s.fail(ctx, "append", err)
	}
	return results, nil
}

// appending is one transaction of Append.
type appending struct {
	s       *Store
	t       *tx
	batch   []chat.NewMessage
	results []chat.Appended
	look    bool // for duplicates of every message

	rooms  map[int64]*room
	may    map[place]bool // who may write where
	stored map[retry]int64
	first  map[retry]int // of messages to be stored that have a ClientMsgID
	store  []int         // which of the batch are stored
	copies map[int]int   // which are the same as an earlier one of the batch
}

// A place is a user in a conversation.
type place struct{ conversation, user int64 }

// A retry is what two sendings of one message have in common.
type retry struct {
	sender int64
	id     string
}

// A room is what Append knows of a conversation.
type room struct {
	id    int64
	kind  chat.ConversationKind
	pair  int64 // sum of both users
	added int64
	last  int64
}

func (a *appending) run(ctx context.Context) error {
	if err := a.openRooms(ctx); err != nil {
		return err
	}
	if err := a.findStored(ctx); err != nil {
		return err
	}
	for i := range a.batch {
		if err := a.decide(ctx, i); err != nil {
			return err
		}
	}
	if err := a.insert(ctx); err != nil {
		return err
	}
	for i, original := range a.copies {
		a.results[i] = chat.Appended{Message: a.results[original].Message, Duplicate: true}
	}
	return a.raise(ctx)
}

// openRooms reads who of the senders may write, and where.
func (a *appending) openRooms(ctx context.Context) error {
	a.rooms, a.may = make(map[int64]*room), make(map[place]bool)
	asked := make([]place, 0, len(a.batch))
	for _, m := range a.batch {
		p := place{m.ConversationID, m.SenderID}
		if _, ok := a.may[p]; !ok {
			a.may[p] = false
			asked = append(asked, p)
		}
	}
	for part := range slices.Chunk(asked, maxRows) {
		n := padded(len(part))
		args := make([]any, 0, 2*n)
		for i := range n {
			p := part[min(i, len(part)-1)]
			args = append(args, p.conversation, p.user)
		}
		if err := a.readRooms(ctx, roomsQuery(n), args); err != nil {
			return err
		}
	}
	return nil
}

func roomsQuery(n int) string {
	return `SELECT m.conversation_id, m.user_id, c.kind, COALESCE(c.pair_low + c.pair_high, 0), c.last_seq
	FROM (SELECT ? AS conversation, ? AS sender` + repeat("", " UNION ALL SELECT ?, ?", n) + `) k
	JOIN members m ON m.conversation_id = k.conversation AND m.user_id = k.sender
	JOIN conversations c ON c.id = m.conversation_id
	WHERE m.state = 0 AND m.muted = 0`
}

func (a *appending) readRooms(ctx context.Context, query string, args []any) error {
	_, err := collect(ctx, a.t, func(r scanner) (struct{}, error) {
		var p place
		var x room
		err := r.Scan(&p.conversation, &p.user, &x.kind, &x.pair, &x.last)
		a.may[p] = true
		if a.rooms[p.conversation] == nil {
			x.id = p.conversation
			a.rooms[p.conversation] = &x
		}
		return struct{}{}, err
	}, query, args...)
	return err
}

// findStored looks for messages stored before: for all with a ClientMsgID when
// asked to, or else for those that will be refused.
func (a *appending) findStored(ctx context.Context) error {
	var keys []retry
	for _, m := range a.batch {
		if m.ClientMsgID != "" && (a.look || !a.may[place{m.ConversationID, m.SenderID}]) {
			keys = append(keys, retry{m.SenderID, m.ClientMsgID})
		}
	}
	if len(keys) > 0 {
		a.stored = make(map[retry]int64)
	}
	for part := range slices.Chunk(keys, maxRows) {
		n := padded(len(part))
		args := make([]any, 0, 2*n)
		for i := range n {
			key := part[min(i, len(part)-1)]
			args = append(args, key.sender, key.id)
		}
		_, err := collect(ctx, a.t, func(r scanner) (struct{}, error) {
			var key retry
			var id int64
			err := r.Scan(&key.sender, &key.id, &id)
			a.stored[key] = id
			return struct{}{}, err
		}, retriesQuery(n), args...)
		if err != nil {
			return err
		}
	}
	return nil
}

func retriesQuery(n int) string {
	return `SELECT x.sender_id, x.client_msg_id, x.id
	FROM (SELECT ? AS sender, ? AS client` + repeat("", " UNION ALL SELECT ?, ?", n) + `) k
	JOIN messages x ON x.sender_id = k.sender AND x.client_msg_id = k.client`
}

// decide answers for message i, or numbers it.
func (a *appending) decide(ctx context.Context, i int) error {
	n := &a.batch[i]
	key := retry{n.SenderID, n.ClientMsgID}
	if n.ClientMsgID != "" {
		if id, ok := a.stored[key]; ok {
			m, err := one(ctx, a.t, scanMessage, messageByID, id)
			a.results[i] = chat.Appended{Message: m, Duplicate: true}
			return err
		}
		if original, ok := a.first[key]; ok {
			a.copy(i, original)
			return nil
		}
	}
	if !a.may[place{n.ConversationID, n.SenderID}] {
		a.results[i].Err = chat.ErrNotFound
		return nil
	}
	if n.ClientMsgID != "" && len(a.batch) > 1 {
		if a.first == nil {
			a.first = make(map[retry]int)
		}
		a.first[key] = i
	}
	a.store = append(a.store, i)
	a.results[i].Message = a.rooms[n.ConversationID].next(n)
	return nil
}

func (a *appending) copy(i, original int) {
	if a.copies == nil {
		a.copies = make(map[int]int)
	}
	a.copies[i] = original
}

// next makes n the room's next message.
func (x *room) next(n *chat.NewMessage) chat.Message {
	x.added++
	at := timeOf(micros(n.CreatedAt))
	m := chat.Message{
		ConversationID: n.ConversationID, SenderID: n.SenderID, Seq: x.last + x.added,
		Content: n.Content, Type: n.Type, Status: chat.StatusSent, ReplyToID: n.ReplyToID,
		FileID: n.FileID, ClientMsgID: n.ClientMsgID, CreatedAt: at, UpdatedAt: at,
	}
	address(&m, x.kind, x.pair-n.SenderID)
	return m
}

// insert stores the numbered messages and gives them their ids.
func (a *appending) insert(ctx context.Context) error {
	for rest := a.store; len(rest) > 0; {
		part := rest[:piece(len(rest))]
		rest = rest[len(part):]
		args := make([]any, 0, 10*len(part))
		for _, i := range part {
			m := &a.results[i].Message
			at := micros(m.CreatedAt)
			args = append(args, m.ConversationID, m.Seq, m.SenderID, m.Content, string(m.Type), m.ReplyToID,
				orNull(m.FileID), orNull(m.ClientMsgID), at, at)
		}
		r, err := exec(ctx, a.t, insertQuery(len(part)), args...)
		if err != nil {
			return err
		}
		id, err := a.s.dialect.firstID(r, len(part))
		if err != nil {
			return err
		}
		for k, i := range part {
			a.results[i].Message.ID = id + int64(k)
		}
	}
	return nil
}

func insertQuery(n int) string {
	return `INSERT INTO messages (conversation_id, seq, sender_id, content, type, reply_to_id, file_id, client_msg_id, created_at, updated_at)
	VALUES ` + repeat("(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", ", ", n)
}

// raise writes how far each conversation has come.
func (a *appending) raise(ctx context.Context) error {
	for id, x := range a.rooms {
		if x.added == 0 {
			continue
		}
		if _, err := exec(ctx, a.t, `UPDATE conversations SET last_seq = ? WHERE id = ?`, x.last+x.added, id); err != nil {
			return err
		}
	}
	return nil
}
