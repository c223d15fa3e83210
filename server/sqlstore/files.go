package sqlstore

import (
	"context"

	"github.com/onemeter/onemeter/server/chat"
)

// CreateFile implements chat.FileStore.
func (s *Store) CreateFile(ctx context.Context, f chat.File) (chat.File, error) {
	r, err := exec(ctx, s.write, `INSERT INTO files (owner_id, name, size, content_type, sha256, blob_key, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?)`, f.OwnerID, f.Name, f.Size, f.ContentType, f.SHA256, f.Key, micros(f.CreatedAt))
	if err == nil {
		f.ID, err = r.LastInsertId()
	}
	if err != nil {
		return chat.File{}, s.fail(ctx, "create file", err)
	}
	f.CreatedAt = timeOf(micros(f.CreatedAt))
	return f, nil
}

// File implements chat.FileStore.
func (s *Store) File(ctx context.Context, id int64) (chat.File, error) {
	f := chat.File{ID: id}
	var created int64
	err := row(ctx, s.read, `SELECT owner_id, name, size, content_type, sha256, blob_key, created_at FROM files WHERE id = ?`,
		[]any{id}, &f.OwnerID, &f.Name, &f.Size, &f.ContentType, &f.SHA256, &f.Key, &created)
	if err != nil {
		return chat.File{}, s.fail(ctx, "file", err)
	}
	f.CreatedAt = timeOf(created)
	return f, nil
}

// MayRead implements chat.FileStore. Nobody may read a file that is not there.
func (s *Store) MayRead(ctx context.Context, fileID, userID int64) (bool, error) {
	var may bool
	err := row(ctx, s.read, mayReadQuery, []any{fileID, userID, fileID, userID}, &may)
	return may, s.fail(ctx, "may read", err)
}

const mayReadQuery = `SELECT EXISTS (SELECT 1 FROM files f WHERE f.id = ? AND f.owner_id = ?)
	OR EXISTS (SELECT 1 FROM messages x JOIN members m ON m.conversation_id = x.conversation_id
	           WHERE x.file_id = ? AND m.user_id = ? AND m.state = 0)`
