package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
)

// fillKeys is the migration that gives keys to existing usernames. If two accounts
// now have the same key, the older one keeps it; the other one logs in with the
// phone number, or as name#id.
func fillKeys(ctx context.Context, tx *sql.Tx, key func(string) string) error {
	taken := make(map[string]bool)
	return eachUser(ctx, tx, func(u namedUser) error {
		if u.username == "" {
			return nil
		}
		k := key(u.username)
		if taken[k] {
			k = fmt.Sprintf("%s#%d", k, u.id) // no username has a #
		}
		taken[k] = true
		_, err := tx.ExecContext(ctx, `UPDATE users SET name_key = ? WHERE id = ?`, k, u.id)
		return err
	})
}
