package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// CreateFile implements chat.FileStore. Row 0 of file_bytes is the sum of all
// others. It is changed last, because all uploads wait for its lock.
func (s *Store) CreateFile(ctx context.Context, f chat.File, q chat.Quota) (chat.File, error) {
	err := s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		r, err := exec(ctx, t, `INSERT INTO files (owner_id, name, size, content_type, sha256, blob_key, created_at)
			VALUES (?, ?, ?, ?, ?, ?, ?)`, f.OwnerID, f.Name, f.Size, f.ContentType, f.SHA256, f.Key, micros(f.CreatedAt))
		if err != nil {
			return err
		}
		if f.ID, err = r.LastInsertId(); err != nil {
			return err
		}
		if err := s.addBytes(ctx, t, f.OwnerID, f.Size, q.User, chat.ErrUserFull); err != nil {
			return err
		}
		return s.addBytes(ctx, t, everybody, f.Size, q.Total, chat.ErrFull)
	})
	if errors.Is(err, chat.ErrUserFull) || errors.Is(err, chat.ErrFull) {
		return chat.File{}, fmt.Errorf("sqlstore: create file: %w", err)
	}
	if err != nil {
		return chat.File{}, s.fail(ctx, "create file", err)
	}
	f.CreatedAt = timeOf(micros(f.CreatedAt))
	return f, nil
}

// everybody is the owner of the row with the bytes of all files.
const everybody = 0

// addBytes adds more, which may be negative, to the bytes of an owner. If the sum
// would exceed quota (0: no limit), it returns full.
func (s *Store) addBytes(ctx context.Context, t querier, owner, more, quota int64, full error) error {
	_, err := exec(ctx, t, `INSERT INTO file_bytes (owner_id, bytes) VALUES (?, 0)`+s.dialect.keepOld("owner_id"), owner)
	if err != nil {
		return err
	}
	if _, err := exec(ctx, t, `UPDATE file_bytes SET bytes = bytes + ? WHERE owner_id = ?`, more, owner); err != nil {
		return err
	}
	var bytes int64
	if err := row(ctx, t, `SELECT bytes FROM file_bytes WHERE owner_id = ?`, []any{owner}, &bytes); err != nil {
		return err
	}
	if quota > 0 && more > 0 && bytes > quota {
		return full
	}
	return nil
}

// FileBytes implements chat.FileStore.
func (s *Store) FileBytes(ctx context.Context, userID int64) (user, total int64, err error) {
	_, err = collect(ctx, s.read, func(r scanner) (struct{}, error) {
		var owner, bytes int64
		err := r.Scan(&owner, &bytes)
		if owner == everybody {
			total = bytes
		} else {
			user = bytes
		}
		return struct{}{}, err
	}, `SELECT owner_id, bytes FROM file_bytes WHERE owner_id IN (?, ?)`, userID, everybody)
	return user, total, s.fail(ctx, "file bytes", err)
}

// File implements chat.FileStore.
func (s *Store) File(ctx context.Context, id int64) (chat.File, error) {
	f := chat.File{ID: id}
	var created int64
	err := row(ctx, s.read, `SELECT owner_id, name, size, content_type, sha256, blob_key, created_at FROM files WHERE id = ? AND deleted = 0`,
		[]any{id}, &f.OwnerID, &f.Name, &f.Size, &f.ContentType, &f.SHA256, &f.Key, &created)
	if err != nil {
		return chat.File{}, s.fail(ctx, "file", err)
	}
	f.CreatedAt = timeOf(created)
	return f, nil
}

// MayRead implements chat.FileStore. It returns false if the file does not exist.
func (s *Store) MayRead(ctx context.Context, fileID, userID int64) (bool, error) {
	var may bool
	err := row(ctx, s.read, mayReadQuery, []any{fileID, userID, fileID, userID}, &may)
	return may, s.fail(ctx, "may read", err)
}

const mayReadQuery = `SELECT EXISTS (SELECT 1 FROM files f WHERE f.id = ? AND f.owner_id = ?)
	OR EXISTS (SELECT 1 FROM messages x JOIN members m ON m.conversation_id = x.conversation_id
	           WHERE x.file_id = ? AND m.user_id = ? AND m.state = 0)`

// UnusedFiles implements chat.FileStore. It relies on ids growing with time, more or
// less.
func (s *Store) UnusedFiles(ctx context.Context, after int64, before time.Time, limit int) (unused []chat.File, last int64, err error) {
	seen := 0
	_, err = collect(ctx, s.read, func(r scanner) (struct{}, error) {
		var f chat.File
		var created int64
		var used bool
		err := r.Scan(&f.ID, &f.OwnerID, &f.Size, &f.Key, &created, &f.Deleted, &used)
		seen++
		if last = f.ID; created >= micros(before) {
			return struct{}{}, err
		}
		if f.CreatedAt = timeOf(created); !used || f.Deleted && f.Key != "" {
			unused = append(unused, f)
		}
		return struct{}{}, err
	}, unusedQuery, after, limit)
	if err != nil {
		return nil, 0, s.fail(ctx, "unused files", err)
	}
	if seen < limit {
		last = 0
	}
	return unused, last, nil
}

const unusedQuery = `SELECT k.id, k.owner_id, k.size, k.blob_key, k.created_at, k.deleted,
	EXISTS (SELECT 1 FROM messages x WHERE x.file_id = k.id)
	FROM (SELECT id, owner_id, size, blob_key, created_at, deleted FROM files WHERE id > ? ORDER BY id LIMIT ?) k ORDER BY k.id`

// FilesOf implements chat.FileStore.
func (s *Store) FilesOf(ctx context.Context, userID int64, limit, offset int) ([]chat.File, error) {
	files, err := collect(ctx, s.read, func(r scanner) (chat.File, error) {
		f := chat.File{OwnerID: userID}
		var created int64
		err := r.Scan(&f.ID, &f.Name, &f.Size, &f.ContentType, &f.SHA256, &f.Key, &created)
		f.CreatedAt = timeOf(created)
		return f, err
	}, `SELECT id, name, size, content_type, sha256, blob_key, created_at FROM files
		WHERE owner_id = ? AND deleted = 0 ORDER BY id DESC LIMIT ? OFFSET ?`, userID, limit, offset)
	return files, s.fail(ctx, "files of", err)
}

// FileConversations implements chat.FileStore.
func (s *Store) FileConversations(ctx context.Context, id int64, limit int) ([]int64, error) {
	ids, err := collect(ctx, s.read, scanID, `SELECT DISTINCT conversation_id FROM messages WHERE file_id = ? LIMIT ?`, id, limit)
	return ids, s.fail(ctx, "file conversations", err)
}

// MarkFileDeleted implements chat.FileStore. The row stays, because SQLite would
// otherwise reuse the id, and old messages would then show the new file.
func (s *Store) MarkFileDeleted(ctx context.Context, id int64) error {
	err := s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		var owner, size int64
		err := row(ctx, t, `SELECT owner_id, size FROM files WHERE id = ? AND deleted = 0`+s.dialect.forUpdate, []any{id}, &owner, &size)
		if err != nil {
			return err
		}
		if _, err := exec(ctx, t, `UPDATE files SET deleted = 1, name = '', size = 0, sha256 = '' WHERE id = ?`, id); err != nil {
			return err
		}
		if err := s.addBytes(ctx, t, owner, -size, 0, nil); err != nil {
			return err
		}
		return s.addBytes(ctx, t, everybody, -size, 0, nil)
	})
	return s.fail(ctx, "mark file deleted", err)
}

// ForgetBytes implements chat.FileStore.
func (s *Store) ForgetBytes(ctx context.Context, id int64) error {
	_, err := exec(ctx, s.write, `UPDATE files SET blob_key = '' WHERE id = ? AND deleted = 1`, id)
	return s.fail(ctx, "forget bytes", err)
}

// DeleteFile implements chat.FileStore.
func (s *Store) DeleteFile(ctx context.Context, id int64) error {
	err := s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		var owner, size int64
		err := row(ctx, t, `SELECT owner_id, size FROM files WHERE id = ?`+s.dialect.forUpdate, []any{id}, &owner, &size)
		if err != nil {
			return err
		}
		var used bool
		if err := row(ctx, t, `SELECT EXISTS (SELECT 1 FROM messages x WHERE x.file_id = ?)`, []any{id}, &used); err != nil {
			return err
		}
		if used {
			return chat.ErrConflict
		}
		if _, err := exec(ctx, t, `DELETE FROM files WHERE id = ?`, id); err != nil {
			return err
		}
		if err := s.addBytes(ctx, t, owner, -size, 0, nil); err != nil {
			return err
		}
		return s.addBytes(ctx, t, everybody, -size, 0, nil)
	})
	return s.fail(ctx, "delete file", err)
}
