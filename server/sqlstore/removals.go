package sqlstore

import (
	"context"
	"database/sql"

	"github.com/onemeter/onemeter/server/chat"
)

// RemoveMessage implements chat.StaffStore.
func (s *Store) RemoveMessage(ctx context.Context, r chat.Removal) error {
	var b blockKey
	err := s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		sender, err := one(ctx, t, scanID, `SELECT COALESCE(sender_id, 0) FROM messages WHERE id = ? AND recalled = 0 AND deleted = 0`, r.ID)
		if err == nil {
			err = decideRemoval(ctx, t, r, sender)
		}
		if err == nil {
			b, err = changeText(ctx, t, r.ID, retractQuery, false, true, micros(r.At), r.ID)
		}
		return err
	})
	if err == nil {
		s.renew(b)
	}
	return s.fail(ctx, "remove message", err)
}

// RemoveGroup implements chat.StaffStore.
func (s *Store) RemoveGroup(ctx context.Context, r chat.Removal) (members []int64, err error) {
	err = s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		if _, err := s.lockGroup(ctx, t, r.ID, r.ActorID); err != nil {
			return err
		}
		owner, err := one(ctx, t, scanID, `SELECT owner_id FROM conversations WHERE id = ?`, r.ID)
		if err == nil {
			err = decideRemoval(ctx, t, r, owner)
		}
		if err == nil {
			members, err = s.deleteGroup(ctx, t, r.ID)
		}
		if err == nil && len(members) == 0 { // deleted before; a group without members does not exist
			err = sql.ErrNoRows
		}
		return err
	})
	return members, s.fail(ctx, "remove group", err)
}

// decideRemoval asks r.Decide, and adds its entry to the audit. It locks no account:
// if a role changes meanwhile, the removal counts as earlier.
func decideRemoval(ctx context.Context, t querier, r chat.Removal, ownerID int64) (err error) {
	actor := chat.Operator()
	if r.ActorID != 0 {
		if actor, err = standingOrUser(ctx, t, r.ActorID, r.At, ""); err != nil {
			return err
		}
	}
	owner, err := standingOrUser(ctx, t, ownerID, r.At, "")
	if err != nil {
		return err
	}
	entry, err := r.Decide(actor, owner)
	if err != nil {
		return err
	}
	return addAudit(ctx, t, entry)
}
