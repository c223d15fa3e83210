package sqlstore

import (
	"context"

	"github.com/onemeter/onemeter/server/chat"
)

const messagesBefore = `SELECT ` + messageColumns + ` FROM (SELECT y.id FROM messages y WHERE y.id < ? ORDER BY y.id DESC LIMIT ?) k
	JOIN messages x ON x.id = k.id JOIN conversations c ON c.id = x.conversation_id ORDER BY x.id DESC`

const messagesOfChat = `SELECT ` + messageColumns + ` FROM messages x JOIN conversations c ON c.id = x.conversation_id
	WHERE x.conversation_id = ? AND x.id < ? ORDER BY x.seq DESC LIMIT ?`

// messagesOfSender finds them by his conversations, those that he left too.
const messagesOfSender = `SELECT ` + messageColumns + `
	FROM (SELECT y.id FROM members m JOIN messages y ON y.conversation_id = m.conversation_id AND y.sender_id = m.user_id
	      WHERE m.user_id = ? AND y.id < ? ORDER BY y.id DESC LIMIT ?) k
	JOIN messages x ON x.id = k.id JOIN conversations c ON c.id = x.conversation_id ORDER BY x.id DESC`

const messagesOfBoth = `SELECT ` + messageColumns + ` FROM messages x JOIN conversations c ON c.id = x.conversation_id
	WHERE x.conversation_id = ? AND x.sender_id = ? AND x.id < ? ORDER BY x.seq DESC LIMIT ?`

// AllMessages implements chat.StaffStore.
func (s *Store) AllMessages(ctx context.Context, q chat.ModerationQuery) ([]chat.Message, error) {
	query, args := messagesBefore, []any{q.BeforeID, q.Limit}
	switch {
	case q.ConversationID > 0 && q.SenderID > 0:
		query, args = messagesOfBoth, []any{q.ConversationID, q.SenderID, q.BeforeID, q.Limit}
	case q.ConversationID > 0:
		query, args = messagesOfChat, []any{q.ConversationID, q.BeforeID, q.Limit}
	case q.SenderID > 0:
		query, args = messagesOfSender, []any{q.SenderID, q.BeforeID, q.Limit}
	}
	list, err := collect(ctx, s.read, scanMessage, query, args...)
	return list, s.fail(ctx, "all messages", err)
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
	total, err := f.count(ctx, s, "conversations k")
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
