package sqlstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// appendTries bounds how often Append starts again because a message turns out to be
// stored already, or because a commit was not answered and did not happen.
const appendTries = 3

// Append implements chat.MessageStore. It does not look for duplicates first. If the
// unique index finds one, it starts again, and then looks for them.
//
// If the answer to a commit is lost, Append finds out whether the batch was stored,
// as long as ctx lasts. If it cannot find out, it returns an error although the batch
// may be stored. The same batch with the same ClientMsgIDs is not stored twice.
func (s *Store) Append(ctx context.Context, batch []chat.NewMessage) ([]chat.Appended, error) {
	if len(batch) == 0 {
		return nil, nil
	}
	look := false
	var unanswered error
	if p, ok := s.write.(*remotePool); ok && fitsOneTrip(batch) {
		results, done, err := s.appendInOneTrip(ctx, p, batch)
		if results != nil {
			return results, nil
		}
		if done {
			return nil, s.fail(ctx, "append", err)
		}
		look, unanswered = true, err // there may be a duplicate
	}
	var err error
	maybe := unanswered != nil
	for range appendTries {
		var a *appending
		err = s.write.inTx(ctx, func(ctx context.Context, t querier) error {
			a = &appending{s: s, t: t, batch: batch, results: make([]chat.Appended, len(batch)), look: look, maybe: maybe}
			return a.run(ctx)
		})
		again := err != nil && s.dialect.classify(err) == failDuplicate
		if _, unknown := errors.AsType[*unknownError](err); unknown && ctx.Err() == nil {
			maybe = true
			again, err = a.findOut(ctx, err)
		}
		if err == nil {
			return a.results, nil
		}
		if !again {
			break
		}
		look = true
	}
	if unanswered != nil { // it may still reach the database
		err = errors.Join(err, unanswered)
	}
	return nil, s.fail(ctx, "append", err)
}

// findOut finds out whether a commit that failed with err happened. If it did, the
// error is nil. again reports whether to start again.
func (a *appending) findOut(ctx context.Context, err error) (again bool, _ error) {
	if len(a.store) == 0 {
		return false, nil // there was nothing to store
	}
	m := a.results[a.store[0]].Message
	found, looked := a.s.findOut(ctx, m.ConversationID, messageByID, m.ID)
	switch {
	case looked != nil:
		return false, fmt.Errorf("%w, and then: %w", err, looked)
	case len(found) == 1 && found[0].Seq == m.Seq && sameSend(found[0], m):
		return false, nil
	}
	return true, err
}

// findOutWithin is how long findOut tries.
const findOutWithin = 700 * time.Millisecond

// findOut runs a query for messages that a transaction may have stored, although its commit
// was not answered. If the database has got the transaction, which locks a conversation, it
// waits until that has ended.
func (s *Store) findOut(ctx context.Context, locked int64, query string, args ...any) (found []chat.Message, _ error) {
	ctx, cancel := context.WithTimeout(ctx, findOutWithin)
	defer cancel()
	err := s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		_, err := one(ctx, t, scanID, `SELECT id FROM conversations WHERE id = ?`+s.dialect.forUpdate, locked)
		if err == nil {
			found, err = collect(ctx, t, scanMessage, query, args...)
		}
		return err
	})
	return found, err
}

// sameSend reports whether stored is m as it was to be stored, and not another message with
// the same ClientMsgID.
func sameSend(stored, m chat.Message) bool {
	return stored.ConversationID == m.ConversationID && stored.SenderID == m.SenderID &&
		stored.ClientMsgID == m.ClientMsgID && stored.CreatedAt.Equal(m.CreatedAt)
}

// appending is one transaction of Append.
type appending struct {
	s       *Store
	t       querier
	batch   []chat.NewMessage
	results []chat.Appended
	look    bool // look for duplicates of every message
	maybe   bool // an earlier transaction, which was not answered, may store them after all

	conversations map[int64]*lockedConversation

	step   int64          // between ids of one INSERT
	may    map[place]bool // who may write where
	files  map[int64]bool // files of messages that exist
	stored map[retry]chat.Message
	first  map[retry]int // of messages to be stored that have a ClientMsgID
	store  []int         // which of the batch are stored
	copies map[int]int   // which are the same as an earlier one of the batch
}

// A place is a user in a conversation.
type place struct{ conversation, user int64 }

// A retry identifies a message that is sent again.
type retry struct {
	sender int64
	id     string
}

// A lockedConversation is the state of a conversation during Append.
type lockedConversation struct {
	id    int64
	kind  chat.ConversationKind
	pair  int64 // sum of both users
	added int64
	last  int64
}

func (a *appending) run(ctx context.Context) error {
	if err := a.lockConversations(ctx); err != nil {
		return err
	}
	if err := a.findStored(ctx); err != nil {
		return err
	}
	for i := range a.batch {
		a.decide(i)
	}
	// Before the INSERT, because its answer, with the ids, must be awaited.
	if err := a.raise(ctx); err != nil {
		return err
	}
	if err := a.insert(ctx); err != nil {
		return err
	}
	for i, original := range a.copies {
		a.results[i] = chat.Appended{Message: a.results[original].Message, Duplicate: true}
	}
	return nil
}

// lockConversations locks the conversations, and finds out which of the senders may
// write there.
func (a *appending) lockConversations(ctx context.Context) error {
	a.conversations, a.may = make(map[int64]*lockedConversation), make(map[place]bool)
	asked := make([]place, 0, len(a.batch))
	for _, m := range a.batch {
		p := place{m.ConversationID, m.SenderID}
		if _, ok := a.may[p]; !ok {
			a.may[p] = false
			asked = append(asked, p)
		}
	}
	// Always in the same order, so that two nodes cannot deadlock.
	slices.SortFunc(asked, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.conversation, b.conversation), cmp.Compare(a.user, b.user))
	})
	for part := range slices.Chunk(asked, lists) {
		if err := a.lock(ctx, part); err != nil {
			return err
		}
	}
	return a.holdFiles(ctx)
}

// holdFiles locks the files of messages, so that they cannot be deleted before the
// messages are stored.
func (a *appending) holdFiles(ctx context.Context) error {
	var ids []int64
	for _, m := range a.batch {
		if m.FileID != 0 {
			ids = append(ids, m.FileID)
		}
	}
	slices.Sort(ids)
	a.files = make(map[int64]bool)
	for part := range slices.Chunk(slices.Compact(ids), lists) {
		in, args := inList(part, nil)
		there, err := collect(ctx, a.t, scanID, `SELECT id FROM files WHERE id IN (`+in+`) AND deleted = 0 ORDER BY id`+a.s.dialect.forShare, args...)
		if err != nil {
			return err
		}
		for _, id := range there {
			a.files[id] = true
		}
	}
	return nil
}

func (a *appending) lock(ctx context.Context, places []place) error {
	n := padded(len(places))
	args := make([]any, 0, 2*n)
	for i := range n {
		p := places[min(i, len(places)-1)]
		args = append(args, p.conversation, p.user)
	}
	_, err := collect(ctx, a.t, func(r scanner) (struct{}, error) {
		var c lockedConversation
		p := place{}
		err := r.Scan(&c.id, &p.user, &c.kind, &c.pair, &c.last, &a.step)
		p.conversation = c.id
		a.conversations[c.id], a.may[p] = &c, true
		return struct{}{}, err
	}, a.s.dialect.lockQuery(n), args...)
	return err
}

// lockQuery returns the statement that locks conversations for n pairs of conversation
// and sender.
func (d *dialect) lockQuery(n int) string {
	columns := `SELECT c.id, m.user_id, c.kind, COALESCE(c.pair_low + c.pair_high, 0), c.last_seq, ` + d.step
	if n == 1 { // without a table of keys, which would double the cost
		return columns + `
	FROM conversations c ` + d.inOrder + ` members m ON m.conversation_id = c.id
	WHERE c.id = ? AND m.user_id = ? AND m.state = 0 AND m.muted = 0` + d.forUpdate
	}
	return columns + `
	FROM (SELECT ? AS conversation, ? AS sender` + repeat("", " UNION ALL SELECT ?, ?", n) + `) k
	` + d.inOrder + ` conversations c ON c.id = k.conversation
	` + d.inOrder + ` members m ON m.conversation_id = k.conversation AND m.user_id = k.sender
	WHERE m.state = 0 AND m.muted = 0` + d.forUpdate
}

// findStored looks for messages that are stored already: all with a ClientMsgID if
// a.look is set, otherwise only those that will be refused.
func (a *appending) findStored(ctx context.Context) error {
	var keys []retry
	for _, m := range a.batch {
		if m.ClientMsgID != "" && (a.look || !a.may[place{m.ConversationID, m.SenderID}]) {
			keys = append(keys, retry{m.SenderID, m.ClientMsgID})
		}
	}
	if len(keys) == 0 {
		return nil
	}
	a.stored = make(map[retry]chat.Message)
	for part := range slices.Chunk(keys, lists) {
		n := padded(len(part))
		args := make([]any, 0, 2*n)
		for i := range n {
			key := part[min(i, len(part)-1)]
			args = append(args, key.sender, key.id)
		}
		found, err := collect(ctx, a.t, scanMessage, retriesQuery(n), args...)
		if err != nil {
			return err
		}
		for _, m := range found {
			a.stored[retry{m.SenderID, m.ClientMsgID}] = m
		}
	}
	return nil
}

func retriesQuery(n int) string {
	return `SELECT ` + messageColumns + `
	FROM (SELECT ? AS sender, ? AS client` + repeat("", " UNION ALL SELECT ?, ?", n) + `) k
	JOIN messages x ON x.sender_id = k.sender AND x.client_msg_id = k.client
	JOIN conversations c ON c.id = x.conversation_id`
}

// decide decides the result of message i, or gives it a seq.
func (a *appending) decide(i int) {
	n := &a.batch[i]
	key := retry{n.SenderID, n.ClientMsgID}
	if n.ClientMsgID != "" {
		if m, ok := a.stored[key]; ok {
			a.results[i] = chat.Appended{Message: m, Duplicate: !a.maybe || !sameSend(m, messageOf(n))}
			return
		}
		if original, ok := a.first[key]; ok {
			a.copy(i, original)
			return
		}
	}
	if !a.may[place{n.ConversationID, n.SenderID}] {
		a.results[i].Err = chat.ErrNotFound
		return
	}
	if n.FileID != 0 && !a.files[n.FileID] {
		a.results[i].Err = chat.ErrNoFile
		return
	}
	if n.ClientMsgID != "" && len(a.batch) > 1 {
		if a.first == nil {
			a.first = make(map[retry]int)
		}
		a.first[key] = i
	}
	a.store = append(a.store, i)
	a.results[i].Message = a.conversations[n.ConversationID].next(n)
}

func (a *appending) copy(i, original int) {
	if a.copies == nil {
		a.copies = make(map[int]int)
	}
	a.copies[i] = original
}

// next makes n the conversation's next message.
func (c *lockedConversation) next(n *chat.NewMessage) chat.Message {
	c.added++
	m := messageOf(n)
	m.Seq = c.last + c.added
	address(&m, c.kind, c.pair-n.SenderID)
	return m
}

// messageOf returns n as it will be stored, without what its conversation adds.
func messageOf(n *chat.NewMessage) chat.Message {
	at := timeOf(micros(n.CreatedAt))
	return chat.Message{
		ConversationID: n.ConversationID, SenderID: n.SenderID,
		Content: n.Content, Type: n.Type, Status: chat.StatusSent, ReplyToID: n.ReplyToID,
		FileID: n.FileID, ClientMsgID: n.ClientMsgID, CreatedAt: at, UpdatedAt: at,
	}
}

// maxInsert bounds the content in one INSERT, in bytes. By default, servers accept
// at least 16 MiB, and quoting at most doubles the size.
const maxInsert = 4 << 20

// insert stores the messages that have a seq, and sets their ids.
func (a *appending) insert(ctx context.Context) error {
	for rest := a.store; len(rest) > 0; {
		part := rest[:a.s.dialect.rows(a.fitting(rest))]
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
		id, err := a.s.dialect.firstID(r, len(part), a.step)
		if err != nil {
			return err
		}
		for k, i := range part {
			a.results[i].Message.ID = id + int64(k)*a.step
		}
	}
	return nil
}

// fitting returns how many of the messages fit into one INSERT, at least one.
func (a *appending) fitting(rest []int) int {
	size := 0
	for k, i := range rest {
		if size += len(a.batch[i].Content); size > maxInsert && k > 0 {
			return k
		}
	}
	return len(rest)
}

func insertQuery(n int) string {
	return `INSERT INTO messages (conversation_id, seq, sender_id, content, type, reply_to_id, file_id, client_msg_id, created_at, updated_at)
	VALUES ` + repeat("(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", ", ", n)
}

// raise stores the last seq of each conversation. One statement changes all
// conversations that grow by the same number of messages, which is nearly all.
func (a *appending) raise(ctx context.Context) error {
	byAdded := make(map[int64][]int64)
	for id, c := range a.conversations {
		if c.added > 0 {
			byAdded[c.added] = append(byAdded[c.added], id)
		}
	}
	for added, ids := range byAdded {
		slices.Sort(ids)
		for part := range slices.Chunk(ids, lists) {
			in, args := inList(part, []any{added})
			err := a.t.execAhead(ctx, `UPDATE conversations `+a.s.dialect.byID+` SET last_seq = last_seq + ? WHERE id IN (`+in+`)`, args...)
			if err != nil {
				return err
			}
		}
	}
	return nil
}
