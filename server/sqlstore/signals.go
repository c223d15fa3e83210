package sqlstore

import (
	"context"
	"time"
)

// A Signal is a message to all nodes from a process that is not a node. It goes through
// the database, because that is all that such a process shares with the nodes.
type Signal struct {
	ID   int64
	Kind string
	Body []byte // JSON
}

// AddSignal stores a signal for every node.
func (s *Store) AddSignal(ctx context.Context, kind string, body []byte, at time.Time) error {
	_, err := exec(ctx, s.write, `INSERT INTO signals (kind, body, created_at) VALUES (?, ?, ?)`, kind, string(body), micros(at))
	return s.fail(ctx, "add signal", err)
}

// Signals returns signals after an id, the oldest first. A signal may be committed
// after another one with a larger id.
func (s *Store) Signals(ctx context.Context, after int64, limit int) ([]Signal, error) {
	list, err := collect(ctx, s.read, func(r scanner) (x Signal, err error) {
		return x, r.Scan(&x.ID, &x.Kind, &x.Body)
	}, `SELECT id, kind, body FROM signals WHERE id > ? ORDER BY id LIMIT ?`, after, limit)
	return list, s.fail(ctx, "signals", err)
}

// DeleteSignals deletes the signals before a time. The caller chooses a time so old
// that every node has seen them.
func (s *Store) DeleteSignals(ctx context.Context, before time.Time) error {
	_, err := exec(ctx, s.write, `DELETE FROM signals WHERE created_at < ?`, micros(before))
	return s.fail(ctx, "delete signals", err)
}
