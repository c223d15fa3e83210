package sqlstore

import (
	"context"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

const messagesBefore = `SELECT ` + messageColumns + ` FROM (SELECT y.id FROM messages y WHERE y.id < ? ORDER BY y.id DESC LIMIT ?) k
	JOIN messages x ON x.id = k.id JOIN conversations c ON c.id = x.conversation_id ORDER BY x.id DESC`

// conversationsOf lists the conversations of a user for a search, as if they had no
// blocks, because blocks do not know the senders of their messages.
const conversationsOf = `SELECT c.id, c.last_seq, 0, 0, 0, l.id, COALESCE(f.id, 0)
	FROM members m JOIN conversations c ON c.id = m.conversation_id
	JOIN messages l ON l.conversation_id = c.id AND l.seq = c.last_seq
	LEFT JOIN messages f ON f.conversation_id = c.id AND f.seq = 1
	WHERE m.user_id = ?`

// oneConversation is conversationsOf for the id of a conversation.
const oneConversation = `SELECT c.id, c.last_seq, 0, 0, 0, l.id, COALESCE(f.id, 0)
	FROM conversations c
	JOIN messages l ON l.conversation_id = c.id AND l.seq = c.last_seq
	LEFT JOIN messages f ON f.conversation_id = c.id AND f.seq = 1
	WHERE c.id = ?`

// AllMessages implements chat.StaffStore. An index of senders would make every insert
// slower. So it searches the conversations of a sender, including those that the
// sender has left.
func (s *Store) AllMessages(ctx context.Context, q chat.ModerationQuery) (chat.Found, error) {
	x := &searching{
		s: s, staff: true, sender: q.SenderID, budget: s.budget, start: time.Now(),
		conversations: make(map[int64]*searchedConversation),

		q: chat.MessageSearch{BeforeID: q.BeforeID, Limit: q.Limit},
	}
	var found chat.Found
	var err error
	switch {
	case q.ConversationID > 0:
		err = x.addConversations(ctx, oneConversation, q.ConversationID)
	case q.SenderID > 0:
		err = x.addConversations(ctx, conversationsOf, q.SenderID)
	default:
		found, err = s.newestOfAnybody(ctx, q)
		return found, s.fail(ctx, "all messages", err)
	}
	if err == nil {
		found, err = x.walk(ctx)
	}
	return found, s.fail(ctx, "all messages", err)
}

func (s *Store) newestOfAnybody(ctx context.Context, q chat.ModerationQuery) (f chat.Found, err error) {
	f.Messages, err = collect(ctx, s.read, scanMessage, messagesBefore, q.BeforeID, q.Limit+1)
	if len(f.Messages) > q.Limit {
		f.Messages = f.Messages[:q.Limit]
		f.Next = f.Messages[q.Limit-1].ID
	}
	return f, err
}

// countRows is how many times more messages are read to count those of a user than to
// fill a page: counting is cheaper.
const countRows = 10

// countChunk is the most messages that one statement counts.
const countChunk = 10_000

// countOf counts the messages of a user. more reports that it gave up before it had
// looked at all of them.
func (s *Store) countOf(ctx context.Context, userID int64) (n int64, more bool, err error) {
	start, rows := time.Now(), countRows*int64(s.budget.rows)
	bookmarks, err := collect(ctx, s.read, func(r scanner) (b bookmark, err error) {
		return b, r.Scan(&b.conversation, &b.read)
	}, `SELECT c.id, c.last_seq FROM members m JOIN conversations c ON c.id = m.conversation_id
		WHERE m.user_id = ? AND c.last_seq > 0 ORDER BY c.id DESC`, userID)
	for err == nil && len(bookmarks) > 0 {
		if rows <= 0 || time.Since(start) > s.budget.within {
			return n, true, nil
		}
		var args []any
		ranges, looked := 0, int64(0)
		for len(bookmarks) > 0 && ranges < maxRows && looked < countChunk {
			b := &bookmarks[0]
			from := max(b.read-countChunk+looked, 0)
			args = append(args, b.conversation, from, b.read)
			ranges, looked = ranges+1, looked+b.read-from
			if b.read = from; from == 0 {
				bookmarks = bookmarks[1:]
			}
		}
		for ; ranges < padded(ranges); ranges++ { // a range of no message
			args = append(args, 0, 0, 0)
		}
		var found int64
		err = row(ctx, s.read, `SELECT COUNT(*) FROM messages x WHERE (`+repeat(`(x.conversation_id = ? AND x.seq > ? AND x.seq <= ?)`, " OR ", ranges)+`)
			AND x.sender_id = ?`, append(args, userID), &found)
		n, rows = n+found, rows-looked
	}
	return n, false, err
}

// Chats implements chat.StaffStore.
func (s *Store) Chats(ctx context.Context, q chat.GroupQuery) ([]chat.Conversation, int64, error) {
	var f filter
	f.add("k.id > 0")
	f.add("k.kind = ?", string(chat.Group))
	f.add(`EXISTS (SELECT 1 FROM members o WHERE o.conversation_id = k.id AND o.state = 0)`)
	if q.Title != "" {
		f.add("k.title >= ? AND k.title < ?", q.Title, q.Title+"\U0010ffff")
	}
	total, err := f.count(ctx, s, "conversations k", q.Count)
	if err != nil {
		return nil, 0, s.fail(ctx, "chats", err)
	}
	chats, err := collect(ctx, s.read, func(r scanner) (chat.Conversation, error) {
		var count int
		c, err := scanConversation(after{r, []any{&count}})
		c.MemberCount = count
		return c, err
	}, `SELECT `+conversationColumns+`, (SELECT COUNT(*) FROM members o WHERE o.conversation_id = c.id AND o.state = 0)
		FROM (SELECT k.id FROM conversations k WHERE `+f.where()+` ORDER BY k.id DESC LIMIT ? OFFSET ?) f
		JOIN conversations c ON c.id = f.id ORDER BY c.id DESC`, append(f.args, q.Limit, q.Offset)...)
	return chats, total, s.fail(ctx, "chats", err)
}
