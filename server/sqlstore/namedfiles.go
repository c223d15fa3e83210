package sqlstore

import (
	"context"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// NamedFiles returns files that exist and were made before a time, in the order of their ids, and only their id, size and
// key. It begins after the id after.
func (s *Store) NamedFiles(ctx context.Context, after int64, before time.Time, limit int) ([]chat.File, error) {
	files, err := collect(ctx, s.read, func(r scanner) (chat.File, error) {
		var f chat.File
		err := r.Scan(&f.ID, &f.Size, &f.Key)
		return f, err
	}, namedFilesQuery, after, micros(before), limit)
	return files, s.fail(ctx, "named files", err)
}

const namedFilesQuery = `SELECT id, size, blob_key FROM files WHERE id > ? AND deleted = 0 AND created_at < ? ORDER BY id LIMIT ?`
