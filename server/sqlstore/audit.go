package sqlstore

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/onemeter/onemeter/server/chat"
)

// AddAudit implements chat.StaffStore. No statement changes or deletes an entry.
func (s *Store) AddAudit(ctx context.Context, e chat.AuditEntry) error {
	return s.fail(ctx, "add audit", addAudit(ctx, s.write, e))
}

func addAudit(ctx context.Context, t querier, e chat.AuditEntry) error {
	_, err := exec(ctx, t, `INSERT INTO audit (level, module, message, user_id, target, ip, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		string(e.Level), string(e.Module), e.Message, e.UserID, []byte(e.Target), e.IP, micros(e.CreatedAt))
	return err
}

func scanAudit(r scanner) (e chat.AuditEntry, err error) {
	var at int64
	err = r.Scan(&e.ID, &e.Level, &e.Module, &e.Message, &e.UserID, &e.Target, &e.IP, &at)
	e.CreatedAt = timeOf(at)
	return e, err
}

// Audit implements chat.StaffStore.
func (s *Store) Audit(ctx context.Context, q chat.AuditQuery) ([]chat.AuditEntry, int64, error) {
	var f filter
	f.add("k.id < ?", q.BeforeID)
	if q.Level != "" {
		f.add("k.level = ?", string(q.Level))
	}
	if q.Module != "" {
		f.add("k.module = ?", string(q.Module))
	}
	if q.UserID != nil {
		f.add("k.user_id = ?", *q.UserID)
	}
	if q.Target != "" {
		f.add("k.target = ?", []byte(q.Target))
	}
	total, err := f.count(ctx, s, "audit k", q.Count)
	if err != nil {
		return nil, 0, s.fail(ctx, "audit", err)
	}
	list, err := collect(ctx, s.read, scanAudit, `SELECT k.id, k.level, k.module, k.message, k.user_id, k.target, k.ip, k.created_at
		FROM audit k WHERE `+f.where()+` ORDER BY k.id DESC LIMIT ? OFFSET ?`, append(f.args, q.Limit, q.Offset)...)
	return list, total, s.fail(ctx, "audit", err)
}

// A filter is a list of conditions of a query. Their texts are constants, so that
// few different statements are prepared.
type filter struct {
	conditions []string
	args       []any
}

func (f *filter) add(condition string, args ...any) {
	f.conditions, f.args = append(f.conditions, condition), append(f.args, args...)
}

func (f *filter) where() string { return strings.Join(f.conditions, " AND ") }

// count returns how many rows of table the filter selects, and stops at most, unless that is 0.
func (f *filter) count(ctx context.Context, s *Store, table string, most int64) (n int64, err error) {
	if most <= 0 {
		most = math.MaxInt64
	}
	err = row(ctx, s.read, `SELECT COUNT(*) FROM (SELECT 1 AS one FROM `+table+` WHERE `+f.where()+` LIMIT ?) f`,
		append(slices.Clone(f.args), most), &n)
	return n, err
}
