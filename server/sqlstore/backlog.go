package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/onemeter/onemeter/server/chat"
)

// Backlog implements chat.StaffStore. Its statements look at the rows of reports and deletions that wait, and at one
// or two of each other table.
func (s *Store) Backlog(ctx context.Context) (b chat.Backlog, err error) {
	for _, part := range []func(context.Context, *chat.Backlog) error{s.waitingReports, s.waitingDeletions, s.waitingMessages} {
		if err := part(ctx, &b); err != nil {
			return chat.Backlog{}, s.fail(ctx, "backlog", err)
		}
	}
	_, b.FileBytes, err = s.FileBytes(ctx, everybody)
	return b, err
}

func (s *Store) waitingReports(ctx context.Context, b *chat.Backlog) error {
	return s.waiting(ctx, &b.Reports, `SELECT COUNT(*), COALESCE(MIN(k.created_at), 0) FROM reports k WHERE k.pending = 1`)
}

func (s *Store) waitingDeletions(ctx context.Context, b *chat.Backlog) error {
	return s.waiting(ctx, &b.Deletions, `SELECT COUNT(*), COALESCE(MIN(u.deleted_at), 0) FROM leaving k JOIN users u ON u.id = k.user_id`)
}

// waitingMessages counts ids, also those of messages that are gone.
func (s *Store) waitingMessages(ctx context.Context, b *chat.Backlog) error {
	from, err := one(ctx, s.read, scanID, `SELECT message_id FROM search_progress WHERE id = 1`)
	if err != nil {
		return err
	}
	err = s.waiting(ctx, &b.Unindexed, `SELECT f.id - ?, k.created_at
		FROM (SELECT created_at FROM messages WHERE id > ? ORDER BY id LIMIT 1) k, (SELECT MAX(id) AS id FROM messages) f`, from, from)
	if errors.Is(err, sql.ErrNoRows) { // all are indexed
		err = nil
	}
	return err
}

func (s *Store) waiting(ctx context.Context, w *chat.Waiting, query string, args ...any) error {
	var oldest int64
	if err := row(ctx, s.read, query, args, &w.N, &oldest); err != nil {
		return err
	}
	w.Since = timeOf(oldest)
	return nil
}
