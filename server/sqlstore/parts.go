package sqlstore

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/onemeter/onemeter/server/chat"
)

// maxPart bounds a stored part, in bytes. Names that clients may set are shorter.
const maxPart = 256

// partsOf returns all suffixes of a user's names, each once, in the form that searches
// compare. Case is folded here, because engines differ.
func partsOf(names ...string) []string {
	var parts []string
	for _, name := range names {
		name = strings.ToLower(name)
		for i, r := range name {
			if !unicode.IsSpace(r) {
				parts = append(parts, cut(name[i:], maxPart))
			}
		}
	}
	slices.Sort(parts)
	return slices.Compact(parts)
}

// cut returns the first runes of s that fit into n bytes.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// putParts replaces the parts of a user.
func (s *Store) putParts(ctx context.Context, t querier, userID int64, before, after []string) error {
	gone := slices.DeleteFunc(slices.Clone(before), func(p string) bool { _, found := slices.BinarySearch(after, p); return found })
	come := slices.DeleteFunc(slices.Clone(after), func(p string) bool { _, found := slices.BinarySearch(before, p); return found })
	for _, p := range gone {
		if _, err := exec(ctx, t, `DELETE FROM user_parts WHERE part = ? AND user_id = ?`, []byte(p), userID); err != nil {
			return err
		}
	}
	for len(come) > 0 {
		part := come[:piece(len(come))]
		come = come[len(part):]
		args := make([]any, 0, 2*len(part))
		for _, p := range part {
			args = append(args, []byte(p), userID)
		}
		if _, err := exec(ctx, t, insertParts(len(part), s.dialect), args...); err != nil {
			return err
		}
	}
	return nil
}

func insertParts(n int, d *dialect) string {
	return `INSERT INTO user_parts (part, user_id) VALUES ` + repeat("(?, ?)", ", ", n) + d.keepOld("user_id")
}

// SearchUsers implements chat.UserStore. The user whose phone number is q comes first,
// the others in the order of the index. The limit applies within the range of the
// index, so that a frequent letter is found as fast as a rare one.
func (s *Store) SearchUsers(ctx context.Context, q string, limit, offset int) ([]chat.User, error) {
	if q == "" || limit <= 0 {
		return nil, nil
	}
	ids, err := collect(ctx, s.read, scanID, `SELECT id FROM users WHERE phone = ?`, q)
	if err != nil {
		return nil, s.fail(ctx, "search users", err)
	}
	byPhone := int64(0)
	switch {
	case len(ids) == 0:
	case offset > 0: // this user was on the first page
		byPhone, ids, offset = ids[0], nil, offset-1
	default:
		byPhone, limit = ids[0], limit-1
	}
	from := []byte(cut(strings.ToLower(q), maxPart))
	to := append(slices.Clone(from), 0xff) // UTF-8 never has this byte
	more, err := collect(ctx, s.read, scanID, searchQuery, from, to, byPhone, limit, offset)
	if err != nil {
		return nil, s.fail(ctx, "search users", err)
	}
	return s.Users(ctx, append(ids, more...))
}

const searchQuery = `SELECT DISTINCT user_id FROM user_parts WHERE part >= ? AND part < ? AND user_id <> ? LIMIT ? OFFSET ?`

// fillParts is the migration that stores the parts of existing users.
func (d *dialect) fillParts(ctx context.Context, tx *sql.Tx) error {
	return eachUser(ctx, tx, func(u namedUser) error {
		for parts := range slices.Chunk(partsOf(u.username, u.nickname), maxRows) {
			args := make([]any, 0, 2*len(parts))
			for _, p := range parts {
				args = append(args, []byte(p), u.id)
			}
			if _, err := tx.ExecContext(ctx, insertParts(len(parts), d), args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// A namedUser is the part of a user that migrations read.
type namedUser struct {
	id                 int64
	username, nickname string
}

// eachUser calls do for every user, in the order of ids.
func eachUser(ctx context.Context, tx *sql.Tx, do func(namedUser) error) error {
	const chunk = 1000
	for after := int64(0); ; {
		users, err := namedUsers(ctx, tx, after, chunk)
		if err != nil {
			return err
		}
		for _, u := range users {
			if err := do(u); err != nil {
				return err
			}
			after = u.id
		}
		if len(users) < chunk {
			return nil
		}
	}
}

func namedUsers(ctx context.Context, tx *sql.Tx, after int64, limit int) (users []namedUser, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT id, COALESCE(username, ''), nickname FROM users WHERE id > ? ORDER BY id LIMIT ?`, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var u namedUser
		if err := rows.Scan(&u.id, &u.username, &u.nickname); err != nil {
			return nil, err
		}
		users = append(users, u)
	}
	return users, rows.Err()
}
