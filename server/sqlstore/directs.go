package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/onemeter/onemeter/server/chat"
)

const findDirect = `SELECT id FROM conversations WHERE pair_low = ? AND pair_high = ?`

// FindDirect implements chat.ConversationStore.
func (s *Store) FindDirect(ctx context.Context, pair chat.Pair) (int64, error) {
	id, err := one(ctx, s.read, scanID, findDirect, pair.Low, pair.High)
	return id, s.fail(ctx, "find direct", err)
}

// EnsureDirect implements chat.ConversationStore.
func (s *Store) EnsureDirect(ctx context.Context, o chat.Opening) (chat.Opened, error) {
	var opened chat.Opened
	err := s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		opened = chat.Opened{}
		if err := s.lockPair(ctx, t, o.From, o.To); err != nil {
			return err
		}
		if err := unlessBlocked(ctx, t, o.From, o.To); err != nil {
			return err
		}
		isNew, err := s.makeDirect(ctx, t, o, &opened)
		if err != nil || o.From == o.To {
			return err
		}
		if err := s.openWriter(ctx, t, o, &opened); err != nil {
			return err
		}
		return s.openReader(ctx, t, o, isNew, &opened)
	})
	return opened, s.fail(ctx, "ensure direct", err)
}

// makeDirect creates the conversation if it does not exist.
func (s *Store) makeDirect(ctx context.Context, t querier, o chat.Opening, opened *chat.Opened) (isNew bool, err error) {
	pair := chat.PairOf(o.From, o.To)
	opened.ConversationID, err = one(ctx, t, scanID, findDirect+s.dialect.forUpdate, pair.Low, pair.High)
	if !errors.Is(err, sql.ErrNoRows) {
		return false, err
	}
	r, err := exec(ctx, t, `INSERT INTO conversations (kind, title, owner_id, pair_low, pair_high, created_at)
		VALUES (?, '', 0, ?, ?, ?)`, string(chat.Direct), pair.Low, pair.High, micros(o.At))
	if err != nil {
		return false, err
	}
	if opened.ConversationID, err = r.LastInsertId(); err != nil {
		return false, err
	}
	return true, s.insertMembers(ctx, t, opened.ConversationID, []int64{pair.Low, pair.High}, 0, o.At)
}

// openWriter opens the conversation for the writer. Writing accepts a request of the
// other user.
func (s *Store) openWriter(ctx context.Context, t querier, o chat.Opening, opened *chat.Opened) error {
	mine := chat.Request{UserID: o.From, FromID: o.To, Kind: chat.RequestMessage, ChatID: opened.ConversationID}
	r, state, err := requestBetween(ctx, t, mine)
	if errors.Is(err, sql.ErrNoRows) {
		return openFor(ctx, t, opened.ConversationID, o.From)
	}
	if err != nil {
		return err
	}
	if state == requestWaits {
		opened.Accepted = &r
	}
	return s.befriend(ctx, t, o.From, o.To, o.At)
}

// openReader opens the conversation for the reader, or stores a request to the reader.
func (s *Store) openReader(ctx context.Context, t querier, o chat.Opening, isNew bool, opened *chat.Opened) error {
	theirs := chat.Request{UserID: o.To, FromID: o.From, Kind: chat.RequestMessage, ChatID: opened.ConversationID, CreatedAt: o.At}
	_, state, err := requestBetween(ctx, t, theirs)
	if err == nil { // a request is pending or declined
		if state == requestDeclined {
			err = chat.ErrDeclined
		}
		return err
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	var closed, added bool
	err = row(ctx, t, `SELECT m.closed, EXISTS (SELECT 1 FROM friends f WHERE f.user_id = m.user_id AND f.friend_id = ?)
		FROM members m WHERE m.conversation_id = ? AND m.user_id = ?`, []any{o.From, opened.ConversationID, o.To}, &closed, &added)
	if err != nil || !isNew && !closed {
		return err
	}
	if !o.Ask || added {
		return openFor(ctx, t, opened.ConversationID, o.To)
	}
	if err := insertRequest(ctx, t, &theirs, o.Limit); err != nil {
		return err
	}
	opened.Asked = &theirs
	_, err = exec(ctx, t, `UPDATE members SET state = ?, closed = 0 WHERE conversation_id = ? AND user_id = ?`,
		stateAsked, opened.ConversationID, o.To)
	return err
}
