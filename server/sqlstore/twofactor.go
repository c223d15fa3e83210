package sqlstore

import (
	"context"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// TwoFactor implements chat.TwoFactorStore.
func (s *Store) TwoFactor(ctx context.Context, userID int64) (chat.TwoFactor, error) {
	var f chat.TwoFactor
	err := row(ctx, s.read, `SELECT t.secret, t.active, (SELECT COUNT(*) FROM backup_codes b WHERE b.user_id = t.user_id)
		FROM two_factor t WHERE t.user_id = ?`, []any{userID}, &f.Secret, &f.Active, &f.BackupCodes)
	return f, s.fail(ctx, "two factor", err)
}

// StartTwoFactor implements chat.TwoFactorStore.
func (s *Store) StartTwoFactor(ctx context.Context, userID int64, secret []byte, at time.Time) error {
	return s.fail(ctx, "start two factor", s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		_, err := exec(ctx, t, `INSERT INTO two_factor (user_id, secret, active, last_step, created_at) VALUES (?, ?, 0, 0, ?)`+
			s.dialect.keepOld("user_id"), userID, secret, micros(at))
		if err != nil {
			return err
		}
		r, err := exec(ctx, t, `UPDATE two_factor SET secret = ?, created_at = ? WHERE user_id = ? AND active = 0`, secret, micros(at), userID)
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		if err == nil && n == 0 {
			err = chat.ErrConflict
		}
		return err
	}))
}

// ActivateTwoFactor implements chat.TwoFactorStore.
func (s *Store) ActivateTwoFactor(ctx context.Context, a chat.TwoFactorStart) (ids []string, err error) {
	err = s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		err := changed(exec(ctx, t, `UPDATE two_factor SET active = 1, last_step = ? WHERE user_id = ? AND active = 0 AND secret = ?`,
			a.Step, a.UserID, a.Secret))
		if err != nil {
			return err
		}
		if err := putCodes(ctx, t, a.UserID, a.BackupCodes); err != nil {
			return err
		}
		if _, err := exec(ctx, t, `UPDATE sessions SET second_factor = 1 WHERE id = ? AND user_id = ?`, a.Keep, a.UserID); err != nil {
			return err
		}
		ids, err = endSessions(ctx, t, a.UserID, a.Keep)
		return err
	})
	return ids, s.fail(ctx, "activate two factor", err)
}

// putCodes replaces the backup codes.
func putCodes(ctx context.Context, t querier, userID int64, codes [][]byte) error {
	if _, err := exec(ctx, t, `DELETE FROM backup_codes WHERE user_id = ?`, userID); err != nil {
		return err
	}
	for _, c := range codes {
		if _, err := exec(ctx, t, `INSERT INTO backup_codes (user_id, code_hash) VALUES (?, ?)`, userID, c); err != nil {
			return err
		}
	}
	return nil
}

// UseStep implements chat.TwoFactorStore.
func (s *Store) UseStep(ctx context.Context, userID, step int64) error {
	err := changed(exec(ctx, s.write, `UPDATE two_factor SET last_step = ? WHERE user_id = ? AND active = 1 AND last_step < ?`, step, userID, step))
	return s.fail(ctx, "use step", err)
}

// UseBackupCode implements chat.TwoFactorStore.
func (s *Store) UseBackupCode(ctx context.Context, userID int64, hash []byte) error {
	err := changed(exec(ctx, s.write, `DELETE FROM backup_codes WHERE user_id = ? AND code_hash = ?`, userID, hash))
	return s.fail(ctx, "use backup code", err)
}

// SetBackupCodes implements chat.TwoFactorStore.
func (s *Store) SetBackupCodes(ctx context.Context, userID int64, hashes [][]byte) error {
	return s.fail(ctx, "set backup codes", s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		var active bool
		err := row(ctx, t, `SELECT active FROM two_factor WHERE user_id = ?`+s.dialect.forUpdate, []any{userID}, &active)
		if err == nil && !active {
			err = chat.ErrNotFound
		}
		if err != nil {
			return err
		}
		return putCodes(ctx, t, userID, hashes)
	}))
}

// StopTwoFactor implements chat.TwoFactorStore.
func (s *Store) StopTwoFactor(ctx context.Context, userID int64, except string) (ids []string, err error) {
	err = s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		ids, err = stopTwoFactor(ctx, t, userID, except)
		return err
	})
	return ids, s.fail(ctx, "stop two factor", err)
}

func stopTwoFactor(ctx context.Context, t querier, userID int64, except string) ([]string, error) {
	if err := changed(exec(ctx, t, `DELETE FROM two_factor WHERE user_id = ? AND active = 1`, userID)); err != nil {
		return nil, err
	}
	if err := forgetFactors(ctx, t, userID); err != nil {
		return nil, err
	}
	if _, err := exec(ctx, t, `UPDATE sessions SET second_factor = 0 WHERE id = ?`, except); err != nil {
		return nil, err
	}
	return endSessions(ctx, t, userID, except)
}

// forgetFactors deletes backup codes and trusted devices.
func forgetFactors(ctx context.Context, t querier, userID int64) error {
	if _, err := exec(ctx, t, `DELETE FROM backup_codes WHERE user_id = ?`, userID); err != nil {
		return err
	}
	return forgetDevices(ctx, t, userID)
}

func forgetDevices(ctx context.Context, t querier, userID int64) error {
	_, err := exec(ctx, t, `DELETE FROM trusted_devices WHERE user_id = ?`, userID)
	return err
}

const deviceColumns = `id, user_id, token_hash, device, addr, created_at, expires_at`

func scanDevice(r scanner) (d chat.TrustedDevice, err error) {
	var created, expires int64
	err = r.Scan(&d.ID, &d.UserID, &d.TokenHash, &d.Device, &d.IP, &created, &expires)
	d.CreatedAt, d.ExpiresAt = timeOf(created), timeOf(expires)
	return d, err
}

// CreateTrustedSession implements chat.TwoFactorStore.
func (s *Store) CreateTrustedSession(ctx context.Context, x chat.Session, d chat.TrustedDevice, epoch int64) error {
	return s.fail(ctx, "create trusted session", s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		if err := s.createSession(ctx, t, x, epoch); err != nil {
			return err
		}
		_, err := exec(ctx, t, `DELETE FROM trusted_devices WHERE user_id = ? AND expires_at <= ?`, d.UserID, micros(d.CreatedAt))
		if err != nil {
			return err
		}
		_, err = exec(ctx, t, `INSERT INTO trusted_devices (`+deviceColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			d.ID, d.UserID, d.TokenHash, d.Device, d.IP, micros(d.CreatedAt), micros(d.ExpiresAt))
		return err
	}))
}

// Device implements chat.TwoFactorStore.
func (s *Store) Device(ctx context.Context, id string) (chat.TrustedDevice, error) {
	d, err := one(ctx, s.read, scanDevice, `SELECT `+deviceColumns+` FROM trusted_devices WHERE id = ?`, id)
	return d, s.fail(ctx, "device", err)
}

// Devices implements chat.TwoFactorStore.
func (s *Store) Devices(ctx context.Context, userID int64, limit, offset int) ([]chat.TrustedDevice, error) {
	list, err := collect(ctx, s.read, scanDevice, `SELECT `+deviceColumns+` FROM trusted_devices
		WHERE user_id = ? ORDER BY created_at DESC, id LIMIT ? OFFSET ?`, userID, limit, offset)
	return list, s.fail(ctx, "devices", err)
}

// DeleteDevice implements chat.TwoFactorStore.
func (s *Store) DeleteDevice(ctx context.Context, userID int64, id string) error {
	err := changed(exec(ctx, s.write, `DELETE FROM trusted_devices WHERE user_id = ? AND id = ?`, userID, id))
	return s.fail(ctx, "delete device", err)
}
