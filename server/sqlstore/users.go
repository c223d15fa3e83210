package sqlstore

import (
	"context"
	"slices"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

const userColumns = `u.id, COALESCE(u.phone, ''), COALESCE(u.username, ''), u.nickname, u.bio, u.avatar, u.role, u.last_seen, u.created_at, u.deleted_at`

func scanUser(r scanner) (chat.User, error) {
	var u chat.User
	var seen, created, deleted int64
	err := r.Scan(&u.ID, &u.Phone, &u.Username, &u.Nickname, &u.Bio, &u.Avatar, &u.Role, &seen, &created, &deleted)
	u.Deleted = deleted != 0
	u.LastSeen, u.CreatedAt = timeOf(seen), timeOf(created)
	return u, err
}

// CreateUser implements chat.UserStore.
func (s *Store) CreateUser(ctx context.Context, u chat.User, passwordHash string) (chat.User, error) {
	err := s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		// Older versions searched the column search.
		r, err := exec(ctx, t, `INSERT INTO users
			(phone, username, name_key, nickname, bio, avatar, role, password_hash, search, last_seen, created_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?)`,
			orNull(u.Phone), orNull(u.Username), orNull(s.key(u.Username)), u.Nickname, u.Bio, u.Avatar, u.Role, passwordHash,
			micros(u.LastSeen), micros(u.CreatedAt))
		if err != nil {
			return err
		}
		if u.ID, err = r.LastInsertId(); err != nil {
			return err
		}
		return s.putParts(ctx, t, u.ID, nil, partsOf(u.Username, u.Nickname))
	})
	if err != nil {
		return chat.User{}, s.fail(ctx, "create user", err)
	}
	u.LastSeen, u.CreatedAt = timeOf(micros(u.LastSeen)), timeOf(micros(u.CreatedAt))
	return u, nil
}

// UserByLogin implements chat.UserStore.
func (s *Store) UserByLogin(ctx context.Context, phone, username string) (chat.Login, error) {
	if phone == "" {
		return s.login(ctx, "u.name_key = ?", s.key(username))
	}
	return s.login(ctx, "u.phone = ?", phone)
}

// LoginOf implements chat.UserStore.
func (s *Store) LoginOf(ctx context.Context, userID int64) (chat.Login, error) {
	return s.login(ctx, "u.id = ?", userID)
}

func (s *Store) login(ctx context.Context, where string, value any) (chat.Login, error) {
	l, err := one(ctx, s.read, func(r scanner) (l chat.Login, err error) {
		l.User, err = scanUser(after{r, []any{&l.PasswordHash, &l.Epoch, &l.TwoFactor}})
		return l, err
	}, `SELECT `+userColumns+`, u.password_hash, u.login_epoch,
		EXISTS (SELECT 1 FROM two_factor t WHERE t.user_id = u.id AND t.active = 1) FROM users u WHERE u.deleted_at = 0 AND `+where, value)
	return l, s.fail(ctx, "user by login", err)
}

// after returns a scanner that also scans a row's last columns, into more.
type after struct {
	scanner
	more []any
}

func (a after) Scan(dest ...any) error { return a.scanner.Scan(append(dest, a.more...)...) }

// Users implements chat.UserStore.
func (s *Store) Users(ctx context.Context, ids []int64) ([]chat.User, error) {
	byID := make(map[int64]chat.User, len(ids))
	for part := range slices.Chunk(ids, lists) {
		in, args := inList(part, nil)
		list, err := collect(ctx, s.read, scanUser, `SELECT `+userColumns+` FROM users u WHERE u.id IN (`+in+`)`, args...)
		if err != nil {
			return nil, s.fail(ctx, "users", err)
		}
		for _, u := range list {
			byID[u.ID] = u
		}
	}
	users := make([]chat.User, 0, len(ids))
	for _, id := range ids {
		if u, ok := byID[id]; ok {
			users = append(users, u)
		}
	}
	return users, nil
}

// UpdateUser implements chat.UserStore.
func (s *Store) UpdateUser(ctx context.Context, userID int64, p chat.Profile) error {
	return s.fail(ctx, "update user", s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		var username, before string
		err := row(ctx, t, `SELECT COALESCE(username, ''), nickname FROM users WHERE id = ? AND deleted_at = 0`+s.dialect.forUpdate,
			[]any{userID}, &username, &before)
		if err != nil {
			return err
		}
		_, err = exec(ctx, t, `UPDATE users SET nickname = COALESCE(?, nickname), bio = COALESCE(?, bio), avatar = COALESCE(?, avatar)
			WHERE id = ?`, p.Nickname, p.Bio, p.Avatar, userID)
		if err != nil || p.Nickname == nil {
			return err
		}
		return s.putParts(ctx, t, userID, partsOf(username, before), partsOf(username, *p.Nickname))
	}))
}

// SetLastSeen implements chat.UserStore.
func (s *Store) SetLastSeen(ctx context.Context, userIDs []int64, at time.Time) error {
	err := s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		for part := range slices.Chunk(userIDs, lists) {
			in, args := inList(part, []any{micros(at), micros(at)})
			query := `UPDATE users SET last_seen = ? WHERE last_seen < ? AND deleted_at = 0 AND id IN (` + in + `)`
			if _, err := exec(ctx, t, query, args...); err != nil {
				return err
			}
		}
		return nil
	})
	return s.fail(ctx, "set last seen", err)
}
