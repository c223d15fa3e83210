package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// The states of a request.
const (
	requestWaits    = 0
	requestDeclined = 1
)

// Privacy implements chat.RequestStore.
func (s *Store) Privacy(ctx context.Context, userIDs []int64) (map[int64]chat.Privacy, error) {
	all := make(map[int64]chat.Privacy)
	for part := range slices.Chunk(userIDs, lists) {
		in, args := inList(part, nil)
		_, err := collect(ctx, s.read, func(r scanner) (struct{}, error) {
			var id int64
			var p chat.Privacy
			err := r.Scan(&id, &p.Messages, &p.Groups, &p.Calls)
			all[id] = p
			return struct{}{}, err
		}, `SELECT user_id, messages_from, groups_from, calls_from FROM privacy WHERE user_id IN (`+in+`)`, args...)
		if err != nil {
			return nil, s.fail(ctx, "privacy", err)
		}
	}
	return all, nil
}

// SetPrivacy implements chat.RequestStore.
func (s *Store) SetPrivacy(ctx context.Context, userID int64, p chat.PrivacyChange) error {
	err := s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		_, err := exec(ctx, t, `INSERT INTO privacy (user_id, messages_from, groups_from, calls_from) VALUES (?, '', '', '')`+
			s.dialect.keepOld("user_id"), userID)
		if err != nil {
			return err
		}
		_, err = exec(ctx, t, `UPDATE privacy SET messages_from = COALESCE(?, messages_from), groups_from = COALESCE(?, groups_from),
			calls_from = COALESCE(?, calls_from) WHERE user_id = ?`, word(p.Messages), word(p.Groups), word(p.Calls), userID)
		return err
	})
	return s.fail(ctx, "set privacy", err)
}

// word returns the text of an audience, or NULL if there is none.
func word(a *chat.Audience) any {
	if a == nil {
		return nil
	}
	return string(*a)
}

// Ask implements chat.RequestStore.
func (s *Store) Ask(ctx context.Context, r chat.Request, limit int) (chat.Request, bool, error) {
	made := false
	err := s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		if err := s.lockPair(ctx, t, r.UserID, r.FromID); err != nil {
			return err
		}
		if err := unlessBlocked(ctx, t, r.UserID, r.FromID); err != nil {
			return err
		}
		if r.Kind == chat.RequestGroup {
			_, err := one(ctx, t, scanID, `SELECT user_id FROM members WHERE conversation_id = ? AND user_id = ? AND state = 0`, r.ChatID, r.FromID)
			if err != nil {
				return err
			}
		}
		before, state, err := requestBetween(ctx, t, r)
		if made = errors.Is(err, sql.ErrNoRows); made {
			return insertRequest(ctx, t, &r, limit)
		}
		r = before
		if err == nil && state == requestDeclined {
			err = chat.ErrDeclined
		}
		return err
	})
	return r, made, s.fail(ctx, "ask", err)
}

// requestBetween returns the stored request of the same kind between the same users as
// r, and its state.
func requestBetween(ctx context.Context, t querier, r chat.Request) (chat.Request, int, error) {
	var state int
	found, err := one(ctx, t, func(row scanner) (chat.Request, error) { return scanRequest(after{row, []any{&state}}) },
		`SELECT `+requestColumns+`, r.state FROM requests r WHERE r.user_id = ? AND r.from_id = ? AND r.kind = ? AND r.conversation_id = ?`,
		r.UserID, r.FromID, string(r.Kind), r.ChatID)
	return found, state, err
}

// insertRequest stores a request. It returns ErrConflict if limit requests to the user
// are pending already.
func insertRequest(ctx context.Context, t querier, r *chat.Request, limit int) error {
	var waiting int
	err := row(ctx, t, `SELECT COUNT(*) FROM requests WHERE user_id = ? AND state = ?`, []any{r.UserID, requestWaits}, &waiting)
	if err != nil {
		return err
	}
	if limit > 0 && waiting >= limit {
		return chat.ErrConflict
	}
	result, err := exec(ctx, t, `INSERT INTO requests (user_id, from_id, kind, conversation_id, state, created_at) VALUES (?, ?, ?, ?, ?, ?)`,
		r.UserID, r.FromID, string(r.Kind), r.ChatID, requestWaits, micros(r.CreatedAt))
	if err != nil {
		return err
	}
	r.CreatedAt = timeOf(micros(r.CreatedAt))
	r.ID, err = result.LastInsertId()
	return err
}

const requestColumns = `r.id, r.user_id, r.from_id, r.kind, r.conversation_id, r.created_at`

func scanRequest(row scanner) (r chat.Request, err error) {
	var created int64
	err = row.Scan(&r.ID, &r.UserID, &r.FromID, &r.Kind, &r.ChatID, &created)
	r.CreatedAt = timeOf(created)
	return r, err
}

// Requests implements chat.RequestStore.
func (s *Store) Requests(ctx context.Context, userID int64, limit, offset int) ([]chat.Request, error) {
	list, err := collect(ctx, s.read, scanRequest, `SELECT `+requestColumns+` FROM requests r
		WHERE r.user_id = ? AND r.state = ? ORDER BY r.id DESC LIMIT ? OFFSET ?`, userID, requestWaits, limit, offset)
	if err != nil {
		return nil, s.fail(ctx, "requests", err)
	}
	var conversationIDs []int64
	for _, r := range list {
		if r.Kind == chat.RequestMessage {
			conversationIDs = append(conversationIDs, r.ChatID)
		}
	}
	last := make(map[int64]chat.Message)
	for part := range slices.Chunk(conversationIDs, lists) {
		in, args := inList(part, nil)
		messages, err := collect(ctx, s.read, scanMessage, `SELECT `+messageColumns+` FROM conversations c
			JOIN messages x ON x.conversation_id = c.id AND x.seq = c.last_seq WHERE c.id IN (`+in+`)`, args...)
		if err != nil {
			return nil, s.fail(ctx, "requests", err)
		}
		for _, m := range messages {
			last[m.ConversationID] = m
		}
	}
	for i, r := range list {
		if m, ok := last[r.ChatID]; ok && r.Kind == chat.RequestMessage {
			list[i].Message = &m
		}
	}
	return list, nil
}

// Request implements chat.RequestStore.
func (s *Store) Request(ctx context.Context, userID, id int64) (chat.Request, error) {
	r, err := one(ctx, s.read, scanRequest, `SELECT `+requestColumns+` FROM requests r WHERE r.id = ? AND r.user_id = ? AND r.state = ?`,
		id, userID, requestWaits)
	return r, s.fail(ctx, "request", err)
}

// AcceptRequest implements chat.RequestStore.
func (s *Store) AcceptRequest(ctx context.Context, r chat.Request, at time.Time) error {
	err := s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		if err := s.lockPair(ctx, t, r.UserID, r.FromID); err != nil {
			return err
		}
		if err := takeRequest(ctx, t, r.UserID, r.ID); err != nil {
			return err
		}
		return s.befriend(ctx, t, r.UserID, r.FromID, at)
	})
	return s.fail(ctx, "accept request", err)
}

// takeRequest settles a request. Only one caller can; the others get ErrNoRows.
func takeRequest(ctx context.Context, t querier, userID, id int64) error {
	return changed(exec(ctx, t, `DELETE FROM requests WHERE id = ? AND user_id = ? AND state = ?`, id, userID, requestWaits))
}

// DeclineRequest implements chat.RequestStore.
func (s *Store) DeclineRequest(ctx context.Context, r chat.Request) error {
	err := s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		if err := s.lockPair(ctx, t, r.UserID, r.FromID); err != nil {
			return err
		}
		err := changed(exec(ctx, t, `UPDATE requests SET state = ? WHERE id = ? AND user_id = ? AND state = ?`,
			requestDeclined, r.ID, r.UserID, requestWaits))
		if err != nil {
			return err
		}
		return s.setStanding(ctx, t, r.UserID, r.FromID)
	})
	return s.fail(ctx, "decline request", err)
}

// befriend stores that a user added another one, and accepts the other's requests.
func (s *Store) befriend(ctx context.Context, t querier, userID, friendID int64, at time.Time) error {
	_, err := exec(ctx, t, `INSERT INTO friends (user_id, friend_id, created_at) VALUES (?, ?, ?)`+s.dialect.keepOld("user_id"),
		userID, friendID, micros(at))
	if err != nil {
		return err
	}
	if err := dropRequests(ctx, t, userID, friendID, chat.RequestMessage, chat.RequestCall); err != nil {
		return err
	}
	pair := chat.PairOf(userID, friendID)
	id, err := one(ctx, t, scanID, findDirect+s.dialect.forUpdate, pair.Low, pair.High)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		err = openFor(ctx, t, id, userID)
	}
	if err == nil {
		err = s.setStanding(ctx, t, userID, friendID)
	}
	return err
}

// dropRequests deletes the requests of from to a user, including declined ones.
func dropRequests(ctx context.Context, t querier, userID, from int64, kinds ...chat.RequestKind) error {
	for _, kind := range kinds {
		_, err := exec(ctx, t, `DELETE FROM requests WHERE user_id = ? AND from_id = ? AND kind = ?`, userID, from, string(kind))
		if err != nil {
			return err
		}
	}
	return nil
}

// openFor makes a user a member of a direct conversation, whether or not there was a
// request.
func openFor(ctx context.Context, t querier, conversationID, userID int64) error {
	_, err := exec(ctx, t, `UPDATE members SET state = ?, closed = 0 WHERE conversation_id = ? AND user_id = ?`, stateIn, conversationID, userID)
	return err
}
