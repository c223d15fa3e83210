package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// Befriend implements chat.RelationStore. It returns ErrNotFound if one of the users has
// no account.
func (s *Store) Befriend(ctx context.Context, userID, friendID int64, at time.Time) error {
	err := s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		if err := s.lockPair(ctx, t, userID, friendID); err != nil {
			return err
		}
		if err := unlessBlocked(ctx, t, userID, friendID); err != nil {
			return err
		}
		return s.befriend(ctx, t, userID, friendID, at)
	})
	return s.fail(ctx, "befriend", err)
}

// Unfriend implements chat.RelationStore.
func (s *Store) Unfriend(ctx context.Context, userID, friendID int64) error {
	err := s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		if err := s.lockPair(ctx, t, userID, friendID); err != nil {
			return err
		}
		if err := changed(unfriend(ctx, t, userID, friendID)); err != nil {
			return err
		}
		return s.closeDirect(ctx, t, userID, friendID)
	})
	return s.fail(ctx, "unfriend", err)
}

func unfriend(ctx context.Context, t querier, a, b int64) (sql.Result, error) {
	return exec(ctx, t, `DELETE FROM friends WHERE (user_id = ? AND friend_id = ?) OR (user_id = ? AND friend_id = ?)`, a, b, b, a)
}

// Block implements chat.RelationStore.
func (s *Store) Block(ctx context.Context, userID, otherID int64, limit int, at time.Time) error {
	err := s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		if err := s.lockPair(ctx, t, userID, otherID); err != nil {
			return err
		}
		var there bool
		var count int
		err := row(ctx, t, `SELECT EXISTS (SELECT 1 FROM blocks WHERE user_id = ? AND blocked_id = ?),
			(SELECT COUNT(*) FROM blocks WHERE user_id = ?)`, []any{userID, otherID, userID}, &there, &count)
		if err != nil || there {
			return err
		}
		if count >= limit {
			return chat.ErrConflict
		}
		_, err = exec(ctx, t, `INSERT INTO blocks (user_id, blocked_id, created_at) VALUES (?, ?, ?)`, userID, otherID, micros(at))
		if err != nil {
			return err
		}
		if _, err := unfriend(ctx, t, userID, otherID); err != nil {
			return err
		}
		err = dropRequests(ctx, t, userID, otherID, chat.RequestMessage, chat.RequestGroup, chat.RequestCall)
		if err != nil {
			return err
		}
		if err := s.closeDirect(ctx, t, userID, otherID); err != nil {
			return err
		}
		return s.setStanding(ctx, t, userID, otherID)
	})
	return s.fail(ctx, "block", err)
}

// Unblock implements chat.RelationStore.
func (s *Store) Unblock(ctx context.Context, userID, otherID int64) error {
	err := s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		if err := s.lockPair(ctx, t, userID, otherID); err != nil {
			return err
		}
		err := changed(exec(ctx, t, `DELETE FROM blocks WHERE user_id = ? AND blocked_id = ?`, userID, otherID))
		if err != nil {
			return err
		}
		return s.setStanding(ctx, t, userID, otherID)
	})
	return s.fail(ctx, "unblock", err)
}

// lockPair serializes the changes between two users, including the creation of their
// conversation. It returns ErrNoRows if one of them has no account.
func (s *Store) lockPair(ctx context.Context, t querier, a, b int64) error {
	ids, err := collect(ctx, t, scanID, `SELECT id FROM users `+s.dialect.byID+` WHERE id IN (?, ?) AND deleted_at = 0 ORDER BY id`+s.dialect.forUpdate, a, b)
	if err == nil && (len(ids) == 0 || len(ids) == 1 && a != b) {
		err = sql.ErrNoRows
	}
	return err
}

const blockedEitherWay = `EXISTS (SELECT 1 FROM blocks WHERE user_id = ? AND blocked_id = ?)
	OR EXISTS (SELECT 1 FROM blocks WHERE user_id = ? AND blocked_id = ?)`

// unlessBlocked returns ErrBlocked if one of two users has blocked the other.
func unlessBlocked(ctx context.Context, t querier, a, b int64) error {
	var blocked bool
	err := row(ctx, t, `SELECT `+blockedEitherWay, []any{a, b, b, a}, &blocked)
	if err == nil && blocked {
		err = chat.ErrBlocked
	}
	return err
}

// setStanding stores in the members of two users' conversation, if it exists, whether
// they may write. Append checks it there.
func (s *Store) setStanding(ctx context.Context, t querier, a, b int64) error {
	pair := chat.PairOf(a, b)
	id, err := one(ctx, t, scanID, findDirect+s.dialect.forUpdate, pair.Low, pair.High)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	var blocked bool
	switch err := unlessBlocked(ctx, t, a, b); {
	case errors.Is(err, chat.ErrBlocked):
		blocked = true
	case err != nil:
		return err
	}
	for _, who := range [][2]int64{{a, b}, {b, a}} {
		_, err := exec(ctx, t, `UPDATE members SET muted = CASE WHEN ? OR EXISTS (SELECT 1 FROM requests r
				WHERE r.user_id = ? AND r.from_id = ? AND r.kind = ? AND r.conversation_id = ? AND r.state = ?) THEN 1 ELSE 0 END
			WHERE conversation_id = ? AND user_id = ?`,
			blocked, who[1], who[0], string(chat.RequestMessage), id, requestDeclined, id, who[0])
		if err != nil {
			return err
		}
	}
	return nil
}

// closeDirect makes EnsureDirect treat the next message of each of two users as a first
// one.
func (s *Store) closeDirect(ctx context.Context, t querier, a, b int64) error {
	pair := chat.PairOf(a, b)
	id, err := one(ctx, t, scanID, findDirect+s.dialect.forUpdate, pair.Low, pair.High)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		_, err = exec(ctx, t, `UPDATE members SET closed = 1 WHERE conversation_id = ?`, id)
	}
	return err
}

// Relation implements chat.RelationStore.
func (s *Store) Relation(ctx context.Context, userID, otherID int64) (chat.Relation, error) {
	var r chat.Relation
	there, back := []any{userID, otherID}, []any{otherID, userID}
	var args []any
	for _, pair := range [][]any{there, back, there, back, there} {
		args = append(args, pair...)
	}
	err := row(ctx, s.read, relationQuery, args, &r.Added, &r.AddedBy, &r.Blocked, &r.BlockedBy, &r.Together)
	return r, s.fail(ctx, "relation", err)
}

const relationQuery = `SELECT EXISTS (SELECT 1 FROM friends WHERE user_id = ? AND friend_id = ?),
	EXISTS (SELECT 1 FROM friends WHERE user_id = ? AND friend_id = ?),
	EXISTS (SELECT 1 FROM blocks WHERE user_id = ? AND blocked_id = ?),
	EXISTS (SELECT 1 FROM blocks WHERE user_id = ? AND blocked_id = ?),
	EXISTS (SELECT 1 FROM members m JOIN members n ON n.conversation_id = m.conversation_id
	        WHERE m.user_id = ? AND m.state = 0 AND n.user_id = ? AND n.state = 0)`

// Friends implements chat.RelationStore.
func (s *Store) Friends(ctx context.Context, userID int64, limit, offset int) ([]chat.User, error) {
	users, err := collect(ctx, s.read, scanUser, `SELECT `+userColumns+`
		FROM (SELECT friend_id AS id FROM friends WHERE user_id = ?
		      UNION SELECT user_id FROM friends WHERE friend_id = ?) f
		JOIN users u ON u.id = f.id ORDER BY u.id LIMIT ? OFFSET ?`, userID, userID, limit, offset)
	return users, s.fail(ctx, "friends", err)
}

// FriendsAfter implements chat.RelationStore.
func (s *Store) FriendsAfter(ctx context.Context, userID, after int64, limit int) ([]chat.User, error) {
	users, err := collect(ctx, s.read, scanUser, `SELECT `+userColumns+`
		FROM (SELECT friend_id AS id FROM friends WHERE user_id = ? AND friend_id > ?
		      UNION SELECT user_id FROM friends WHERE friend_id = ? AND user_id > ?) f
		JOIN users u ON u.id = f.id ORDER BY u.id LIMIT ?`, userID, after, userID, after, limit)
	return users, s.fail(ctx, "friends after", err)
}

// Blocked implements chat.RelationStore.
func (s *Store) Blocked(ctx context.Context, userID int64, limit, offset int) ([]chat.User, error) {
	users, err := collect(ctx, s.read, scanUser, `SELECT `+userColumns+`
		FROM (SELECT blocked_id AS id FROM blocks WHERE user_id = ? ORDER BY blocked_id LIMIT ? OFFSET ?) f
		JOIN users u ON u.id = f.id ORDER BY u.id`, userID, limit, offset)
	return users, s.fail(ctx, "blocked", err)
}

// Blocks implements chat.RelationStore.
func (s *Store) Blocks(ctx context.Context, userID int64) (b chat.Blocks, err error) {
	b.Of, err = collect(ctx, s.read, scanID, `SELECT blocked_id FROM blocks WHERE user_id = ? ORDER BY blocked_id`, userID)
	if err == nil {
		b.By, err = collect(ctx, s.read, scanID, `SELECT user_id FROM blocks WHERE blocked_id = ? ORDER BY user_id`, userID)
	}
	return b, s.fail(ctx, "blocks", err)
}

// AddedBy implements chat.RelationStore.
func (s *Store) AddedBy(ctx context.Context, userID int64, ids []int64) (map[int64]bool, error) {
	added, err := chosen(ctx, s.read, `SELECT user_id FROM friends WHERE friend_id = ? AND user_id`, userID, ids)
	return added, s.fail(ctx, "added by", err)
}
